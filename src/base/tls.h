// TLS as a machine sees it: what to make a context of, why that failed, and what a handshake agreed on.
//
// A machine sees plain bytes only. It asks for contexts here (TlsProvider, handed in by the host), turns a connection
// over with action::StartTls, and learns the outcome by Machine::secured, or by Machine::closed with CloseReason::kTls
// and the library's words. Files named here are read by the provider at once; the content of a pem wins over a file.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace holdfast {

/// Names a context; 0 = none. A context that is released lives on in the connections that use it.
enum class TlsContextId : uint32_t { kNone = 0 };

enum TlsProtocol : uint32_t {
  kTls10 = 1u << 0,
  kTls11 = 1u << 1,
  kTls12 = 1u << 2,
  kTls13 = 1u << 3,
};

enum class TlsVerify : uint8_t { kNone, kOptional, kRequired };

/// One certificate with its chain and key, and the names it is shown for.
struct TlsIdentity {
  std::string name;              // as messages call it, usually the file's name
  std::string pem;               // certificate, chain and key in one text
  std::vector<std::string> sni;  // names and `*.` patterns, `!` before one excludes; empty: those in the certificate
};

struct TlsOptions {
  bool client = false;
  // One identity by files...
  std::string certificate_file;
  std::string key_file;
  std::string key_password;
  // ...or many by content; the first is shown where no name fits.
  std::vector<TlsIdentity> identities;
  bool strict_sni = false;  // refuse a handshake whose name fits none

  std::string ca_file, ca_dir, ca_pem;
  std::string crl_file, crl_pem;
  TlsVerify verify = TlsVerify::kRequired;
  std::vector<int> ignored_errors;     // X509_V_ERR_* of the peer's own certificate that pass; -1: all
  std::vector<int> ignored_ca_errors;  // of its issuers

  uint32_t protocols = kTls12 | kTls13;
  std::string ciphers, ciphersuites, curves, sigalgs;  // empty: the library's
  std::vector<std::string> alpn;
  bool prefer_server_ciphers = false;
  std::string dh_params_file;
  bool session_cache = true;
  int64_t session_cache_size = 20480;
  int64_t session_timeout_s = 300;
  std::string session_context;
  bool tickets = true;
};

struct TlsFailure {
  enum class Step : uint8_t {
    kCertificate,
    kPrivateKey,
    kAuthorities,
    kRevocations,
    kCiphers,
    kCiphersuites,
    kCurves,
    kSignatures,
    kProtocols,
    kDhOpen,  // `error` is the errno
    kDhRead,
    kDhUse,
  };
  Step step{};
  std::string name;  // of the file, or of the identity
  std::string text;  // the library's words
  int error = 0;
};

/// What a handshake agreed on.
struct TlsFacts {
  std::string version;  // TLSv1.3
  std::string cipher;
  int cipher_bits = 0;
  std::string sni;   // what the client asked for
  std::string alpn;  // what was chosen
  bool resumed = false;
  bool peer_certificate = false;
  int verify_error = 0;     // of the peer's certificate, X509_V_ERR_*; 0 = good or none
  int verify_depth = 0;     // where in the chain
  int verify_ca_error = 0;  // the first error of an issuer
  std::string peer_der;     // the peer's certificate
  std::string own_der;      // the one shown to the peer
};

/// Makes contexts for a machine. Handed in like a seed: simulations have none.
class TlsProvider {
 public:
  virtual ~TlsProvider() = default;
  virtual std::expected<TlsContextId, TlsFailure> make(const TlsOptions& options) = 0;
  virtual void release(TlsContextId context) = 0;
};

}  // namespace holdfast
