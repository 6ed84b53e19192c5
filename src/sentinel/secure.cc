#include "sentinel/secure.h"

#include <fmt/format.h>

#include "base/error_text.h"

namespace holdfast::sentinel {
namespace {

constexpr Duration kHandshakeMax = 60s;  // of peers that say nothing; links are watched over by their pings

}  // namespace

bool Secure::configure() {
  if (!core_.settings.tls.wanted()) return true;
  const auto made = conf::make_redis_tls(core_.settings.tls, core_.options.tls);
  if (!made) {
    core_.log(LogLevel::kWarning, made.error());
    core_.log(LogLevel::kWarning, "Failed to configure TLS. Check logs for more info.");
    return false;
  }
  contexts_ = *made;
  return true;
}

void Secure::accept(ConnId conn, const Accepted& from) {
  handshakes_[conn.index] = {conn, true, from.peer, from.local};
  core_.act(action::StartTls{.conn = conn, .context = contexts_.accepting, .limit = kHandshakeMax});
}

bool Secure::connect(ConnId conn, const Address& local) {
  if (!core_.settings.tls.replication) return false;
  handshakes_[conn.index] = {conn, false, {}, local};
  core_.act(action::StartTls{.conn = conn, .context = contexts_.connecting, .client = true});
  return true;
}

std::optional<Address> Secure::secured(ConnId conn) {
  const auto at = handshakes_.find(conn.index);
  if (at == handshakes_.end() || at->second.conn != conn) return std::nullopt;
  const Handshake done = std::move(at->second);
  handshakes_.erase(at);
  if (done.client) return std::nullopt;
  return done.local;
}

void Secure::closed(ConnId conn, Closed why) {
  const auto at = handshakes_.find(conn.index);
  if (at == handshakes_.end() || at->second.conn != conn) return;
  const Handshake& broken = at->second;
  if (broken.client) {
    core_.log(LogLevel::kWarning, fmt::format("Error accepting a client connection: {} (addr={} laddr={})",
                                              why.reason == CloseReason::kTls ? why.text : error_text(why.error),
                                              to_string(broken.peer), to_string(broken.local)));
  }
  handshakes_.erase(at);
}

}  // namespace holdfast::sentinel
