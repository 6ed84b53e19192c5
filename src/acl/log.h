// Log: what was refused lately, newest first - ACL LOG.
//
// Like events within a minute of each other are one entry with a count. Bound: acllog-max-len entries.
// Source: ACL LOG of Redis 7.2.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "acl/selector.h"

namespace holdfast::acl {

enum class LogContext : uint8_t { kTopLevel, kMulti, kLua };

struct LogEntry {
  uint64_t id = 0;
  uint64_t count = 1;
  Denied reason = Denied::kNo;
  LogContext context = LogContext::kTopLevel;
  std::string object;    // the command, key or channel; AUTH or HELLO
  std::string username;  // as given, for a failed AUTH
  std::string client;    // CLIENT INFO's line of the newest event
  int64_t created_ms = 0;
  int64_t updated_ms = 0;
};

/// INFO's acl_access_denied_*.
struct DeniedCounts {
  uint64_t auth = 0;
  uint64_t command = 0;
  uint64_t key = 0;
  uint64_t channel = 0;
};

class Log {
 public:
  void add(LogEntry event, size_t entries_max);
  void clear() { entries_.clear(); }
  const std::deque<LogEntry>& entries() const { return entries_; }
  const DeniedCounts& counts() const { return counts_; }

 private:
  std::deque<LogEntry> entries_;
  DeniedCounts counts_;
  uint64_t next_id_ = 0;
};

}  // namespace holdfast::acl
