// Listeners: where the data server listens - plain, TLS, UNIX -, at start and when CONFIG SET moves it.
//
// A change closes the sockets of its kinds and opens new ones; the client that asked is answered when all have
// answered. If one cannot be had, the settings and the sockets of before come back.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/action.h"
#include "family/session.h"
#include "family/settings.h"

namespace holdfast::server {

class Engine;

class Listeners {
 public:
  enum Kind : unsigned { kTcp = 1u << 0, kUnix = 1u << 1, kTls = 1u << 2 };

  explicit Listeners(Engine& engine) : engine_(engine) {}

  void open_all() { open(kTcp | kUnix | kTls, 0); }
  void close_all() { close(kTcp | kUnix | kTls); }
  void listening(ListenerId listener, const Address& bound, int error, Now now);
  bool is_tls(ListenerId listener) const;
  /// Every socket asked for has answered.
  bool complete() const { return awaited_.empty(); }
  void log_ready() const;
  /// INFO's lines.
  std::string info() const;

  /// The kinds that a changed directive moves.
  static unsigned kinds_of(std::string_view directive);
  /// The settings in force are the new ones already. `argument`: the directive, for the error. False: done at once,
  /// else the session is blocked and answered later.
  bool change(family::Session& session, unsigned kinds, const family::Settings& before, std::string_view argument);

 private:
  struct Listener {
    Kind kind{};
    Address address;
    std::string bind;  // as configured
    bool optional = false;
  };
  struct Change {
    family::ClientId client = 0;
    bool answered = false;  // inside EXEC
    unsigned kinds = 0;
    family::Settings before;
    std::string argument;
    size_t awaited = 0;
    bool failed = false;
  };
  void open(unsigned kinds, uint64_t change);
  void close(unsigned kinds);
  void add(Listener listener, uint32_t unix_mode, uint64_t change);
  void failed_at_start(const Listener& listener);
  void progress(uint64_t change);
  void finish(const Change& change);

  Engine& engine_;
  std::map<ListenerId, Listener> listeners_;
  std::map<ListenerId, uint64_t> awaited_;  // which change asked for it; 0: the start, or a way back
  std::map<uint64_t, Change> changes_;
  uint32_t last_listener_ = 0;
  uint64_t last_change_ = 0;
};

}  // namespace holdfast::server
