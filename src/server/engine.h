// Engine: the data server as a machine.
//
// It owns the state and joins its parts: the client table, dispatch, propagation, saving and replication. An input is
// one turn: closed sessions are purged, the input is worked off, then effects and output leave (end_turn).
// Everything it decides depends on its inputs and the seed only.
#pragma once
// tidy: long because it lists every service handlers may ask for, once.

#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/machine.h"
#include "family/services.h"
#include "family/state.h"
#include "server/client_table.h"
#include "server/config.h"
#include "server/dispatch.h"
#include "server/propagate.h"

namespace holdfast::server {

class AclFile;
class AppendOnly;
class Blocked;
class Compactor;
class Failover;
class Migration;
class Evictor;
class KeyListing;
class Listeners;
class Replication;
class Saving;
class Shutdown;
class Suspended;
class Tls;

struct EngineOptions {
  family::Settings settings;
  std::string config_path;     // absolute; empty: none, CONFIG REWRITE answers an error
  std::string config_content;  // of that file, as read at start
  uint64_t seed = 0;
  std::string secret;  // unpredictable bytes; empty: made of the seed (simulations)
  /// Content of `aclfile` as read at start, or why it could not be read (errno).
  std::expected<std::string, int> acl_file = std::string();
  Stopwatch stopwatch;
  int pid = 0;
  std::string executable;
  TlsProvider* tls = nullptr;  // outlives the engine; none: TLS is refused
  std::string os;              // INFO's os: `Linux 6.1.0 x86_64`
  /// Replication spool files that lay in `dir` at start: they are continued or removed.
  struct SpoolFile {
    std::string name;
    uint64_t bytes = 0;
  };
  std::vector<SpoolFile> spool_files;
};

/// What the process costs, told by the host from time to time; zero in simulations.
struct ProcessUsage {
  uint64_t resident_bytes = 0;
  uint64_t peak_resident_bytes = 0;
  uint64_t total_system_memory = 0;
  int64_t user_us = 0;
  int64_t system_us = 0;
};

class Engine final : public Machine, public family::Services {
 public:
  explicit Engine(EngineOptions options);
  ~Engine() override;

  // Machine
  void start(Now now) override;
  ConnId accepted(const Accepted& from, Now now) override;
  void listening(ListenerId listener, const Address& bound, int error, Now now) override;
  void connected(ConnId conn, const Address& local, const Address& peer, Now now) override;
  void receive(ConnId conn, std::string_view bytes, Now now) override;
  void eof(ConnId conn, Now now) override;
  void closed(ConnId conn, Closed why, Now now) override;
  void secured(ConnId conn, const TlsFacts& facts, Now now) override;
  void drained(ConnId conn, Now now) override;
  void file_data(JobId job, std::string_view bytes, Now now) override;
  void job_done(JobId job, int status, Now now) override;
  void resolved(JobId job, const std::vector<std::string>& addresses, Now now) override;
  void signal(int number, Now now) override;
  void tick(Now now) override;
  Mono next_deadline() const override;
  OutQueue& output(ConnId conn) override { return clients_.at(conn).output; }

  /// The host's figures for INFO; asked for by the host before it hands over bytes, at most ten times a second.
  void set_io_backend(std::string_view name) { io_backend_ = name; }
  const std::string& io_backend() const { return io_backend_; }
  void set_usage(const ProcessUsage& usage) { usage_ = usage; }
  const family::State& state() const { return state_; }
  const EngineOptions& options() const { return options_; }
  const ProcessUsage& usage() const { return usage_; }
  const Replication& replication() const { return *replication_; }
  const Saving& saving() const { return *saving_; }
  const AppendOnly& append_only() const { return *aof_; }
  const Failover& failover_state() const { return *failover_; }
  const Shutdown& shutdown_state() const { return *shutdown_; }
  const Blocked& blocked() const { return *blocked_; }
  const Listeners& listeners() const { return *listeners_; }
  /// Bytes of requests not carried out and replies not sent; of replicas' links apart from it.
  struct BufferBytes {
    size_t normal = 0;
    size_t replicas = 0;
  };
  BufferBytes buffer_bytes() const;
  /// Keys and collections that wait to be freed.
  size_t pending_frees() const;
  bool compacting() const;
  /// Clients blocked by WAIT, WAITAOF or SHUTDOWN.
  size_t waiting_clients() const;
  void check_invariants() const;

  // Services
  void visit_sessions(store::FunctionRef<void(family::Session&)> visit) override { clients_.visit(visit); }
  family::Session* find_session(family::ClientId id) override { return clients_.find_by_id(id); }
  void close_session(family::Session& session) override;
  OutQueue& output_of(family::Session& session) override;
  std::string client_line(const family::Session& session, Now now) const override;
  void pause_clients(Mono until, bool writes_only) override;
  void unpause_clients() override;
  void execute_queued(family::Context& outer, const family::QueuedCommand& command) override;
  bool has_handler(command::SpecIndex index) const override { return dispatcher_.has_handler(index); }
  size_t publish(std::string_view channel, std::string_view message) override;
  size_t publish_shard(std::string_view channel, std::string_view message) override;
  void propagate(int db, std::vector<std::string> words) override;
  bool wait_for_keys(family::Context& context, store::Type type, std::span<const std::string_view> keys,
                     int64_t timeout_ms, family::WhenGone when_gone) override;
  void awaited_key_changed(int db, std::string_view key) override;
  void databases_changed() override;
  bool unblock_session(family::ClientId id, std::string_view error) override;
  bool list_keys(family::Context& context) override;
  std::vector<std::pair<std::string, std::string>> config_get(std::span<const std::string_view> patterns) override;
  std::optional<std::string> config_set(family::Context& context, std::span<const std::string_view> pairs) override;
  void config_rewrite(family::Session& session) override;
  void reset_stats() override;
  void load_users(family::Context& context) override;
  void save_users(family::Context& context) override;
  family::MemoryFigures memory_figures() const override;
  void run_script(family::Context& context, const ScriptCall& call,
                  store::FunctionRef<script::Outcome(script::Host&)> run) override;
  std::string kill_script(bool function) override;
  std::string info(std::span<const std::string_view> sections, Now now) override;
  void log(LogLevel level, std::string text) override;
  void stall(Duration duration) override;
  void crash(int signal) override;
  bool debug_switch(std::string_view name, int64_t value) override;
  void shutdown(family::Session* session, const ShutdownOptions& options, Now now) override;
  std::string abort_shutdown() override;
  void save(family::Context& context) override;
  void background_save(family::Context& context, bool schedule) override;
  bool save_flushed(family::Context& context) override;
  std::string reload(Now now) override;
  void background_rewrite(family::Context& context) override;
  void reload_append_only(family::Context& context) override;
  void replicate_from(const std::string& host, int port, Now now) override;
  bool waits_for_order() const override;
  void confirm_primary() override;
  void psync(family::Context& context) override;
  void replconf(family::Context& context) override;
  void role(family::Context& context) override;
  void wait(family::Context& context) override;
  void wait_durable(family::Context& context) override;
  void failover(family::Context& context) override;
  bool failing_over() const override;
  void migrate(family::Context& context) override;

 private:
  friend class AclFile;
  friend class AofLoad;
  friend class AppendOnly;
  friend class Blocked;
  friend class Compactor;
  friend class Failover;
  friend class Migration;
  friend class Evictor;
  friend class KeyListing;
  friend class Listeners;
  friend class Replication;
  friend class Saving;
  friend class Shutdown;
  friend class ScriptRun;
  friend class Suspended;
  friend class Tls;

  /// A CONFIG REWRITE under way.
  struct Rewrite {
    family::ClientId client = 0;
    bool answered = false;  // inside EXEC the reply is written at its place and held back until the file is there
  };

  size_t deliver(const pubsub::Hub& hub, std::string_view kind, std::string_view channel, std::string_view message);
  void begin_turn();
  void end_turn(Now now);
  bool refuse_beyond_maxclients(family::Session& session);
  bool refuse_strangers(family::Session& session);
  void refuse(family::Session& session, std::string_view text);
  /// Works off what `session` has sent, up to the end, a pause or its closing.
  void process_input(family::Session& session, Now now);
  void refuse_http(family::Session& session, Now now);
  bool serve(family::Session& session, Now now);
  DispatchHost dispatch_host();
  /// Somebody reads, or may come back for, what commands cause.
  bool keeps_effects() const;
  void flush_effects(Now now);
  /// More of the append-only file is durable: replies and WAITAOF that waited for it go out.
  void effects_durable();
  void release_held(family::Session& session);
  /// Serves blocked clients, unless a pause holds writes back.
  void serve_blocked(Now now);
  void check_output_limit(family::Session& session, Now now);
  void forget_session(family::Session& session, Now now);
  void drop_session(family::Session& session, action::CloseMode mode, Now now);
  void expire_due(Now now);
  void expire_written_here(Now now);
  /// What maxmemory bounds: data and the buffers of all clients but replicas.
  size_t counted_memory() const { return data_bytes() + client_bytes_; }
  void apply_store_settings();
  /// Another dataset takes the place of the one there was, which is freed in slices.
  void replace_data(std::unique_ptr<store::Dataset> fresh);
  /// A slice of what is still to be freed.
  void reclaim();
  bool can_reclaim() const { return !replaced_.empty() || state_.data->can_reclaim(); }
  size_t data_bytes() const;
  /// A bound is set that clients' buffers count for.
  bool counts_buffers() const { return state_.settings.maxmemory > 0 || state_.settings.maxmemory_clients != 0; }
  void count_buffers(family::Session& session);
  void count_all_buffers();
  /// Closes the largest clients until all of them are within maxmemory-clients.
  void evict_clients(Now now);
  void close_idle(Now now);
  enum class PauseReason : uint8_t { kClient, kShutdown, kFailover, kReplicas, kMigration };
  void pause(PauseReason why, Mono until, bool writes_only);
  void unpause(PauseReason why);
  /// Clients are held back now; `all`: not only their writes.
  bool paused(bool all) const;
  void end_pause(Now now);
  /// The request dispatch() would not run now waits for the end of a pause or of a script.
  void hold(family::Session& session);
  void release_paused(Now now);
  void log_when_ready();
  void stop_by_signal(int number, Now now);
  bool in_exec() const { return exec_depth_ > 0; }
  void apply_setting(const ConfigRow& row, Now now);
  /// Answers a session that waits for an event and goes on with its input.
  void unblock(family::ClientId id, store::FunctionRef<void(command::Reply&)> answer);
  JobId next_job() { return JobId{++last_job_}; }

  EngineOptions options_;
  family::State state_;
  ProcessUsage usage_;
  std::string io_backend_ = "none";
  ClientTable clients_;
  Dispatcher dispatcher_;
  Propagator propagator_;
  std::unique_ptr<Saving> saving_;
  std::unique_ptr<AppendOnly> aof_;
  std::unique_ptr<Shutdown> shutdown_;
  std::unique_ptr<Failover> failover_;
  std::unique_ptr<Migration> migration_;
  std::unique_ptr<Replication> replication_;
  std::unique_ptr<Blocked> blocked_;
  std::unique_ptr<Evictor> evictor_;
  std::unique_ptr<KeyListing> listing_;
  std::unique_ptr<Compactor> compactor_;
  std::vector<std::unique_ptr<store::Dataset>> replaced_;  // empty databases, what was in them is being freed
  Duration stalled_{};  // how long the host holds up this turn (DEBUG SLEEP): time for those who are served after it
  size_t client_bytes_ = 0;   // sum of Session::counted_bytes
  size_t client_memory_ = 0;  // sum of Session::counted_memory
  std::unique_ptr<AclFile> acl_file_;
  std::unique_ptr<Suspended> suspended_;

  std::vector<ConnId> touched_;      // sessions with new output in this turn
  std::string stream_, log_stream_;  // effects of one unit, encoded for replicas and for the append-only file
  bool holding_ = false;             // ordinary clients' output waits for the append-only file
  std::vector<ConnId> held_;         // those with bytes that wait
  std::unique_ptr<Listeners> listeners_;
  std::unique_ptr<Tls> tls_;
  bool ready_logged_ = false;
  uint64_t last_job_ = 0;
  std::map<JobId, Rewrite> rewriting_;

  struct Pause {
    Mono until = Mono::min();
    bool writes_only = false;
  };
  Pause pauses_[5];                       // by PauseReason
  Mono pause_until_ = Mono::min();        // the last of them
  std::vector<family::ClientId> paused_;  // clients that wait for the end of the pause
  std::map<family::ClientId, Mono> over_soft_limit_;
  Mono next_idle_check_ = Mono::min();
  int exec_depth_ = 0;
  bool exiting_ = false;
  Now now_{};                             // of the input being worked off; for services without a time of their own
  Mono next_http_warning_ = Mono::min();  // one line a minute, however many connections try
};

}  // namespace holdfast::server
