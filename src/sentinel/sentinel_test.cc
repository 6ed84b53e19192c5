// The machine alone: start-up, the commands of its port, replies that wait for the disk. No network.
#include "sentinel/sentinel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace holdfast::sentinel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kMyid = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
constexpr const char* kPath = "/etc/sentinel.conf";
constexpr const char* kOther = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// Drives one Sentinel by hand.
class Rig {
 public:
  explicit Rig(const std::string& config, const std::string& users = "") {
    Options options;
    options.acl_file = users;
    disk = config;
    options.config_path = kPath;
    options.conf = conf::parse_redis_conf(config, options.config_path);
    options.seed = 7;
    now.mono += 1s;
    now.wall = wall_from_ms(1'700'000'000'000);
    machine = std::make_unique<Sentinel>(std::move(options));
    machine->start(now);
    drain();
    for (const ListenerId listener : listeners) {
      machine->listening(listener, {"0.0.0.0", 26379, {}}, 0, now);
      drain();
    }
  }

  void drain() {
    Action action;
    while (machine->poll_action(action)) {
      if (auto* log = std::get_if<action::Log>(&action)) logs.push_back(log->text);
      if (auto* write = std::get_if<action::WriteFile>(&action)) {
        writes.push_back(*write);
        if (disk_works_at_once && write->path == kPath) disk = write->bytes;
        if (disk_works_at_once) {
          machine->job_done(write->job, 0, now);
        }
      }
      if (auto* listen = std::get_if<action::Listen>(&action)) listeners.push_back(listen->listener);
      if (auto* connect = std::get_if<action::Connect>(&action)) connects.push_back(connect->to);
      if (auto* read = std::get_if<action::ReadFile>(&action)) {
        if (read->path == kPath) {
          if (disk) machine->file_data(read->job, *disk, now);
          machine->job_done(read->job, disk ? 0 : read_error, now);
        } else {
          reads.push_back(read->job);
        }
      }
      if (auto* resolve = std::get_if<action::Resolve>(&action)) resolves.push_back(*resolve);
      if (auto* close = std::get_if<action::Close>(&action)) closed.push_back(close->conn);
      if (auto* exit = std::get_if<action::Exit>(&action)) exit_code = exit->code;
    }
    machine->check_invariants();
  }

  ConnId client() {
    Accepted from;
    from.peer = {"127.0.0.1", 40000, {}};
    from.local = {"127.0.0.1", 26379, {}};
    const ConnId conn = machine->accepted(from, now);
    drain();
    return conn;
  }

  std::string output(ConnId conn) {
    OutQueue& queue = machine->output(conn);
    const std::string bytes = queue.to_string();
    queue.clear();
    return bytes;
  }

  std::string send(ConnId conn, std::string_view line) {
    machine->receive(conn, std::string(line) + "\r\n", now);
    drain();
    return output(conn);
  }

  void advance(Duration by) {
    const Mono end = now.mono + by;
    while (machine->next_deadline() <= end) {
      const Mono next = std::max(now.mono, machine->next_deadline());
      now.wall += next - now.mono;
      now.mono = next;
      machine->tick(now);
      drain();
    }
    now.wall += end - now.mono;
    now.mono = end;
    machine->tick(now);
    drain();
  }

  Now now;
  std::unique_ptr<Sentinel> machine;
  std::vector<std::string> logs;
  std::vector<action::WriteFile> writes;
  std::vector<ListenerId> listeners;
  std::vector<Address> connects;
  std::vector<action::Resolve> resolves;
  std::vector<JobId> reads;
  std::vector<ConnId> closed;
  std::optional<int> exit_code;
  bool disk_works_at_once = true;
  std::optional<std::string> disk;  // the configuration file; none: it cannot be read
  int read_error = ENOENT;
};

std::string basic() {
  return std::string("port 26379\nsentinel myid ") + kMyid +
         "\nsentinel monitor master01 10.0.0.1 6379 2\nsentinel down-after-milliseconds master01 3000\n"
         "sentinel failover-timeout master01 6000\n";
}

TEST(Sentinel, AnnouncesItselfOnceListening) {
  Rig rig(basic());
  EXPECT_THAT(rig.logs,
              ElementsAre(std::string("Sentinel ID is ") + kMyid, "+monitor master master01 10.0.0.1 6379 quorum 2"));
  EXPECT_TRUE(rig.writes.empty());
  ASSERT_EQ(rig.connects.size(), 2u);  // commands and pub/sub
  EXPECT_EQ(rig.connects[0].host, "10.0.0.1");
}

TEST(Sentinel, InventsAndSavesItsId) {
  Rig rig("port 26379\n");
  ASSERT_EQ(rig.writes.size(), 1u);
  EXPECT_EQ(rig.writes[0].path, "/etc/sentinel.conf");
  EXPECT_THAT(rig.writes[0].bytes, HasSubstr("sentinel myid " + rig.machine->myid()));
  EXPECT_EQ(rig.machine->myid().size(), 40u);
}

TEST(Sentinel, AnswersSimpleCommands) {
  Rig rig(basic());
  const ConnId c = rig.client();
  EXPECT_EQ(rig.send(c, "PING"), "+PONG\r\n");
  EXPECT_EQ(rig.send(c, "ping hello"), "$5\r\nhello\r\n");
  EXPECT_EQ(rig.send(c, "ROLE"), "*2\r\n$8\r\nsentinel\r\n*1\r\n$8\r\nmaster01\r\n");
  EXPECT_EQ(rig.send(c, "sentinel myid"), std::string("$40\r\n") + kMyid + "\r\n");
  EXPECT_EQ(rig.send(c, "SENTINEL get-master-addr-by-name master01"), "*2\r\n$8\r\n10.0.0.1\r\n$4\r\n6379\r\n");
  EXPECT_EQ(rig.send(c, "SENTINEL get-master-addr-by-name nobody"), "*-1\r\n");
  EXPECT_EQ(rig.send(c, "SET a b"), "-ERR unknown command 'SET', with args beginning with: 'a' 'b' \r\n");
  EXPECT_EQ(rig.send(c, "SENTINEL frob x"), "-ERR unknown subcommand 'frob'. Try SENTINEL HELP.\r\n");
  EXPECT_EQ(rig.send(c, "SENTINEL master"), "-ERR wrong number of arguments for 'sentinel|master' command\r\n");
  EXPECT_EQ(rig.send(c, "SENTINEL master x"), "-ERR No such master with that name\r\n");
  EXPECT_EQ(rig.send(c, "SENTINEL ckquorum master01"),
            "-NOQUORUM 1 usable Sentinels. Not enough available Sentinels to reach the specified quorum for this "
            "master\r\n");
  EXPECT_EQ(rig.send(c, "SENTINEL failover master01"), "-NOGOODSLAVE No suitable replica to promote\r\n");
  EXPECT_EQ(rig.send(c, "PUBLISH x y"), "-ERR Only HELLO messages are accepted by Sentinel instances.\r\n");
  EXPECT_EQ(rig.send(c, "SENTINEL simulate-failure nope"), "-ERR Unknown failure simulation specified\r\n");
  EXPECT_THAT(rig.send(c, "INFO sentinel"),
              HasSubstr("master0:name=master01,status=ok,address=10.0.0.1:6379,slaves=0,sentinels=1\r\n"));
  EXPECT_EQ(rig.send(c, "QUIT"), "+OK\r\n");
  EXPECT_THAT(rig.closed, ElementsAre(c));
}

TEST(Sentinel, MastersFieldsInTheOrderToolsRelyOn) {
  Rig rig(basic());
  const ConnId c = rig.client();
  const std::string reply = rig.send(c, "SENTINEL masters");
  EXPECT_THAT(reply, StartsWith("*1\r\n*40\r\n$4\r\nname\r\n$8\r\nmaster01\r\n$2\r\nip\r\n$8\r\n10.0.0.1\r\n"));
  std::vector<std::string> names = {"name",
                                    "ip",
                                    "port",
                                    "runid",
                                    "flags",
                                    "link-pending-commands",
                                    "link-refcount",
                                    "last-ping-sent",
                                    "last-ok-ping-reply",
                                    "last-ping-reply",
                                    "down-after-milliseconds",
                                    "info-refresh",
                                    "role-reported",
                                    "role-reported-time",
                                    "config-epoch",
                                    "num-slaves",
                                    "num-other-sentinels",
                                    "quorum",
                                    "failover-timeout",
                                    "parallel-syncs"};
  size_t at = 0;
  for (const std::string& name : names) {
    const size_t found = reply.find("\r\n" + name + "\r\n", at);
    ASSERT_NE(found, std::string::npos) << name;
    at = found;
  }
  rig.send(c, "HELLO 3");
  EXPECT_THAT(rig.send(c, "SENTINEL master master01"), StartsWith("%20\r\n"));
}

TEST(Sentinel, VoteIsToldOnlyWhenItIsOnDisk) {
  Rig rig(basic());
  rig.disk_works_at_once = false;
  const ConnId a = rig.client();
  const ConnId b = rig.client();
  const std::string ask = std::string("SENTINEL is-master-down-by-addr 10.0.0.1 6379 5 ") + kOther;
  EXPECT_EQ(rig.send(a, ask), "");
  ASSERT_EQ(rig.writes.size(), 1u);
  EXPECT_THAT(rig.writes[0].bytes, HasSubstr("sentinel leader-epoch master01 5\n"));
  EXPECT_THAT(rig.writes[0].bytes, HasSubstr("sentinel current-epoch 5\n"));
  // Another asker in the same epoch gets the same vote, and no earlier; replies behind it wait as well.
  EXPECT_EQ(rig.send(b, "SENTINEL is-master-down-by-addr 10.0.0.1 6379 5 cccc"), "");
  EXPECT_EQ(rig.send(b, "PING"), "");
  rig.machine->job_done(rig.writes[0].job, 0, rig.now);
  rig.drain();
  const std::string vote = std::string("*3\r\n:0\r\n$40\r\n") + kOther + "\r\n:5\r\n";
  EXPECT_EQ(rig.output(a), vote);
  EXPECT_EQ(rig.output(b), vote + "+PONG\r\n");
  EXPECT_THAT(rig.logs, testing::Contains(std::string("+vote-for-leader ") + kOther + " 5"));
  EXPECT_EQ(rig.send(a, "SENTINEL is-master-down-by-addr 10.0.0.1 6379 9 *"), "*3\r\n:0\r\n$1\r\n*\r\n:0\r\n");
  EXPECT_EQ(rig.machine->current_epoch(), 5u);
}

TEST(Sentinel, NoVoteWithoutADisk) {
  Rig rig(basic());
  rig.disk_works_at_once = false;
  const ConnId a = rig.client();
  EXPECT_EQ(rig.send(a, std::string("SENTINEL is-master-down-by-addr 10.0.0.1 6379 5 ") + kOther), "");
  rig.machine->job_done(rig.writes.back().job, 28, rig.now);
  rig.drain();
  EXPECT_EQ(rig.output(a), "*3\r\n:0\r\n$1\r\n*\r\n:0\r\n");
  EXPECT_FALSE(rig.machine->vote("master01").durable);
  // The disk works again, something else is saved, and the vote with it: now it may be told.
  EXPECT_EQ(rig.send(a, "SENTINEL flushconfig"), "");
  rig.machine->job_done(rig.writes.back().job, 0, rig.now);
  rig.drain();
  EXPECT_EQ(rig.output(a), "+OK\r\n");
  EXPECT_EQ(rig.send(a, std::string("SENTINEL is-master-down-by-addr 10.0.0.1 6379 5 ") + kOther),
            std::string("*3\r\n:0\r\n$40\r\n") + kOther + "\r\n:5\r\n");
}

TEST(Sentinel, AVoteBindsForALease) {
  Rig rig(basic());
  const ConnId a = rig.client();
  const std::string kept = std::string("*3\r\n:0\r\n$40\r\n") + kOther + "\r\n:5\r\n";
  EXPECT_EQ(rig.send(a, std::string("SENTINEL is-master-down-by-addr 10.0.0.1 6379 5 ") + kOther), kept);
  EXPECT_EQ(rig.send(a, "SENTINEL is-master-down-by-addr 10.0.0.1 6379 6 cccc"), kept);
  EXPECT_EQ(rig.machine->current_epoch(), 6u);
  rig.advance(1001ms);
  EXPECT_EQ(rig.send(a, "SENTINEL is-master-down-by-addr 10.0.0.1 6379 6 cccc"), "*3\r\n:0\r\n$4\r\ncccc\r\n:6\r\n");
  // The same candidate may ask again at once.
  EXPECT_EQ(rig.send(a, "SENTINEL is-master-down-by-addr 10.0.0.1 6379 7 cccc"), "*3\r\n:0\r\n$4\r\ncccc\r\n:7\r\n");
  // With the original's timing there are the original's rules.
  rig.send(a, "SENTINEL set master01 fast-failover no");
  rig.advance(1001ms);  // what was promised before stays promised
  EXPECT_EQ(rig.send(a, "SENTINEL is-master-down-by-addr 10.0.0.1 6379 8 cccc"), "*3\r\n:0\r\n$4\r\ncccc\r\n:8\r\n");
  EXPECT_EQ(rig.send(a, "SENTINEL is-master-down-by-addr 10.0.0.1 6379 9 dddd"), "*3\r\n:0\r\n$4\r\ndddd\r\n:9\r\n");
}

TEST(Sentinel, WhatTheOriginalDoesNotKnowIsKeptBesideItsFile) {
  Rig rig(basic() + "sentinel fast-failover master01 yes\n");
  const ConnId c = rig.client();
  EXPECT_EQ(rig.send(c, "SENTINEL set master01 crash-confirm-milliseconds 250"), "+OK\r\n");
  ASSERT_EQ(rig.writes.size(), 2u);
  EXPECT_THAT(rig.writes[0].bytes, testing::Not(HasSubstr("fast-failover")));
  EXPECT_EQ(rig.writes[1].path, "/etc/sentinel.conf.ext");
  EXPECT_THAT(rig.writes[1].bytes, HasSubstr("sentinel fast-failover master01 yes\n"
                                             "sentinel crash-confirm-milliseconds master01 250\n"));
  // What nothing changed about is not written again.
  rig.send(c, "SENTINEL flushconfig");
  EXPECT_EQ(rig.writes.size(), 3u);

  conf::ParsedConf conf = conf::parse_redis_conf(basic(), "s.conf");
  add_extension(conf, rig.writes[1].bytes + "sentinel fast-failover gone no\n", "s.conf.ext");
  EXPECT_TRUE(check_config(conf).empty());  // a primary that is not monitored any more is no error
  add_extension(conf, "sentinel fast-failover master01 maybe\n", "s.conf.ext");
  ASSERT_EQ(check_config(conf).size(), 1u);
  EXPECT_EQ(check_config(conf)[0].message, "Please specify auto, yes or no for the fast-failover option.");
}

TEST(Sentinel, ExtensionsAreNoPartOfTheOriginalsCommands) {
  Rig rig(basic() + "requirepass p\n");
  const ConnId c = rig.client();
  EXPECT_EQ(rig.send(c, "SENTINEL EXT HELLO 1"), "-NOAUTH Authentication required.\r\n");
  rig.send(c, "AUTH p");
  EXPECT_EQ(rig.send(c, "SENTINEL EXT HELLO 1"), ":1\r\n");
  EXPECT_EQ(rig.send(c, "SENTINEL EXT OPINION 10.0.0.1 6379 nobody 1"), "+OK\r\n");
  EXPECT_THAT(rig.send(c, "SENTINEL EXT OPINION 10.0.0.1 x nobody 1"), StartsWith("-ERR"));
  EXPECT_THAT(rig.send(c, "SENTINEL EXT"), StartsWith("-ERR unknown extension"));
  EXPECT_EQ(rig.send(c, "SENTINEL EXT SHOW nobody"), "-ERR No such master with that name\r\n");
  EXPECT_THAT(rig.send(c, "SENTINEL HELP"), testing::Not(HasSubstr("EXT")));
}

TEST(Sentinel, ChangesAnswerWhenSavedOrWithAnError) {
  Rig rig(basic());
  rig.disk_works_at_once = false;
  const ConnId c = rig.client();
  EXPECT_EQ(rig.send(c, "SENTINEL set master01 quorum 3"), "");
  rig.machine->job_done(rig.writes.back().job, 0, rig.now);
  rig.drain();
  EXPECT_EQ(rig.output(c), "+OK\r\n");
  EXPECT_EQ(rig.send(c, "SENTINEL flushconfig"), "");
  rig.machine->job_done(rig.writes.back().job, 28, rig.now);
  rig.drain();
  EXPECT_EQ(rig.output(c), "-ERR Failed to save config file. Check server logs.\r\n");
  EXPECT_THAT(rig.logs.back(), StartsWith("WARNING: Sentinel was not able to save the new configuration on disk!!!"));
}

TEST(Sentinel, TheFileIsRewrittenAsItIsNow) {
  Rig rig(basic());
  const ConnId c = rig.client();
  *rig.disk += "# added by hand\n";
  EXPECT_EQ(rig.send(c, "SENTINEL set master01 quorum 1"), "+OK\r\n");
  EXPECT_THAT(*rig.disk, HasSubstr("# added by hand\n"));
  EXPECT_THAT(*rig.disk, HasSubstr("sentinel monitor master01 10.0.0.1 6379 1\n"));
  // Gone: what it needs to start again is there, and no more.
  rig.disk.reset();
  rig.disk_works_at_once = false;
  rig.send(c, "SENTINEL set master01 quorum 2");
  EXPECT_THAT(rig.writes.back().bytes, HasSubstr("sentinel monitor master01 10.0.0.1 6379 2\n"));
  EXPECT_THAT(rig.writes.back().bytes, HasSubstr("port 26379\n"));
  EXPECT_THAT(rig.writes.back().bytes, testing::Not(HasSubstr("added by hand")));
  rig.machine->job_done(rig.writes.back().job, 0, rig.now);
  rig.drain();
  EXPECT_EQ(rig.output(c), "+OK\r\n");
  // Not to be read: not to be overwritten either.
  const size_t writes = rig.writes.size();
  rig.read_error = EACCES;
  EXPECT_EQ(rig.send(c, "SENTINEL set master01 quorum 3"), "-ERR Failed to save config file. Check server logs.\r\n");
  EXPECT_EQ(rig.writes.size(), writes);
  EXPECT_THAT(rig.logs,
              testing::Contains(HasSubstr("was not able to save the new configuration on disk!!!: Permission")));
}

TEST(Sentinel, SetReportsAndKeepsEarlierOptions) {
  Rig rig(basic());
  const ConnId c = rig.client();
  EXPECT_EQ(rig.send(c, "SENTINEL set master01 quorum 1 down-after-milliseconds x"),
            "-ERR Invalid argument 'x' for SENTINEL SET 'down-after-milliseconds'\r\n");
  EXPECT_THAT(rig.logs, testing::Contains("+set master master01 10.0.0.1 6379 quorum 1"));
  EXPECT_THAT(rig.writes.back().bytes, HasSubstr("sentinel monitor master01 10.0.0.1 6379 1\n"));
  EXPECT_EQ(rig.send(c, "SENTINEL set master01 auth-pass secret"), "+OK\r\n");
  EXPECT_THAT(rig.logs, testing::Contains("+set master master01 10.0.0.1 6379 auth-pass ******"));
  EXPECT_EQ(rig.send(c, "SENTINEL set master01 nope 1"),
            "-ERR Unknown option or number of arguments for SENTINEL SET 'nope'\r\n");
  EXPECT_THAT(rig.send(c, "SENTINEL set master01 notification-script /bin/true"),
              StartsWith("-ERR Reconfiguration of scripts path is denied"));
  EXPECT_EQ(rig.send(c, "SENTINEL set master01 auth-user \"a\\nsentinel x\""),
            "-ERR Invalid argument at index 4 for SENTINEL SET: control characters are not allowed\r\n");
}

TEST(Sentinel, ConfigSetIsAllOrNothing) {
  Rig rig(basic());
  const ConnId c = rig.client();
  EXPECT_EQ(rig.send(c, "SENTINEL config set announce-port 1 announce-hostnames maybe"),
            "-ERR Invalid value 'maybe' to SENTINEL CONFIG SET 'announce-hostnames'\r\n");
  EXPECT_EQ(rig.send(c, "SENTINEL config get announce-p*"), "*2\r\n$13\r\nannounce-port\r\n$1\r\n0\r\n");
  EXPECT_EQ(rig.send(c, "SENTINEL config set announce-port 1 announce-port 2"),
            "-ERR Duplicate argument 'announce-port' to SENTINEL CONFIG SET\r\n");
  EXPECT_EQ(rig.send(c, "SENTINEL config set announce-port 7000 announce-ip 10.9.9.9"), "+OK\r\n");
  EXPECT_THAT(rig.writes.back().bytes, HasSubstr("sentinel announce-ip \"10.9.9.9\"\nsentinel announce-port 7000\n"));
}

TEST(Sentinel, MonitorAndRemove) {
  Rig rig(basic());
  const ConnId c = rig.client();
  EXPECT_EQ(rig.send(c, "SENTINEL monitor m2 localhost 7000 1"), "-ERR Invalid IP address or hostname specified\r\n");
  EXPECT_EQ(rig.send(c, "SENTINEL monitor m2 10.0.0.2 7000 0"), "-ERR Quorum must be 1 or greater.\r\n");
  EXPECT_EQ(rig.send(c, "SENTINEL monitor m2 10.0.0.2 x 1"), "-ERR Invalid port\r\n");
  EXPECT_EQ(rig.send(c, "SENTINEL monitor master01 10.0.0.2 7000 1"), "-ERR Duplicate master name.\r\n");
  EXPECT_EQ(rig.send(c, "SENTINEL monitor m2 10.0.0.2 7000 1"), "+OK\r\n");
  EXPECT_THAT(rig.logs, testing::Contains("+monitor master m2 10.0.0.2 7000 quorum 1"));
  EXPECT_THAT(rig.writes.back().bytes, HasSubstr("sentinel monitor m2 10.0.0.2 7000 1\n"));
  EXPECT_EQ(rig.send(c, "SENTINEL remove m2"), "+OK\r\n");
  EXPECT_THAT(rig.logs, testing::Contains("-monitor master m2 10.0.0.2 7000"));
  EXPECT_THAT(rig.writes.back().bytes, testing::Not(HasSubstr("m2")));
}

TEST(Sentinel, MonitorWaitsForAHostName) {
  Rig rig("port 26379\nsentinel resolve-hostnames yes\n");
  const ConnId c = rig.client();
  EXPECT_EQ(rig.send(c, "SENTINEL monitor m2 db.example 7000 1"), "");
  EXPECT_EQ(rig.send(c, "PING"), "");
  ASSERT_EQ(rig.resolves.size(), 1u);
  EXPECT_EQ(rig.resolves[0].host, "db.example");
  rig.machine->resolved(rig.resolves[0].job, {"10.0.0.7"}, rig.now);
  rig.drain();
  EXPECT_EQ(rig.output(c), "+OK\r\n+PONG\r\n");
  EXPECT_EQ(rig.machine->primary_address("m2").host, "10.0.0.7");
}

TEST(Sentinel, HostNamesOfTheFileAreResolvedFirst) {
  Rig rig("sentinel resolve-hostnames yes\nsentinel monitor m db.example 6379 1\n");
  ASSERT_EQ(rig.resolves.size(), 1u);
  EXPECT_THAT(rig.logs, testing::IsEmpty());
  rig.machine->resolved(rig.resolves[0].job, {"10.0.0.7"}, rig.now);
  rig.drain();
  EXPECT_THAT(rig.logs, testing::Contains("+monitor master m 10.0.0.7 6379 quorum 1"));
}

TEST(Sentinel, SubscribersHearEvents) {
  Rig rig(basic());
  const ConnId c = rig.client();
  EXPECT_EQ(rig.send(c, "SUBSCRIBE +sdown"), "*3\r\n$9\r\nsubscribe\r\n$6\r\n+sdown\r\n:1\r\n");
  EXPECT_THAT(rig.send(c, "SENTINEL masters"), StartsWith("-ERR Can't execute 'sentinel|masters': only"));
  rig.advance(3100ms);
  EXPECT_EQ(rig.output(c), "*3\r\n$7\r\nmessage\r\n$6\r\n+sdown\r\n$29\r\nmaster master01 10.0.0.1 6379\r\n");
}

TEST(Sentinel, PasswordIsRequired) {
  Rig rig(basic() + "requirepass secret\n");
  const ConnId c = rig.client();
  EXPECT_EQ(rig.send(c, "PING"), "-NOAUTH Authentication required.\r\n");
  EXPECT_EQ(rig.send(c, "AUTH wrong"), "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
  EXPECT_EQ(rig.send(c, "AUTH secret"), "+OK\r\n");
  EXPECT_EQ(rig.send(c, "PING"), "+PONG\r\n");
}

TEST(Sentinel, UsersMayDoWhatTheyAreAllowed) {
  Rig rig(basic() + "user watcher on >pw +ping +sentinel|master +subscribe &+sdown\n");
  const ConnId admin = rig.client();
  const ConnId c = rig.client();
  EXPECT_EQ(rig.send(c, "AUTH watcher wrong"), "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
  EXPECT_EQ(rig.send(c, "AUTH watcher pw"), "+OK\r\n");
  EXPECT_EQ(rig.send(c, "PING"), "+PONG\r\n");
  EXPECT_THAT(rig.send(c, "SENTINEL master master01"), StartsWith("*40\r\n"));
  EXPECT_EQ(rig.send(c, "SENTINEL masters"),
            "-NOPERM User watcher has no permissions to run the 'sentinel|masters' command\r\n");
  EXPECT_EQ(rig.send(c, "SUBSCRIBE +odown"), "-NOPERM No permissions to access a channel\r\n");
  EXPECT_THAT(rig.send(c, "SUBSCRIBE +sdown"), StartsWith("*3\r\n"));
  EXPECT_THAT(rig.send(admin, "ACL LOG"), HasSubstr("sentinel|masters"));
  EXPECT_THAT(rig.send(admin, "CLIENT LIST"), HasSubstr("user=watcher"));
  EXPECT_THAT(rig.send(admin, "ACL USERS"), "*2\r\n$7\r\ndefault\r\n$7\r\nwatcher\r\n");
  EXPECT_EQ(rig.send(admin, "ACL DRYRUN watcher sentinel reset x"),
            "$67\r\nUser watcher has no permissions to run the 'sentinel|reset' command\r\n");
  // What is changed is in the file with the next write; a removed user is gone at once.
  EXPECT_EQ(rig.send(admin, "ACL SETUSER other on nopass +@all"), "+OK\r\n");
  rig.send(admin, "SENTINEL flushconfig");
  EXPECT_THAT(rig.writes.back().bytes, HasSubstr("\nuser other on nopass sanitize-payload resetchannels +@all\n"));
  EXPECT_THAT(rig.writes.back().bytes, HasSubstr("\nuser default on nopass sanitize-payload ~* &* +@all\n"));
  EXPECT_EQ(rig.send(admin, "ACL DELUSER watcher"), ":1\r\n");
  EXPECT_THAT(rig.closed, ElementsAre(c));
  EXPECT_THAT(rig.send(admin, "ACL SAVE"),
              StartsWith("-ERR This Redis instance is not configured to use an ACL file."));
}

TEST(Sentinel, UsersOfAFileAreLoadedAndSaved) {
  Rig rig(basic() + "aclfile /etc/users.acl\n", "user default on nopass ~* &* +@all\nuser ann on nopass +ping\n");
  const ConnId admin = rig.client();
  const ConnId c = rig.client();
  EXPECT_EQ(rig.send(c, "AUTH ann x"), "+OK\r\n");
  EXPECT_EQ(rig.send(admin, "ACL SAVE"), "+OK\r\n");
  EXPECT_EQ(rig.writes.back().path, "/etc/users.acl");
  EXPECT_THAT(rig.writes.back().bytes, HasSubstr("user ann on nopass sanitize-payload resetchannels -@all +ping\n"));
  const auto load = [&](const std::string& content) {
    EXPECT_EQ(rig.send(admin, "ACL LOAD"), "");
    rig.machine->file_data(rig.reads.back(), content, rig.now);
    rig.machine->job_done(rig.reads.back(), 0, rig.now);
    rig.drain();
    return rig.output(admin);
  };
  EXPECT_THAT(load("user bob on nonsense\n"), StartsWith("-ERR "));
  EXPECT_THAT(rig.send(admin, "ACL USERS"), HasSubstr("ann"));
  EXPECT_EQ(load("user bob on nopass +ping\n"), "+OK\r\n");
  EXPECT_THAT(rig.closed, ElementsAre(c));
  EXPECT_THAT(rig.send(admin, "ACL USERS"), HasSubstr("bob"));
}

TEST(Sentinel, BrokenRequestsEndTheConnection) {
  Rig rig(basic());
  const ConnId c = rig.client();
  rig.machine->receive(c, "*1\r\n:3\r\n", rig.now);
  rig.drain();
  EXPECT_THAT(rig.output(c), StartsWith("-ERR Protocol error: "));
  EXPECT_THAT(rig.closed, ElementsAre(c));
}

TEST(Sentinel, LateTickMeansTilt) {
  Rig rig(basic());
  rig.now.mono += 10s;
  rig.machine->tick(rig.now);
  rig.drain();
  EXPECT_THAT(rig.logs.back(), "+tilt #tilt mode entered");
  const ConnId c = rig.client();
  EXPECT_THAT(rig.send(c, "INFO sentinel"), HasSubstr("sentinel_tilt:1\r\n"));
  rig.advance(29s);
  EXPECT_THAT(rig.logs, testing::Not(testing::Contains("-tilt #tilt mode exited")));
  EXPECT_THAT(rig.logs, testing::Not(testing::Contains(HasSubstr("+sdown"))));
  rig.advance(2s);
  EXPECT_THAT(rig.logs, testing::Contains("-tilt #tilt mode exited"));
  EXPECT_THAT(rig.logs, testing::Contains("+sdown master master01 10.0.0.1 6379"));
}

TEST(Sentinel, TermSignalEndsInOrder) {
  Rig rig(basic() + "pidfile /run/s.pid\n");
  rig.machine->signal(15, rig.now);
  rig.drain();
  EXPECT_EQ(rig.exit_code, 0);
  EXPECT_THAT(rig.logs, testing::IsSupersetOf({"Received SIGTERM scheduling shutdown...", "User requested shutdown...",
                                               "Removing the pid file.", "Sentinel is now ready to exit, bye bye..."}));
}

TEST(Sentinel, HelloFromADirectPublishIsTaken) {
  Rig rig(basic());
  const ConnId c = rig.client();
  EXPECT_EQ(
      rig.send(c, std::string("PUBLISH __sentinel__:hello 10.0.0.9,26379,") + kOther + ",3,master01,10.0.0.1,6379,0"),
      ":1\r\n");
  EXPECT_THAT(rig.logs, testing::Contains(std::string("+sentinel sentinel ") + kOther +
                                          " 10.0.0.9 26379 @ master01 10.0.0.1 6379"));
  EXPECT_THAT(rig.logs, testing::Contains("+new-epoch 3"));
  rig.send(c, std::string("PUBLISH __sentinel__:hello 10.0.0.9,26379,") + kOther + ",4,master01,10.0.0.2,6379,4");
  EXPECT_THAT(rig.logs, testing::Contains("+switch-master master01 10.0.0.1 6379 10.0.0.2 6379"));
  EXPECT_EQ(rig.machine->primary_address("master01").host, "10.0.0.2");
  EXPECT_THAT(rig.logs.back(), testing::AnyOf(StartsWith("Sentinel new configuration"), StartsWith("+slave")));
  EXPECT_THAT(rig.writes.back().bytes, HasSubstr("sentinel known-replica master01 10.0.0.1 6379\n"));
  EXPECT_THAT(rig.writes.back().bytes, HasSubstr("sentinel config-epoch master01 4\n"));
}

}  // namespace
}  // namespace holdfast::sentinel
