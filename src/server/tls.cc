#include "server/tls.h"

#include "server/engine.h"

namespace holdfast::server {
namespace {

// A peer that says nothing keeps a place among maxclients no longer than this.
constexpr Duration kHandshakeMax = 60s;

}  // namespace

bool Tls::configure() {
  const conf::RedisTls& settings = engine_.state_.settings.tls;
  if (!settings.wanted()) return true;
  TlsProvider* provider = engine_.options_.tls;
  const auto made = conf::make_redis_tls(settings, provider);
  if (!made) {
    engine_.log(LogLevel::kWarning, made.error());
    return false;
  }
  provider->release(contexts_.accepting);
  provider->release(contexts_.connecting);
  contexts_ = *made;
  return true;
}

void Tls::accept(family::Session& session) {
  session.secure = family::Secure::kHandshake;
  engine_.act(action::StartTls{.conn = session.conn, .context = contexts_.accepting, .limit = kHandshakeMax});
}

bool Tls::connect(const family::Session& session) {
  const family::Settings& settings = engine_.state_.settings;
  if (!settings.tls.replication) return false;
  engine_.act(action::StartTls{.conn = session.conn,
                               .context = contexts_.connecting,
                               .client = true,
                               .server_name = conf::redis_tls_server_name(settings.replicaof_host)});
  return true;
}

}  // namespace holdfast::server
