#include "server/script_run.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/error_text.h"
#include "base/text.h"
#include "family/denial.h"
#include "server/engine.h"
#include "server/evict.h"
#include "server/gate.h"
#include "server/suspended.h"

namespace holdfast::server {

using command::kNoSpec;
using command::Spec;
using command::SpecIndex;
using family::Role;

namespace {

constexpr uint32_t kInstructionsPerCommand = 250;  // what one costs, roughly
constexpr std::string_view kUnknown = "Unknown Redis command called from script";

SpecIndex find(script::Words words) {
  SpecIndex index = command::find_command(words[0]);
  if (index != kNoSpec && words.size() > 1 && command::has_subcommands(index)) {
    index = command::find_subcommand(index, words[1]);
  }
  return index;
}

}  // namespace

ScriptRun::ScriptRun(Engine& engine, family::Context& caller, const family::Services::ScriptCall& call)
    : engine_(engine),
      caller_(caller),
      call_(call),
      read_only_(call.read_only || (declared() && (call.flags & script::kNoWrites) != 0)) {
  over_memory_ = engine_.state_.settings.maxmemory > 0 && !obeyed() &&
                 engine_.evictor_->make_room(caller.now) == Evictor::Outcome::kFailed;
  session_.id = caller.session.id;
  session_.db = caller.session.db;
  session_.user = caller.session.user;
  session_.authenticated = true;
  session_.peer = caller.session.peer;
  session_.local = caller.session.local;
  session_.name = caller.session.name;
  session_.role = caller.session.role;
  session_.in_script = true;
  session_.no_touch = caller.session.no_touch;
}

bool ScriptRun::obeyed() const { return caller_.session.role == Role::kPrimary; }

std::string ScriptRun::refuse_start() const {
  const family::State& state = engine_.state_;
  const bool stale = is_stale(state);
  if (!declared()) {
    return stale && !obeyed() ? "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'." : "";
  }
  if (stale && (call_.flags & script::kAllowStale) == 0) {
    return "MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and 'allow-stale' flag is not "
           "set on the script.";
  }
  if ((call_.flags & script::kNoWrites) == 0) {
    if (refuses_writes_as_replica(state) && !obeyed()) {
      return "READONLY Can not run script with write flag on readonly replica";
    }
    if (failed_save_error(state) && !obeyed()) {
      const bool snapshot = state.saving.aof_error == 0;
      const std::string_view kept = snapshot ? "save RDB snapshots" : "persist data to AOF";
      std::string error = fmt::format(
          "MISCONF Redis is configured to {}, but it's currently unable to persist to disk. Writable scripts are "
          "blocked. Use 'no-writes' flag for read only scripts.",
          kept);
      if (!snapshot) error += " AOF error: " + error_text(state.saving.aof_error);
      return error;
    }
    if (call_.read_only) return "ERR Can not execute a script with write flag using *_ro command.";
    if (lacks_replicas(state, engine_.dispatch_host().good_replicas)) return std::string(kNoReplicas);
  }
  if (over_memory_ && (call_.flags & (script::kAllowOom | script::kNoWrites)) == 0) {
    return "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'";
  }
  return {};
}

std::string ScriptRun::refuse_write(const Spec& spec) const {
  if (read_only_ && spec.is(command::kWrite | command::kMayReplicate)) {
    return "Write commands are not allowed from read-only scripts.";
  }
  const family::State& state = engine_.state_;
  if (!spec.is(command::kWrite) || state.running_script->wrote) return {};
  if (refuses_writes_as_replica(state) && !obeyed()) return "-" + std::string(kReadOnlyReplica);
  if (const auto error = failed_save_error(state)) return "-" + *error;
  if (lacks_replicas(state, engine_.dispatch_host().good_replicas)) return "-" + std::string(kNoReplicas);
  return {};
}

std::string ScriptRun::refuse(SpecIndex index, script::Words words) {
  family::State& state = engine_.state_;
  const Spec& spec = command::spec_at(index);
  if (spec.is(command::kNoScript) && !state.scripts_run_denied_commands) {
    return "This Redis command is not allowed from script";
  }
  if (is_stale(state) && !spec.is(command::kStale)) return "Can not execute the command on a stale replica";
  const acl::User& user = state.users.at(caller_.session.user);
  if (!user.unrestricted() && !obeyed()) {
    const acl::Verdict verdict = user.check(index, words);
    if (verdict.denied != acl::Denied::kNo) {
      family::note_denial(state, engine_, caller_.session, {spec, words, verdict}, acl::LogContext::kLua, caller_.now);
      return "ACL failure in script: " + acl::denial_text(user, {spec, words, verdict}, false);
    }
  }
  std::string error = refuse_write(spec);
  if (!error.empty()) return error;
  const bool may_grow = declared() && (call_.flags & script::kAllowOom) != 0;
  if (over_memory_ && !may_grow && !state.running_script->wrote && spec.is(command::kDenyOom)) {
    return "-" + std::string(kOutOfMemory);
  }
  return {};
}

script::Called ScriptRun::call(script::Words words, int resp) {
  family::State& state = engine_.state_;
  const SpecIndex index = find(words);
  script::Called out;
  if (index == kNoSpec || !engine_.has_handler(index)) {
    out.refusal = kUnknown;
  } else if (!command::spec_at(index).accepts(words.size())) {
    out.refusal = "Wrong number of args calling Redis command from script";
  } else {
    out.refusal = refuse(index, words);
  }
  if (!out.refusal.empty()) {
    engine_.dispatcher_.count_refusal(state, index, out.refusal);
    return out;
  }
  engine_.suspended_->spend(kInstructionsPerCommand);
  if (command::spec_at(index).is(command::kWrite)) state.running_script->wrote = true;
  session_.protocol = resp;
  engine_.propagator_.set_targets((targets_ & script::kReplicateToReplicas) != 0,
                                  (targets_ & script::kReplicateToFile) != 0);
  engine_.dispatcher_.run_from_script(engine_.dispatch_host(), caller_, session_, index, words);
  engine_.propagator_.set_targets(true, true);
  reply_ = session_.output.to_string();
  session_.output.clear();
  HF_ASSERT(!reply_.empty());  // a command that answers later is kNoScript, or answers at once when in_script
  out.reply = reply_;
  return out;
}

std::optional<bool> ScriptRun::may_call(script::Words words) {
  const SpecIndex index = find(words);
  if (index == kNoSpec) return std::nullopt;
  return engine_.state_.users.at(caller_.session.user).check(index, words).denied == acl::Denied::kNo;
}

void ScriptRun::log(LogLevel level, std::string text) { engine_.log(level, std::move(text)); }

void ScriptRun::set_replication(unsigned targets) { targets_ = targets; }

bool ScriptRun::go_on() {
  engine_.suspended_->spend(script::kInstructionsPerCheck);
  return !engine_.state_.running_script->killed;
}

}  // namespace holdfast::server
