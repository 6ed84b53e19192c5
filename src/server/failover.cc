#include "server/failover.h"

#include <fmt/format.h>

#include "base/text.h"
#include "server/engine.h"
#include "server/replication.h"

namespace holdfast::server {

std::string_view Failover::state_name() const {
  switch (state_) {
    case State::kNone:
      return "no-failover";
    case State::kWaitForSync:
      return "waiting-for-sync";
    case State::kInProgress:
      return "failover-in-progress";
  }
  return {};
}

bool Failover::parse(family::Context& context, Request& out) const {
  const auto argv = context.argv;
  const auto refuse = [&](std::string_view text) {
    context.reply.error(text);
    return false;
  };
  for (size_t i = 1; i < argv.size(); ++i) {
    if (equal_ignoring_case(argv[i], "timeout") && i + 1 < argv.size() && out.timeout_ms == 0) {
      const auto ms = parse_int64(argv[++i]);
      if (!ms) return refuse(command::kNotAnInteger);
      if (*ms <= 0) return refuse("ERR FAILOVER timeout must be greater than 0");
      out.timeout_ms = *ms;
    } else if (equal_ignoring_case(argv[i], "to") && i + 2 < argv.size() && out.host.empty()) {
      const auto port = parse_int64(argv[i + 2]);
      if (!port) return refuse(command::kNotAnInteger);
      out.host = argv[i + 1];
      out.port = *port;
      i += 2;
    } else if (equal_ignoring_case(argv[i], "force") && !out.force) {
      out.force = true;
    } else {
      return refuse(command::kSyntaxError);
    }
  }
  return true;
}

bool Failover::may_begin(family::Context& context, const Request& request) const {
  const auto refuse = [&](std::string_view text) {
    context.reply.error(text);
    return false;
  };
  const Replication& replication = *engine_.replication_;
  if (state_ != State::kNone) return refuse("ERR FAILOVER already in progress.");
  if (!engine_.state_.settings.replicaof_host.empty()) {
    return refuse("ERR FAILOVER is not valid when server is a replica.");
  }
  if (replication.replicas() == 0) return refuse("ERR FAILOVER requires connected replicas.");
  if (request.force && (request.timeout_ms == 0 || request.host.empty())) {
    return refuse("ERR FAILOVER with force option requires both a timeout and target HOST and IP.");
  }
  if (request.host.empty()) return true;
  const ReplicaPeer* target = replication.find_replica(request.host, request.port);
  if (target == nullptr) return refuse("ERR FAILOVER target HOST and PORT is not a replica.");
  if (target->state != ReplicaPeer::State::kOnline) return refuse("ERR FAILOVER target replica is not online.");
  return true;
}

void Failover::command(family::Context& context) {
  if (context.argv.size() == 2 && equal_ignoring_case(context.argv[1], "abort")) {
    if (state_ == State::kNone) return context.reply.error("ERR No failover in progress.");
    abort("Failover manually aborted", context.now);
    return context.reply.ok();
  }
  Request request;
  if (!parse(context, request) || !may_begin(context, request)) return;
  engine_.log(LogLevel::kNotice, request.host.empty()
                                     ? "FAILOVER requested to any replica."
                                     : fmt::format("FAILOVER requested to {}:{}.", request.host, request.port));
  request_ = std::move(request);
  deadline_ = request_.timeout_ms > 0 ? context.now.mono + from_ms(request_.timeout_ms) : kNever;
  state_ = State::kWaitForSync;
  engine_.pause(Engine::PauseReason::kFailover, kNever, true);
  engine_.flush_effects(context.now);
  ask(context.now);
  context.reply.ok();
}

/// An answer tells the offset before the question it answers, so the question itself is acknowledged by the replica's
/// timer only, up to a second later. Therefore two at once: who answers the second one has the first one.
void Failover::ask(Now now) {
  engine_.replication_->ask_for_acknowledgements(now);
  first_asked_ = engine_.replication_->offset();
  engine_.replication_->ask_for_acknowledgements(now);
  second_asked_ = engine_.replication_->offset();
}

/// What a replica has to acknowledge to have everything: all, but the second question if nothing came behind it.
int64_t Failover::needed() const {
  const int64_t offset = engine_.replication_->offset();
  return offset == second_asked_ ? first_asked_ : offset;
}

/// The target has acknowledged everything up to `offset`; if any replica will do, the first that has.
bool Failover::target_has(int64_t offset, std::string& host, int64_t& port) const {
  if (host.empty()) return engine_.replication_->first_caught_up(offset, host, port);
  const ReplicaPeer* target = engine_.replication_->find_replica(host, port);
  return target != nullptr && target->ack_offset >= offset;
}

void Failover::work(Now now) {
  if (state_ != State::kWaitForSync) return;
  if (now.mono >= deadline_) {
    if (!request_.force) return abort("Replica never caught up before timeout", now);
    engine_.log(LogLevel::kNotice,
                fmt::format("FAILOVER to {}:{} time out exceeded, failing over.", request_.host, request_.port));
    return follow_target(now);
  }
  std::string host = request_.host;
  int64_t port = request_.port;
  if (!target_has(needed(), host, port)) {
    // Something came behind the questions (a ping, an expired key): ask about that, once they are answered.
    if (engine_.replication_->offset() != second_asked_ && target_has(first_asked_, host, port)) ask(now);
    return;
  }
  request_.host = host;
  request_.port = port;
  engine_.log(LogLevel::kNotice,
              fmt::format("Failover target {}:{} is synced, failing over.", request_.host, request_.port));
  follow_target(now);
}

Mono Failover::next_deadline() const {
  if (state_ != State::kWaitForSync) return kNever;
  std::string host = request_.host;
  int64_t port = request_.port;
  const bool moved = engine_.replication_->offset() != second_asked_;
  return target_has(moved ? first_asked_ : needed(), host, port) ? engine_.now_.mono : deadline_;
}

void Failover::follow_target(Now now) {
  state_ = State::kInProgress;
  engine_.replicate_from(request_.host, static_cast<int>(request_.port), now);
}

void Failover::answered(bool accepted, Now now) {
  if (state_ != State::kInProgress) return;
  if (!accepted) return abort("Failover target rejected psync request", now);
  clear();
}

void Failover::abort(std::string_view why, Now now) {
  engine_.log(LogLevel::kNotice, request_.host.empty()
                                     ? fmt::format("FAILOVER to any replica aborted: {}", why)
                                     : fmt::format("FAILOVER to {}:{} aborted: {}", request_.host, request_.port, why));
  if (state_ == State::kInProgress) engine_.replicate_from("", 0, now);
  clear();
}

void Failover::clear() {
  state_ = State::kNone;
  request_ = {};
  deadline_ = kNever;
  engine_.unpause(Engine::PauseReason::kFailover);
}

}  // namespace holdfast::server
