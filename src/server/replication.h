// Replication: the server's identity in the stream (ids, offset, backlog), its replicas, and its link to a primary.
//
// Source: PSYNC2 as redis-server 7.2 speaks it. Parts: replication.cc (identity, the stream), replication_feed.cc (we
// are a primary: PSYNC, payloads, acknowledgements), replication_follow.cc (we are a replica: the link, loading).
// Invariants: with a backlog, backlog.end_offset() == offset + 1; a replica's bytes are sent in stream order without
// gaps.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/machine.h"
#include "family/context.h"
#include "repl/backlog.h"
#include "repl/replica_link.h"

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
  bool old_sync = false;  // SYNC instead of PSYNC: no +FULLRESYNC line, no acknowledgements
  int64_t ack_offset = 0;
  int64_t fsynced_offset = 0;  // of REPLCONF ACK ... FACK
  Mono ack_time{};
  std::string mark;     // end mark of its payload, empty: length-prefixed
  std::string payload;  // length-prefixed only: collected until its size is known
  OutQueue held;        // stream since the cut
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
  /// A replica that has acknowledged everything.
  bool first_caught_up(std::string& host, int64_t& port) const;
  size_t backlog_bytes() const { return backlog_ ? backlog_->size() : 0; }
  /// The backlog and what replicas have not read yet.
  size_t buffered_bytes() const;
  void ask_for_acknowledgements(Now now);
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
  void replicate_from(const std::string& host, int port, Now now);
  void link_connected(family::Session& session, Now now);
  void link_received(family::Session& session, std::string_view bytes, Now now);
  void link_closed(family::Session& session, Closed why, Now now);
  void resolved(JobId job, const std::vector<std::string>& addresses, Now now);
  bool snapshot_running() const { return snapshot_ != nullptr; }
  /// Ends a payload under way: its replicas ask again.
  void abandon_payload();
  /// The identity a loaded file carries.
  void adopt_identity(const std::string& id, int64_t offset);

  void session_gone(family::Session& session, Now now);
  void role(family::Context& context) const;
  std::string info(Now now) const;
  const std::string& id() const { return id_; }
  int64_t offset() const { return offset_; }
  void check_invariants() const;

 private:
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
  bool wants_payload() const;
  void pump_payload(Now now);
  void finish_payload(Now now);
  void abort_payload(std::string_view why);
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
  bool take_step(family::Session& session, const repl::ReplicaLink::Step& step, Now now);
  void begin_full(const std::string& id, int64_t offset, Now now);
  bool load_payload(std::string_view bytes, Now now);
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
  std::optional<repl::Backlog> backlog_;
  Mono no_replicas_since_{};

  std::map<family::ClientId, ReplicaPeer> peers_;
  std::unique_ptr<persist::Snapshot> snapshot_;
  std::vector<Wait> waits_;
  Mono next_ping_ = Mono::min();

  LinkState link_state_ = LinkState::kNone;
  std::optional<repl::ReplicaLink> link_;
  ConnId link_conn_;
  std::optional<JobId> resolve_job_;
  std::unique_ptr<persist::RdbLoader> loader_;
  std::string pending_id_;
  int64_t pending_offset_ = 0;
  Mono link_heard_{};  // last byte from the primary
  Mono retry_at_ = kNever;
  Mono next_ack_ = kNever;
  Mono link_down_since_{};
  int quick_retries_ = 0;
};

}  // namespace holdfast::server
