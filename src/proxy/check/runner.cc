#include "proxy/check/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/assert.h"
#include "codec/proxy_header.h"
#include "proxy/check/external.h"
#include "proxy/check/redis_role.h"

namespace holdfast::proxy {
namespace {

constexpr uint64_t kProgramJobs = uint64_t{1} << 32;  // numbers above it are programs; below: names
constexpr Duration kSpreadFrom = 1s;  // checks of servers with shorter intervals do not set the pace of spreading

std::string quotes_escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '"') out.push_back('\\');
    if (static_cast<unsigned char>(c) < 32 || c == 127) {
      out += fmt::format("#{:02X}", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

/// What `http-check send-state` tells the server about itself.
std::string with_server_state(const Runtime& runtime, const ServerState& server, std::string data) {
  const size_t at = data.find(kServerStateMark);
  if (at == std::string::npos) return data;
  const BackendState& backend = runtime.backends[server.backend];
  const HealthProgress progress_now = progress(server.health);
  int total = 0;
  for (const ServerState& other : backend.servers) total += other.usable() ? other.weight : 0;
  const std::string_view word = server.stopping ? "NOLB" : server.running ? "UP" : "DOWN";
  const std::string text =
      fmt::format("{} {}/{}; address={}; port={}; name={}/{}; node={}; weight={}/{}; scur={}/{}; qcur={}", word,
                  progress_now.done, progress_now.of, server.address.host, server.address.port, backend.config->name,
                  server.config->name, runtime.options.node, server.usable() ? server.weight : 0, total,
                  server.sessions, backend.counters.current, server.queue.size());
  data.replace(at, kServerStateMark.size(), text);
  return data;
}

bool tells_version(const CompiledCheck& check) {
  const CheckRule& last = check.program().rules.back();
  return last.kind == CheckRule::Kind::kExpect &&
         (last.match == MatchKind::kMysqlGreeting || last.match == MatchKind::kMysqlOk);
}

/// COMPAT: what connect(2) refuses at once is called a general error.
std::string connect_error_text(const Closed& why) {
  constexpr int kPermission = 1, kAccess = 13, kNetworkUnreachable = 101;  // Linux's EPERM, EACCES, ENETUNREACH
  const bool at_once = why.error == kPermission || why.error == kAccess || why.error == kNetworkUnreachable;
  return at_once ? fmt::format("General socket error ({})", error_text(why)) : error_text(why);
}

/// `check-ssl`, or `ssl` unless the check goes elsewhere.
bool checked_with_tls(const ServerConfig& server) {
  if (server.tls.no_check) return false;
  const bool own_place = server.check.port != 0 || !server.check.address.empty();
  return server.tls.check || (server.tls.enabled && !own_place);
}

}  // namespace

std::string error_text(const Closed& why) {
  if (why.error != 0) return std::generic_category().message(why.error);
  switch (why.reason) {
    case CloseReason::kRefused:
      return "Connection refused";
    case CloseReason::kReset:
      return "Connection reset by peer";
    case CloseReason::kUnreachable:
      return "No route to host";
    case CloseReason::kTimedOut:
      return "Connection timed out";
    case CloseReason::kEof:
    case CloseReason::kTls:
    case CloseReason::kError:
      break;
  }
  return "Connection error";
}

void CheckRunner::start() {
  Duration shortest{};
  int64_t count = 0;
  for (const BackendState& backend : runtime_.backends) {
    for (const ServerState& server : backend.servers) {
      if (!server.check.configured) continue;
      ++count;
      const Duration inter = server.config->check.inter;
      if (inter >= kSpreadFrom && (shortest == Duration{} || inter < shortest)) shortest = inter;
    }
  }
  const Duration limit = runtime_.config.global.max_spread_checks;
  int64_t position = 0;
  for (BackendState& backend : runtime_.backends) {
    for (ServerState& server : backend.servers) {
      if (!server.check.configured) continue;
      Duration span = std::max(shortest, check_interval(server.health, false, server.config->check));
      if (limit > Duration{} && span > limit) span = limit;
      // A backend that wants a primary knows at once which one it is.
      server.check.next = backend.asks_role ? runtime_.now.mono : runtime_.now.mono + span * position / count;
      ++position;
      arm(server);
    }
  }
}

void CheckRunner::arm(ServerState& server) {
  const Mono at = server.check.running ? server.check.deadline : server.check.next;
  runtime_.timers.arm(TimerKind::kCheck, server.backend, server.index, at, &server.check.queued_until);
}

void CheckRunner::timer(uint32_t backend, uint32_t index) {
  ServerState& server = runtime_.server(backend, index);
  CheckState& check = server.check;
  check.queued_until = kNever;
  if (check.running) {
    if (check.deadline > runtime_.now.mono) return arm(server);
    if (check.job != JobId{}) {
      CheckOutcome late;
      late.status = CheckStatus::kProcessTimeout;
      return finish(server, late);
    }
    return perform(
        server, check.shaking ? check.evaluator->handshake_timed_out() : check.evaluator->timed_out(check.connected));
  }
  if (check.next > runtime_.now.mono) return arm(server);
  begin(server);
}

void CheckRunner::begin(ServerState& server) {
  CheckState& check = server.check;
  if (runtime_.stopping) return;
  if (!check.enabled || server.in_maintenance()) return schedule(server);
  check.running = true;
  check.started = runtime_.now.mono;
  if (runtime_.backends[server.backend].config->check_kind == CheckKind::kExternal) return start_program(server);
  check.evaluator.emplace(*runtime_.backends[server.backend].check, server.running);
  perform(server, check.evaluator->start());
}

void CheckRunner::start_program(ServerState& server) {
  CheckState& check = server.check;
  const Timeouts& timeouts = runtime_.backends[server.backend].config->timeouts;
  check.job = JobId{kProgramJobs + ++last_program_};
  programs_[check.job] = {server.backend, server.index};
  Duration limit = server.config->check.inter;
  // COMPAT: as for connections; the program has that long for all it does.
  if (timeouts.check > Duration{} && timeouts.connect > Duration{}) limit = std::min(limit, timeouts.connect);
  check.deadline = runtime_.now.mono + limit;
  runtime_.act(action::Spawn{check.job, external_check_words(runtime_, server)});
  arm(server);
}

void CheckRunner::program_ended(JobId job, int wait_status) {
  const auto at = programs_.find(job);
  if (at == programs_.end()) return;
  ServerState& server = runtime_.server(at->second.first, at->second.second);
  programs_.erase(at);
  server.check.job = {};
  finish(server, external_check_outcome(wait_status));
}

/// A program whose result nobody waits for any more.
void CheckRunner::drop_program(ServerState& server) {
  if (server.check.job == JobId{}) return;
  constexpr int kTerminate = 15;
  runtime_.act(action::KillChild{server.check.job, kTerminate});
  programs_.erase(server.check.job);
  server.check.job = {};
}

void CheckRunner::perform(ServerState& server, CheckStep step) {
  CheckState& check = server.check;
  while (true) {
    switch (step.want) {
      case CheckStep::Want::kConnect:
        return open(server, *step.rule);
      case CheckStep::Want::kSend: {
        const bool was_empty = check.out.empty();
        check.out.append(step.rule->send_state ? with_server_state(runtime_, server, step.rule->data)
                                               : step.rule->data);
        if (was_empty && !check.out.empty()) runtime_.act(action::Flush{check.conn});
        step = check.evaluator->sent();
        continue;
      }
      case CheckStep::Want::kReceive:
        return arm(server);
      case CheckStep::Want::kDone:
        return finish(server, step.outcome);
    }
  }
}

void CheckRunner::open(ServerState& server, const CheckRule& rule) {
  CheckState& check = server.check;
  drop_connection(server);
  const BackendState& backend = runtime_.backends[server.backend];
  const Timeouts& timeouts = backend.config->timeouts;
  check.linger = rule.linger;
  // COMPAT: a `tcp-check connect` that does not say ssl is plain, whatever the server's connections are.
  check.secure = rule.tls || (rule.step < 0 || rule.server_defaults ? checked_with_tls(*server.config) : false);
  check.server_name = !rule.sni.empty() ? rule.sni : rule.tls ? std::string() : server.config->tls.check_sni;
  check.conn = runtime_.open(ConnKind::kCheck, server.backend, server.index);
  Address to = server.address;
  if (!rule.address.empty()) {
    to = Address{.host = rule.address, .port = to.port, .unix_path = {}};
  } else if (!server.check_address.empty()) {
    to = Address{.host = server.check_address, .port = to.port, .unix_path = {}};
  }
  if (rule.port) {
    to.port = *rule.port;
  } else if (server.check_port != 0) {
    to.port = server.check_port;
  }
  const auto& source = server.config->bind_source ? server.config->bind_source : backend.config->bind_source;
  runtime_.act(action::Connect{check.conn, to, source, false});
  const Duration inter = server.config->check.inter;
  Duration limit = inter;
  // COMPAT: `timeout check` counts from the connection on, and only when `timeout connect` bounds the time before it.
  if (timeouts.check > Duration{} && timeouts.connect > Duration{}) limit = std::min(inter, timeouts.connect);
  check.deadline = runtime_.now.mono + limit;
  arm(server);
}

void CheckRunner::connected(ConnSlot slot) {
  ServerState& server = runtime_.server(slot.owner, slot.second);
  CheckState& check = server.check;
  if (!check.running || check.connected) return;
  check.connected = true;
  const Timeouts& timeouts = runtime_.backends[server.backend].config->timeouts;
  if (timeouts.check > Duration{} && timeouts.connect > Duration{}) {
    check.deadline = runtime_.now.mono + timeouts.check;
  }
  std::string header;
  if (server.config->check_send_proxy && server.config->send_proxy != SendProxy::kNone) {
    header =
        server.config->send_proxy == SendProxy::kV1 ? codec::encode_proxy_v1({}, {}) : codec::encode_proxy_v2_local();
  }
  if (check.secure) {
    check.shaking = true;
    runtime_.act(action::StartTls{.conn = check.conn,
                                  .context = runtime_.tls.context_of(*server.config),
                                  .client = true,
                                  .preface = header,
                                  .server_name = check.server_name,
                                  .verify_name = server.config->tls.verify_name});
    return arm(server);
  }
  if (!header.empty()) {
    const bool was_empty = check.out.empty();
    check.out.append(header);
    if (was_empty) runtime_.act(action::Flush{check.conn});
  }
  perform(server, check.evaluator->connected());
}

void CheckRunner::secured(ConnSlot slot) {
  ServerState& server = runtime_.server(slot.owner, slot.second);
  if (!server.check.running || !server.check.shaking) return;
  server.check.shaking = false;
  perform(server, server.check.evaluator->connected(true));
}

void CheckRunner::receive(ConnSlot slot, std::string_view bytes) {
  ServerState& server = runtime_.server(slot.owner, slot.second);
  if (server.check.running) perform(server, server.check.evaluator->received(bytes));
}

void CheckRunner::eof(ConnSlot slot) {
  ServerState& server = runtime_.server(slot.owner, slot.second);
  if (server.check.running) perform(server, server.check.evaluator->ended());
}

void CheckRunner::closed(ConnSlot slot, Closed why) {
  ServerState& server = runtime_.server(slot.owner, slot.second);
  CheckState& check = server.check;
  runtime_.forget(check.conn);
  check.conn = {};
  check.out.clear();
  if (!check.running) return;
  if (check.shaking) return perform(server, check.evaluator->handshake_failed());
  if (why.reason == CloseReason::kEof && check.connected) return perform(server, check.evaluator->ended());
  const std::string text = check.connected ? error_text(why) : connect_error_text(why);
  perform(server, check.evaluator->failed(text, check.connected));
}

OutQueue& CheckRunner::output(ConnSlot slot) { return runtime_.server(slot.owner, slot.second).check.out; }

void CheckRunner::drop_connection(ServerState& server) {
  CheckState& check = server.check;
  drop_program(server);
  check.connected = check.shaking = false;
  if (!check.conn) return;
  runtime_.close(check.conn, check.linger ? action::CloseMode::kNow : action::CloseMode::kReset, std::move(check.out));
  check.conn = {};
  check.out.clear();
}

void CheckRunner::finish(ServerState& server, const CheckOutcome& outcome) {
  CheckState& check = server.check;
  drop_connection(server);
  check.running = false;
  check.deadline = kNever;
  check.asked = check.started;
  check.ended = runtime_.now.mono;
  check.duration_ms = to_ms(runtime_.now.mono - check.started);
  check.evaluator.reset();
  // COMPAT: a result that arrives in maintenance says nothing about the server's state.
  if (!server.in_maintenance()) apply(server, outcome);
  schedule(server);
}

void CheckRunner::apply(ServerState& server, const CheckOutcome& outcome) {
  CheckState& check = server.check;
  const bool status_changed = check.status != outcome.status;
  const Health before = server.health;
  check.status = outcome.status;
  check.code = outcome.code;
  check.info = outcome.info;
  check.had_result = true;
  const CheckResult result = result_of(outcome.status);
  const bool passed = result == CheckResult::kPassed || result == CheckResult::kConditional;
  if (!passed && server.health.value > 0) ++server.counters.check_failures;
  new_health(server, outcome, passed);
  const bool log_checks = runtime_.backends[server.backend].config->log_health_checks;
  if (log_checks && (status_changed || !(before == server.health))) {
    log_result(server, passed, result == CheckResult::kConditional);
  }
  const Cause cause = cause_of_check(server, log_checks);
  if (!passed) {
    if (server.health.value == 0) states_.set_stopped(server, cause);
    const BackendState& backend = runtime_.backends[server.backend];
    if (backend.asks_role && !backend.up && !server.fenced) suspect(server.backend, server.index);
  } else if (server.health.up() && !server.agent.down) {
    if (result == CheckResult::kConditional) {
      states_.set_stopping(server, cause);
    } else {
      states_.set_running(server, cause);
    }
  }
  // COMPAT: the version of a MySQL server is in the log line only.
  if (passed && tells_version(*runtime_.backends[server.backend].check)) check.info.clear();
}

void CheckRunner::new_health(ServerState& server, const CheckOutcome& outcome, bool passed) {
  const BackendState& backend = runtime_.backends[server.backend];
  if (!backend.primary.watched) {
    server.health = passed ? after_pass(server.health) : after_failure(server.health);
    if (outcome.other_role && backend.asks_role) server.health.value = 0;
    return;
  }
  if (passed) roles_->role_passed(server, server.check.asked);
  if (server.fenced) {
    server.health.value = 0;
  } else if (passed) {
    server.health.value = server.health.full();  // the Sentinels' word and its own are enough
  } else {
    server.health = after_failure(server.health);
    if (outcome.other_role) server.health.value = 0;
    roles_->role_doubted(server.backend);
  }
}

void CheckRunner::check_now(ServerState& server) {
  CheckState& check = server.check;
  if (!check.configured || runtime_.stopping) return;
  if (check.running) {
    check.urgent = true;
    return;
  }
  check.next = runtime_.now.mono;
  arm(server);
}

void CheckRunner::check_soon(ServerState& server) {
  CheckState& check = server.check;
  if (!check.configured) return;
  if (check.running) {
    check.again = true;
    return;
  }
  const Mono soon = std::max(runtime_.now.mono, check.had_result ? check.ended + kRecheck : Mono{});
  if (check.next <= soon) return;
  check.next = soon;
  arm(server);
}

void CheckRunner::suspect(uint32_t backend, uint32_t) {
  if (runtime_.stopping || !runtime_.backends[backend].asks_role) return;
  if (runtime_.backends[backend].primary.watched) roles_->role_doubted(backend);
  for (ServerState& server : runtime_.backends[backend].servers) check_soon(server);
}

/// Half-way to a verdict, or no server at all: whoever takes over must not wait for the old pace.
bool CheckRunner::in_doubt(const ServerState& server) const {
  const BackendState& backend = runtime_.backends[server.backend];
  if (!backend.asks_role) return false;
  if (server.fenced) return backend.primary.candidate && backend.primary.candidate->server == server.index;
  if (!backend.up) return true;
  if (server.health.value == 0 || server.health.value == server.health.full()) return false;
  // A server that answers, if only with -BUSY or -LOADING, keeps the patience that `fall` and `inter` give it.
  const CheckStatus status = server.check.status;
  return server.health.value < server.health.rise ||
         (status != CheckStatus::kL7Response && status != CheckStatus::kL7Status);
}

void CheckRunner::log_result(const ServerState& server, bool passed, bool conditional) {
  const CheckState& check = server.check;
  const BackendState& backend = runtime_.backends[server.backend];
  std::string text =
      fmt::format("Health check for {}server {}/{} {}{}, reason: {}", server.config->backup ? "backup " : "",
                  backend.config->name, server.config->name, conditional ? "conditionally " : "",
                  passed ? "succeeded" : "failed", description(check.status));
  if (has_code(check.status)) text += fmt::format(", code: {}", check.code);
  if (!check.info.empty()) text += fmt::format(", info: \"{}\"", quotes_escaped(check.info));
  const HealthProgress at = progress(server.health);
  text += fmt::format(", check duration: {}ms, status: {}/{} {}.", check.duration_ms, at.done, at.of,
                      server.health.up() ? (server.draining() ? "DRAIN" : "UP") : "DOWN");
  runtime_.log(LogLevel::kProxyNotice, backend.proxy, true, std::move(text));
}

void CheckRunner::schedule(ServerState& server) {
  Duration pause = check_interval(server.health, !server.running, server.config->check);
  CheckState& check = server.check;
  if (check.urgent || check.again || in_doubt(server)) {
    check.next = runtime_.now.mono + (check.urgent ? Duration{} : std::min(pause, kRecheck));
    check.again = check.urgent = false;
    return arm(server);
  }
  const int percent = runtime_.config.global.spread_checks_percent;
  if (percent > 0) {
    const auto span = static_cast<uint64_t>(pause.count() * percent / 100);
    pause += Duration(static_cast<int64_t>(runtime_.random.below(2 * span + 1)) - static_cast<int64_t>(span));
  }
  check.next = runtime_.now.mono + pause;
  arm(server);
}

void CheckRunner::pause(ServerState& server) {
  if (!server.check.running) return;
  drop_connection(server);
  server.check.running = false;
  server.check.evaluator.reset();
  server.check.deadline = kNever;
  schedule(server);
}

void CheckRunner::set_enabled(ServerState& server, bool enabled) {
  server.check.enabled = enabled;
  if (!enabled) pause(server);
}

void CheckRunner::stop() {
  for (BackendState& backend : runtime_.backends) {
    for (ServerState& server : backend.servers) {
      drop_connection(server);
      server.check.running = false;
      server.check.evaluator.reset();
      server.check.next = server.check.deadline = kNever;
    }
  }
}

}  // namespace holdfast::proxy
