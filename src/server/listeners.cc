#include "server/listeners.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "base/assert.h"
#include "base/error_text.h"
#include "server/engine.h"

namespace holdfast::server {
namespace {

using Kind = Listeners::Kind;

// In INFO's order, which is the original's of connection types.
constexpr Kind kKinds[] = {Listeners::kTcp, Listeners::kUnix, Listeners::kTls};

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Listeners::kTcp:
      return "tcp";
    case Listeners::kUnix:
      return "unix";
    case Listeners::kTls:
      return "tls";
  }
  HF_UNREACHABLE();
}

int64_t port_of(const family::Settings& settings, Kind kind) {
  return kind == Listeners::kTcp ? settings.port : kind == Listeners::kTls ? settings.tls.port : 0;
}

}  // namespace

void Listeners::add(Listener listener, uint32_t unix_mode, uint64_t change) {
  const ListenerId id{++last_listener_};
  engine_.act(action::Listen{.listener = id,
                             .address = listener.address,
                             .backlog = static_cast<int>(engine_.state_.settings.tcp_backlog),
                             .unix_mode = unix_mode});
  listeners_.emplace(id, std::move(listener));
  awaited_.emplace(id, change);
  if (const auto at = changes_.find(change); at != changes_.end()) ++at->second.awaited;
}

void Listeners::open(unsigned kinds, uint64_t change) {
  const family::Settings& settings = engine_.state_.settings;
  for (const Kind kind : {kTcp, kTls}) {
    const auto port = static_cast<uint16_t>(port_of(settings, kind));
    if ((kinds & kind) == 0 || port == 0) continue;
    for (const std::string& bind : settings.bind) {
      if (bind.empty()) continue;
      const bool optional = bind.starts_with('-');
      add({kind, {optional ? bind.substr(1) : bind, port, {}}, bind, optional}, 0, change);
    }
  }
  if ((kinds & kUnix) != 0 && !settings.unixsocket.empty()) {
    add({kUnix, {{}, 0, settings.unixsocket}, settings.unixsocket, false},
        static_cast<uint32_t>(settings.unixsocketperm), change);
  }
}

void Listeners::close(unsigned kinds) {
  std::erase_if(listeners_, [&](const auto& row) {
    if ((row.second.kind & kinds) == 0) return false;
    engine_.act(action::CloseListener{row.first});
    return true;
  });
}

void Listeners::listening(ListenerId id, const Address& bound, int error, Now) {
  const auto awaited = awaited_.find(id);
  HF_ASSERT(awaited != awaited_.end());
  const uint64_t change = awaited->second;
  awaited_.erase(awaited);
  const auto at = listeners_.find(id);
  if (at != listeners_.end() && error == 0) at->second.address = bound;
  if (at != listeners_.end() && error != 0) {
    const Listener listener = std::move(at->second);
    listeners_.erase(at);
    engine_.log(LogLevel::kWarning, fmt::format("Warning: Could not create server TCP listening socket {}: {}",
                                                to_string(listener.address), error_text(error)));
    // An address marked `-` may be missing on this host; everything else must be had.
    if (!listener.optional || error == EADDRINUSE) {
      if (const auto asked = changes_.find(change); asked != changes_.end()) {
        asked->second.failed = true;
      } else if (last_change_ == 0) {
        failed_at_start(listener);
      }
    }
  }
  if (change != 0) progress(change);
  engine_.log_when_ready();
}

void Listeners::failed_at_start(const Listener& listener) {
  const int64_t port = port_of(engine_.state_.settings, listener.kind);
  engine_.log(LogLevel::kWarning,
              fmt::format("Failed listening on port {} ({}), aborting.", port, name_of(listener.kind)));
  engine_.exiting_ = true;
  engine_.act(action::Exit{1});
}

bool Listeners::is_tls(ListenerId listener) const {
  const auto at = listeners_.find(listener);
  return at != listeners_.end() && at->second.kind == kTls;
}

void Listeners::log_ready() const {
  for (const Kind kind : kKinds) {
    const bool any =
        std::any_of(listeners_.begin(), listeners_.end(), [&](const auto& row) { return row.second.kind == kind; });
    if (any) engine_.log(LogLevel::kNotice, fmt::format("Ready to accept connections {}", name_of(kind)));
  }
}

std::string Listeners::info() const {
  std::string out;
  for (size_t i = 0; i < std::size(kKinds); ++i) {
    std::string binds;
    for (const auto& [id, listener] : listeners_) {
      if (listener.kind == kKinds[i]) binds += ",bind=" + listener.bind;
    }
    const int64_t port = port_of(engine_.state_.settings, kKinds[i]);
    // COMPAT: plain TCP is listed even where it is switched off.
    if (binds.empty() && kKinds[i] != kTcp) continue;
    out += fmt::format("listener{}:name={}{}", i, name_of(kKinds[i]), binds);
    if (port != 0) out += fmt::format(",port={}", port);
    out += "\r\n";
  }
  return out;
}

// CONFIG SET.

unsigned Listeners::kinds_of(std::string_view directive) {
  if (directive == "port") return kTcp;
  if (directive == "tls-port") return kTls;
  return directive == "bind" ? kTcp | kTls : 0;
}

bool Listeners::change(family::Session& session, unsigned kinds, const family::Settings& before,
                       std::string_view argument) {
  const uint64_t id = ++last_change_;
  const bool in_exec = engine_.in_exec();
  changes_.emplace(id, Change{session.id, in_exec, kinds, before, std::string(argument)});
  close(kinds);
  open(kinds, id);
  if (changes_.at(id).awaited == 0) {
    changes_.erase(id);
    return false;
  }
  session.blocked = true;
  if (in_exec) {
    // COMPAT: inside EXEC the answer cannot wait; a port that cannot be had is told by the log only.
    command::Reply(engine_.output_of(session), session.protocol).ok();
    session.output_held = true;
  }
  return true;
}

void Listeners::progress(uint64_t change) {
  const auto at = changes_.find(change);
  if (at == changes_.end() || --at->second.awaited > 0) return;
  const Change done = std::move(at->second);
  changes_.erase(at);
  finish(done);
}

void Listeners::finish(const Change& change) {
  if (change.failed) {
    engine_.state_.settings = change.before;
    close(change.kinds);
    open(change.kinds, 0);
  }
  if (family::Session* session = engine_.clients_.find_by_id(change.client)) session->output_held = false;
  engine_.unblock(change.client, [&](command::Reply& reply) {
    if (change.answered) return;
    if (!change.failed) return reply.ok();
    reply.error(fmt::format("ERR CONFIG SET failed (possibly related to argument '{}') - {}", change.argument,
                            change.argument == "bind" ? "Failed to bind to specified addresses."
                                                      : "Unable to listen on this port. Check server logs."));
  });
}

}  // namespace holdfast::server
