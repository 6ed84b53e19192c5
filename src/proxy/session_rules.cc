// What rules do to a session before it gets a server: accept or reject it, wait for bytes to look at, remember its
// client in tables, change what it says of itself. Source: HAProxy configuration manual `tcp-request`, `stick`.
#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "codec/proxy_header.h"
#include "proxy/condition.h"
#include "proxy/sample/context.h"
#include "proxy/session.h"

namespace holdfast::proxy {
namespace {

bool has_stage(const ProxyConfig& config, RuleStage stage) {
  return std::ranges::any_of(config.tcp_rules, [stage](const TcpRule& rule) { return rule.stage == stage; });
}

}  // namespace

SessionExtras& Sessions::extras(Session& session) {
  if (!session.extras) session.extras = std::make_unique<SessionExtras>();
  return *session.extras;
}

/// `request` is kept by the caller while the context is used.
SampleContext Sessions::context_of(const Session& session, const std::string& request, bool final) const {
  SampleContext context(runtime_);
  context.session = &session;
  context.frontend = session.frontend;
  context.backend = session.backend;
  context.request = request;
  context.final = final;
  return context;
}

/// Connection rules, before anything is counted. False: the connection is gone.
bool Sessions::admitted_by_rules(uint32_t index) {
  Session& session = sessions_[index];
  FrontendState& frontend = runtime_.frontends[session.frontend];
  if (!has_stage(*frontend.config, RuleStage::kConnection)) return true;
  const RuleVerdict verdict = run_rules(session, *frontend.config, RuleStage::kConnection, true);
  if (verdict == RuleVerdict::kExpectHeader) extras(session).expects_header = true;
  if (verdict != RuleVerdict::kReject) return true;
  ++frontend.counters.denied_connections;
  untrack(session);
  runtime_.close(session.client.conn, action::CloseMode::kNow, std::move(session.client.out));
  session.state = SessionState::kFree;
  session.extras.reset();
  ++session.generation;
  free_.push_back(index);
  --live_;
  return false;
}

/// The first step after a session was let in: the PROXY header if one is to come.
void Sessions::begin(uint32_t index) {
  Session& session = sessions_[index];
  const bool expects = runtime_.listeners[session.listener].config->accept_proxy ||
                       (session.extras != nullptr && session.extras->expects_header);
  if (!expects && secure_client(index, {})) return;
  if (!expects) return after_header(index);
  session.state = SessionState::kHeader;
  extras(session);
  const Duration limit = runtime_.frontends[session.frontend].config->timeouts.client;
  session.deadline = limit > Duration{} ? runtime_.now.mono + limit : kNever;
  arm(index);
}

void Sessions::receive_header(uint32_t index, std::string_view bytes) {
  Session& session = sessions_[index];
  SessionExtras& own = extras(session);
  own.header.append(bytes.substr(0, codec::kProxyHeaderMax + runtime_.config.global.bufsize));
  codec::ProxyHeader header;
  switch (codec::parse_proxy_header(own.header, &header)) {
    case codec::ProxyHeaderStatus::kNeedMore:
      return;
    case codec::ProxyHeaderStatus::kError:
      return end(index, EndReason::kDeniedEarly);
    case codec::ProxyHeaderStatus::kComplete:
      break;
  }
  if (!header.local) {
    session.source = header.source;
    session.destination = header.destination;
  }
  const std::string rest = std::exchange(own.header, {}).substr(header.length);
  if (secure_client(index, rest)) return;
  session.bytes_in += static_cast<int64_t>(rest.size());
  session.peer.out.append(rest);
  after_header(index);
}

void Sessions::after_header(uint32_t index) {
  Session& session = sessions_[index];
  session.state = SessionState::kConnecting;
  session.deadline = kNever;
  const ProxyConfig& config = *runtime_.frontends[session.frontend].config;
  if (!config.tcp_rules.empty()) {
    if (run_rules(session, config, RuleStage::kSession, true) == RuleVerdict::kReject) {
      ++runtime_.frontends[session.frontend].counters.denied_sessions;
      return end(index, EndReason::kDeniedEarly);
    }
    for_tracked(session, [this](StickTable& table, TableEntry& entry) {
      table.add(entry, TableData::kSessCnt, 1, runtime_.now.mono);
      table.add(entry, TableData::kSessRate, 1, runtime_.now.mono);
    });
  }
  log_accepted(session);
  route(index, false);
}

/// Content rules of the frontend, the choice of a backend, its content rules, a server. Called again when bytes come
/// while rules wait for them; `final` = they wait no longer.
void Sessions::route(uint32_t index, bool final) {
  Session& session = sessions_[index];
  const FrontendState& frontend = runtime_.frontends[session.frontend];
  if (!frontend.config->tcp_rules.empty() && !extras(session).inspected_frontend) {
    if (!inspect(index, *frontend.config, final)) return;
    extras(session).inspected_frontend = true;
  }
  if (session.backend == kNoIndex) {
    session.state = SessionState::kConnecting;
    session.backend = choose_backend(session);
    if (session.backend == kNoIndex) return end(index, EndReason::kNoServer);
    BackendState& backend = runtime_.backends[session.backend];
    backend.counters.enter(runtime_.now.mono);
    session.retries_left = backend.config->retries;
  }
  const BackendState& backend = runtime_.backends[session.backend];
  if (backend.proxy != frontend.proxy && !backend.config->tcp_rules.empty() && !extras(session).inspected_backend) {
    if (!inspect(index, *backend.config, final)) return;
    extras(session).inspected_backend = true;
  }
  session.state = SessionState::kConnecting;
  session.deadline = kNever;
  assign(index, kNoCandidate);
}

/// False: the session waits, or is over.
bool Sessions::inspect(uint32_t index, const ProxyConfig& config, bool final) {
  Session& session = sessions_[index];
  if (!has_stage(config, RuleStage::kContent)) return true;
  const bool full = session.peer.out.size() >= runtime_.config.global.bufsize;
  const Mono limit = session.accepted + config.inspect_delay;
  final = final || full || session.client.ended || config.inspect_delay <= Duration{} || runtime_.now.mono >= limit;
  switch (run_rules(session, config, RuleStage::kContent, final)) {
    case RuleVerdict::kPass:
    case RuleVerdict::kExpectHeader:
      return true;
    case RuleVerdict::kReject:
      ++runtime_.frontends[session.frontend].counters.denied_requests;
      if (session.backend != kNoIndex) ++runtime_.backends[session.backend].counters.denied_requests;
      session.state = SessionState::kInspecting;
      end(index, EndReason::kDenied);
      return false;
    case RuleVerdict::kWait:
      break;
  }
  session.state = SessionState::kInspecting;
  session.deadline = limit;
  arm(index);
  return false;
}

RuleVerdict Sessions::run_rules(Session& session, const ProxyConfig& config, RuleStage stage, bool final,
                                std::string_view response) {
  std::string request;
  if (stage == RuleStage::kContent) request = session.peer.out.to_string();
  for (const TcpRule& rule : config.tcp_rules) {
    if (rule.stage != stage) continue;
    SampleContext context = context_of(session, request, final);
    context.response = response;
    const Truth truth = holds(rule.condition, context);
    if (truth == Truth::kUnknown) return RuleVerdict::kWait;
    if (truth == Truth::kNo) continue;
    switch (rule.action) {
      case RuleAction::kAccept:
        return RuleVerdict::kPass;
      case RuleAction::kReject:
      case RuleAction::kSilentDrop:
      case RuleAction::kClose:
        return RuleVerdict::kReject;
      case RuleAction::kExpectProxy:
        return RuleVerdict::kExpectHeader;
      case RuleAction::kIgnored:
        break;
      default: {
        const Sample sample = rule.action == RuleAction::kIncrementGpc || rule.action == RuleAction::kUnsetVariable
                                  ? Sample{}
                                  : evaluate(rule.expression, context);
        if (sample.may_change && !sample.value && !final) return RuleVerdict::kWait;
        apply_rule(session, config, rule, sample.value);
      }
    }
  }
  return RuleVerdict::kPass;
}

void Sessions::apply_rule(Session& session, const ProxyConfig& config, const TcpRule& rule,
                          const std::optional<Value>& value) {
  SessionExtras& own = extras(session);
  switch (rule.action) {
    case RuleAction::kTrack:
      if (value) track(session, rule.counter, rule.name.empty() ? config.name : rule.name, *value);
      return;
    case RuleAction::kIncrementGpc:
    case RuleAction::kSetGpt: {
      SessionExtras::Track& tracked = own.tracks[static_cast<size_t>(rule.counter)];
      if (tracked.table == kNoIndex) return;
      StickTable& table = runtime_.tables[tracked.table];
      TableEntry* entry = table.touch(tracked.key, runtime_.now.mono);
      if (entry == nullptr) return;
      if (rule.action == RuleAction::kSetGpt) {
        if (value) entry->counters[static_cast<size_t>(TableData::kGpt0)] = value->as_number().value_or(0);
        return;
      }
      table.add(*entry, rule.gpc == 0 ? TableData::kGpc0 : TableData::kGpc1, 1, runtime_.now.mono);
      table.add(*entry, rule.gpc == 0 ? TableData::kGpc0Rate : TableData::kGpc1Rate, 1, runtime_.now.mono);
      return;
    }
    case RuleAction::kSetVariable:
      if (!value) return;
      (rule.name.starts_with("proc.") ? runtime_.variables : own.variables)[rule.name] = *value;
      return;
    case RuleAction::kUnsetVariable:
      (rule.name.starts_with("proc.") ? runtime_.variables : own.variables).erase(rule.name);
      return;
    case RuleAction::kSetSource:
      if (value && is_numeric_host(value->text)) session.source.host = value->text;
      return;
    case RuleAction::kSetDestination:
      if (value && is_numeric_host(value->text)) session.destination.host = value->text;
      return;
    case RuleAction::kSetSourcePort:
      if (value) session.source.port = static_cast<uint16_t>(value->as_number().value_or(0));
      return;
    case RuleAction::kSetDestinationPort:
      if (value) session.destination.port = static_cast<uint16_t>(value->as_number().value_or(0));
      return;
    case RuleAction::kAccept:
    case RuleAction::kReject:
    case RuleAction::kSilentDrop:
    case RuleAction::kClose:
    case RuleAction::kExpectProxy:
    case RuleAction::kIgnored:
      return;
  }
}

void Sessions::track(Session& session, int slot, const std::string& table_name, const Value& value) {
  SessionExtras::Track& tracked = extras(session).tracks[static_cast<size_t>(slot)];
  const uint32_t index = runtime_.find_table(table_name);
  if (tracked.table != kNoIndex || index == kNoIndex) return;  // COMPAT: the first rule that tracks wins
  StickTable& table = runtime_.tables[index];
  const auto key = table.key_of(value);
  if (!key) return;
  TableEntry* entry = table.touch(*key, runtime_.now.mono);
  if (entry == nullptr) return;
  tracked.table = index;
  tracked.key = *key;
  ++entry->refs;
  table.add(*entry, TableData::kConnCnt, 1, runtime_.now.mono);
  table.add(*entry, TableData::kConnRate, 1, runtime_.now.mono);
  table.add(*entry, TableData::kConnCur, 1, runtime_.now.mono);
}

/// The end of a session: its bytes are counted, its entries may expire again.
void Sessions::untrack(Session& session) {
  if (!session.extras) return;
  for_tracked(session, [this, &session](StickTable& table, TableEntry& entry) {
    const Mono now = runtime_.now.mono;
    table.add(entry, TableData::kBytesInCnt, session.bytes_in, now);
    table.add(entry, TableData::kBytesInRate, session.bytes_in, now);
    table.add(entry, TableData::kBytesOutCnt, session.bytes_out, now);
    table.add(entry, TableData::kBytesOutRate, session.bytes_out, now);
    table.add(entry, TableData::kConnCur, -1, now);
    --entry.refs;
    HF_ASSERT(entry.refs >= 0);
  });
}

template <typename F>
void Sessions::for_tracked(Session& session, F each) {
  if (!session.extras) return;
  for (SessionExtras::Track& tracked : session.extras->tracks) {
    if (tracked.table == kNoIndex) continue;
    StickTable& table = runtime_.tables[tracked.table];
    TableEntry* entry = table.touch(tracked.key, runtime_.now.mono);
    HF_ASSERT(entry != nullptr);
    each(table, *entry);
  }
}

/// The server that use-server or stick rules want, kNoIndex = none of them does (or that server takes no connections).
uint32_t Sessions::wanted_server(Session& session) {
  BackendState& backend = runtime_.backends[session.backend];
  const ProxyConfig& config = *backend.config;
  if (config.use_servers.empty() && config.stick_rules.empty()) return kNoIndex;
  const std::string request = session.peer.out.to_string();
  const SampleContext context = context_of(session, request, true);
  for (const UseServer& rule : config.use_servers) {
    if (holds(rule.condition, context) != Truth::kYes) continue;
    const uint32_t server = runtime_.find_server(session.backend, rule.server);
    // COMPAT: a rule whose server is down is passed over.
    if (server != kNoIndex && backend.servers[server].up()) return server;
  }
  for (const StickRule& rule : config.stick_rules) {
    if (!rule.match || holds(rule.condition, context) != Truth::kYes) continue;
    const uint32_t index = runtime_.find_table(rule.table.empty() ? config.name : rule.table);
    const Sample sample = evaluate(rule.expression, context);
    if (index == kNoIndex || !sample.value) continue;
    StickTable& table = runtime_.tables[index];
    const auto key = table.key_of(*sample.value);
    TableEntry* entry = key ? table.find(*key, runtime_.now.mono) : nullptr;
    if (entry == nullptr) continue;
    const int64_t id = entry->counters[static_cast<size_t>(TableData::kServerId)];
    for (const ServerState& server : backend.servers) {
      if (server.config->id == id && server.up() && !server.stopping) return server.index;
    }
  }
  return kNoIndex;
}

/// `stick on` and `stick store-request`: remembers the server the session was given.
void Sessions::store_sticky(Session& session) {
  const BackendState& backend = runtime_.backends[session.backend];
  const std::string request;
  for (const StickRule& rule : backend.config->stick_rules) {
    const SampleContext context = context_of(session, request, true);
    if (!rule.store || holds(rule.condition, context) != Truth::kYes) continue;
    const uint32_t index = runtime_.find_table(rule.table.empty() ? backend.config->name : rule.table);
    const Sample sample = evaluate(rule.expression, context);
    if (index == kNoIndex || !sample.value) continue;
    StickTable& table = runtime_.tables[index];
    const auto key = table.key_of(*sample.value);
    TableEntry* entry = key ? table.touch(*key, runtime_.now.mono) : nullptr;
    if (entry != nullptr) {
      entry->counters[static_cast<size_t>(TableData::kServerId)] = backend.servers[session.server].config->id;
    }
  }
}

/// The first bytes of a server before its client sees them. False: the session is over.
bool Sessions::inspect_response(uint32_t index, std::string_view bytes) {
  Session& session = sessions_[index];
  const ProxyConfig& config = *runtime_.backends[session.backend].config;
  if (config.tcp_rules.empty() || extras(session).response_seen) return true;
  extras(session).response_seen = true;
  if (run_rules(session, config, RuleStage::kResponse, true, bytes) != RuleVerdict::kReject) return true;
  ++runtime_.backends[session.backend].counters.denied_responses;
  end(index, EndReason::kResponseDenied);
  return false;
}

/// Empty where the server wants none.
std::string Sessions::proxy_header(const Session& session) const {
  const ServerConfig& config = *runtime_.server(session.backend, session.server).config;
  if (config.send_proxy == SendProxy::kNone) return "";
  return config.send_proxy == SendProxy::kV1 ? codec::encode_proxy_v1(session.source, session.destination)
                                             : codec::encode_proxy_v2(session.source, session.destination);
}

/// `send-proxy`: the header goes in front of what the client already sent.
void Sessions::announce_client(Session& session) {
  const ServerConfig& config = *runtime_.server(session.backend, session.server).config;
  if (config.send_proxy == SendProxy::kNone || config.tls.enabled) return;  // with TLS it went before the handshake
  OutQueue out;
  out.append(proxy_header(session));
  out.append(session.peer.out.to_string());
  session.peer.out = std::move(out);
}

}  // namespace holdfast::proxy
