// The picture `holdfast up` starts: who runs where, and the files each member is started from. No I/O.
//
// A primary, replicas, Sentinels and a proxy on one machine, on consecutive ports, all under one directory:
//   up.conf  redis_<port>/redis.conf + data  sentinel_<port>/sentinel.conf  proxy/haproxy.cfg  log/  run/
// Source of the three kinds of file: the set-up of the article in packaging/examples; redis-server, redis-sentinel and
// haproxy run them as well. They are written once; afterwards they belong to the programs (CONFIG REWRITE, Sentinel).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

struct Plan {
  int replicas = 1;
  int sentinels = 1;
  int quorum = 0;  // 0 = the majority of the Sentinels
  uint16_t port = 6379;
  uint16_t sentinel_port = 26379;
  uint16_t proxy_port = 6378;
  std::string bind = "127.0.0.1";
  bool operator==(const Plan&) const = default;
};

struct Member {
  enum class Kind : uint8_t { kServer, kSentinel, kProxy };
  Kind kind = Kind::kServer;
  std::string name;  // redis_6379, sentinel_26379, proxy
  uint16_t port = 0;
  std::string directory;  // its own, absolute
  std::string conf;
  std::string conf_text;  // for the first run
  std::string log;        // its log, and what it prints
  std::string pidfile;
  std::vector<std::string> command;  // after the executable
};

int effective_quorum(const Plan& plan);
/// What is wrong with the numbers; empty = nothing.
std::string check_plan(const Plan& plan);
/// In the order they are started: primary, replicas, Sentinels, proxy. `root` is absolute.
std::vector<Member> members_of(const Plan& plan, const std::string& root);

/// The port of the primary the Sentinels agreed on last: of their files, the one with the highest configuration epoch.
/// 0 = the files do not say.
uint16_t primary_port(const std::vector<std::string>& sentinel_confs);
/// What a server's command needs besides its file to start in its role. A primary that was killed and replaced while it
/// was down still has the file of a primary; started like that it would take writes until a Sentinel corrects it.
std::vector<std::string> role_options(const Member& server, std::string_view conf_text, uint16_t primary);

/// up.conf: `name value` lines.
std::string print_plan(const Plan& plan);
std::expected<Plan, std::string> parse_plan(std::string_view text);

}  // namespace holdfast::app
