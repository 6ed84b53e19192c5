// TLS contexts: certificates, keys, authorities and rules, loaded and checked before anything uses them.
//
// Every context is made whole or not at all; one that fails leaves those before it untouched. Handles count nothing:
// release() ends a context's name, its connections keep what they use. Single-threaded, as the reactor is.
#pragma once

#include <openssl/ssl.h>

#include <map>
#include <memory>

#include "base/tls.h"

namespace holdfast::net {

struct SslContextFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslContext = std::unique_ptr<SSL_CTX, SslContextFree>;

/// The whole of a context; the error of the first step that failed.
std::expected<SslContext, TlsFailure> make_tls_context(const TlsOptions& options);

/// The oldest error the library keeps for this thread, in its words (`error:0A000...`); the others are dropped.
std::string take_tls_error();
/// Keeps what an SSL verifies with its context's lists of ignored errors, and remembers the first errors.
struct TlsVerifyErrors {
  int depth = 0;
  int error = 0;     // of the peer's own certificate
  int ca_error = 0;  // of an issuer
};
/// Where the errors of one SSL go; `errors` lives as long as it.
void remember_verify_errors(SSL* ssl, TlsVerifyErrors* errors);

class TlsContexts final : public TlsProvider {
 public:
  std::expected<TlsContextId, TlsFailure> make(const TlsOptions& options) override;
  void release(TlsContextId context) override { contexts_.erase(context); }
  /// Null if there is none of this name.
  SSL_CTX* find(TlsContextId context) const;

 private:
  std::map<TlsContextId, SslContext> contexts_;
  uint32_t last_ = 0;
};

}  // namespace holdfast::net
