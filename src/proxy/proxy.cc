#include "proxy/proxy.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "proxy/check/agent.h"
#include "proxy/check/runner.h"
#include "proxy/cli/cli.h"
#include "proxy/http/responder.h"
#include "proxy/redis/primary_watch.h"
#include "proxy/resolve/resolver.h"
#include "proxy/resolve/server_names.h"
#include "proxy/runtime.h"
#include "proxy/server_state.h"
#include "proxy/session.h"

namespace holdfast::proxy {
namespace {

// Signal numbers of Linux; the layer knows no system headers.
constexpr int kSigInt = 2;
constexpr int kSigUsr1 = 10;
constexpr int kSigTerm = 15;

}  // namespace

struct Proxy::Parts final : ActionSink, CliHost {
  Parts(Proxy& owner, Config config, ProxyOptions options)
      : proxy(owner),
        runtime(std::move(config), std::move(options), *this),
        sessions(runtime),
        states(runtime, sessions),
        checks(runtime, states),
        agents(runtime, states),
        primaries(runtime, states, checks),
        http(runtime, sessions, states),
        resolver(runtime),
        names(runtime, states, resolver),
        cli({runtime, sessions, states, checks, agents, resolver, names, *this}) {
    sessions.set_states(&states);
    sessions.set_suspicions(&checks);
    checks.set_role_listener(&primaries);
  }
  void emit(Action action) override { proxy.act(std::move(action)); }

  /// Every input starts here: the clock is read once, queues of connections closed by the last input are dropped.
  void begin(Now now) {
    runtime.now = now;
    runtime.forget_closing();
  }
  void listen_on(uint32_t index);
  void resolve_names();
  void soft_stop();
  void exit(int code);
  void finish_if_idle();
  void close_listener(uint32_t index);
  void set_frontend_listening(uint32_t frontend, bool on) override;
  void bind_failed(const ListenerState& listener, int error);

  Proxy& proxy;
  Runtime runtime;
  Sessions sessions;
  ServerStates states;
  CheckRunner checks;
  AgentRunner agents;
  PrimaryWatch primaries;
  HttpResponder http;
  Resolver resolver;
  ServerNames names;
  Cli cli;
  std::vector<std::pair<uint32_t, uint32_t>> resolving;  // by job: backend, server
  size_t resolving_left = 0;
  Mono stop_queued = kNever;
  bool exited = false;
};

void Proxy::Parts::listen_on(uint32_t index) {
  const ListenerState& listener = runtime.listeners[index];
  const BindConfig& bind = *listener.config;
  action::Listen listen;
  listen.listener = ListenerId{index};
  listen.address = bind.address;
  listen.unix_mode = bind.unix_mode;
  listen.inherited_fd = bind.inherited_fd;
  listen.v6only = bind.v6only;
  listen.share_port = !bind.address.is_unix();
  listen.backlog = bind.backlog;
  if (listen.backlog == 0 && listener.frontend != kNoIndex) {
    const FrontendState& frontend = runtime.frontends[listener.frontend];
    const int64_t own = frontend.config->backlog;
    listen.backlog = static_cast<int>(std::min<int64_t>(own > 0 ? own : frontend.maxconn, 65535));
  }
  if (listen.backlog == 0) listen.backlog = 64;
  runtime.act(std::move(listen));
}

void Proxy::Parts::resolve_names() {
  for (BackendState& backend : runtime.backends) {
    for (ServerState& server : backend.servers) {
      if (server.config->fqdn.empty() || is_numeric_host(server.address.host)) continue;
      if (!server.config->resolve.section.empty()) continue;  // asked for below, as long as we run
      resolving.emplace_back(server.backend, server.index);
      ++resolving_left;
      runtime.act(action::Resolve{JobId{resolving.size()}, server.config->fqdn});
    }
  }
}

void Proxy::Parts::close_listener(uint32_t index) {
  ListenerState& listener = runtime.listeners[index];
  if (!listener.listening) return;
  listener.listening = false;
  runtime.act(action::CloseListener{ListenerId{index}});
}

void Proxy::Parts::set_frontend_listening(uint32_t frontend, bool on) {
  FrontendState& state = runtime.frontends[frontend];
  if (state.stopped == !on) return;
  state.stopped = !on;
  for (uint32_t i = 0; i < runtime.listeners.size(); ++i) {
    if (runtime.listeners[i].frontend != frontend) continue;
    if (on) {
      listen_on(i);
    } else {
      close_listener(i);
    }
  }
}

void Proxy::Parts::soft_stop() {
  if (runtime.stopping) return;
  runtime.stopping = true;
  for (uint32_t i = 0; i < runtime.listeners.size(); ++i) {
    if (!runtime.listeners[i].config->masters_own) close_listener(i);
  }
  for (uint32_t i = 0; i < runtime.config.proxies.size(); ++i) {
    const ProxyConfig& config = runtime.config.proxies[i];
    if (config.disabled) continue;
    int64_t front = 0;
    int64_t back = 0;
    for (FrontendState& frontend : runtime.frontends) {
      if (frontend.proxy != i) continue;
      frontend.stopped = true;
      front = frontend.counters.total;
    }
    for (const BackendState& backend : runtime.backends) {
      if (backend.proxy == i) back = backend.counters.total;
    }
    runtime.log(LogLevel::kProxyWarning, i, true,
                fmt::format("Proxy {} stopped (cumulated conns: FE: {}, BE: {}).", config.name, front, back));
  }
  resolver.stop();
  checks.stop();
  agents.stop();
  primaries.stop();
  const Duration limit = runtime.config.global.hard_stop_after;
  if (limit > Duration{}) runtime.timers.arm(TimerKind::kStop, 0, 0, runtime.now.mono + limit, &stop_queued);
  finish_if_idle();
}

void Proxy::Parts::exit(int code) {
  if (exited) return;
  exited = true;
  runtime.act(action::Exit{code});
}

void Proxy::Parts::finish_if_idle() {
  if (runtime.stopping && sessions.count() == 0 && http.count() == 0) exit(0);
}

void Proxy::Parts::bind_failed(const ListenerState& listener, int error) {
  std::string owner = "frontend GLOBAL";
  if (listener.frontend != kNoIndex) {
    const ProxyConfig& config = *runtime.frontends[listener.frontend].config;
    owner = fmt::format("{} {}", config.is_backend() ? "proxy" : "frontend", config.name);
  }
  runtime.log(LogLevel::kProxyAlert, kNoIndex, true,
              fmt::format("Binding [{}:{}] for {}: cannot bind socket ({}) for [{}]", listener.config->source.file,
                          listener.config->source.line, owner, error_text({CloseReason::kError, error}),
                          listener.config->text));
  if (exited) return;
  runtime.log(LogLevel::kProxyAlert, kNoIndex, true,
              "[haproxy.main()] Some protocols failed to start their listeners! Exiting.");
  exit(1);
}

Proxy::Proxy(Config config, ProxyOptions options)
    : parts_(std::make_unique<Parts>(*this, std::move(config), std::move(options))) {}
Proxy::~Proxy() = default;

void Proxy::start(Now now) {
  parts_->begin(now);
  parts_->runtime.started = now;
  parts_->states.initialize();
  parts_->states.restore();
  for (uint32_t i = 0; i < parts_->runtime.listeners.size(); ++i) parts_->listen_on(i);
  parts_->resolve_names();
  parts_->names.start();
  if (parts_->resolving_left == 0) parts_->checks.start();
  parts_->agents.start();
  parts_->primaries.start();
}

ConnId Proxy::accepted(const Accepted& from, Now now) {
  parts_->begin(now);
  const auto index = static_cast<uint32_t>(from.listener);
  HF_ASSERT(index < parts_->runtime.listeners.size());
  const ListenerState& listener = parts_->runtime.listeners[index];
  const bool api = listener.frontend == kNoIndex;
  if (!api && !parts_->runtime.frontends[listener.frontend].config->http.enabled) {
    return parts_->sessions.accept(index, from);
  }
  const ConnId conn = api ? parts_->cli.accept(index, from) : parts_->http.accept(index, from);
  if (listener.config->tls.enabled) {
    act(action::StartTls{.conn = conn, .context = parts_->runtime.tls.context_of(*listener.config)});
  }
  return conn;
}

void Proxy::secured(ConnId conn, const TlsFacts& facts, Now now) {
  parts_->begin(now);
  const ConnSlot* const found = parts_->runtime.find(conn);
  if (found == nullptr) return;
  const ConnSlot slot = *found;  // what follows may open connections, and so move the slots
  if (slot.kind == ConnKind::kClient || slot.kind == ConnKind::kServer) parts_->sessions.secured(slot, facts);
  if (slot.kind == ConnKind::kCheck) parts_->checks.secured(slot);
}

void Proxy::listening(ListenerId listener, const Address& bound, int error, Now now) {
  parts_->begin(now);
  const auto index = static_cast<uint32_t>(listener);
  HF_ASSERT(index < parts_->runtime.listeners.size());
  ListenerState& state = parts_->runtime.listeners[index];
  state.answered = true;
  state.listening = error == 0;
  state.bound = bound;
  if (error != 0) parts_->bind_failed(state, error);
}

void Proxy::connected(ConnId conn, const Address&, const Address&, Now now) {
  parts_->begin(now);
  const ConnSlot* const found = parts_->runtime.find(conn);
  if (found == nullptr) return;
  const ConnSlot slot = *found;  // what follows may open connections, and so move the slots
  if (slot.kind == ConnKind::kServer) parts_->sessions.connected(slot);
  if (slot.kind == ConnKind::kCheck) parts_->checks.connected(slot);
  if (slot.kind == ConnKind::kAgent) parts_->agents.connected(slot);
  if (slot.kind == ConnKind::kName) parts_->resolver.connected(slot);
  if (slot.kind == ConnKind::kSentinel) parts_->primaries.links().connected(slot);
}

void Proxy::receive(ConnId conn, std::string_view bytes, Now now) {
  parts_->begin(now);
  const ConnSlot* slot = parts_->runtime.find(conn);
  if (slot == nullptr) return;
  switch (slot->kind) {
    case ConnKind::kClient:
    case ConnKind::kServer:
      return parts_->sessions.receive(*slot, bytes);
    case ConnKind::kCheck:
      return parts_->checks.receive(*slot, bytes);
    case ConnKind::kCli:
      return parts_->cli.receive(*slot, bytes);
    case ConnKind::kSentinel:
      return parts_->primaries.links().receive(*slot, bytes);
    case ConnKind::kHttp:
      return parts_->http.receive(*slot, bytes);
    case ConnKind::kAgent:
      return parts_->agents.receive(*slot, bytes);
    case ConnKind::kName:
      return parts_->resolver.receive(*slot, bytes);
    case ConnKind::kNone:
      return;
  }
}

void Proxy::eof(ConnId conn, Now now) {
  parts_->begin(now);
  const ConnSlot* slot = parts_->runtime.find(conn);
  if (slot == nullptr) return;
  switch (slot->kind) {
    case ConnKind::kClient:
    case ConnKind::kServer:
      parts_->sessions.eof(*slot);
      break;
    case ConnKind::kCheck:
      parts_->checks.eof(*slot);
      break;
    case ConnKind::kCli:
      parts_->cli.eof(*slot);
      break;
    case ConnKind::kSentinel:
      parts_->primaries.links().eof(*slot);
      break;
    case ConnKind::kHttp:
      parts_->http.eof(*slot);
      break;
    case ConnKind::kAgent:
      parts_->agents.eof(*slot);
      break;
    case ConnKind::kName:
      parts_->resolver.eof(*slot);
      break;
    case ConnKind::kNone:
      break;
  }
  parts_->finish_if_idle();
}

void Proxy::closed(ConnId conn, Closed why, Now now) {
  parts_->begin(now);
  const ConnSlot* slot = parts_->runtime.find(conn);
  if (slot == nullptr) return;
  switch (slot->kind) {
    case ConnKind::kClient:
    case ConnKind::kServer:
      parts_->sessions.closed(*slot, why);
      break;
    case ConnKind::kCheck:
      parts_->checks.closed(*slot, why);
      break;
    case ConnKind::kCli:
      parts_->cli.closed(*slot);
      break;
    case ConnKind::kSentinel:
      parts_->primaries.links().closed(*slot);
      break;
    case ConnKind::kHttp:
      parts_->http.closed(*slot);
      break;
    case ConnKind::kAgent:
      parts_->agents.closed(*slot);
      break;
    case ConnKind::kName:
      parts_->resolver.closed(*slot, why);
      break;
    case ConnKind::kNone:
      break;
  }
  parts_->finish_if_idle();
}

void Proxy::drained(ConnId conn, Now now) {
  parts_->begin(now);
  const ConnSlot* const found = parts_->runtime.find(conn);
  if (found == nullptr) return;
  const ConnSlot slot = *found;  // what follows may open connections, and so move the slots
  if (slot.kind == ConnKind::kClient || slot.kind == ConnKind::kServer) parts_->sessions.drained(slot);
  if (slot.kind == ConnKind::kCli) parts_->cli.drained(slot);
  parts_->finish_if_idle();
}

void Proxy::file_data(JobId, std::string_view, Now now) { parts_->begin(now); }
void Proxy::job_done(JobId job, int status, Now now) {
  parts_->begin(now);
  parts_->checks.program_ended(job, status);
}

void Proxy::resolved(JobId job, const std::vector<std::string>& addresses, Now now) {
  parts_->begin(now);
  const auto number = static_cast<uint64_t>(job);
  if (number == 0 || number > parts_->resolving.size() || parts_->resolving_left == 0) return;
  const auto [backend, server] = parts_->resolving[number - 1];
  parts_->states.set_resolved(parts_->runtime.server(backend, server), addresses);
  // Checks begin once every name is known, so that none goes to an address that is not there yet.
  if (--parts_->resolving_left == 0) parts_->checks.start();
}

void Proxy::signal(int number, Now now) {
  parts_->begin(now);
  if (number == kSigUsr1) return parts_->soft_stop();
  if (number == kSigTerm || number == kSigInt) parts_->exit(128 + number);
}

void Proxy::tick(Now now) {
  parts_->begin(now);
  TimerEntry entry;
  while (parts_->runtime.timers.pop(now.mono, &entry)) {
    switch (entry.kind) {
      case TimerKind::kSession:
        parts_->sessions.timer(entry.index, entry.generation);
        break;
      case TimerKind::kCheck:
        parts_->checks.timer(entry.index, entry.generation);
        break;
      case TimerKind::kCli:
        parts_->cli.timer(entry.index, entry.generation);
        break;
      case TimerKind::kSentinel:
        parts_->primaries.links().timer(entry.index, entry.generation);
        break;
      case TimerKind::kAgent:
        parts_->agents.timer(entry.index, entry.generation);
        break;
      case TimerKind::kRateLimit:
        parts_->sessions.rate_timer(entry.index);
        break;
      case TimerKind::kName:
        parts_->resolver.timer(entry.index, entry.generation);
        break;
      case TimerKind::kHttp:
        parts_->http.timer(entry.index, entry.generation);
        break;
      case TimerKind::kSettle:
        parts_->primaries.settle_timer();
        break;
      case TimerKind::kStop:
        parts_->exit(0);
        break;
    }
  }
  parts_->finish_if_idle();
}

Mono Proxy::next_deadline() const { return parts_->runtime.timers.next(); }

OutQueue& Proxy::output(ConnId conn) {
  const ConnSlot* slot = parts_->runtime.find(conn);
  if (slot == nullptr) return parts_->runtime.closing_output(conn);
  switch (slot->kind) {
    case ConnKind::kClient:
    case ConnKind::kServer:
      return parts_->sessions.output(*slot);
    case ConnKind::kCheck:
      return parts_->checks.output(*slot);
    case ConnKind::kCli:
      return parts_->cli.output(*slot);
    case ConnKind::kSentinel:
      return parts_->primaries.links().output(*slot);
    case ConnKind::kHttp:
      return parts_->http.output(*slot);
    case ConnKind::kAgent:
      return parts_->agents.output(*slot);
    case ConnKind::kName:
      return parts_->resolver.output(*slot);
    case ConnKind::kNone:
      break;
  }
  HF_UNREACHABLE();
}

bool Proxy::ready() const {
  const auto& listeners = parts_->runtime.listeners;
  return std::ranges::all_of(listeners, [](const ListenerState& listener) { return listener.answered; });
}

const LogChannel& Proxy::next_log_channel() {
  Runtime& runtime = parts_->runtime;
  HF_ASSERT(!runtime.log_channels.empty());
  const uint32_t channel = runtime.log_channels.front();
  runtime.log_channels.pop_front();
  return runtime.channels[channel];
}

void Proxy::check_invariants() const { parts_->sessions.check_invariants(); }

}  // namespace holdfast::proxy
