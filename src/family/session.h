// Session: one client connection as handlers see it.
//
// Owned by the server's client table; handlers get references for the length of a call and keep ids across calls.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "acl/users.h"
#include "base/address.h"
#include "base/ids.h"
#include "base/out_queue.h"
#include "base/time.h"
#include "codec/resp/request.h"
#include "command/catalogue.h"
#include "family/held_output.h"

namespace holdfast::family {

/// Never reused within a process; what CLIENT ID answers.
using ClientId = uint64_t;

enum class Role : uint8_t {
  kNormal,
  kReplica,  // it sent PSYNC or SYNC and reads our stream
  kPrimary,  // our link to the primary: commands come from the stream
};

enum class ReplyMode : uint8_t { kOn, kOff, kSkipNext };

/// A command waiting for EXEC.
struct QueuedCommand {
  command::SpecIndex spec;
  std::vector<std::string> argv;
};

struct Transaction {
  bool open = false;         // between MULTI and EXEC or DISCARD
  bool poisoned = false;     // a queued command was refused: EXEC answers EXECABORT
  bool dirty_watch = false;  // a watched key changed: EXEC answers null
  std::vector<QueuedCommand> queue;
  std::set<std::pair<int, std::string>> watched;  // database, key
};

struct Session {
  ClientId id = 0;
  ConnId conn;
  Address peer;
  Address local;
  Mono created{};
  Mono last_interaction{};
  Role role = Role::kNormal;

  int db = 0;
  int protocol = 2;
  acl::UserId user = acl::kDefaultUser;
  bool authenticated = false;
  std::string name;
  std::string lib_name;
  std::string lib_version;
  ReplyMode reply_mode = ReplyMode::kOn;
  bool no_evict = false;
  bool no_touch = false;
  bool in_script = false;  // of the commands of a script: nothing may wait

  Transaction transaction;
  command::SpecIndex last_command = command::kNoSpec;
  uint64_t commands = 0;
  uint64_t bytes_in = 0;
  int64_t write_offset = 0;  // of the replication stream behind its last write: what WAIT waits for

  codec::RequestStream input;
  OutQueue output;
  std::unique_ptr<HeldOutput> held;  // in use with an append-only file
  bool flush_pending = false;        // a Flush action is queued
  bool close_after_reply = false;    // no further request is read
  bool closing = false;              // Close is queued; forget at the end of the turn
  bool suspended = false;            // its request was left in the middle of a script
  bool blocked = false;              // waits for an event (WAIT, SAVE...); its input is not worked off
  bool output_held = false;          // what is queued waits for an event before it is sent
  bool reading_paused = false;
  size_t counted_bytes = 0;  // its buffers, as they stand in the server's sum (only while maxmemory is set)
};

}  // namespace holdfast::family
