#include "server/replication.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "persist/rdb_load.h"
#include "persist/snapshot.h"
#include "server/aof.h"
#include "server/engine.h"
#include "server/failover.h"
#include "server/saving.h"

namespace holdfast::server {

using family::Session;

Replication::Replication(Engine& engine) : engine_(engine) {
  new_identity();
  publish_view();
}

Replication::~Replication() = default;

void Replication::start(Now now) {
  no_replicas_since_ = link_down_since_ = now.mono;
  const auto& settings = engine_.state_.settings;
  engine_.state_.replication.is_replica = !settings.replicaof_host.empty();
  if (!settings.replicaof_host.empty()) link_state_ = LinkState::kConnect;
  // The first attempt waits for the file at start: its identity may allow a partial resynchronization.
  retry_at_ = settings.replicaof_host.empty() ? kNever : now.mono;
  publish_view();
}

// Identity.

void Replication::new_identity() {
  id_ = engine_.state_.prng.hex(40);
  id2_ = std::string(40, '0');
  second_offset_ = -1;
}

/// We go on where the followed history ends: our replicas may continue from it under its old name.
void Replication::shift_identity() {
  id2_ = id_;
  second_offset_ = offset_ + 1;
  id_ = engine_.state_.prng.hex(40);
  index_dirty_ = true;
  engine_.log(LogLevel::kNotice,
              fmt::format("Setting secondary replication ID to {}, valid up to offset: {}. New replication ID is {}",
                          id2_, second_offset_, id_));
}

void Replication::adopt_identity(const std::string& id, int64_t offset, int stream_db, std::optional<Duration> age) {
  if (age && *age >= Duration{}) last_contact_ = engine_.now_.mono - *age;
  offset_ = offset;
  stream_db_ = stream_db;
  if (engine_.state_.settings.replicaof_host.empty()) {
    id2_ = id;
    second_offset_ = offset + 1;
    restored_ = true;
    no_replicas_since_ = engine_.now_.mono;
  } else {
    id_ = id;
    id2_ = std::string(40, '0');
    second_offset_ = -1;
  }
  index_dirty_ = true;
  continue_history(id);
  ensure_backlog();
  publish_view();
}

int Replication::stream_db() const {
  return engine_.state_.settings.replicaof_host.empty() ? std::max(engine_.propagator_.selected_db(), 0) : stream_db_;
}

void Replication::ensure_backlog() {
  if (!backlog_) backlog_.emplace(backlog_limits(), offset_ + 1);
}

void Replication::resize_backlog() {
  if (!backlog_) return;
  backlog_->set_limits(backlog_limits());
  trim_spools();
}

void Replication::publish_view() {
  auto& view = engine_.state_.replication;
  view.is_replica = !engine_.state_.settings.replicaof_host.empty();
  view.link_up = link_state_ == LinkState::kConnected;
}

// The stream.

void Replication::feed(std::string_view bytes, Now now) {
  if (bytes.empty()) return;
  if (!backlog_) {
    // Nobody reads the stream, but WAITAOF tells writes apart by it.
    if (engine_.aof_->enabled()) ++offset_;
    return;
  }
  offset_ += static_cast<int64_t>(bytes.size());
  backlog_->append(bytes);
  for (auto& [client, peer] : peers_) {
    if (peer.state <= ReplicaPeer::State::kWaitCut) continue;
    Session& session = *engine_.clients_.find_by_id(client);
    if (peer.state == ReplicaPeer::State::kOnline) pump_stream(session, peer);
    if (peer.next < backlog_->end()) engine_.output_of(session);  // its limit is looked at
  }
  trim_spools();
  slow_writers(now);
  // At once, when the first key came or the last one went.
  if (mark_.empty() == (engine_.state_.data->size() > 0)) keep_mark(now);
}

void Replication::work(Now now) {
  if (link_state_ == LinkState::kConnect && now.mono >= retry_at_ && !engine_.state_.loading) connect(now);
  if (now.mono >= next_ack_) {
    if (family::Session* session = engine_.clients_.find(link_conn_)) send_ack(*session, now);
  }
  const Duration limit = std::chrono::seconds(engine_.state_.settings.repl_timeout_s);
  const bool linked = link_state_ > LinkState::kConnect;
  if (linked && now.mono - link_heard_ > limit) {
    engine_.log(LogLevel::kWarning,
                link_state_ == LinkState::kConnected ? "MASTER timeout: no data nor PING received..."
                : link_state_ == LinkState::kTransfer
                    ? "Timeout receiving bulk data from MASTER... If the problem persists try to set "
                      "the 'repl-timeout' parameter in redis.conf to a larger value."
                    : "Timeout connecting to the MASTER...");
    drop_link(now);
    retry_link(now, 0s);
  }
  const bool any_waits_cut = std::any_of(
      peers_.begin(), peers_.end(), [](const auto& row) { return row.second.state == ReplicaPeer::State::kWaitCut; });
  if (any_waits_cut && engine_.saving_->slot_free()) start_cut(now);
  if (snapshot_) pump_payload(now);
  store_again(now);
  if (now.mono >= next_ping_) ping_replicas(now);
  drop_silent_replicas(now);
  answer_waits(now);
  judge_start();
  keep_mark(now);
  write_index(now);
  const auto ttl = engine_.state_.settings.repl_backlog_ttl_s;
  if (backlog_ && peers_.empty() && !engine_.state_.replication.is_replica && ttl > 0 &&
      now.mono - no_replicas_since_ > std::chrono::seconds(ttl)) {
    // Without a backlog the offset no longer counts what happens: the history needs a new name.
    engine_.log(LogLevel::kNotice,
                fmt::format("Replication backlog freed after {} seconds without connected replicas.", ttl));
    new_identity();
    remove_chunks(backlog_->chunks());
    backlog_.reset();
    index_dirty_ = true;
    publish_view();
  }
}

Mono Replication::next_deadline() const {
  if (index_is_due()) return engine_.now_.mono;
  Mono next = store_again_at_;
  if (link_state_ == LinkState::kConnect) next = std::min(next, retry_at_);
  if (link_state_ > LinkState::kConnect) {
    next =
        std::min({next, next_ack_, link_heard_ + std::chrono::seconds(engine_.state_.settings.repl_timeout_s) + 1ms});
  }
  if (snapshot_ && wants_payload()) next = std::min(next, engine_.saving_->next_slice(*snapshot_));
  for (const auto& [client, peer] : peers_) {
    if (peer.state == ReplicaPeer::State::kWaitCut && engine_.saving_->slot_free()) return engine_.now_.mono;
  }
  if (!peers_.empty()) next = std::min({next, next_ping_, engine_.now_.mono + 1s});
  for (const Wait& wait : waits_) next = std::min(next, wait.deadline);
  if (backlog_ && peers_.empty() && !engine_.state_.replication.is_replica &&
      engine_.state_.settings.repl_backlog_ttl_s > 0) {
    next = std::min(next, no_replicas_since_ + std::chrono::seconds(engine_.state_.settings.repl_backlog_ttl_s) + 1ms);
  }
  return next;
}

void Replication::session_gone(family::Session& session, Now now) {
  if (session.conn == link_conn_ && link_conn_) {
    const bool was_connected = link_state_ == LinkState::kConnected;
    link_conn_ = {};
    link_.reset();
    loader_.reset();
    drop_copy();
    open_transaction_.clear();
    next_ack_ = kNever;
    if (was_connected) {
      link_down_since_ = now.mono;
      last_contact_ = link_heard_;
      engine_.log(LogLevel::kNotice, "Connection with master lost.");
    }
    if (!engine_.state_.settings.replicaof_host.empty()) retry_link(now, was_connected ? 0s : 1s);
    publish_view();
  }
  std::erase_if(waits_, [&](const Wait& wait) { return wait.client == session.id; });
  const auto at = peers_.find(session.id);
  if (at == peers_.end()) return;
  const bool was_replica = at->second.state != ReplicaPeer::State::kHandshake;
  if (was_replica) {
    engine_.log(LogLevel::kNotice, fmt::format("Connection with replica {} lost.", peer_name(session, at->second)));
  }
  if (at->second.reading) abandoned_reads_.insert(*at->second.reading);
  peers_.erase(at);
  trim_spools();
  if (peers_.empty()) no_replicas_since_ = now.mono;
  const bool anybody = std::any_of(peers_.begin(), peers_.end(), [&](const auto& row) {
    const ReplicaPeer& peer = row.second;
    return peer.state == ReplicaPeer::State::kPayload && peer.payload == last_payload_;
  });
  if (snapshot_ && !anybody) {
    abort_payload("last replica dropped");
    trim_spools();
  }
}

// Reports.

namespace {

std::string_view link_state_name(LinkState state) {
  switch (state) {
    case LinkState::kNone:
      return "none";
    case LinkState::kConnect:
      return "connect";
    case LinkState::kConnecting:
      return "connecting";
    case LinkState::kHandshake:
      return "handshake";
    case LinkState::kTransfer:
      return "sync";
    case LinkState::kConnected:
      return "connected";
  }
  HF_UNREACHABLE();
}

std::string_view peer_state_name(ReplicaPeer::State state) {
  switch (state) {
    case ReplicaPeer::State::kHandshake:
    case ReplicaPeer::State::kWaitCut:
      return "wait_bgsave";
    case ReplicaPeer::State::kPayload:
    case ReplicaPeer::State::kWaitAck:
      return "send_bulk";
    case ReplicaPeer::State::kOnline:
      return "online";
  }
  HF_UNREACHABLE();
}

const std::string& peer_ip(const family::Session& session, const ReplicaPeer& peer) {
  return peer.ip.empty() ? session.peer.host : peer.ip;
}

}  // namespace

std::string Replication::peer_name(const family::Session& session, const ReplicaPeer& peer) const {
  return host_port(peer_ip(session, peer), static_cast<uint16_t>(peer.port != 0 ? peer.port : session.peer.port));
}

const ReplicaPeer* Replication::find_replica(std::string_view host, int64_t port) const {
  for (const auto& [client, peer] : peers_) {
    const bool known = peer.state != ReplicaPeer::State::kHandshake;
    if (known && peer.port == port && peer_ip(*engine_.clients_.find_by_id(client), peer) == host) return &peer;
  }
  return nullptr;
}

bool Replication::first_caught_up(int64_t offset, std::string& host, int64_t& port) const {
  for (const auto& [client, peer] : peers_) {
    if (peer.state != ReplicaPeer::State::kOnline || peer.ack_offset < offset) continue;
    host = peer_ip(*engine_.clients_.find_by_id(client), peer);
    port = peer.port;
    return true;
  }
  return false;
}

void Replication::report_lag(Now now) const {
  size_t replicas = 0;
  size_t lagging = 0;
  for (const auto& [client, peer] : peers_) {
    if (peer.state == ReplicaPeer::State::kHandshake) continue;
    ++replicas;
    if (peer.ack_offset == offset_) continue;
    ++lagging;
    const bool online = peer.state == ReplicaPeer::State::kOnline;
    engine_.log(LogLevel::kNotice,
                fmt::format("Lagging replica {} reported offset {} behind master, lag={}, state={}.",
                            peer_name(*engine_.clients_.find_by_id(client), peer), offset_ - peer.ack_offset,
                            online ? to_ms(now.mono - peer.ack_time) / 1000 : 0, peer_state_name(peer.state)));
  }
  if (replicas == 0) return;
  engine_.log(LogLevel::kNotice,
              fmt::format("{} of {} replicas are in sync when shutting down.", replicas - lagging, replicas));
}

void Replication::role(family::Context& context) const {
  command::Reply& reply = context.reply;
  const auto& settings = engine_.state_.settings;
  if (!settings.replicaof_host.empty()) {
    reply.array(5);
    reply.bulk("slave");
    reply.bulk(settings.replicaof_host);
    reply.integer(settings.replicaof_port);
    reply.bulk(link_state_name(link_state_));
    reply.integer(link_state_ == LinkState::kConnected ? offset_ : -1);
    return;
  }
  std::vector<std::pair<const family::Session*, const ReplicaPeer*>> online;
  for (const auto& [client, peer] : peers_) {
    if (peer.state == ReplicaPeer::State::kOnline) online.emplace_back(engine_.clients_.find_by_id(client), &peer);
  }
  reply.array(3);
  reply.bulk("master");
  reply.integer(offset_);
  reply.array(online.size());
  for (const auto& [session, peer] : online) {
    reply.array(3);
    reply.bulk(peer_ip(*session, *peer));
    reply.bulk(std::to_string(peer->port));
    reply.bulk(std::to_string(peer->ack_offset));
  }
}

std::string Replication::info(Now now) const {
  const auto& settings = engine_.state_.settings;
  const bool replica = !settings.replicaof_host.empty();
  std::string out = fmt::format("role:{}\r\n", replica ? "slave" : "master");
  const auto seconds_since = [&](Mono then) { return to_ms(now.mono - then) / 1000; };
  if (replica) {
    const bool up = link_state_ == LinkState::kConnected;
    const bool syncing = link_state_ == LinkState::kTransfer;
    out += fmt::format("master_host:{}\r\nmaster_port:{}\r\nmaster_link_status:{}\r\n", settings.replicaof_host,
                       settings.replicaof_port, up ? "up" : "down");
    out += fmt::format("master_last_io_seconds_ago:{}\r\n", up ? seconds_since(link_heard_) : -1);
    out += fmt::format("master_sync_in_progress:{}\r\n", syncing ? 1 : 0);
    out += fmt::format("slave_read_repl_offset:{}\r\nslave_repl_offset:{}\r\n", offset_, offset_);
    if (syncing) {
      const int64_t total = std::max<int64_t>(link_->payload_size(), 0);
      const int64_t left = std::max<int64_t>(link_->payload_left(), 0);
      out += fmt::format(
          "master_sync_total_bytes:{}\r\nmaster_sync_read_bytes:{}\r\nmaster_sync_left_bytes:{}\r\n"
          "master_sync_perc:{:.2f}\r\nmaster_sync_last_io_seconds_ago:{}\r\n",
          total, total - left, left,
          total > 0 ? 100.0 * static_cast<double>(total - left) / static_cast<double>(total) : 0.0,
          seconds_since(link_heard_));
    }
    if (objection_ != Objection::kNone) out += fmt::format("master_sync_refused:{}\r\n", objection_text(objection_));
    if (!up) out += fmt::format("master_link_down_since_seconds:{}\r\n", seconds_since(link_down_since_));
    out += fmt::format("slave_priority:{}\r\nslave_read_only:{}\r\nreplica_announced:{}\r\n", settings.replica_priority,
                       settings.replica_read_only ? 1 : 0, settings.replica_announced ? 1 : 0);
  }
  size_t connected = 0;
  std::string lines;
  for (const auto& [client, peer] : peers_) {
    if (peer.state == ReplicaPeer::State::kHandshake) continue;
    const family::Session& session = *engine_.clients_.find_by_id(client);
    const bool online = peer.state == ReplicaPeer::State::kOnline;
    lines +=
        fmt::format("slave{}:ip={},port={},state={},offset={},lag={}\r\n", connected++, peer_ip(session, peer),
                    peer.port, peer_state_name(peer.state), peer.ack_offset, online ? seconds_since(peer.ack_time) : 0);
  }
  out += fmt::format("connected_slaves:{}\r\n", connected);
  if (settings.min_replicas_to_write > 0 && settings.min_replicas_max_lag_s > 0) {
    out += fmt::format("min_slaves_good_slaves:{}\r\n", good_replicas(now));
  }
  out += lines;
  if (fed_nobody_ != Objection::kNone) {
    out += fmt::format("replicas_refused:{}\r\n", objection_text(fed_nobody_));
  }
  out += fmt::format("master_failover_state:{}\r\nmaster_replid:{}\r\nmaster_replid2:{}\r\n",
                     engine_.failover_->state_name(), id_, id2_);
  out += fmt::format("master_repl_offset:{}\r\nsecond_repl_offset:{}\r\n", offset_, second_offset_);
  out += fmt::format(
      "repl_backlog_active:{}\r\nrepl_backlog_size:{}\r\nrepl_backlog_first_byte_offset:{}\r\nrepl_backlog_histlen:{}"
      "\r\n",
      backlog_ ? 1 : 0, settings.repl_backlog_size, backlog_ ? backlog_->begin() : 0,
      backlog_ ? backlog_->end() - backlog_->begin() : 0);
  if (const size_t spilled = spilled_bytes(); spilled > 0) out += fmt::format("repl_spilled_bytes:{}\r\n", spilled);
  return out;
}

void Replication::check_invariants() const {
  HF_ASSERT(id_.size() == 40 && id2_.size() == 40);
  if (backlog_) {
    backlog_->check_invariants();
    for (const auto& [number, payload] : payloads_) payload.spool.check_invariants();
    HF_ASSERT(backlog_->end() == offset_ + 1);
  }
  HF_ASSERT(link_.has_value() == (link_state_ > LinkState::kConnecting) || link_state_ == LinkState::kConnecting);
}

}  // namespace holdfast::server
