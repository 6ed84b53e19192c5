/* Numbered writes with hiredis through a proxy (see README.md).
 *
 * hiredis retries nothing by itself: what it offers is redisReconnect() on a context with an error, with the options
 * the context was made with. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long long now_ms(void) {
  struct timeval now;
  gettimeofday(&now, NULL);
  return (long long)now.tv_sec * 1000 + now.tv_usec / 1000;
}

static void pause_ms(long ms) {
  struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
  nanosleep(&pause, NULL);
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s PREFIX proxy PORT\n", argv[0]);
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  struct timeval timeout = {2, 0};
  redisContext* context = redisConnectWithTimeout("127.0.0.1", atoi(argv[3]), timeout);
  if (context == NULL) return 1;
  if (context->err == 0) redisSetTimeout(context, timeout);
  for (long number = 0;;) {
    redisReply* reply = context->err != 0 ? NULL : redisCommand(context, "SET %s:%ld %ld", argv[1], number, number);
    if (reply != NULL && reply->type == REDIS_REPLY_STATUS) {
      printf("ok %ld %lld\n", number++, now_ms());
    } else {
      printf("error %s %lld\n", reply != NULL ? reply->str : context->errstr, now_ms());
      if (reply == NULL) {
        pause_ms(50);
        redisReconnect(context);
      }
    }
    if (reply != NULL) freeReplyObject(reply);
    pause_ms(10);
  }
}
