#include "proxy/tls/prepare.h"

#include <fmt/format.h>

#include <algorithm>

#include "proxy/keyword/tls.h"

namespace holdfast::proxy {
namespace {

constexpr std::string_view kSystemAuthorities = "@system-ca";
constexpr std::string_view kSystemDirectory = "/etc/ssl/certs";  // where the distribution keeps them
constexpr int kLeastByDefault = 3;                               // TLSv1.2
constexpr int kNewest = 4;

uint32_t protocols_of(const TlsVersions& own, const TlsVersions& defaults) {
  const int least = own.least >= 0 ? own.least : defaults.least >= 0 ? defaults.least : kLeastByDefault;
  const int most = own.most >= 0 ? own.most : defaults.most >= 0 ? defaults.most : kNewest;
  const uint32_t off = own.off | defaults.off;
  constexpr uint32_t kBits[] = {0, kTls10, kTls11, kTls12, kTls13};
  uint32_t out = 0;
  for (int place = least; place <= most; ++place) {
    if ((off >> place & 1) == 0) out |= kBits[place];
  }
  return out;
}

void fill(TlsOptions& out, const TlsGlobal& global, const TlsParameters& own, const TlsParameters& defaults) {
  const auto either = [](const std::string& first, const std::string& second) {
    return first.empty() ? second : first;
  };
  out.ciphers = either(own.ciphers, defaults.ciphers);
  out.ciphersuites = either(own.ciphersuites, defaults.ciphersuites);
  out.curves = either(own.curves, defaults.curves);
  out.sigalgs = either(own.sigalgs, defaults.sigalgs);
  out.alpn = own.alpn;
  out.protocols = protocols_of(own.versions, defaults.versions);
  out.tickets = own.tickets.value_or(defaults.tickets.value_or(true));
  const auto text = [&](const std::string& file) {
    const auto at = global.authorities.find(file);
    return at == global.authorities.end() ? std::string() : at->second;
  };
  if (own.ca_file == kSystemAuthorities) {
    out.ca_dir = kSystemDirectory;
  } else {
    out.ca_file = {};
    out.ca_pem = text(own.ca_file);
  }
  out.crl_pem = text(own.crl_file);
  out.session_cache_size = global.cache_size;
  out.session_timeout_s = global.lifetime_s;
}

std::string words_for(const TlsFailure& failure) {
  using Step = TlsFailure::Step;
  switch (failure.step) {
    case Step::kCiphers:
      return fmt::format("unable to set SSL cipher list to '{}'", failure.name);
    case Step::kCiphersuites:
      return fmt::format("unable to set TLS 1.3 cipher suites to '{}'", failure.name);
    case Step::kCurves:
      return fmt::format("unable to set SSL curves list to '{}'", failure.name);
    case Step::kSignatures:
      return fmt::format("unable to set SSL Signature Algorithm list to '{}'", failure.name);
    case Step::kAuthorities:
      return fmt::format("unable to set CA file '{}'", failure.name);
    case Step::kRevocations:
      return fmt::format("unable to configure CRL file '{}'", failure.name);
    case Step::kCertificate:
      return fmt::format("unable to load SSL certificate into SSL Context '{}'", failure.name);
    case Step::kPrivateKey:
      return fmt::format("unable to load SSL private key into SSL Context '{}'", failure.name);
    case Step::kProtocols:
    case Step::kDhOpen:
    case Step::kDhRead:
    case Step::kDhUse:
      break;
  }
  return failure.text;
}

void prepare_bind(const Config& config, const ProxyConfig& proxy, BindConfig& bind, TlsProvider* provider,
                  conf::Diagnostics& diagnostics) {
  const TlsGlobal& global = config.global.tls;
  const std::string place = fmt::format("for bind '{}' at [{}:{}]", bind.text, bind.source.file, bind.source.line);
  const auto complain = [&](const std::string& what, std::string_view hint = "") {
    diagnostics.alert(fmt::format("config : Proxy '{}': {} {}{}.", proxy.name, what, place, hint));
  };
  if (bind.tls.certificates.empty()) return complain("no SSL certificate specified", " (use 'crt')");
  if (bind.tls.verify != TlsVerify::kNone && bind.tls.parameters.ca_file.empty()) {
    return complain("verify is enabled but no CA file specified");
  }
  const TlsOptions options = bind_tls_options(global, bind.tls, global.certificates);
  if (options.protocols == 0) return complain("all SSL/TLS versions are disabled");
  if (provider == nullptr) return;
  const auto made = provider->make(options);
  if (!made) return complain(words_for(made.error()));
  bind.tls.context = *made;
}

void prepare_server(Config& config, const ProxyConfig& proxy, ServerConfig& server, const ParseOptions& parse,
                    conf::Diagnostics& diagnostics) {
  TlsGlobal& global = config.global.tls;
  const auto complain = [&](const std::string& what) {
    diagnostics.alert(fmt::format("config : [{}:{}] : 'server {}/{}' : {}.", server.source.file, server.source.line,
                                  proxy.name, server.name, what));
  };
  if (!server.tls.certificate.empty()) {
    const std::string error = load_certificate(global, parse.files, server.tls.certificate);
    if (!error.empty()) return complain(error);
  }
  const TlsOptions options = server_tls_options(global, server.tls, global.certificates);
  if (options.verify != TlsVerify::kNone && server.tls.parameters.ca_file.empty()) {
    return complain(
        "verify is enabled by default but no CA file specified. If you're running on a LAN where you're certain to "
        "trust the server's certificate, please set an explicit 'verify none' statement on the 'server' line, or use "
        "'ssl-server-verify none' in the global section to disable server-side verifications by default");
  }
  if (options.protocols == 0) return complain("all SSL/TLS versions are disabled");
  if (parse.tls == nullptr) return;
  const auto made = parse.tls->make(options);
  if (!made) return complain(words_for(made.error()));
  server.tls.context = *made;
}

bool checked_with_tls(const ProxyConfig& proxy) {
  return std::ranges::any_of(proxy.check_program.rules, [](const CheckRule& rule) { return rule.tls; });
}

}  // namespace

TlsOptions bind_tls_options(const TlsGlobal& global, const BindTls& bind,
                            const std::map<std::string, std::string>& certificates) {
  TlsOptions out;
  fill(out, global, bind.parameters, global.bind);
  for (const TlsCertificate& certificate : bind.certificates) {
    const auto at = certificates.find(certificate.file);
    if (at != certificates.end()) out.identities.push_back({certificate.file, at->second, certificate.sni});
  }
  out.strict_sni = bind.strict_sni || global.strict_sni;
  out.verify = bind.verify;
  out.ignored_errors = bind.crt_ignored;
  out.ignored_ca_errors = bind.ca_ignored;
  out.prefer_server_ciphers = !bind.prefer_client_ciphers;
  return out;
}

TlsOptions server_tls_options(const TlsGlobal& global, const ServerTls& server,
                              const std::map<std::string, std::string>& certificates) {
  TlsOptions out;
  out.client = true;
  fill(out, global, server.parameters, global.server);
  const auto at = certificates.find(server.certificate);
  if (!server.certificate.empty() && at != certificates.end()) {
    out.identities.push_back({server.certificate, at->second, {}});
  }
  out.verify = server.verify.value_or(global.verify_servers) ? TlsVerify::kRequired : TlsVerify::kNone;
  return out;
}

void prepare_tls(Config& config, const ParseOptions& options, conf::Diagnostics& diagnostics) {
  for (ProxyConfig& proxy : config.proxies) {
    for (BindConfig& bind : proxy.binds) {
      if (bind.tls.enabled) prepare_bind(config, proxy, bind, options.tls, diagnostics);
    }
    const ServerConfig* before = nullptr;
    for (ServerConfig& server : proxy.servers) {
      if (!server.tls.used() && !checked_with_tls(proxy)) continue;
      const bool same =
          before != nullptr && before->source.line == server.source.line && before->source.file == server.source.file;
      if (same) {
        server.tls.context = before->tls.context;  // of one server-template
      } else {
        prepare_server(config, proxy, server, options, diagnostics);
      }
      before = &server;
    }
  }
}

}  // namespace holdfast::proxy
