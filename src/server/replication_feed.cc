// Replication, the primary's half: PSYNC, payloads, acknowledgements, WAIT.
#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"
#include "codec/resp/encode.h"
#include "persist/rdb_load.h"
#include "persist/snapshot.h"
#include "server/aof.h"
#include "server/engine.h"
#include "server/replication.h"
#include "server/saving.h"
#include "server/shutdown.h"

namespace holdfast::server {
namespace {

using family::Role;
using family::Session;

}  // namespace

void Replication::psync(family::Context& context) {
  Session& session = context.session;
  if (session.role == Role::kReplica) return;
  const auto& settings = engine_.state_.settings;
  const bool asked_to_lead = context.argv.size() > 3 && equal_ignoring_case(context.argv[3], "failover");
  if (asked_to_lead && !take_over(context)) return;
  if (engine_.failing_over()) return context.reply.error("NOMASTERLINK Can't SYNC while failing over");
  if (!settings.replicaof_host.empty() && link_state_ != LinkState::kConnected) {
    return context.reply.error("NOMASTERLINK Can't SYNC while not connected with my master");
  }
  const bool old_sync = context.spec.name == "sync";
  const auto known = peers_.find(session.id);
  if (!old_sync && refuses_to_feed(context, known == peers_.end() ? nullptr : &known->second)) return;
  ReplicaPeer& peer = peers_[session.id];
  if (session.held) {  // from here on its output waits for nothing
    session.held->mark(engine_.aof_->fed());
    session.held->release(UINT64_MAX, session.output);
  }
  session.role = Role::kReplica;
  peer.ack_time = context.now.mono;
  peer.old_sync = old_sync;
  engine_.log(LogLevel::kNotice, fmt::format("Replica {} asks for synchronization", peer_name(session, peer)));
  if (next_ping_ == Mono::min())
    next_ping_ = context.now.mono + std::chrono::seconds(settings.repl_ping_replica_period_s);
  if (!peer.old_sync && try_partial(context, peer)) return;
  ++engine_.state_.stats.sync_full;
  if (!backlog_) {
    // A history that nobody kept gets a fresh name, so that no replica mistakes it for an older one.
    if (settings.replicaof_host.empty()) new_identity();
    ensure_backlog();
    publish_view();
    engine_.log(LogLevel::kNotice,
                fmt::format("Replication backlog created, my new replication IDs are '{}' and '{}'", id_, id2_));
  }
  peer.state = ReplicaPeer::State::kWaitCut;
  join_cut(session, peer);
}

bool Replication::take_over(family::Context& context) {
  engine_.log(LogLevel::kNotice, fmt::format("Failover request received for replid {}.", context.argv[1]));
  if (engine_.state_.settings.replicaof_host.empty()) {
    context.reply.error("ERR PSYNC FAILOVER can't be sent to a master.");
    return false;
  }
  if (!equal_ignoring_case(context.argv[1], id_)) {
    context.reply.error("ERR PSYNC FAILOVER replid must match my replid.");
    return false;
  }
  replicate_from("", 0, context.now);
  engine_.log(LogLevel::kNotice, fmt::format("MASTER MODE enabled (failover request from '{}')",
                                             engine_.client_line(context.session, context.now)));
  return true;
}

bool Replication::try_partial(family::Context& context, ReplicaPeer& peer) {
  const std::string_view wanted_id = context.argv[1];
  const auto wanted = parse_int64(context.argv[2]);
  if (!wanted) return false;
  const bool ours = wanted_id == id_ || (wanted_id == id2_ && *wanted <= second_offset_);
  if (!ours || !backlog_ || !backlog_->covers(*wanted)) {
    if (wanted_id == "?") {
      engine_.log(LogLevel::kNotice,
                  fmt::format("Full resync requested by replica {}", peer_name(context.session, peer)));
    } else {
      ++engine_.state_.stats.sync_partial_err;
      engine_.log(
          LogLevel::kNotice,
          !ours ? fmt::format("Partial resynchronization not accepted: Replication ID mismatch (Replica asked for "
                              "'{}', my replication IDs are '{}' and '{}')",
                              wanted_id, id_, id2_)
                : fmt::format("Unable to partial resync with replica {} for lack of backlog (Replica request "
                              "was: {}).",
                              peer_name(context.session, peer), *wanted));
    }
    return false;
  }
  OutQueue& out = engine_.output_of(context.session);
  out.append(peer.capa_psync2 ? fmt::format("+CONTINUE {}\r\n", id_) : "+CONTINUE\r\n");
  peer.next = *wanted;
  peer.state = ReplicaPeer::State::kOnline;
  pump_stream(context.session, peer);
  keep_mark(context.now);
  peer.ack_offset = *wanted - 1;
  ++engine_.state_.stats.sync_partial_ok;
  engine_.log(
      LogLevel::kNotice,
      fmt::format("Partial resynchronization request from {} accepted. Sending {} bytes of backlog starting from "
                  "offset {}.",
                  peer_name(context.session, peer), backlog_->end() - *wanted, *wanted));
  return true;
}

void Replication::drop_replicas(Now now) {
  std::vector<family::ClientId> clients;
  for (const auto& [client, peer] : peers_) {
    if (peer.state != ReplicaPeer::State::kHandshake) clients.push_back(client);
  }
  for (const family::ClientId client : clients) {
    engine_.drop_session(*engine_.clients_.find_by_id(client), action::CloseMode::kNow, now);
  }
}

// REPLCONF.

void Replication::replconf(family::Context& context) {
  const auto argv = context.argv;
  Session& session = context.session;
  if (argv.size() % 2 == 0) return context.reply.error(command::kSyntaxError);
  for (size_t i = 1; i < argv.size(); i += 2) {
    const std::string_view option = argv[i];
    const std::string_view value = argv[i + 1];
    const auto number = parse_int64(value);
    if (equal_ignoring_case(option, "listening-port")) {
      if (!number || *number < 0 || *number > 65535) return context.reply.error(command::kNotAnInteger);
      peers_[session.id].port = *number;
    } else if (equal_ignoring_case(option, "ip-address")) {
      if (value.size() >= 256)
        return context.reply.error(
            fmt::format("ERR REPLCONF ip-address provided by replica "
                        "instance is too long: {} bytes",
                        value.size()));
      peers_[session.id].ip = value;
    } else if (equal_ignoring_case(option, "capa")) {
      if (equal_ignoring_case(value, "eof")) peers_[session.id].capa_eof = true;
      if (equal_ignoring_case(value, "psync2")) peers_[session.id].capa_psync2 = true;
      if (value == repl::kOrderedCapa) peers_[session.id].ordered = true;
    } else if (equal_ignoring_case(option, "ack")) {
      // No reply: the replica reads our stream on this connection.
      if (session.role != Role::kReplica || !number) return;
      const bool with_fsync = argv.size() > i + 3 && equal_ignoring_case(argv[i + 2], "fack");
      on_ack(session, *number, with_fsync ? parse_int64(argv[i + 3]) : std::nullopt, context.now);
      return;
    } else if (equal_ignoring_case(option, "getack")) {
      if (session.role == Role::kPrimary) send_ack(session, context.now);
      return;
    } else if (equal_ignoring_case(option, "rdb-only") || equal_ignoring_case(option, "rdb-filter-only")) {
      return context.reply.error("ERR REPLCONF " + std::string(option) + " is not supported");
    } else {
      return context.reply.error(fmt::format("ERR Unrecognized REPLCONF option: {}", option));
    }
  }
  context.reply.ok();
}

void Replication::on_ack(Session& session, int64_t offset, std::optional<int64_t> fsynced, Now now) {
  const auto at = peers_.find(session.id);
  if (at == peers_.end()) return;
  ReplicaPeer& peer = at->second;
  peer.ack_offset = std::max(peer.ack_offset, offset);
  if (fsynced) peer.fsynced_offset = std::max(peer.fsynced_offset, *fsynced);
  peer.ack_time = now.mono;
  if (peer.state == ReplicaPeer::State::kWaitAck) go_online(session, peer, now);
  answer_waits(now);
}

size_t Replication::good_replicas(Now now) const {
  const Duration lag = std::chrono::seconds(engine_.state_.settings.min_replicas_max_lag_s);
  return static_cast<size_t>(std::count_if(peers_.begin(), peers_.end(), [&](const auto& row) {
    return row.second.state == ReplicaPeer::State::kOnline && now.mono - row.second.ack_time <= lag;
  }));
}

// WAIT.

size_t Replication::acknowledged(int64_t offset, bool durable) const {
  return static_cast<size_t>(std::count_if(peers_.begin(), peers_.end(), [&](const auto& row) {
    const ReplicaPeer& peer = row.second;
    return peer.state == ReplicaPeer::State::kOnline && (durable ? peer.fsynced_offset : peer.ack_offset) >= offset;
  }));
}

bool Replication::locally_durable(int64_t offset) const { return engine_.aof_->fsynced_offset() >= offset; }

void Replication::wait(family::Context& context) {
  if (!engine_.state_.settings.replicaof_host.empty()) {
    return context.reply.error(
        "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is "
        "configured "
        "to be writable (which is not the default) writes to replicas are just local and are not propagated.");
  }
  const auto replicas = parse_int64(context.argv[1]);
  if (!replicas) return context.reply.error(command::kNotAnInteger);
  const auto timeout = parse_int64(context.argv[2]);
  if (!timeout) return context.reply.error("ERR timeout is not an integer or out of range");
  if (*timeout < 0) return context.reply.error("ERR timeout is negative");
  const int64_t offset = context.session.write_offset;
  const size_t now_acknowledged = acknowledged(offset, false);
  if (static_cast<int64_t>(now_acknowledged) >= *replicas || engine_.in_exec() || context.session.in_script) {
    return context.reply.integer(static_cast<int64_t>(now_acknowledged));
  }
  const bool bounded = *timeout > 0 && *timeout < 1000LL * 3600 * 24 * 365 * 100;
  waits_.push_back({context.session.id, *replicas, offset, bounded ? context.now.mono + from_ms(*timeout) : kNever});
  context.session.blocked = true;
  ask_for_acknowledgements(context.now);
}

void Replication::wait_durable(family::Context& context) {
  const auto local = parse_int64(context.argv[1]);
  if (!local || *local < 0 || *local > 1) {
    return context.reply.error(local ? "ERR value is out of range, value must between 0 and 1"
                                     : command::kNotAnInteger);
  }
  const auto replicas = parse_int64(context.argv[2]);
  if (!replicas || *replicas < 0) {
    return context.reply.error(replicas ? "ERR value is out of range, must be positive" : command::kNotAnInteger);
  }
  const auto timeout = parse_int64(context.argv[3]);
  if (!timeout) return context.reply.error("ERR timeout is not an integer or out of range");
  if (*timeout < 0) return context.reply.error("ERR timeout is negative");
  if (!engine_.state_.settings.replicaof_host.empty()) {
    return context.reply.error(
        "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local "
        "and are not propagated.");
  }
  if (*local > 0 && !engine_.aof_->enabled()) {
    return context.reply.error("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
  }
  const int64_t offset = context.session.write_offset;
  const bool bounded = *timeout > 0 && *timeout < 1000LL * 3600 * 24 * 365 * 100;
  Wait wait{
      context.session.id, *replicas, offset, bounded ? context.now.mono + from_ms(*timeout) : kNever, true, *local};
  const size_t synced = acknowledged(offset, true);
  const bool here = locally_durable(offset);
  if ((here ? 1 : 0) >= *local && static_cast<int64_t>(synced) >= *replicas) wait.deadline = Mono::min();
  if (wait.deadline == Mono::min() || engine_.in_exec() || context.session.in_script) {
    context.reply.array(2);
    context.reply.integer(here ? 1 : 0);
    return context.reply.integer(static_cast<int64_t>(synced));
  }
  waits_.push_back(wait);
  context.session.blocked = true;
  if (*replicas > 0) ask_for_acknowledgements(context.now);
}

void Replication::ask_for_acknowledgements(Now now) {
  std::string ask;
  codec::append_request(ask, {"REPLCONF", "GETACK", "*"});
  feed(ask, now);
}

size_t Replication::replicas() const {
  return static_cast<size_t>(std::count_if(peers_.begin(), peers_.end(), [](const auto& row) {
    return row.second.state != ReplicaPeer::State::kHandshake;
  }));
}

bool Replication::all_caught_up() const {
  return std::all_of(peers_.begin(), peers_.end(), [&](const auto& row) {
    return row.second.state == ReplicaPeer::State::kHandshake || row.second.ack_offset == offset_;
  });
}

void Replication::answer_waits(Now now) {
  for (size_t i = 0; i < waits_.size();) {
    const Wait wait = waits_[i];
    const auto count = static_cast<int64_t>(acknowledged(wait.offset, wait.durable));
    const int64_t here = wait.durable && locally_durable(wait.offset) ? 1 : 0;
    const bool pointless = wait.local > 0 && !engine_.aof_->enabled();
    if (!pointless && (count < wait.replicas || here < wait.local) && now.mono < wait.deadline) {
      ++i;
      continue;
    }
    waits_.erase(waits_.begin() + static_cast<std::ptrdiff_t>(i));
    engine_.unblock(wait.client, [&](command::Reply& reply) {
      if (pointless) {
        return reply.error("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
      }
      if (wait.durable) {
        reply.array(2);
        reply.integer(here);
      }
      reply.integer(count);
    });
    i = 0;  // the unblocked client may have changed the list
  }
}

// Liveness.

void Replication::ping_replicas(Now now) {
  next_ping_ = now.mono + std::chrono::seconds(engine_.state_.settings.repl_ping_replica_period_s);
  if (!engine_.state_.settings.replicaof_host.empty() || peers_.empty() || engine_.failing_over()) return;
  if (engine_.shutdown_->initiated()) return;  // the last file shall hold the end of the history
  std::string ping;
  codec::append_request(ping, {"PING"});
  feed(ping, now);
}

void Replication::ping_period_changed(Now now) {
  next_ping_ =
      std::min(next_ping_, now.mono + std::chrono::seconds(engine_.state_.settings.repl_ping_replica_period_s));
}

void Replication::drop_silent_replicas(Now now) {
  const Duration limit = std::chrono::seconds(engine_.state_.settings.repl_timeout_s);
  std::vector<family::ClientId> silent;
  for (const auto& [client, peer] : peers_) {
    const bool streaming = peer.state == ReplicaPeer::State::kOnline || peer.state == ReplicaPeer::State::kWaitAck;
    if (!streaming || peer.old_sync || now.mono - peer.ack_time <= limit) continue;
    silent.push_back(client);
    engine_.log(LogLevel::kWarning,
                fmt::format("Disconnecting timedout replica ({}): {}",
                            peer.state == ReplicaPeer::State::kOnline ? "streaming sync" : "full sync",
                            peer_name(*engine_.clients_.find_by_id(client), peer)));
  }
  for (const family::ClientId client : silent) {
    engine_.drop_session(*engine_.clients_.find_by_id(client), action::CloseMode::kNow, now);
  }
}

}  // namespace holdfast::server
