// Replication, the replica's half: the link to the primary, loading its payload, applying its stream.
#include <fmt/format.h>

#include "base/assert.h"
#include "base/error_text.h"
#include "codec/resp/encode.h"
#include "persist/rdb_load.h"
#include "persist/snapshot.h"
#include "server/aof.h"
#include "server/engine.h"
#include "server/failover.h"
#include "server/replication.h"
#include "server/saving.h"

namespace holdfast::server {
namespace {

using family::Role;
using family::Session;
using Kind = repl::ReplicaLink::Step::Kind;

constexpr Duration kRetryPeriod = 1s;
constexpr Duration kAckPeriod = 1s;

}  // namespace

void Replication::replicate_from(const std::string& host, int port, Now now) {
  auto& settings = engine_.state_.settings;
  const bool was_replica = !settings.replicaof_host.empty();
  engine_.flush_effects(now);
  settings.replicaof_host = host;
  settings.replicaof_port = host.empty() ? 0 : port;
  drop_link(now);
  confirm_primary();
  ordered_ = !host.empty();
  objection_ = Objection::kNone;
  if (host.empty()) {
    link_state_ = LinkState::kNone;
    retry_at_ = kNever;
    if (was_replica) {
      shift_identity();
      ensure_backlog();
      // Replicas must learn the new id; they come back by partial resynchronization at once.
      drop_replicas(now);
      engine_.propagator_.forget_db();
      no_replicas_since_ = now.mono;
    }
  } else {
    // What we hold may be a prefix of the new primary's history: our own id and offset are offered to it.
    if (!was_replica) {
      link_down_since_ = now.mono;
      stream_db_ = std::max(engine_.propagator_.selected_db(), 0);
    }
    if (backlog_ == std::nullopt && offset_ > 0) ensure_backlog();
    link_state_ = LinkState::kConnect;
    retry_at_ = now.mono;
  }
  publish_view();
}

void Replication::retry_link(Now now, Duration delay) {
  link_state_ = LinkState::kConnect;
  retry_at_ = now.mono + delay;
}

void Replication::drop_link(Now now) {
  resolve_job_.reset();
  if (Session* session = link_conn_ ? engine_.clients_.find(link_conn_) : nullptr) {
    engine_.drop_session(*session, action::CloseMode::kNow, now);
  }
  HF_ASSERT(!link_conn_);
}

void Replication::connect(Now now) {
  const auto& settings = engine_.state_.settings;
  engine_.log(LogLevel::kNotice,
              fmt::format("Connecting to MASTER {}:{}", settings.replicaof_host, settings.replicaof_port));
  link_state_ = LinkState::kConnecting;
  link_heard_ = now.mono;
  if (is_numeric_host(settings.replicaof_host)) return open_link(settings.replicaof_host, now);
  resolve_job_ = engine_.next_job();
  engine_.act(action::Resolve{*resolve_job_, settings.replicaof_host});
}

void Replication::resolved(JobId job, const std::vector<std::string>& addresses, Now now) {
  if (!resolve_job_ || *resolve_job_ != job) return;
  resolve_job_.reset();
  // COMPAT: the first of them; the original's non-blocking connect does not come to the next either.
  if (!addresses.empty()) return open_link(addresses.front(), now);
  engine_.log(LogLevel::kWarning,
              fmt::format("Unable to connect to MASTER: can't resolve '{}'", engine_.state_.settings.replicaof_host));
  retry_link(now, kRetryPeriod);
}

void Replication::open_link(const std::string& address, Now now) {
  Session& session = engine_.clients_.open(now);
  session.role = Role::kPrimary;
  session.authenticated = true;
  session.peer = {address, static_cast<uint16_t>(engine_.state_.settings.replicaof_port), {}};
  link_conn_ = session.conn;
  engine_.act(action::Connect{.conn = session.conn, .to = session.peer});
  engine_.log(LogLevel::kNotice, "MASTER <-> REPLICA sync started");
}

void Replication::link_connected(Session& session, Now now) {
  if (session.conn != link_conn_) return;
  const auto& settings = engine_.state_.settings;
  engine_.log(LogLevel::kNotice, "Non blocking connect for SYNC fired the event.");
  repl::ReplicaLinkOptions options;
  options.user = settings.masteruser;
  options.password = settings.masterauth;
  const bool secure = settings.tls.replication && settings.tls.port != 0;
  options.announced_port = settings.replica_announce_port != 0 ? settings.replica_announce_port
                           : secure                            ? settings.tls.port
                                                               : settings.port;
  options.announced_ip = settings.replica_announce_ip;
  if (backlog_) {
    options.replication_id = id_;
    options.offset = offset_ + 1;
    engine_.log(LogLevel::kNotice,
                fmt::format("Trying a partial resynchronization (request {}:{}).", id_, offset_ + 1));
  } else {
    engine_.log(LogLevel::kNotice, "Partial resynchronization not possible (no cached master)");
  }
  options.ordered = ordered_;
  options.ask_facts = settings.replica_protect_data && !ordered_ && backlog_ && engine_.state_.data->size() > 0;
  options.failover = engine_.failover_->state() == Failover::State::kInProgress;
  link_.emplace(std::move(options));
  link_state_ = LinkState::kHandshake;
  link_heard_ = now.mono;
  link_->connected(engine_.output_of(session));
}

void Replication::link_closed(Session& session, Closed why, Now) {
  if (session.conn != link_conn_) return;
  if (link_state_ == LinkState::kConnecting) {
    engine_.log(LogLevel::kWarning, fmt::format("Error condition on socket for SYNC: {}",
                                                why.reason == CloseReason::kTls ? why.text : error_text(why.error)));
  } else if (link_state_ == LinkState::kTransfer) {
    engine_.log(LogLevel::kWarning, "I/O error trying to sync with MASTER: connection lost");
  } else if (link_state_ == LinkState::kHandshake) {
    engine_.log(LogLevel::kWarning, "Failed to read response from the server: connection closed");
  }
}

void Replication::link_received(Session& session, std::string_view bytes, Now now) {
  if (session.conn != link_conn_ || !link_) return;
  link_heard_ = now.mono;
  if (link_state_ == LinkState::kConnected) return apply_stream(session, bytes, now);
  const ConnId conn = session.conn;
  link_->feed(bytes);
  while (engine_.clients_.find(conn) != nullptr) {
    const repl::ReplicaLink::Step step = link_->next(engine_.output_of(session));
    if (step.kind == Kind::kNeedMore || !take_step(session, step, now)) return;
  }
}

/// False: the link is gone.
bool Replication::take_step(Session& session, const repl::ReplicaLink::Step& step, Now now) {
  switch (step.kind) {
    case Kind::kNeedMore:
      return true;
    case Kind::kNotice:
      engine_.log(LogLevel::kNotice, step.text);
      return true;
    case Kind::kFacts:
      if (accepts_primary(step.text, now)) {
        link_->synchronize(engine_.output_of(session));
        return true;
      }
      drop_link(now);
      retry_link(now, kRetryPeriod);
      return false;
    case Kind::kFullResync:
      engine_.failover_->answered(true, now);
      begin_full(step.id, step.offset, now);
      return true;
    case Kind::kContinue:
      engine_.failover_->answered(true, now);
      engine_.log(LogLevel::kNotice, "Successful partial resynchronization with master.");
      if (!step.id.empty() && step.id != id_) {
        id2_ = id_;
        second_offset_ = offset_ + 1;
        id_ = step.id;
        index_dirty_ = true;
        engine_.log(LogLevel::kNotice, fmt::format("Master replication ID changed to {}", id_));
        drop_replicas(now);
      }
      engine_.log(LogLevel::kNotice, "MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.");
      link_up(session, now);
      return true;
    case Kind::kPayload:
      return load_payload(step.bytes, now);
    case Kind::kPayloadFinished:
      return finish_load(session, now);
    case Kind::kStream:
      apply_stream(session, step.bytes, now);
      return true;
    case Kind::kRetryLater:
    case Kind::kFailed:
      engine_.log(step.kind == Kind::kFailed ? LogLevel::kWarning : LogLevel::kNotice, step.text);
      drop_link(now);
      retry_link(now, kRetryPeriod);
      engine_.failover_->answered(false, now);
      return false;
  }
  HF_UNREACHABLE();
}

void Replication::begin_full(const std::string& id, int64_t offset, Now now) {
  engine_.log(LogLevel::kNotice, fmt::format("Full resync from master: {}:{}", id, offset));
  pending_id_ = id;
  pending_offset_ = offset;
  link_state_ = LinkState::kTransfer;
  // The present data keeps serving until all of the new data has arrived and proved whole.
  loader_ = engine_.saving_->make_loader(false, now);
  drop_copy();
  const auto& accepted = engine_.state_.settings.accepted;
  const auto diskless = accepted.find("repl-diskless-load");
  if (diskless == accepted.end() || diskless->second == "disabled") {
    // COMPAT: the payload becomes the RDB file: a restart goes on from there.
    copy_ = engine_.next_job();
    engine_.act(action::BeginFile{*copy_, engine_.saving_->file_path(), 0644});
  }
  publish_view();
}

bool Replication::loads_beside() const { return loader_ != nullptr && loader_->consumed() > 0; }

void Replication::drop_copy() {
  if (copy_) engine_.act(action::AbandonFile{*copy_});
  copy_.reset();
}

bool Replication::load_payload(std::string_view bytes, Now now) {
  if (copy_) engine_.act(action::AppendFile{*copy_, std::string(bytes)});
  if (loader_->feed(bytes) != persist::RdbLoader::Status::kError) return true;
  return fail_load(loader_->error(), now);
}

/// The payload is broken: what we hold stays, the primary is asked again. Always false.
bool Replication::fail_load(const std::string& error, Now now) {
  engine_.log(LogLevel::kWarning, fmt::format("Failed trying to load the MASTER synchronization DB: {}", error));
  drop_link(now);
  retry_link(now, kRetryPeriod);
  return false;
}

bool Replication::finish_load(Session& session, Now now) {
  if (loader_->finish() != persist::RdbLoader::Status::kDone) return fail_load(loader_->error(), now);
  drop_replicas(now);
  stream_db_ = loader_->info().repl_stream_db.value_or(0);
  engine_.saving_->adopt(*loader_);
  loader_.reset();
  if (copy_) engine_.act(action::CommitFile{*std::exchange(copy_, std::nullopt)});
  engine_.aof_->dataset_replaced(now);
  id_ = pending_id_;
  offset_ = pending_offset_;
  id2_ = std::string(40, '0');
  second_offset_ = -1;
  if (backlog_) remove_chunks(backlog_->chunks());
  backlog_.reset();
  index_dirty_ = true;
  ensure_backlog();
  engine_.log(LogLevel::kNotice, "MASTER <-> REPLICA sync: Finished with success");
  link_up(session, now);
  return true;
}

void Replication::link_up(Session& session, Now now) {
  link_state_ = LinkState::kConnected;
  ordered_ = false;
  objection_ = Objection::kNone;
  // A primary that continues does not repeat its SELECT.
  session.db = static_cast<size_t>(stream_db_) < engine_.state_.data->databases() ? stream_db_ : 0;
  publish_view();
  // At once: a primary that streamed the payload waits for this before it goes on.
  send_ack(session, now);
}

void Replication::send_ack(Session& session, Now now) {
  next_ack_ = now.mono + kAckPeriod;
  if (link_state_ != LinkState::kConnected) return;
  OutQueue& out = engine_.output_of(session);
  if (!engine_.aof_->enabled()) return codec::append_request(out, {"REPLCONF", "ACK", std::to_string(offset_)});
  codec::append_request(
      out, {"REPLCONF", "ACK", std::to_string(offset_), "FACK", std::to_string(engine_.aof_->fsynced_offset())});
}

/// Applies commands and passes exactly their bytes on to our own replicas.
void Replication::apply_stream(Session& session, std::string_view bytes, Now now) {
  const ConnId conn = session.conn;
  session.input.feed(bytes);
  codec::RequestLimits limits;
  limits.bulk_max = INT64_MAX / 2;
  while (true) {
    const auto status = session.input.next(limits);
    if (status == codec::RequestParser::Status::kNeedMore) break;
    if (status == codec::RequestParser::Status::kError) {
      engine_.log(LogLevel::kWarning,
                  fmt::format("Protocol error from the primary's stream: {}", session.input.error()));
      session.input.finish();
      // The stream cannot be trusted from here on; the history so far is good, so it is asked for again.
      drop_link(now);
      return retry_link(now, kRetryPeriod);
    }
    const std::string raw(session.input.raw());
    if (!session.input.args().empty()) {
      engine_.dispatcher_.dispatch(engine_.dispatch_host(), session, session.input.args(), now);
    }
    open_transaction_ += raw;
    if (!session.transaction.open) {
      feed(open_transaction_, now);
      open_transaction_.clear();
      stream_db_ = session.db;
    }
    engine_.flush_effects(now);  // for our own append-only file
    if (engine_.clients_.find(conn) == nullptr) return;
  }
  session.input.finish();
}

}  // namespace holdfast::server
