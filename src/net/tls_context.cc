#include "net/tls_context.h"

#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "net/tls_names.h"

namespace holdfast::net {
namespace {

using Step = TlsFailure::Step;

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using File = std::unique_ptr<FILE, Freer<std::fclose>>;

/// What the callbacks of a context need; freed with it.
struct Extra {
  TlsNames names;
  bool strict_sni = false;
  std::string alpn;  // each with its length before it
  std::vector<int> ignored_errors, ignored_ca_errors;
};

void free_extra(void*, void* extra, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<Extra*>(extra); }

int extra_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_extra);
  return index;
}
Extra& extra_of(SSL* ssl) { return *static_cast<Extra*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), extra_index())); }

int errors_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

int give_password(char* buffer, int size, int, void* password) {
  const auto* text = static_cast<const std::string*>(password);
  if (text == nullptr || text->empty() || text->size() > static_cast<size_t>(size)) return -1;
  std::memcpy(buffer, text->data(), text->size());
  return static_cast<int>(text->size());
}

Bio bio_of(const std::string& text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

bool passes(const std::vector<int>& ignored, int error) {
  return std::any_of(ignored.begin(), ignored.end(), [&](int i) { return i == -1 || i == error; });
}

int on_verify(int good, X509_STORE_CTX* store) {
  if (good == 1) return 1;
  SSL* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const Extra& extra = extra_of(ssl);
  const int error = X509_STORE_CTX_get_error(store);
  const int depth = X509_STORE_CTX_get_error_depth(store);
  if (auto* errors = static_cast<TlsVerifyErrors*>(SSL_get_ex_data(ssl, errors_index()))) {
    int& kept = depth > 0 ? errors->ca_error : errors->error;
    if (kept == 0) {
      kept = error;
      if (depth > 0) errors->depth = depth;
    }
  }
  const bool ignored = passes(depth > 0 ? extra.ignored_ca_errors : extra.ignored_errors, error);
  if (ignored) ERR_clear_error();
  return ignored ? 1 : 0;
}

/// Picks the identities for the name the client asked for.
int on_server_name(SSL* ssl, int* alert, void*) {
  const Extra& extra = extra_of(ssl);
  if (extra.names.empty()) return SSL_TLSEXT_ERR_OK;
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  const std::vector<const TlsNames::Entry*> picked = extra.names.pick(name == nullptr ? "" : name, extra.strict_sni);
  if (picked.empty()) {
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  for (const TlsNames::Entry* entry : picked) {
    if (SSL_use_cert_and_key(ssl, entry->certificate.get(), entry->key.get(), entry->chain.get(), 1) != 1) {
      *alert = SSL_AD_INTERNAL_ERROR;
      return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
  }
  return SSL_TLSEXT_ERR_OK;
}

int on_alpn(SSL* ssl, const unsigned char** out, unsigned char* size, const unsigned char* offered, unsigned length,
            void*) {
  const std::string& own = extra_of(ssl).alpn;
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, size, reinterpret_cast<const unsigned char*>(own.data()),
                                          static_cast<unsigned>(own.size()), offered, length);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

/// One context being made; each step returns false after noting why.
class Maker {
 public:
  explicit Maker(const TlsOptions& options) : options_(options), context_(SSL_CTX_new(TLS_method())) {}

  std::expected<SslContext, TlsFailure> make() {
    ERR_clear_error();
    set_rules();
    const bool done = load_files() && load_identities() && load_authorities() && load_revocations() && set_ciphers() &&
                      set_groups() && (options_.client || set_server());
    if (!done) return std::unexpected(std::move(failure_));
    return std::move(context_);
  }

 private:
  bool fail(Step step, std::string name = {}, int error = 0) {
    failure_ = {step, std::move(name), error == 0 ? take_tls_error() : std::strerror(error), error};
    return false;
  }

  void set_rules();
  bool load_files();
  bool load_identities();
  bool load_identity(const TlsIdentity& identity);
  bool load_authorities();
  bool load_revocations();
  bool set_ciphers();
  bool set_groups();
  bool set_server();
  bool load_dh();

  const TlsOptions& options_;
  SslContext context_;
  Extra* extra_ = nullptr;
  TlsFailure failure_;
};

void Maker::set_rules() {
  SSL_CTX* c = context_.get();
  extra_ = new Extra;  // the context owns it
  extra_->strict_sni = options_.strict_sni;
  extra_->ignored_errors = options_.ignored_errors;
  extra_->ignored_ca_errors = options_.ignored_ca_errors;
  SSL_CTX_set_ex_data(c, extra_index(), extra_);
  SSL_CTX_set_options(c, SSL_OP_NO_SSLv3 | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  if ((options_.protocols & kTls10) == 0) SSL_CTX_set_options(c, SSL_OP_NO_TLSv1);
  if ((options_.protocols & kTls11) == 0) SSL_CTX_set_options(c, SSL_OP_NO_TLSv1_1);
  if ((options_.protocols & kTls12) == 0) SSL_CTX_set_options(c, SSL_OP_NO_TLSv1_2);
  if ((options_.protocols & kTls13) == 0) SSL_CTX_set_options(c, SSL_OP_NO_TLSv1_3);
  if ((options_.protocols & (kTls10 | kTls11)) != 0)
    SSL_CTX_set_min_proto_version(c, 0);  // the system's default is 1.2
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  int mode = SSL_VERIFY_NONE;
  if (options_.verify != TlsVerify::kNone) mode = SSL_VERIFY_PEER;
  if (options_.verify == TlsVerify::kRequired) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(c, mode, on_verify);
  SSL_CTX_set_default_passwd_cb(c, give_password);
  SSL_CTX_set_default_passwd_cb_userdata(c, const_cast<std::string*>(&options_.key_password));
}

bool Maker::load_files() {
  SSL_CTX* c = context_.get();
  const std::string& certificate = options_.certificate_file;
  if (!certificate.empty() && SSL_CTX_use_certificate_chain_file(c, certificate.c_str()) <= 0) {
    return fail(Step::kCertificate, certificate);
  }
  const std::string& key = options_.key_file;
  if (!key.empty() && SSL_CTX_use_PrivateKey_file(c, key.c_str(), SSL_FILETYPE_PEM) <= 0) {
    return fail(Step::kPrivateKey, key);
  }
  SSL_CTX_set_default_passwd_cb_userdata(c, nullptr);  // the options do not outlive this call
  return true;
}

bool Maker::load_identities() {
  return std::all_of(options_.identities.begin(), options_.identities.end(),
                     [this](const TlsIdentity& identity) { return load_identity(identity); });
}

bool Maker::load_identity(const TlsIdentity& identity) {
  TlsNames::Entry entry;
  const Bio certificates = bio_of(identity.pem);
  entry.certificate.reset(PEM_read_bio_X509_AUX(certificates.get(), nullptr, give_password, nullptr));
  if (!entry.certificate) return fail(Step::kCertificate, identity.name);
  entry.chain.reset(sk_X509_new_null());
  while (X509* issuer = PEM_read_bio_X509(certificates.get(), nullptr, give_password, nullptr)) {
    sk_X509_push(entry.chain.get(), issuer);
  }
  ERR_clear_error();  // the end of the text is no error
  entry.key.reset(PEM_read_bio_PrivateKey(bio_of(identity.pem).get(), nullptr, give_password, nullptr));
  if (!entry.key || X509_check_private_key(entry.certificate.get(), entry.key.get()) != 1) {
    return fail(Step::kPrivateKey, identity.name);
  }
  if (extra_->names.empty() &&
      SSL_CTX_use_cert_and_key(context_.get(), entry.certificate.get(), entry.key.get(), entry.chain.get(), 1) != 1) {
    return fail(Step::kCertificate, identity.name);
  }
  extra_->names.add(std::move(entry), identity.sni);
  return true;
}

bool Maker::load_authorities() {
  SSL_CTX* c = context_.get();
  const char* file = options_.ca_file.empty() ? nullptr : options_.ca_file.c_str();
  const char* dir = options_.ca_dir.empty() ? nullptr : options_.ca_dir.c_str();
  if ((file != nullptr || dir != nullptr) && SSL_CTX_load_verify_locations(c, file, dir) <= 0) {
    return fail(Step::kAuthorities, file != nullptr ? options_.ca_file : options_.ca_dir);
  }
  if (options_.ca_pem.empty()) return true;
  const Bio text = bio_of(options_.ca_pem);
  size_t count = 0;
  while (Certificate authority{PEM_read_bio_X509(text.get(), nullptr, give_password, nullptr)}) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(c), authority.get());
    if (!options_.client) SSL_CTX_add_client_CA(c, authority.get());
    ++count;
  }
  if (count == 0) return fail(Step::kAuthorities, options_.ca_file);
  ERR_clear_error();
  return true;
}

bool Maker::load_revocations() {
  if (options_.crl_file.empty() && options_.crl_pem.empty()) return true;
  X509_STORE* store = SSL_CTX_get_cert_store(context_.get());
  if (options_.crl_pem.empty()) {
    if (X509_STORE_load_locations(store, options_.crl_file.c_str(), nullptr) != 1) {
      return fail(Step::kRevocations, options_.crl_file);
    }
  } else {
    const Bio text = bio_of(options_.crl_pem);
    size_t count = 0;
    while (X509_CRL* list = PEM_read_bio_X509_CRL(text.get(), nullptr, give_password, nullptr)) {
      X509_STORE_add_crl(store, list);
      X509_CRL_free(list);
      ++count;
    }
    if (count == 0) return fail(Step::kRevocations, options_.crl_file);
    ERR_clear_error();
  }
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return true;
}

bool Maker::set_ciphers() {
  SSL_CTX* c = context_.get();
  if (!options_.ciphers.empty() && SSL_CTX_set_cipher_list(c, options_.ciphers.c_str()) != 1) {
    return fail(Step::kCiphers, options_.ciphers);
  }
  if (!options_.ciphersuites.empty() && SSL_CTX_set_ciphersuites(c, options_.ciphersuites.c_str()) != 1) {
    return fail(Step::kCiphersuites, options_.ciphersuites);
  }
  return true;
}

bool Maker::set_groups() {
  SSL_CTX* c = context_.get();
  if (!options_.curves.empty() && SSL_CTX_set1_curves_list(c, options_.curves.c_str()) != 1) {
    return fail(Step::kCurves, options_.curves);
  }
  if (!options_.sigalgs.empty() && SSL_CTX_set1_sigalgs_list(c, options_.sigalgs.c_str()) != 1) {
    return fail(Step::kSignatures, options_.sigalgs);
  }
  for (const std::string& name : options_.alpn) {
    if (name.empty() || name.size() > 255) continue;
    extra_->alpn += static_cast<char>(name.size());
    extra_->alpn += name;
  }
  if (extra_->alpn.empty()) return true;
  if (!options_.client) {
    SSL_CTX_set_alpn_select_cb(c, on_alpn, nullptr);
  } else {
    SSL_CTX_set_alpn_protos(c, reinterpret_cast<const unsigned char*>(extra_->alpn.data()),
                            static_cast<unsigned>(extra_->alpn.size()));
  }
  return true;
}

bool Maker::set_server() {
  SSL_CTX* c = context_.get();
  if (options_.session_cache) {
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_SERVER);
    SSL_CTX_sess_set_cache_size(c, options_.session_cache_size);
    SSL_CTX_set_timeout(c, options_.session_timeout_s);
  } else {
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  }
  const std::string& name = options_.session_context;
  SSL_CTX_set_session_id_context(c, reinterpret_cast<const unsigned char*>(name.data()),
                                 static_cast<unsigned>(std::min<size_t>(name.size(), SSL_MAX_SSL_SESSION_ID_LENGTH)));
  if (!options_.tickets) {
    SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(c, 0);
  }
  if (options_.prefer_server_ciphers) SSL_CTX_set_options(c, SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_tlsext_servername_callback(c, on_server_name);
  if (!options_.dh_params_file.empty()) return load_dh();
  SSL_CTX_set_dh_auto(c, 1);
  return true;
}

bool Maker::load_dh() {
  const std::string& path = options_.dh_params_file;
  const File file(std::fopen(path.c_str(), "re"));
  if (!file) return fail(Step::kDhOpen, path, errno);
  EVP_PKEY* parameters = nullptr;
  std::unique_ptr<OSSL_DECODER_CTX, Freer<OSSL_DECODER_CTX_free>> decoder(OSSL_DECODER_CTX_new_for_pkey(
      &parameters, "PEM", nullptr, "DH", OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS, nullptr, nullptr));
  if (!decoder || OSSL_DECODER_from_fp(decoder.get(), file.get()) != 1) return fail(Step::kDhRead, path);
  if (SSL_CTX_set0_tmp_dh_pkey(context_.get(), parameters) != 1) {
    EVP_PKEY_free(parameters);
    return fail(Step::kDhUse, path);
  }
  return true;
}

}  // namespace

std::string take_tls_error() {
  char text[256];
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  ERR_clear_error();
  return text;
}

void remember_verify_errors(SSL* ssl, TlsVerifyErrors* errors) { SSL_set_ex_data(ssl, errors_index(), errors); }

std::expected<SslContext, TlsFailure> make_tls_context(const TlsOptions& options) { return Maker(options).make(); }

std::expected<TlsContextId, TlsFailure> TlsContexts::make(const TlsOptions& options) {
  auto context = make_tls_context(options);
  if (!context) return std::unexpected(std::move(context.error()));
  const TlsContextId id{++last_};
  contexts_[id] = std::move(*context);
  return id;
}

SSL_CTX* TlsContexts::find(TlsContextId context) const {
  const auto at = contexts_.find(context);
  return at == contexts_.end() ? nullptr : at->second.get();
}

}  // namespace holdfast::net
