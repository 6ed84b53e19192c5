// From TLS configuration to contexts: what a bind line and a server line ask of the provider.
#pragma once

#include "proxy/config_parse.h"

namespace holdfast::proxy {

/// `certificates`: the texts in force, which the runtime API may have changed.
TlsOptions bind_tls_options(const TlsGlobal& global, const BindTls& bind,
                            const std::map<std::string, std::string>& certificates);
TlsOptions server_tls_options(const TlsGlobal& global, const ServerTls& server,
                              const std::map<std::string, std::string>& certificates);

/// Makes the contexts of every bind and server line; what is missing or does not load is an alert.
void prepare_tls(Config& config, const ParseOptions& options, conf::Diagnostics& diagnostics);

}  // namespace holdfast::proxy
