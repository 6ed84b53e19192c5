// Services: what handlers ask of the server beyond data: other clients, configuration, saving, replication, the
// process.
//
// Implemented by server::Engine; a fake serves unit tests. Calls act at once unless they say "later".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/time.h"
#include "family/session.h"
#include "script/eval.h"
#include "store/function_ref.h"
#include "store/value.h"

namespace holdfast::family {

struct Context;

/// What a client that waits for a key does when it is deleted or becomes something else.
enum class WhenGone : uint8_t { kWait, kRunAgain };

/// Bytes, for MEMORY STATS.
struct MemoryFigures {
  size_t data = 0;       // entries, values and tables
  size_t clients = 0;    // requests and replies on their way
  size_t replicas = 0;   // the same of replicas
  size_t backlog = 0;    // of replication
  size_t allocated = 0;  // data with what its heap holds in reserve
  size_t resident = 0;
  size_t peak = 0;  // resident
};

class Services {
 public:
  virtual ~Services() = default;

  // Clients
  virtual void visit_sessions(store::FunctionRef<void(Session&)> visit) = 0;
  virtual Session* find_session(ClientId id) = 0;
  /// Closes after the replies already queued (the caller itself) or at once (others).
  virtual void close_session(Session& session) = 0;
  /// Appends bytes for another client and sees to their sending.
  virtual OutQueue& output_of(Session& session) = 0;
  virtual std::string client_line(const Session& session, Now now) const = 0;
  virtual void pause_clients(Mono until, bool writes_only) = 0;
  virtual void unpause_clients() = 0;

  // Commands
  /// Runs one command inside the caller's execution unit (EXEC); its reply goes to the caller.
  virtual void execute_queued(Context& outer, const QueuedCommand& command) = 0;
  virtual bool has_handler(command::SpecIndex index) const = 0;
  /// Delivers to this server's subscribers; answers how many. Propagating a PUBLISH is the command's business.
  virtual size_t publish(std::string_view channel, std::string_view message) = 0;
  /// The same for a sharded channel.
  virtual size_t publish_shard(std::string_view channel, std::string_view message) = 0;
  /// An effect outside a command's own: lazy expiry, eviction.
  virtual void propagate(int db, std::vector<std::string> words) = 0;

  // Waiting for keys (family/blocking.h)
  /// False: this client must not wait (inside EXEC, or not an ordinary client).
  virtual bool wait_for_keys(Context& context, store::Type type, std::span<const std::string_view> keys,
                             int64_t timeout_ms, WhenGone when_gone) = 0;
  /// Only called while State::awaited_keys > 0.
  virtual void awaited_key_changed(int db, std::string_view key) = 0;
  virtual void databases_changed() = 0;
  /// CLIENT UNBLOCK; false: the client does not wait. An empty error: as if its time were over.
  virtual bool unblock_session(ClientId id, std::string_view error) = 0;

  /// KEYS over a database that is too large for one turn: true if the session is answered later, with the keys of now.
  virtual bool list_keys(Context& context) = 0;

  // Configuration
  virtual std::vector<std::pair<std::string, std::string>> config_get(std::span<const std::string_view> patterns) = 0;
  /// All or nothing. Empty = done, else the error's text.
  /// Empty: done. No value: the answer follows when new sockets are open, or cannot be had.
  virtual std::optional<std::string> config_set(Context& context, std::span<const std::string_view> pairs) = 0;
  /// Answers the session when the file is written.
  virtual void config_rewrite(Session& session) = 0;
  virtual void reset_stats() = 0;
  /// ACL LOAD and SAVE: answer the caller when the file was read or written.
  virtual void load_users(Context& context) = 0;
  virtual void save_users(Context& context) = 0;

  // Scripts
  struct ScriptCall {
    std::string_view name;  // SHA-1, or the function's name
    unsigned flags = 0;     // script::Flag
    bool read_only = false;
    bool is_function = false;
  };
  /// Refuses what cannot run now; else runs it with the host of its commands.
  virtual void run_script(Context& context, const ScriptCall& call,
                          store::FunctionRef<script::Outcome(script::Host&)> run) = 0;
  /// SCRIPT KILL, FUNCTION KILL. Empty = it will end, else the error's text.
  virtual std::string kill_script(bool function) = 0;

  // The process
  virtual MemoryFigures memory_figures() const = 0;
  virtual std::string info(std::span<const std::string_view> sections, Now now) = 0;
  virtual void log(LogLevel level, std::string text) = 0;
  virtual void stall(Duration duration) = 0;
  virtual void crash(int signal) = 0;
  /// DEBUG switches of the server (`aof-flush-sleep`, ...). False: there is no such one.
  virtual bool debug_switch(std::string_view name, int64_t value) = 0;
  enum class SaveChoice : uint8_t { kDefault, kSave, kNoSave };
  /// Answers the session only if the shutdown fails.
  struct ShutdownOptions {
    SaveChoice save = SaveChoice::kDefault;
    bool now = false;    // replicas are not waited for
    bool force = false;  // the end comes even if the data cannot be written
    bool operator==(const ShutdownOptions&) const = default;
  };
  virtual void shutdown(Session* session, const ShutdownOptions& options, Now now) = 0;
  virtual std::string abort_shutdown() = 0;

  // Saving
  /// SAVE: answers the session when the file is there. BGSAVE: answers at once.
  virtual void save(Context& context) = 0;
  virtual void background_save(Context& context, bool schedule) = 0;
  /// FLUSHALL, before it answers: with save points the file follows at once. True if so; then `context.session` is
  /// answered when it is there, unless it cannot wait (`blocked` tells).
  virtual bool save_flushed(Context& context) = 0;
  /// DEBUG RELOAD: through the RDB format and back, in memory. Empty = done, else the error's text.
  virtual std::string reload(Now now) = 0;
  /// BGREWRITEAOF.
  virtual void background_rewrite(Context& context) = 0;
  /// DEBUG LOADAOF: answers the session when the file is read.
  virtual void reload_append_only(Context& context) = 0;

  // Replication
  /// Empty host: become a primary.
  virtual void replicate_from(const std::string& host, int port, Now now) = 0;
  /// We refuse to follow the primary we have, unless told to.
  virtual bool waits_for_order() const = 0;
  /// REPLICAOF NO ONE, said to a primary: what it has is the data.
  virtual void confirm_primary() = 0;
  virtual void psync(Context& context) = 0;
  virtual void replconf(Context& context) = 0;
  virtual void role(Context& context) = 0;
  virtual void wait(Context& context) = 0;
  virtual void wait_durable(Context& context) = 0;
  virtual void failover(Context& context) = 0;
  virtual bool failing_over() const = 0;
  /// MIGRATE: answers the session when the target has answered.
  virtual void migrate(Context& context) = 0;
};

}  // namespace holdfast::family
