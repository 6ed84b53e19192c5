// ServerNames: what the outcomes of resolutions do to servers: addresses, maintenance while there is none, and which
// server of a template stands for which record of an SRV answer.
//
// Source: HAProxy configuration manual 5.3, `server-template`; log lines compared with 2.6.12.
// Invariants: a server of an SRV request is either free or taken by exactly one record; only a server with a host name
// has a resolution.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/resolve/name_listener.h"
#include "proxy/resolve/resolver.h"
#include "proxy/server_state.h"

namespace holdfast::proxy {

class ServerNames final : public NameListener {
 public:
  ServerNames(Runtime& runtime, ServerStates& states, Resolver& resolver);

  /// Begins to resolve the names of all servers that have a `resolvers` section.
  void start();
  /// `set server <b>/<s> fqdn`: empty on success, else what is wrong.
  std::string set_name(ServerState& server, std::string_view name);
  /// The SRV name a server of a template is filled from; empty = it has a name of its own.
  std::string_view service_of(const ServerState& server) const;

  void records_expired(const std::vector<AnswerItem>& items) override;
  void services_seen(uint32_t request, AnswerSet& answers) override;
  bool addresses_seen(ServerRef server, AnswerSet& answers, const std::string& updater) override;
  bool resolution_failed(const NameRequester& requester, NameStatus status, Mono last_valid,
                         AnswerSet& answers) override;

 private:
  struct Service {
    uint32_t section = 0;
    uint32_t backend = 0;
    std::string name;
    std::deque<ServerRef> free;
  };
  ServerState& server_of(ServerRef ref) { return runtime_.server(ref.backend, ref.server); }
  void join_service(ServerState& server, uint32_t section);
  void link(ServerState& server, uint32_t section);
  void unlink(ServerState& server);
  void take(ServerState& server, uint32_t request, AnswerItem& item);
  void release(ServerState& server);
  void set_address(ServerState& server, const std::string& host, std::string_view updater);
  void rename(ServerState& server, const std::string& host, std::string_view updater);
  /// True = the server just lost its address for good.
  bool update_status(ServerState& server, bool no_address);

  Runtime& runtime_;
  ServerStates& states_;
  Resolver& resolver_;
  std::vector<Service> services_;
};

}  // namespace holdfast::proxy
