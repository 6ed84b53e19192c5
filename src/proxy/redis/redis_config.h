// Redis-aware settings as values: `sentinels` sections and what a backend says about its primary.
// They stand inside `.if feature(REDIS_AWARE)`, so that HAProxy runs the same file. Reference: docs/reference/proxy.md.
#pragma once

#include <string>
#include <vector>

#include "base/address.h"

namespace holdfast::proxy {

/// How checks and questions authenticate: AUTH [user] password. Read from a file, never printed.
struct RedisAuth {
  std::string user;  // empty = the default user
  std::string password;
  bool set() const { return !password.empty(); }
};

/// One `sentinel` line.
struct SentinelConfig {
  std::string name;
  Address address;
  std::string fqdn;  // not yet resolved, empty for a literal
};

struct SentinelsConfig {
  std::string name;
  std::vector<SentinelConfig> members;
  RedisAuth auth;
};

/// `redis-primary <sentinels>/<name>`: the backend's only server is the primary these Sentinels name.
struct RedisPrimaryConfig {
  std::string sentinels;  // section; empty = not configured
  std::string name;       // the monitored name
  bool configured() const { return !sentinels.empty(); }
};

}  // namespace holdfast::proxy
