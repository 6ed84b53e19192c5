// The fetches of TLS connections: ssl_fc_*, ssl_c_* (the client's certificate), ssl_f_* (ours).
// Source: HAProxy configuration manual 7.3.4 "Fetching samples at Layer 5".
#include "codec/x509.h"
#include "conf/haproxy_value.h"
#include "proxy/sample/context.h"
#include "proxy/sample/expression.h"
#include "proxy/session.h"

namespace holdfast::proxy {
namespace {

using Context = SampleContext;
using Arguments = std::vector<std::string>;
using Facts = codec::CertificateFacts;

const TlsFacts* facts(const Context& c) {
  return c.session == nullptr || c.session->extras == nullptr ? nullptr : c.session->extras->tls.get();
}
Sample some(Value value) { return {std::move(value), false}; }
Sample flag(bool value) { return some(Value::boolean(value)); }
Sample text(const std::string& value) { return value.empty() ? Sample{} : some(Value::string(value)); }

Sample fetch_used(const Context& c, const Arguments&) { return flag(facts(c) != nullptr); }
Sample fetch_has_sni(const Context& c, const Arguments&) { return flag(facts(c) != nullptr && !facts(c)->sni.empty()); }
Sample fetch_resumed(const Context& c, const Arguments&) { return flag(facts(c) != nullptr && facts(c)->resumed); }
Sample fetch_has_certificate(const Context& c, const Arguments&) {
  return flag(facts(c) != nullptr && facts(c)->peer_certificate);
}
template <std::string TlsFacts::* Member>
Sample fetch_text(const Context& c, const Arguments&) {
  return facts(c) == nullptr ? Sample{} : text(facts(c)->*Member);
}
template <int TlsFacts::* Member>
Sample fetch_number(const Context& c, const Arguments&) {
  return facts(c) == nullptr ? Sample{} : some(Value::number(facts(c)->*Member));
}
/// The whole verdict: of the certificate itself, else of its issuers.
Sample fetch_verify(const Context& c, const Arguments&) {
  const TlsFacts* f = facts(c);
  if (f == nullptr) return {};
  return some(Value::number(f->verify_error != 0 ? f->verify_error : f->verify_ca_error));
}

template <std::string TlsFacts::* Der>
std::optional<codec::CertificateFacts> certificate(const Context& c) {
  return facts(c) == nullptr ? std::nullopt : codec::read_certificate(facts(c)->*Der);
}
template <std::string TlsFacts::* Der, std::string codec::CertificateFacts::* Member>
Sample certificate_text(const Context& c, const Arguments&) {
  const auto found = certificate<Der>(c);
  return found ? text((*found).*Member) : Sample{};
}
template <std::string TlsFacts::* Der, std::string codec::CertificateFacts::* Member>
Sample certificate_bytes(const Context& c, const Arguments&) {
  const auto found = certificate<Der>(c);
  return found ? some(Value::binary((*found).*Member)) : Sample{};
}
template <std::string TlsFacts::* Der>
Sample certificate_version(const Context& c, const Arguments&) {
  const auto found = certificate<Der>(c);
  return found ? some(Value::number(found->version)) : Sample{};
}
template <std::string TlsFacts::* Der>
Sample certificate_der(const Context& c, const Arguments&) {
  return facts(c) == nullptr || (facts(c)->*Der).empty() ? Sample{} : some(Value::binary(facts(c)->*Der));
}

using Parts = std::vector<std::pair<std::string, std::string>>;
/// `ssl_c_s_dn(CN)`: one part, the n-th of its name; negative numbers count from the end.
template <std::string TlsFacts::* Der, Parts codec::CertificateFacts::* Member,
          std::string codec::CertificateFacts::* Whole>
Sample distinguished_name(const Context& c, const Arguments& arguments) {
  const auto found = certificate<Der>(c);
  if (!found) return {};
  if (arguments.empty() || arguments[0].empty()) return text((*found).*Whole);
  int64_t nth = arguments.size() > 1 ? conf::leading_integer(arguments[1]) : 1;
  if (nth == 0) nth = 1;
  const Parts& parts = (*found).*Member;
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto& [name, value] = nth > 0 ? parts[i] : parts[parts.size() - 1 - i];
    if (name == arguments[0] && (nth > 0 ? --nth : ++nth) == 0) return text(value);
  }
  return {};
}

#define HF_CERTIFICATE(prefix, der)                                                                                 \
  {prefix "_s_dn", 0, 3, ValueType::kString, 0, distinguished_name<der, &Facts::subject_parts, &Facts::subject>},   \
      {prefix "_i_dn", 0, 3, ValueType::kString, 0, distinguished_name<der, &Facts::issuer_parts, &Facts::issuer>}, \
      {prefix "_serial", 0, 0, ValueType::kBinary, 0, certificate_bytes<der, &Facts::serial>},                      \
      {prefix "_sha1", 0, 0, ValueType::kBinary, 0, certificate_bytes<der, &Facts::sha1>},                          \
      {prefix "_notbefore", 0, 0, ValueType::kString, 0, certificate_text<der, &Facts::not_before_compact>},        \
      {prefix "_notafter", 0, 0, ValueType::kString, 0, certificate_text<der, &Facts::not_after_compact>},          \
      {prefix "_key_alg", 0, 0, ValueType::kString, 0, certificate_text<der, &Facts::key_algorithm>},               \
      {prefix "_sig_alg", 0, 0, ValueType::kString, 0, certificate_text<der, &Facts::signature_algorithm>},         \
      {prefix "_version", 0, 0, ValueType::kInteger, 0, certificate_version<der>}, {                                \
    prefix "_der", 0, 0, ValueType::kBinary, 0, certificate_der<der>                                                \
  }

constexpr FetchRow kRows[] = {
    {"ssl_fc", 0, 0, ValueType::kBoolean, 0, fetch_used},
    {"ssl_fc_has_sni", 0, 0, ValueType::kBoolean, 0, fetch_has_sni},
    {"ssl_fc_has_crt", 0, 0, ValueType::kBoolean, 0, fetch_has_certificate},
    {"ssl_fc_is_resumed", 0, 0, ValueType::kBoolean, 0, fetch_resumed},
    {"ssl_fc_sni", 0, 0, ValueType::kString, 0, fetch_text<&TlsFacts::sni>},
    {"ssl_fc_alpn", 0, 0, ValueType::kString, 0, fetch_text<&TlsFacts::alpn>},
    {"ssl_fc_protocol", 0, 0, ValueType::kString, 0, fetch_text<&TlsFacts::version>},
    {"ssl_fc_cipher", 0, 0, ValueType::kString, 0, fetch_text<&TlsFacts::cipher>},
    {"ssl_fc_use_keysize", 0, 0, ValueType::kInteger, 0, fetch_number<&TlsFacts::cipher_bits>},
    {"ssl_fc_alg_keysize", 0, 0, ValueType::kInteger, 0, fetch_number<&TlsFacts::cipher_bits>},
    {"ssl_c_used", 0, 0, ValueType::kBoolean, 0, fetch_has_certificate},
    {"ssl_c_verify", 0, 0, ValueType::kInteger, 0, fetch_verify},
    {"ssl_c_err", 0, 0, ValueType::kInteger, 0, fetch_number<&TlsFacts::verify_error>},
    {"ssl_c_ca_err", 0, 0, ValueType::kInteger, 0, fetch_number<&TlsFacts::verify_ca_error>},
    {"ssl_c_ca_err_depth", 0, 0, ValueType::kInteger, 0, fetch_number<&TlsFacts::verify_depth>},
    HF_CERTIFICATE("ssl_c", &TlsFacts::peer_der),
    HF_CERTIFICATE("ssl_f", &TlsFacts::own_der),
};
#undef HF_CERTIFICATE

}  // namespace

const FetchRow* tls_fetch_rows(size_t* count) {
  *count = std::size(kRows);
  return kRows;
}

}  // namespace holdfast::proxy
