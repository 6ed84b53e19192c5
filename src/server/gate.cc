#include "server/gate.h"

#include <fmt/format.h>

#include "base/error_text.h"
#include "base/text.h"
#include "family/denial.h"
#include "server/evict.h"

namespace holdfast::server {
namespace {

using command::Spec;
using family::Role;
using Refused = std::optional<Refusal>;

Refusal error(std::string text) { return {std::move(text), {}}; }

bool is_write(const Spec& spec) { return spec.is(command::kWrite); }

Refused authentication(const GateInput& in) {
  const bool known = in.session.authenticated || in.state.users.default_is_open();
  if (known || in.spec.is(command::kNoAuth)) return std::nullopt;
  return error("NOAUTH Authentication required.");
}

Refused inside_transaction(const GateInput& in) {
  if (!in.session.transaction.open || !in.spec.is(command::kNoMulti)) return std::nullopt;
  return error("ERR Command not allowed inside a transaction");
}

Refused permission(const GateInput& in) {
  const acl::User& user = in.state.users.at(in.session.user);
  if (user.unrestricted() || in.session.role == Role::kPrimary) return std::nullopt;
  const acl::Verdict verdict = user.check(in.index, in.words);
  if (verdict.denied == acl::Denied::kNo) return std::nullopt;
  return Refusal{"NOPERM " + acl::denial_text(user, {in.spec, in.words, verdict}, false), verdict};
}

Refused out_of_memory(const GateInput& in) {
  if (in.state.settings.maxmemory <= 0 || in.evictor == nullptr) [[likely]]
    return std::nullopt;
  const bool failed = in.evictor->make_room(in.now) == Evictor::Outcome::kFailed;
  if (!failed || in.session.role == Role::kPrimary) return std::nullopt;
  // Inside MULTI nothing may be queued: the queue takes memory too.
  const bool transaction = in.session.transaction.open;
  const bool ends_it = in.spec.name == "exec" || in.spec.name == "discard" || in.spec.name == "quit" ||
                       in.spec.name == "reset" || in.spec.name == "watch" || in.spec.name == "multi";
  const bool denied = in.spec.is(command::kDenyOom) || (transaction && !ends_it);
  if (!denied) return std::nullopt;
  return error(std::string(kOutOfMemory));
}

Refused failed_save(const GateInput& in) {
  if (!is_write(in.spec) && in.spec.name != "ping") return std::nullopt;
  if (auto text = failed_save_error(in.state)) return error(std::move(*text));
  return std::nullopt;
}

Refused too_few_replicas(const GateInput& in) {
  if (!is_write(in.spec) || !lacks_replicas(in.state, in.good_replicas)) return std::nullopt;
  return error(std::string(kNoReplicas));
}

Refused read_only_replica(const GateInput& in) {
  const bool refuses = refuses_writes_as_replica(in.state);
  if (!refuses || in.session.role == Role::kPrimary || !is_write(in.spec)) return std::nullopt;
  return error(std::string(kReadOnlyReplica));
}

Refused subscribed_only(const GateInput& in) {
  if (!in.subscribed || in.session.protocol != 2) return std::nullopt;
  static constexpr std::string_view kAllowed[] = {
      "subscribe", "unsubscribe", "psubscribe", "punsubscribe", "ssubscribe", "sunsubscribe", "ping", "quit", "reset"};
  for (const std::string_view name : kAllowed) {
    if (in.spec.name == name && in.spec.parent.empty()) return std::nullopt;
  }
  return error(fmt::format(
      "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
      "context",
      command::full_name(in.spec)));
}

Refused stale_data(const GateInput& in) {
  if (!is_stale(in.state) || in.session.role == Role::kPrimary || in.spec.is(command::kStale)) return std::nullopt;
  return error("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.");
}

Refused loading(const GateInput& in) {
  if (!in.state.loading || in.spec.is(command::kLoading)) return std::nullopt;
  return error("LOADING Redis is loading the dataset in memory");
}

Refused busy_script(const GateInput& in) {
  if (!in.busy || in.spec.is(command::kAllowBusy) || in.session.role == Role::kReplica) return std::nullopt;
  const bool function = in.state.running_script->is_function;
  return error(std::string(function ? family::kBusyWithFunction : family::kBusyWithScript));
}

/// A replica, or one who has sent MONITOR: what it reads would stand between other things.
Refused keyspace_of_reader(const GateInput& in) {
  if (in.session.role != Role::kReplica && !in.session.monitor) [[likely]]
    return std::nullopt;
  if (!in.spec.is(command::kWrite | command::kReadonly | command::kMayReplicate)) return std::nullopt;
  return error("ERR Replica can't interact with the keyspace");
}

constexpr Refused (*kGates[])(const GateInput&) = {
    authentication,    inside_transaction, permission, out_of_memory, failed_save, too_few_replicas,
    read_only_replica, subscribed_only,    stale_data, loading,       busy_script, keyspace_of_reader,
};

}  // namespace

std::optional<std::string> failed_save_error(const family::State& state) {
  const family::SaveState& saving = state.saving;
  if ((saving.last_bgsave_ok && saving.aof_error == 0) || state.replication.is_replica) return std::nullopt;
  const family::Settings& settings = state.settings;
  if (!saving.last_bgsave_ok && settings.stop_writes_on_bgsave_error && !settings.save.empty()) {
    return std::string(kFailedSave);
  }
  if (saving.aof_error == 0) return std::nullopt;
  return fmt::format("MISCONF Errors writing to the AOF file: {}", error_text(saving.aof_error));
}
bool lacks_replicas(const family::State& state, size_t good_replicas) {
  const auto& settings = state.settings;
  const bool required =
      !state.replication.is_replica && settings.min_replicas_to_write > 0 && settings.min_replicas_max_lag_s > 0;
  return required && good_replicas < static_cast<size_t>(settings.min_replicas_to_write);
}
bool refuses_writes_as_replica(const family::State& state) {
  return state.replication.is_replica && state.settings.replica_read_only;
}
bool is_stale(const family::State& state) {
  return state.replication.is_replica && !state.replication.link_up && !state.settings.replica_serve_stale_data;
}

std::optional<Refusal> refuse(const GateInput& input) {
  for (const auto gate : kGates) {
    if (Refused refusal = gate(input)) return refusal;
  }
  return std::nullopt;
}

}  // namespace holdfast::server
