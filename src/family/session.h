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
  kTarget,   // our link to where MIGRATE sends keys
};

/// What a connection's bytes travel in.
enum class Secure : uint8_t { kPlain, kHandshake, kTls };

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
  size_t queue_bytes = 0;                         // of all arguments in it
  std::set<std::pair<int, std::string>> watched;  // database, key
};

/// CLIENT TRACKING ON: what the client is told of and how (family/tracking.h).
struct TrackingMode {
  ClientId redirect = 0;  // who is told in its place; 0: itself
  bool broadcast = false;
  bool opt_in = false;
  bool opt_out = false;
  bool no_loop = false;
  bool caching = false;          // CLIENT CACHING said that the next command is the exception
  bool broken_redirect = false;  // whom it redirects to is gone
  std::set<std::string> prefixes;
};

struct Session {
  ClientId id = 0;
  ConnId conn;
  Address peer;
  Address local;
  Mono created{};
  Mono last_interaction{};
  Role role = Role::kNormal;
  Secure secure = Secure::kPlain;

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
  bool in_script = false;                  // of the commands of a script: nothing may wait
  bool monitor = false;                    // it sent MONITOR
  std::unique_ptr<TrackingMode> tracking;  // null: off

  Transaction transaction;
  command::SpecIndex last_command = command::kNoSpec;
  uint64_t commands = 0;
  int64_t spent_ns = 0;  // on the command under way, which may have waited and run again
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
  // As they stand in the server's sums, only while a bound is set:
  size_t counted_bytes = 0;   // its buffers, for maxmemory
  size_t counted_memory = 0;  // all it costs, for maxmemory-clients
};

/// The peer as logs and tables name it; a UNIX socket has port 0. Commands of a script have none.
std::string peer_name(const Session& session);

}  // namespace holdfast::family
