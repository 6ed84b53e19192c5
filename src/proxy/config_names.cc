// The addresses that servers have before anybody is asked at run time: `init-addr`.
#include <fmt/format.h>

#include "proxy/config_parser.h"

namespace holdfast::proxy {
namespace {

using Method = InitAddress::Method;

/// COMPAT: the file's methods, else last and libc; a server with resolvers, or `-dr`, may start without an address.
std::vector<InitAddress> methods_of(const ServerConfig& server, const ParseOptions& options) {
  std::vector<InitAddress> methods = server.resolve.init;
  if (methods.empty()) {
    methods = {{Method::kLast, ""}, {Method::kLibc, ""}};
    if (!server.resolve.section.empty()) methods.push_back({Method::kNone, ""});
  }
  if (options.ignore_resolve_failures) methods.push_back({Method::kNone, ""});
  return methods;
}

/// False = the server must not start.
bool find_address(const std::string& where, ServerConfig& server, const ParseOptions& options,
                  conf::Diagnostics& diagnostics) {
  bool tried = false;
  for (const InitAddress& method : methods_of(server, options)) {
    switch (method.method) {
      case Method::kLast:
        if (!server.saved || server.saved->address.empty()) break;
        server.address.host = server.saved->address;
        return true;
      case Method::kLibc: {
        if (server.is_service()) break;
        const auto found = options.names->lookup(server.fqdn);
        if (!found.empty()) {
          server.address.host = found.front();
          return true;
        }
        tried = true;
        break;
      }
      case Method::kNone:
        server.unresolved = true;
        if (tried) {
          diagnostics.warn(fmt::format("{}could not resolve address '{}', disabling server.", where, server.fqdn));
        }
        return true;
      case Method::kLiteral:
        server.address.host = method.host;
        if (tried) {
          diagnostics.warn(
              fmt::format("{}could not resolve address '{}', falling back to configured address.", where, server.fqdn));
        }
        return true;
    }
  }
  diagnostics.alert(fmt::format("{}{} address '{}'.", where, tried ? "could not resolve" : "no method found to resolve",
                                server.fqdn));
  return false;
}

}  // namespace

bool resolve_servers(Config& config, const ParseOptions& options, conf::Diagnostics& diagnostics) {
  if (options.names == nullptr) return true;
  bool fine = true;
  for (ProxyConfig& proxy : config.proxies) {
    if (!proxy.is_backend() || proxy.disabled) continue;
    for (ServerConfig& server : proxy.servers) {
      if (server.fqdn.empty()) continue;
      const std::string where = fmt::format("config : [{}:{}] : 'server {}/{}' : ", server.source.file,
                                            server.source.line, proxy.name, server.name);
      fine = find_address(where, server, options, diagnostics) && fine;
    }
  }
  return fine;
}

}  // namespace holdfast::proxy
