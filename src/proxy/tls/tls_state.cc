#include "proxy/tls/tls_state.h"

#include <fmt/format.h>

#include "codec/x509.h"
#include "proxy/tls/prepare.h"

namespace holdfast::proxy {

void TlsState::begin(const Config& config, TlsProvider* provider) {
  config_ = &config;
  provider_ = provider;
  certificates_ = config.global.tls.certificates;
}

TlsContextId TlsState::context_of(const BindConfig& bind) const {
  const auto at = contexts_.find(&bind);
  return at == contexts_.end() ? bind.tls.context : at->second;
}
TlsContextId TlsState::context_of(const ServerConfig& server) const {
  const auto at = contexts_.find(&server);
  return at == contexts_.end() ? server.tls.context : at->second;
}

/// Calls `each(line, options)` for the lines that show the certificate, `line` naming them.
template <typename F>
void TlsState::for_users(const std::string& file, F each) const {
  for (const ProxyConfig& proxy : config_->proxies) {
    for (const BindConfig& bind : proxy.binds) {
      if (!bind.tls.enabled) continue;
      for (const TlsCertificate& certificate : bind.tls.certificates) {
        if (certificate.file != file) continue;
        each(bind);
        break;
      }
    }
    for (const ServerConfig& server : proxy.servers) {
      if (server.tls.context != TlsContextId::kNone && server.tls.certificate == file) each(server);
    }
  }
}

bool TlsState::used(const std::string& file) const {
  bool found = false;
  for_users(file, [&](const auto&) { found = true; });
  return found;
}

namespace {
TlsOptions options_of(const TlsGlobal& global, const BindConfig& bind,
                      const std::map<std::string, std::string>& texts) {
  return bind_tls_options(global, bind.tls, texts);
}
TlsOptions options_of(const TlsGlobal& global, const ServerConfig& server,
                      const std::map<std::string, std::string>& texts) {
  return server_tls_options(global, server.tls, texts);
}
}  // namespace

/// New contexts for every line with this certificate, all or none. The error is what the first one failed of.
std::optional<std::string> TlsState::rebuild(const std::map<std::string, std::string>& certificates,
                                             const std::string& file) {
  std::map<const void*, TlsContextId> made;
  std::optional<std::string> error;
  for_users(file, [&](const auto& line) {
    if (error) return;
    if (provider_ == nullptr) {
      error = "TLS is not available here";
      return;
    }
    const auto context = provider_->make(options_of(config_->global.tls, line, certificates));
    if (context) {
      made[&line] = *context;
    } else {
      error = context.error().text;
    }
  });
  for (const auto& [line, context] : made) {
    if (error) {
      provider_->release(context);
      continue;
    }
    if (const auto old = contexts_.find(line); old != contexts_.end()) provider_->release(old->second);
    contexts_[line] = context;
  }
  return error;
}

std::string TlsState::create(const std::string& file) {
  if (certificates_.contains(file)) return fmt::format("Certificate '{}' already exists!\n", file);
  certificates_[file] = "";
  return fmt::format("New empty certificate store '{}'!\n", file);
}

std::string TlsState::set(const std::string& file, std::string_view text) {
  if (!pending_file_.empty() && pending_file_ != file) {
    return fmt::format("The ongoing transaction is about '{}' but you are trying to set '{}'\n", pending_file_, file);
  }
  const auto at = certificates_.find(file);
  if (at == certificates_.end()) {
    return "Can't replace a certificate which is not referenced by the configuration!\nCan't update " + file + "!\n";
  }
  if (codec::read_pem(text).certificates.empty()) {
    return fmt::format("unable to load certificate from file '{}'.\nCan't load the payload\nCan't update {}!\n", file,
                       file);
  }
  const bool first = pending_file_.empty();
  pending_file_ = file;
  pending_text_ = std::string(text);
  return fmt::format("{} for certificate {}!\n", first ? "Transaction created" : "Transaction updated", file);
}

std::string TlsState::commit(const std::string& file) {
  const auto refuse = [&](const std::string& why) { return fmt::format("{}\nCan't commit {}!\n", why, file); };
  if (pending_file_.empty()) return refuse("No ongoing transaction! !");
  if (pending_file_ != file) {
    return refuse(
        fmt::format("The ongoing transaction is about '{}' but you are trying to set '{}'", pending_file_, file));
  }
  const codec::PemFacts facts = codec::read_pem(pending_text_);
  if (!facts.has_key) return refuse("The transaction must contain at least a certificate and a private key!");
  if (!facts.key_fits) {
    return refuse(fmt::format("inconsistencies between private key and certificate loaded '{}'.", file));
  }
  auto next = certificates_;
  next[file] = pending_text_;
  if (const auto error = rebuild(next, file)) {
    return refuse(fmt::format("Committing {}\n{}", file, *error));
  }
  certificates_ = std::move(next);
  pending_file_.clear();
  pending_text_.clear();
  std::string dots;  // one for each line that got a new context
  for_users(file, [&](const auto&) { dots += '.'; });
  return fmt::format("Committing {}{}\nSuccess!\n", file, dots);
}

std::string TlsState::abort(const std::string& file) {
  if (pending_file_.empty()) return "No ongoing transaction!\n";
  if (pending_file_ != file) {
    return fmt::format("The ongoing transaction is about '{}' but you are trying to abort a transaction for '{}'\n",
                       pending_file_, file);
  }
  pending_file_.clear();
  pending_text_.clear();
  return fmt::format("Transaction aborted for certificate '{}'!\n", file);
}

std::string TlsState::remove(const std::string& file) {
  if (!certificates_.contains(file))
    return fmt::format("Can't remove the certificate: certificate '{}' doesn't exist!\n\n", file);
  if (used(file))
    return fmt::format("Can't remove the certificate: certificate '{}' in use, can't be deleted!\n\n", file);
  certificates_.erase(file);
  return fmt::format("Certificate '{}' deleted!\n", file);
}

}  // namespace holdfast::proxy
