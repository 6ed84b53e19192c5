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
  return Refusal{"NOPERM " + family::denial_text(user, {in.spec, in.words, verdict}, false), verdict};
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
  bool denied = in.spec.is(command::kDenyOom) || (transaction && !ends_it);
  if (transaction && in.spec.name == "exec") {
    for (const family::QueuedCommand& queued : in.session.transaction.queue) {
      denied |= command::spec_at(queued.spec).is(command::kDenyOom);
    }
  }
  if (!denied) return std::nullopt;
  return error("OOM command not allowed when used memory > 'maxmemory'.");
}

Refused failed_save(const GateInput& in) {
  const family::SaveState& saving = in.state.saving;
  if (saving.last_bgsave_ok && saving.aof_error == 0) return std::nullopt;
  if (in.state.replication.is_replica || (!is_write(in.spec) && in.spec.name != "ping")) return std::nullopt;
  const family::Settings& settings = in.state.settings;
  if (!saving.last_bgsave_ok && settings.stop_writes_on_bgsave_error && !settings.save.empty()) {
    return error(
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands "
        "that may modify the data set are disabled, because this instance is configured to report errors during "
        "writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for "
        "details about the RDB error.");
  }
  if (saving.aof_error == 0) return std::nullopt;
  return error(fmt::format("MISCONF Errors writing to the AOF file: {}", error_text(saving.aof_error)));
}

Refused too_few_replicas(const GateInput& in) {
  const auto& settings = in.state.settings;
  const bool required =
      !in.state.replication.is_replica && settings.min_replicas_to_write > 0 && settings.min_replicas_max_lag_s > 0;
  if (!required || !is_write(in.spec)) return std::nullopt;
  if (in.good_replicas >= static_cast<size_t>(settings.min_replicas_to_write)) return std::nullopt;
  return error("NOREPLICAS Not enough good replicas to write.");
}

Refused read_only_replica(const GateInput& in) {
  const bool protects = in.state.replication.is_replica && in.state.settings.replica_read_only;
  if (!protects || in.session.role == Role::kPrimary || !is_write(in.spec)) return std::nullopt;
  return error("READONLY You can't write against a read only replica.");
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
      in.spec.parent.empty() ? in.spec.name : in.spec.parent));
}

Refused stale_data(const GateInput& in) {
  const bool stale =
      in.state.replication.is_replica && !in.state.replication.link_up && !in.state.settings.replica_serve_stale_data;
  if (!stale || in.session.role == Role::kPrimary || in.spec.is(command::kStale)) return std::nullopt;
  return error("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.");
}

Refused loading(const GateInput& in) {
  if (!in.state.loading || in.spec.is(command::kLoading)) return std::nullopt;
  return error("LOADING Redis is loading the dataset in memory");
}

constexpr Refused (*kGates[])(const GateInput&) = {
    authentication,   inside_transaction, permission,      out_of_memory, failed_save,
    too_few_replicas, read_only_replica,  subscribed_only, stale_data,    loading,
};

}  // namespace

std::optional<Refusal> refuse(const GateInput& input) {
  for (const auto gate : kGates) {
    if (Refused refusal = gate(input)) return refusal;
  }
  return std::nullopt;
}

}  // namespace holdfast::server
