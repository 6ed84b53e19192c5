// Tls: the data server's TLS contexts, made anew when a directive changes.
//
// A set of files that does not load leaves the contexts of before in use.
#pragma once

#include "conf/redis_tls.h"
#include "family/session.h"

namespace holdfast::server {

class Engine;

class Tls {
 public:
  explicit Tls(Engine& engine) : engine_(engine) {}

  /// Makes the contexts the settings describe; false after a line in the log. Nothing while no directive wants TLS.
  bool configure();
  /// Begins the server's side of a handshake.
  void accept(family::Session& session);
  /// Begins the client's side on the link to the primary; false if links are plain.
  bool connect(const family::Session& session);

 private:
  Engine& engine_;
  conf::RedisTlsContexts contexts_;
};

}  // namespace holdfast::server
