#include "proxy/resolve/server_names.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"

namespace holdfast::proxy {
namespace {

ServerRef ref_of(const ServerState& server) { return {server.backend, server.index}; }

NameRequester requester_of(const ServerState& server) { return {.srv = false, .request = 0, .server = ref_of(server)}; }

/// How long after the last valid answer a failure of this kind takes a server out.
Duration hold_of(const ResolversConfig::Hold& hold, NameStatus status) {
  switch (status) {
    case NameStatus::kNoSuchName:
      return hold.nx;
    case NameStatus::kTimeout:
      return hold.timeout;
    case NameStatus::kRefused:
      return hold.refused;
    case NameStatus::kNone:
    case NameStatus::kValid:
    case NameStatus::kInvalid:
    case NameStatus::kOther:
      break;
  }
  return hold.other;
}

std::string_view reason_of(NameStatus status) {
  switch (status) {
    case NameStatus::kNoSuchName:
      return "DNS NX status";
    case NameStatus::kTimeout:
      return "DNS timeout status";
    case NameStatus::kRefused:
      return "DNS refused status";
    case NameStatus::kNone:
    case NameStatus::kValid:
    case NameStatus::kInvalid:
    case NameStatus::kOther:
      break;
  }
  return "unspecified DNS error";
}

bool valid_name(std::string_view name) {
  return name.size() <= codec::kDnsNameMax && std::ranges::all_of(name, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
                  c == '.';
         });
}

}  // namespace

ServerNames::ServerNames(Runtime& runtime, ServerStates& states, Resolver& resolver)
    : runtime_(runtime), states_(states), resolver_(resolver) {
  resolver.set_listener(this);
}

void ServerNames::start() {
  for (BackendState& backend : runtime_.backends) {
    for (ServerState& server : backend.servers) {
      const ServerConfig& config = *server.config;
      if (config.resolve.section.empty() || config.fqdn.empty()) continue;
      const auto& sections = runtime_.config.resolvers;
      const auto section = std::ranges::find(sections, config.resolve.section, &ResolversConfig::name);
      HF_ASSERT(section != sections.end());  // the configuration was checked
      server.name.section = static_cast<uint32_t>(section - sections.begin());
      if (config.is_service()) {
        join_service(server, server.name.section);
      } else {
        link(server, server.name.section);
      }
    }
  }
}

void ServerNames::join_service(ServerState& server, uint32_t section) {
  const std::string& name = server.config->fqdn;
  for (uint32_t i = 0; i < services_.size(); ++i) {
    if (services_[i].backend != server.backend || services_[i].name != name) continue;
    services_[i].free.push_back(ref_of(server));
    server.name.service = i;
    return;
  }
  server.name.service = static_cast<uint32_t>(services_.size());
  services_.push_back({section, server.backend, name, {ref_of(server)}});
  const auto labels = codec::dns_name(name);
  HF_ASSERT(labels.has_value());
  resolver_.join(section, *labels, codec::DnsType::kSrv, {.srv = true, .request = server.name.service, .server = {}});
}

void ServerNames::link(ServerState& server, uint32_t section) {
  const auto labels = codec::dns_name(server.host_name);
  if (!labels) return;
  const auto preferred = server.config->resolve.prefer_ipv4 ? codec::DnsType::kA : codec::DnsType::kAaaa;
  server.name.resolution = resolver_.join(section, *labels, preferred, requester_of(server));
}

void ServerNames::unlink(ServerState& server) {
  if (server.name.resolution == kNoIndex) return;
  resolver_.leave(server.name.resolution, requester_of(server));
  server.name.resolution = kNoIndex;
}

std::string_view ServerNames::service_of(const ServerState& server) const {
  return server.name.service == kNoIndex ? std::string_view() : std::string_view(services_[server.name.service].name);
}

std::string ServerNames::set_name(ServerState& server, std::string_view name) {
  if (server.name.resolution == kNoIndex && server.name.service == kNoIndex) {
    return "set server <b>/<s> fqdn failed because no resolution is configured.\n";
  }
  if (server.name.service != kNoIndex) {
    return "set server <b>/<s> fqdn failed because SRV resolution is configured.\n";
  }
  const std::string by = " by 'stats socket command'\n";
  if (server.host_name == name) return "no need to change the FDQN" + by;
  if (!valid_name(name)) return fmt::format("invalid fqdn '{}'", name) + by;
  const std::string where = fmt::format("{}/{}", runtime_.backends[server.backend].config->name, server.config->name);
  if (!codec::dns_name(name)) return fmt::format("could not update {} FQDN", where) + by;
  std::string text = fmt::format("{} changed its FQDN from {} to {}", where, server.host_name, name);
  unlink(server);
  server.host_name = std::string(name);
  link(server, server.name.section);
  server.name.renamed = true;
  return text + by;
}

void ServerNames::set_address(ServerState& server, const std::string& host, std::string_view updater) {
  if (server.address.host == host) return;
  const BackendState& backend = runtime_.backends[server.backend];
  runtime_.log(LogLevel::kProxyNotice, backend.proxy, true,
               fmt::format("{}/{} changed its IP from {} to {} by {}.", backend.config->name, server.config->name,
                           server.address.host.empty() ? "(none)" : server.address.host, host, updater));
  server.address.host = host;
}

/// The server's name, as an SRV record has it.
void ServerNames::rename(ServerState& server, const std::string& host, std::string_view updater) {
  const BackendState& backend = runtime_.backends[server.backend];
  // COMPAT: a server without a name is said to have had the name "(null)".
  runtime_.log(LogLevel::kProxyNotice, backend.proxy, false,
               fmt::format("{}/{} changed its FQDN from {} to {} by '{}'", backend.config->name, server.config->name,
                           server.host_name.empty() ? "(null)" : server.host_name, host, updater));
  server.host_name = host;
  server.name.renamed = true;
}

bool ServerNames::addresses_seen(ServerRef ref, AnswerSet& answers, const std::string& updater) {
  ServerState& server = server_of(ref);
  if (answers.taken_by(ref) != nullptr) {
    update_status(server, false);
    return false;
  }
  const AnswerItem* item = answers.choose(ref, server.config->resolve, server.address.host);
  bool changed = false;
  if (item != nullptr) {
    const std::string host = address_text(item->data);
    changed = host != server.address.host;
    set_address(server, host, updater);
  }
  if (update_status(server, item == nullptr)) server.address.host.clear();
  return changed;
}

bool ServerNames::update_status(ServerState& server, bool no_address) {
  const bool out = (server.admin & kAdminResolveMaint) != 0;
  if (!no_address) {
    if (!out) return false;
    states_.leave_resolve_maintenance(server);
    if (server.name.resolution == kNoIndex) return false;  // its address came with an SRV answer
    const BackendState& backend = runtime_.backends[server.backend];
    runtime_.log(LogLevel::kProxyNotice, backend.proxy, true,
                 fmt::format("Server {}/{} administratively READY thanks to valid DNS answer.", backend.config->name,
                             server.config->name));
    return false;
  }
  if (out) return false;
  states_.enter_resolve_maintenance(
      server, server.name.resolution == kNoIndex ? "entry removed from SRV record" : "No IP for server ");
  return true;
}

bool ServerNames::resolution_failed(const NameRequester& requester, NameStatus status, Mono last_valid,
                                    AnswerSet& answers) {
  const uint32_t section =
      requester.srv ? services_[requester.request].section : server_of(requester.server).name.section;
  if (last_valid + hold_of(runtime_.config.resolvers[section].hold, status) > runtime_.now.mono) return true;
  if (requester.srv) {
    for (AnswerItem& item : answers.items()) {
      if (item.type != codec::DnsType::kSrv) continue;
      for (const ServerRef ref : std::vector<ServerRef>(item.servers)) {
        if (server_of(ref).name.service != requester.request) continue;
        std::erase(item.servers, ref);
        release(server_of(ref));
      }
    }
    return false;
  }
  ServerState& server = server_of(requester.server);
  if ((server.admin & kAdminResolveMaint) != 0) return true;
  states_.enter_resolve_maintenance(server, reason_of(status));
  server.address.host.clear();
  answers.release(requester.server);
  return false;
}

void ServerNames::records_expired(const std::vector<AnswerItem>& items) {
  for (const AnswerItem& item : items) {
    if (item.type != codec::DnsType::kSrv) continue;  // a server whose address is gone chooses another one
    for (const ServerRef ref : item.servers) release(server_of(ref));
  }
}

void ServerNames::services_seen(uint32_t request, AnswerSet& answers) {
  for (AnswerItem& item : answers.items()) {
    if (item.type != codec::DnsType::kSrv) continue;
    Service& service = services_[request];
    const auto mine = [&](const ServerRef& ref) { return server_of(ref).name.service == request; };
    const auto at = std::ranges::find_if(item.servers, mine);
    if (at == item.servers.end()) {
      if (service.free.empty()) continue;  // more records than servers
      item.servers.push_back(service.free.front());
      service.free.pop_front();
      take(server_of(item.servers.back()), request, item);
    } else {
      take(server_of(*at), request, item);
    }
  }
}

/// Makes a server what its record says.
void ServerNames::take(ServerState& server, uint32_t request, AnswerItem& item) {
  const bool came_along = item.extra.has_value();
  if (came_along) {
    set_address(server, address_text(item.extra->data), "DNS additional record");
    unlink(server);
  }
  if (server.host_name.empty()) rename(server, codec::dns_host(item.data), "SRV record");
  if (!came_along && server.name.resolution == kNoIndex) link(server, services_[request].section);
  if (server.address.host.empty()) {
    if ((server.admin & kAdminResolveMaint) == 0) {
      states_.enter_resolve_maintenance(server, "entry removed from SRV record");
    }
  } else if ((server.admin & kAdminResolveMaint) != 0) {
    states_.leave_resolve_maintenance(server);
  }
  server.address.port = item.port;
  if (!server.config->resolve.ignore_weight) {
    // The record's 0-65535 in 0-256, so that nothing but 0 becomes 0.
    const int weight = (item.weight + 255) / 256;
    if (weight != server.weight) states_.set_weight(server, weight);
  }
}

/// The record is gone: the server waits for another one.
void ServerNames::release(ServerState& server) {
  unlink(server);
  if ((server.admin & kAdminResolveMaint) == 0) {
    states_.enter_resolve_maintenance(server, "entry removed from SRV record");
  }
  server.host_name.clear();
  server.address.host.clear();
  server.address.port = 0;
  services_[server.name.service].free.push_back(ref_of(server));
}

}  // namespace holdfast::proxy
