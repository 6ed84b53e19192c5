// Any text as redis.conf: reading, applying and rewriting never crash; a rewritten file can be read again.
#include <cstdint>
#include <string_view>

#include "conf/redis_conf.h"
#include "server/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = holdfast::conf::parse_redis_conf(text, "fuzz.conf");
  const auto start = holdfast::server::apply_conf(parsed);
  const std::string rewritten = holdfast::server::rewrite_config(start.settings, text, {"user default on"});
  holdfast::conf::parse_redis_conf(rewritten, "fuzz.conf");
  return 0;
}
