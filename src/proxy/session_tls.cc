// TLS on either side of a session: the handshake with its client before any rule but those of connections, the one with
// its server after the PROXY header. Source: HAProxy configuration manual 5.1 `ssl`, 5.2 `ssl`, `sni`, `verifyhost`.
#include <fmt/format.h>

#include "base/assert.h"
#include "codec/proxy_header.h"
#include "proxy/log_line.h"
#include "proxy/sample/context.h"
#include "proxy/session.h"

namespace holdfast::proxy {

bool Sessions::secure_client(uint32_t index, std::string_view received) {
  Session& session = sessions_[index];
  const BindConfig& bind = *runtime_.listeners[session.listener].config;
  if (!bind.tls.enabled) return false;
  session.state = SessionState::kHeader;
  extras(session).shaking = true;
  runtime_.act(action::StartTls{
      .conn = session.client.conn, .context = runtime_.tls.context_of(bind), .received = std::string(received)});
  const Duration limit = runtime_.frontends[session.frontend].config->timeouts.client;
  session.deadline = limit > Duration{} ? runtime_.now.mono + limit : kNever;
  arm(index);
  return true;
}

/// True: the server is of use when the handshake is over.
bool Sessions::secure_server(Session& session) {
  const ServerConfig& config = *runtime_.server(session.backend, session.server).config;
  if (!config.tls.enabled) return false;
  action::StartTls start{.conn = session.peer.conn, .context = runtime_.tls.context_of(config), .client = true};
  start.preface = proxy_header(session);
  start.verify_name = config.tls.verify_name;
  if (config.tls.sni) {
    const std::string request = session.peer.out.to_string();
    const Sample name = evaluate(*config.tls.sni, context_of(session, request, true));
    if (name.value) start.server_name = name.value->as_text();
    // COMPAT: without verifyhost the name that was asked for is the one to be verified.
    if (start.verify_name.empty()) start.verify_name = start.server_name;
  }
  runtime_.act(std::move(start));
  return true;
}

void Sessions::secured(ConnSlot slot, const TlsFacts& facts) {
  Session& session = sessions_[slot.owner];
  if (slot.kind == ConnKind::kServer) {
    if (session.state == SessionState::kConnecting) established(slot.owner);
    return;
  }
  if (session.state != SessionState::kHeader) return;
  SessionExtras& own = extras(session);
  own.shaking = false;
  own.tls = std::make_unique<TlsFacts>(facts);
  after_header(slot.owner);
}

/// A client that never became a session: why, with its listener's name or number.
void Sessions::log_refused(const Session& session, std::string_view why) {
  const FrontendState& frontend = runtime_.frontends[session.frontend];
  if (!runtime_.has_log_targets(frontend.proxy)) return;
  const BindConfig& bind = *runtime_.listeners[session.listener].config;
  std::string listener = bind.name;
  if (listener.empty()) {
    uint32_t number = 0;
    for (uint32_t i = 0; i <= session.listener; ++i) number += runtime_.listeners[i].frontend == session.frontend;
    listener = fmt::format("{}", bind.id != 0 ? bind.id : number);
  }
  const bool is_unix = session.source.is_unix();
  runtime_.log(
      LogLevel::kProxyInfo, frontend.proxy, false,
      fmt::format("{}:{} [{}] {}/{}: {}", is_unix ? "unix" : session.source.host, is_unix ? 1 : session.source.port,
                  log_time(session.accepted_wall, runtime_.options.utc_offset_seconds), frontend.config->name, listener,
                  why));
}

}  // namespace holdfast::proxy
