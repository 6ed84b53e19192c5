// Secure: TLS on the Sentinel's connections: its own port, and links to instances where tls-replication says so.
//
// Source: redis-sentinel 7.2: one set of certificates for everything, no server name on links.
#pragma once

#include <map>
#include <optional>

#include "base/machine.h"
#include "conf/redis_tls.h"
#include "sentinel/core.h"

namespace holdfast::sentinel {

class Secure {
 public:
  explicit Secure(Core& core) : core_(core) {}

  /// False after a line in the log: the Sentinel cannot start.
  bool configure();
  void accept(ConnId conn, const Accepted& from);
  /// A link is connected. True: it is of use when its handshake is over.
  bool connect(ConnId conn, const Address& local);
  /// A handshake is over: the local address of a link, none of a client.
  std::optional<Address> secured(ConnId conn);
  void closed(ConnId conn, Closed why);

 private:
  struct Handshake {
    ConnId conn;
    bool client = false;  // somebody else's: it came in
    Address peer, local;
  };
  Core& core_;
  conf::RedisTlsContexts contexts_;
  std::map<uint32_t, Handshake> handshakes_;  // by ConnId::index; one that was given up is overwritten
};

}  // namespace holdfast::sentinel
