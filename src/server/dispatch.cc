#include "server/dispatch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "acl/answers.h"
#include "base/assert.h"
#include "base/text.h"
#include "command/help.h"
#include "command/key_finder.h"
#include "family/access.h"
#include "family/denial.h"
#include "family/monitor.h"
#include "family/scripting.h"
#include "family/tracking.h"
#include "family/transaction.h"
#include "server/accounting.h"
#include "server/gate.h"

namespace holdfast::server {
namespace {

using command::SpecIndex;
using family::Context;
using family::Session;

constexpr size_t kShownArgument = 128;  // bytes of one argument, and of all, in the unknown-command error

/// COMPAT: a NUL ends what is shown of an argument.
std::string_view shown(std::string_view text, size_t limit) { return text.substr(0, std::min(text.find('\0'), limit)); }

std::string unknown_command(std::span<const std::string_view> argv) {
  std::string args;
  for (size_t i = 1; i < argv.size() && args.size() < kShownArgument; ++i) {
    args += fmt::format("'{}' ", shown(argv[i], kShownArgument - args.size()));
  }
  return fmt::format("ERR unknown command '{}', with args beginning with: {}", shown(argv[0], kShownArgument), args);
}

/// Commands that act on the transaction itself are never queued.
bool never_queued(const command::Spec& spec) {
  static constexpr std::string_view kNames[] = {"exec", "discard", "multi", "watch", "quit", "reset"};
  for (const std::string_view name : kNames) {
    if (spec.name == name && spec.parent.empty()) return true;
  }
  return false;
}

/// What is answered while a script was left in the middle: how the server is, so that nobody takes it for dead.
bool served_between_slices(const command::Spec& spec) {
  return spec.parent.empty() && (spec.name == "ping" || spec.name == "info");
}

/// EXEC is as what is in its queue: it writes if one of them does, it runs while loading if all of them do.
uint32_t flags_of_transaction(uint32_t own, const family::Transaction& transaction) {
  constexpr uint32_t kOfAny = command::kWrite | command::kReadonly | command::kDenyOom | command::kMayReplicate;
  constexpr uint32_t kOfAll = command::kStale | command::kLoading;
  uint32_t any = 0;
  uint32_t missing = 0;
  for (const family::QueuedCommand& queued : transaction.queue) {
    any |= command::spec_at(queued.spec).flags;
    missing |= ~command::spec_at(queued.spec).flags;
  }
  return (own | (any & kOfAny)) & ~(missing & kOfAll);
}

std::string_view error_code(std::string_view text) {
  const std::string_view code = text.substr(0, text.find(' '));
  return code.empty() ? "ERR" : code;
}

/// Bounds the table: a client cannot invent codes, but a script will be able to.
constexpr size_t kErrorCodesMax = 128;

void count_error(family::State& state, const std::string& text) {
  ++state.stats.error_replies;
  const std::string_view code = error_code(text);
  const auto at = state.stats.errors.find(code);
  if (at != state.stats.errors.end()) {
    ++at->second;
  } else if (state.stats.errors.size() < kErrorCodesMax) {
    state.stats.errors.emplace(std::string(code), 1);
  }
}

}  // namespace

HandlerTable::HandlerTable() : handlers_(command::all_specs().size(), nullptr) {
  for (const auto bindings : {family::connection_bindings(),
                              family::authentication_bindings(),
                              family::acl_bindings(),
                              family::keys_bindings(),
                              family::dump_bindings(),
                              family::object_bindings(),
                              family::sort_bindings(),
                              family::lcs_bindings(),
                              family::bitmap_bindings(),
                              family::bitfield_bindings(),
                              family::command_bindings(),
                              family::command_docs_bindings(),
                              family::string_bindings(),
                              family::list_bindings(),
                              family::list_blocking_bindings(),
                              family::set_bindings(),
                              family::sorted_set_bindings(),
                              family::sorted_set_algebra_bindings(),
                              family::sorted_set_pop_bindings(),
                              family::sorted_set_range_bindings(),
                              family::stream_bindings(),
                              family::stream_claim_bindings(),
                              family::stream_group_bindings(),
                              family::stream_info_bindings(),
                              family::stream_read_bindings(),
                              family::geo_bindings(),
                              family::hyperloglog_bindings(),
                              family::hash_bindings(),
                              family::pubsub_bindings(),
                              family::transaction_bindings(),
                              family::admin_bindings(),
                              family::hyperloglog_debug_bindings(),
                              family::introspection_bindings(),
                              family::memory_bindings(),
                              family::replication_bindings(),
                              family::absent_bindings(),
                              family::scripting_bindings(),
                              family::function_bindings(),
                              family::client_tracking_bindings(),
                              family::latency_bindings(),
                              family::slow_log_bindings(),
                              family::monitor_bindings(),
                              family::lolwut_bindings()}) {
    for (const family::Binding& binding : bindings) {
      const size_t bar = binding.name.find('|');
      SpecIndex index = command::find_command(binding.name.substr(0, bar));
      HF_ASSERT(index != command::kNoSpec);
      const SpecIndex parent = index;
      if (bar != std::string_view::npos) index = command::find_subcommand(index, binding.name.substr(bar + 1));
      HF_ASSERT(index != command::kNoSpec);
      HF_ASSERT(handlers_[index] == nullptr);
      handlers_[index] = binding.handler;
      // A container is served as soon as one of its subcommands is.
      if (parent != index && handlers_[parent] == nullptr) {
        handlers_[parent] = [](Context& c) {
          c.reply.error(fmt::format("ERR wrong number of arguments for '{}' command", c.spec.name));
        };
      }
    }
  }
}

Dispatcher::Resolved Dispatcher::resolve(std::span<const std::string_view> argv) const {
  Resolved out;
  SpecIndex index = command::find_command(argv[0]);
  if (index == command::kNoSpec || table_.at(index) == nullptr) {
    out.error = unknown_command(argv);
    return out;
  }
  if (argv.size() > 1 && command::has_subcommands(index)) {
    const SpecIndex parent = index;
    index = command::find_subcommand(parent, argv[1]);
    if (index == command::kNoSpec || table_.at(index) == nullptr) {
      out.error = command::unknown_subcommand(command::spec_at(parent).name, argv[1]);
      return out;
    }
  }
  const command::Spec& spec = command::spec_at(index);
  out.index = index;
  if (!spec.accepts(argv.size())) {
    out.error = fmt::format("ERR wrong number of arguments for '{}' command", command::full_name(spec));
  }
  return out;
}

void Dispatcher::refuse_request(const DispatchHost& host, Session& session, SpecIndex index, command::Reply& reply,
                                const Request& request, std::string_view error) {
  const bool exec = index != command::kNoSpec && command::spec_at(index).name == "exec";
  if (exec) {
    // EXEC that is refused ends the transaction as a failed one. COMPAT: also where there is none.
    family::discard_transaction(host.state, session);
    if (error.starts_with("ERR ")) error.remove_prefix(4);
    reply.error(fmt::format("EXECABORT Transaction discarded because of: {}", error));
  } else {
    if (session.transaction.open) session.transaction.poisoned = true;
    reply.error(error);
  }
  count_error(host.state, reply.last_error());
  if (exec && !host.state.monitors.empty()) {
    family::feed_monitors(host.state, host.services, {session, command::spec_at(index), request.argv, request.now});
  }
}

bool Dispatcher::dispatch(const DispatchHost& host, Session& session, std::span<const std::string_view> argv, Now now) {
  family::Tracking& tracking = host.state.tracking;
  const family::CurrentClient current(tracking, session.id);
  if (tracking.active()) [[unlikely]]
    family::bound_read_keys(host.state, host.services);
  if (!work_off(host, session, argv, now)) return false;
  if (tracking.active()) [[unlikely]]
    family::end_tracked_request(host.state, host.services, session);
  return true;
}

bool Dispatcher::work_off(const DispatchHost& host, Session& session, std::span<const std::string_view> argv, Now now) {
  session.last_interaction = now.mono;
  const bool muted = session.reply_mode != family::ReplyMode::kOn || session.role == family::Role::kPrimary;
  command::Reply reply(host.services.output_of(session), session.protocol, muted);
  const Resolved resolved = resolve(argv);
  session.last_command = resolved.index;
  if (!resolved.error.empty()) {
    if (resolved.index != command::kNoSpec) ++host.state.stats.commands_by_spec[resolved.index].rejected;
    refuse_request(host, session, resolved.index, reply, {argv, now}, resolved.error);
    return true;
  }
  const command::Spec& spec = command::spec_at(resolved.index);
  const bool subscribed = family::subscriptions_of(host.state, session.id) > 0;
  const command::Spec* asked = &spec;
  command::Spec declared;
  if (family::runs_script(spec)) {
    declared = spec;
    declared.flags = family::flags_of_request(host.state, spec, argv);
    asked = &declared;
  } else if (session.transaction.open && spec.name == "exec") {
    declared = spec;
    declared.flags = flags_of_transaction(spec.flags, session.transaction);
    asked = &declared;
  }
  if (const auto refusal = refuse({host.state, session, *asked, resolved.index, argv, subscribed, host.good_replicas,
                                   host.evictor, now, host.script == ScriptState::kBusy})) {
    if (host.state.stats.commands_by_spec.size() > resolved.index) {
      ++host.state.stats.commands_by_spec[resolved.index].rejected;
    }
    if (refusal->verdict.denied != acl::Denied::kNo) {
      const auto context = session.transaction.open ? acl::LogContext::kMulti : acl::LogContext::kTopLevel;
      family::note_denial(host.state, host.services, session, {spec, argv, refusal->verdict}, context, now);
    }
    refuse_request(host, session, resolved.index, reply, {argv, now}, refusal->error);
    return true;
  }
  const bool writes = asked->is(command::kWrite | command::kMayReplicate);
  const bool exempt = session.role != family::Role::kNormal;
  if (!exempt && (host.paused_all || (host.paused_writes && writes))) return false;
  if (!exempt && host.script == ScriptState::kStopped && !served_between_slices(spec)) return false;

  if (session.transaction.open && !never_queued(spec)) {
    session.transaction.queue.push_back({resolved.index, {argv.begin(), argv.end()}});
    for (const std::string_view word : argv) session.transaction.queue_bytes += word.size();
    reply.raw("+QUEUED\r\n");
    return true;
  }
  Context context(host.state, host.services, session, spec, argv, reply, now);
  call(host, context, resolved.index);
  if (spec.is(command::kTouchesArbitraryKeys)) host.propagator.separate();
  if (session.reply_mode == family::ReplyMode::kSkipNext && spec.name != "reply") {
    session.reply_mode = family::ReplyMode::kOn;
  }
  return true;
}

bool Dispatcher::replay(const DispatchHost& host, Session& session, std::span<const std::string_view> argv, Now now) {
  const Resolved resolved = resolve(argv);
  if (!resolved.error.empty()) return false;
  session.last_command = resolved.index;
  const command::Spec& spec = command::spec_at(resolved.index);
  if (session.transaction.open && spec.name != "exec") {
    session.transaction.queue.push_back({resolved.index, {argv.begin(), argv.end()}});
    return true;
  }
  command::Reply reply(host.services.output_of(session), session.protocol, true);
  Context context(host.state, host.services, session, spec, argv, reply, now);
  call(host, context, resolved.index, Run::kReplay);
  return true;
}

void Dispatcher::run_queued(const DispatchHost& host, Context& outer, const family::QueuedCommand& command) {
  const std::vector<std::string_view> argv(command.argv.begin(), command.argv.end());
  const command::Spec& spec = command::spec_at(command.spec);
  command::Reply reply(host.services.output_of(outer.session), outer.session.protocol, outer.reply.muted());
  Context context(host.state, host.services, outer.session, spec, argv, reply, outer.now);
  context.in_transaction = true;
  call(host, context, command.spec);
}

void Dispatcher::run_again(const DispatchHost& host, Session& session, const family::QueuedCommand& command, Now now) {
  const std::vector<std::string_view> argv(command.argv.begin(), command.argv.end());
  const bool muted = session.reply_mode != family::ReplyMode::kOn;
  command::Reply reply(host.services.output_of(session), session.protocol, muted);
  const command::Spec& spec = command::spec_at(command.spec);
  // Its permissions may have changed while it waited.
  const acl::User& user = host.state.users.at(session.user);
  if (const acl::Verdict verdict = user.check(command.spec, argv); verdict.denied != acl::Denied::kNo) {
    family::note_denial(host.state, host.services, session, {spec, argv, verdict}, acl::LogContext::kTopLevel, now);
    reply.error("NOPERM " + acl::denial_text(user, {spec, argv, verdict}, false));
    ++host.state.stats.commands_by_spec[command.spec].rejected;
    return count_error(host.state, reply.last_error());
  }
  const family::CurrentClient current(host.state.tracking, session.id);
  Context context(host.state, host.services, session, spec, argv, reply, now);
  call(host, context, command.spec, Run::kAgain);
  if (host.state.tracking.active()) family::end_tracked_request(host.state, host.services, session);
}

namespace {

/// A client wrote on a replica: who deletes what it lets expire is this server alone.
void note_expiring_here(const Context& context) {
  if (context.session.role != family::Role::kNormal) return;
  const auto keys = command::find_keys(context.spec, context.argv);
  if (!keys) return;
  for (const command::KeyAt& at : *keys) {
    const std::string_view name = context.argv[at.position];
    const store::Entry* const entry = context.db().find(context.key(name));
    if (entry != nullptr && entry->has_expiry()) context.state.expiring_here.emplace(context.session.db, name);
  }
}

void count_call(Context& context, SpecIndex index) {
  const bool failed = context.reply.errors() > 0;
  ++context.session.commands;
  count_run(context.state, context.session, index, context.argv, failed, context.now);
  if (failed && !context.error_counted) count_error(context.state, context.reply.last_error());
}

}  // namespace

void Dispatcher::run_from_script(const DispatchHost& host, Context& outer, Session& session, SpecIndex index,
                                 std::span<const std::string_view> argv) {
  command::Reply reply(session.output, session.protocol);
  Context context(host.state, host.services, session, command::spec_at(index), argv, reply, outer.now);
  call(host, context, index);
}

void Dispatcher::count_refusal(family::State& state, SpecIndex index, std::string_view text) {
  count_error(state, text.starts_with('-') ? std::string(text.substr(1)) : "ERR " + std::string(text));
  if (index != command::kNoSpec) ++state.stats.commands_by_spec[index].rejected;
}

void Dispatcher::call(const DispatchHost& host, Context& context, SpecIndex index, Run run) {
  family::State& state = host.state;
  const int db = context.session.db;
  family::refresh_access_clock(state, context.now);
  context.propagating = host.propagating;
  const bool shown = !state.monitors.empty() && run == Run::kFirst && !context.spec.is(command::kAdmin);
  // A script comes before its commands.
  if (shown && context.spec.is(command::kSkipMonitor)) family::feed_monitors(context);
  const bool inside = std::exchange(state.tracking.in_handler, true);
  const int64_t began_ns = clock_ns(state);
  table_.at(index)(context);
  const int64_t spent_ns = clock_ns(state) - began_ns;
  state.tracking.in_handler = inside;
  if (run != Run::kReplay) {
    context.session.spent_ns += spent_ns;
    if (state.settings.latency_monitor_threshold_ms > 0) [[unlikely]]
      note_spike(state, context.spec.is(command::kFast) ? "fast-command" : "command", spent_ns, context.now);
    // A command that waits may have left a trace all the same: XREADGROUP makes its consumer.
    if (!context.runs_again) count_call(context, index);
    if (shown && !context.spec.is(command::kSkipMonitor)) family::feed_monitors(context);
  }
  if (state.tracking.clients > 0) [[unlikely]]
    family::remember_read_keys(state, host.services, context.spec, context.argv);
  state.saving.changes_since_save += context.dirty;
  if (state.replication.is_replica && context.dirty > 0) note_expiring_here(context);
  if (!context.propagating) return;
  if (context.effects_replaced()) {
    const bool stream_only = context.spec.is(command::kPubsub);
    for (const auto& effect : context.effects()) host.propagator.add(db, effect, stream_only);
  } else if (context.dirty > 0) {
    host.propagator.add(db, context.argv);
  }
}

}  // namespace holdfast::server
