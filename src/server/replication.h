// Replication: the server's identity in the stream (ids, offset, backlog), its replicas, and its link to a primary.
//
// Source: PSYNC2 as redis-server 7.2 speaks it. Parts: replication.cc (identity, reports), replication_feed.cc (we are
// a primary: PSYNC, acknowledgements), replication_payload.cc (what replicas are sent, each at its own speed),
// replication_follow.cc (we are a replica: the link, loading), replication_protect.cc (docs/decisions/0029),
// replication_history.cc (what survives a restart).
// Stream and payloads are kept once for all replicas, in spools (docs/decisions/0030).
// Invariants: with a backlog, backlog.end() == offset + 1; a replica's bytes are sent in stream order without gaps.
#pragma once
// tidy: long because identity, both ends of links and what they send are one state with one set of invariants.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/machine.h"
#include "family/context.h"
#include "repl/history_index.h"
#include "repl/replica_link.h"
#include "repl/spool.h"
#include "server/protect.h"

namespace holdfast::persist {
class Snapshot;
class RdbLoader;
}  // namespace holdfast::persist

namespace holdfast::server {

class Engine;

/// One replica of ours.
struct ReplicaPeer {
  enum class State : uint8_t {
    kHandshake,  // REPLCONF seen, no PSYNC yet
    kWaitCut,    // PSYNC seen, its full synchronization starts with the next cut
    kPayload,    // the snapshot is on its way
    kWaitAck,    // all of the payload is queued; the stream waits until the replica says it has loaded
    kOnline,
  };
  State state = State::kHandshake;
  int64_t port = 0;
  std::string ip;
  bool capa_eof = false;
  bool capa_psync2 = false;
  bool ordered = false;   // somebody told it to follow us: it does not only come back
  bool old_sync = false;  // SYNC instead of PSYNC: no +FULLRESYNC line, no acknowledgements
  int64_t ack_offset = 0;
  int64_t fsynced_offset = 0;  // of REPLCONF ACK ... FACK
  Mono ack_time{};
  std::string mark;        // end mark of its payload, empty: length-prefixed
  uint64_t payload = 0;    // number of the payload it is sent
  int64_t payload_at = 0;  // its next byte of it
  int64_t next = 0;        // the next byte of the stream to be queued
  // A chunk that is being read back for it.
  std::optional<JobId> reading;
  int64_t read_at = 0;
  int64_t read_end = 0;
};

enum class LinkState : uint8_t { kNone, kConnect, kConnecting, kHandshake, kTransfer, kConnected };

class Replication {
 public:
  explicit Replication(Engine& engine);
  ~Replication();

  void start(Now now);
  void work(Now now);
  Mono next_deadline() const;

  // The stream.
  /// Whether effects are kept: somebody reads, or may come back for, the stream.
  bool keeps_stream() const { return backlog_.has_value(); }
  void feed(std::string_view bytes, Now now);
  void resize_backlog();
  /// Every replica has acknowledged everything.
  bool all_caught_up() const;
  size_t waiting() const { return waits_.size(); }
  size_t replicas() const;
  /// By the address it announces; null if there is none.
  const ReplicaPeer* find_replica(std::string_view host, int64_t port) const;
  /// A replica that has acknowledged everything up to `offset`.
  bool first_caught_up(int64_t offset, std::string& host, int64_t& port) const;
  size_t backlog_bytes() const { return backlog_ ? backlog_->memory() : 0; }
  /// Memory of what replicas have not taken yet, and of the backlog.
  size_t buffered_bytes() const;
  /// Bytes in memory that only wait for this replica and those before it.
  size_t pinned_by(const family::Session& session) const;
  void ask_for_acknowledgements(Now now);
  void ping_period_changed(Now now);
  /// Log lines at the end: who lags, how many do not.
  void report_lag(Now now) const;
  size_t good_replicas(Now now) const;

  // As a primary.
  void psync(family::Context& context);
  void replconf(family::Context& context);
  void wait(family::Context& context);
  /// WAITAOF.
  void wait_durable(family::Context& context);
  void answer_waits(Now now);
  void drained(family::Session& session, Now now);

  // As a replica.
  /// An order: whatever we hold, the primary's data is taken.
  void replicate_from(const std::string& host, int port, Now now);
  /// The primary was refused: an order to follow it is not one to leave things as they are.
  bool waits_for_order() const { return objection_ != Objection::kNone; }
  void link_connected(family::Session& session, Now now);
  void link_received(family::Session& session, std::string_view bytes, Now now);
  void link_closed(family::Session& session, Closed why, Now now);
  void resolved(JobId job, const std::vector<std::string>& addresses, Now now);
  bool snapshot_running() const { return snapshot_ != nullptr; }
  const persist::Snapshot* snapshot() const { return snapshot_.get(); }
  /// A primary's payload is being loaded beside the data that is served.
  bool loads_beside() const;
  /// Ends a payload under way: its replicas ask again.
  void abandon_payload();
  /// The place in a history that a loaded file carries. A primary begins a history of its own there, which replicas
  /// of the old one may follow: what the file lacks, others may have. `age` of the file, if it tells.
  void adopt_identity(const std::string& id, int64_t offset, int stream_db, std::optional<Duration> age);
  /// The database the stream is in: where a reader that begins here has to begin.
  int stream_db() const;

  // Protected restart.
  void read_mark();
  // The history on disk (replication_history.cc).
  void read_history();
  /// Of the last file of an append-only log that was loaded.
  void log_loaded(std::string_view name, uint64_t bytes, Now now);
  void remove_leftovers();
  void keep_history(Now now);
  bool file_data(JobId job, std::string_view bytes);
  bool job_done(JobId job, int status, Now now);
  /// Somebody said that what we have is the data.
  void confirm_primary();

  void session_gone(family::Session& session, Now now);
  void role(family::Context& context) const;
  std::string info(Now now) const;
  const std::string& id() const { return id_; }
  int64_t offset() const { return offset_; }
  void check_invariants() const;

 private:
  /// The image of one cut, on its way to one or more replicas.
  struct Payload {
    repl::Spool spool;
    int64_t offset = 0;  // of the cut
    std::string id;
    bool complete = false;
  };
  /// A chunk being written: of which payload, 0 = of the stream.
  struct Storing {
    uint64_t payload = 0;
    uint64_t chunk = 0;
  };
  struct Wait {
    family::ClientId client;
    int64_t replicas;
    int64_t offset;
    Mono deadline;
    bool durable = false;  // WAITAOF: on disk, here (`local`) and at `replicas`
    int64_t local = 0;
  };
  // Identity.
  void new_identity();
  void shift_identity();
  void ensure_backlog();
  void publish_view();

  // As a primary.
  /// PSYNC ... FAILOVER: our primary hands over. False: the error was answered.
  bool take_over(family::Context& context);
  bool try_partial(family::Context& context, ReplicaPeer& peer);
  void start_cut(Now now);
  bool sends_whole_images() const;
  bool join_cut(family::Session& session, ReplicaPeer& peer);
  void begin_payload(family::Session& session, ReplicaPeer& peer, uint64_t number);
  bool wants_payload() const;
  void pump_payload(Now now);
  /// Queues what of the payload and the stream this replica can take now.
  void pump_peer(family::Session& session, ReplicaPeer& peer, Now now);
  void pump_stream(family::Session& session, ReplicaPeer& peer);
  void finish_payload(family::Session& session, ReplicaPeer& peer, Now now);
  void abort_payload(std::string_view why);
  // Spools.
  repl::Spool::Limits backlog_limits() const;
  size_t stream_memory_max() const;
  void store(repl::Spool& spool, uint64_t payload);
  void stored(const Storing& done, int status, Now now);
  void store_again(Now now);
  std::string chunk_name(uint64_t number) const;
  std::optional<uint64_t> number_of_chunk(std::string_view name) const;
  std::string chunk_path(uint64_t number) const;
  std::string index_path() const;
  bool index_data(JobId job, std::string_view bytes);
  bool index_done(JobId job, int status);
  void continue_history(const std::string& id);
  bool index_is_due() const;
  void write_index(Now now);
  repl::HistoryIndex describe(const std::vector<repl::Spool::Chunk>& chunks, Now now) const;
  void remove_chunks(const std::vector<repl::Spool::Chunk>& chunks);
  void read_back(ReplicaPeer& peer, const repl::Spool::Chunk& chunk);
  void take_read(family::Session& session, ReplicaPeer& peer, std::string_view bytes);
  void lose_chunk(const ReplicaPeer& peer);
  void read_done(family::Session& session, ReplicaPeer& peer, int status, Now now);
  void trim_spools();
  size_t spilled_bytes() const;
  void slow_writers(Now now);
  void go_online(family::Session& session, ReplicaPeer& peer, Now now);
  void on_ack(family::Session& session, int64_t offset, std::optional<int64_t> fsynced, Now now);

  size_t acknowledged(int64_t offset, bool durable) const;
  bool locally_durable(int64_t offset) const;
  void drop_replicas(Now now);
  void ping_replicas(Now now);
  void drop_silent_replicas(Now now);
  std::string peer_name(const family::Session& session, const ReplicaPeer& peer) const;

  // As a replica.
  void connect(Now now);
  void open_link(const std::string& address, Now now);
  void drop_link(Now now);
  void retry_link(Now now, Duration delay);
  bool accepts_primary(const std::string& info, Now now);
  bool mark_data(JobId job, std::string_view bytes);
  bool mark_done(JobId job);
  std::string mark_path() const;
  void keep_mark(Now now);
  void judge_start();
  bool refuses_to_feed(family::Context& context, const ReplicaPeer* peer);
  bool take_step(family::Session& session, const repl::ReplicaLink::Step& step, Now now);
  void begin_full(const std::string& id, int64_t offset, Now now);
  bool load_payload(std::string_view bytes, Now now);
  void drop_copy();
  bool fail_load(const std::string& error, Now now);
  bool finish_load(family::Session& session, Now now);
  void apply_stream(family::Session& session, std::string_view bytes, Now now);
  void send_ack(family::Session& session, Now now);
  void link_up(family::Session& session, Now now);

  Engine& engine_;
  std::string id_;
  std::string id2_ = std::string(40, '0');
  int64_t second_offset_ = -1;
  int64_t offset_ = 0;
  std::optional<repl::Spool> backlog_;
  Mono no_replicas_since_{};

  std::map<family::ClientId, ReplicaPeer> peers_;
  std::unique_ptr<persist::Snapshot> snapshot_;
  std::map<uint64_t, Payload> payloads_;  // the last one is being made while there is a snapshot
  uint64_t last_payload_ = 0;
  std::map<JobId, Storing> storing_;
  std::set<JobId> abandoned_reads_;  // for replicas that are gone
  uint64_t last_chunk_ = 0;
  Mono store_again_at_ = kNever;
  std::unique_ptr<repl::HistoryIndex> history_;  // found at start
  std::optional<JobId> index_job_;               // of reading the index
  std::string index_text_;
  std::optional<JobId> writing_index_;
  bool index_dirty_ = false;
  bool index_there_ = false;
  std::vector<Wait> waits_;
  Mono next_ping_ = Mono::min();

  LinkState link_state_ = LinkState::kNone;
  std::optional<repl::ReplicaLink> link_;
  ConnId link_conn_;
  std::optional<JobId> resolve_job_;
  std::unique_ptr<persist::RdbLoader> loader_;
  std::optional<JobId> copy_;  // the payload on its way to the RDB file
  std::string pending_id_;
  int64_t pending_offset_ = 0;
  int stream_db_ = 0;             // of the primary's stream, behind the last whole unit
  std::string open_transaction_;  // bytes of the stream from its MULTI on: no part of our history before EXEC
  Mono link_heard_{};             // last byte from the primary
  Mono retry_at_ = kNever;
  Mono next_ack_ = kNever;
  Mono link_down_since_{};
  // Protection of what we hold against a primary that lost it.
  bool ordered_ = false;             // somebody said whom to follow, and that has not succeeded yet
  Mono last_contact_ = Mono::min();  // with a primary that had our history
  Objection objection_ = Objection::kNone;
  // Protection of our replicas against what we lost.
  std::optional<JobId> mark_job_;  // of reading the mark
  std::string mark_;               // the history written there
  std::string lost_id_;            // our replicas had it, we do not
  bool restored_ = false;          // id2_ and second_offset_ are where the file at start ended
  bool start_judged_ = false;
  Mono next_mark_ = Mono::min();
  Objection fed_nobody_ = Objection::kNone;  // what a replica was told
};

}  // namespace holdfast::server
