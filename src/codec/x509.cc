#include "codec/x509.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <climits>
#include <memory>

namespace holdfast::codec {
namespace {

struct Free {
  void operator()(BIO* b) const { BIO_free_all(b); }
  void operator()(X509* x) const { X509_free(x); }
  void operator()(X509_CRL* c) const { X509_CRL_free(c); }
  void operator()(EVP_PKEY* k) const { EVP_PKEY_free(k); }
};
using Bio = std::unique_ptr<BIO, Free>;
using Certificate = std::unique_ptr<X509, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;

Bio bio_of(std::string_view text) {
  const int size = static_cast<int>(std::min<size_t>(text.size(), INT_MAX));
  return Bio(BIO_new_mem_buf(text.data(), size));
}
std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return {bytes, static_cast<size_t>(std::max(0L, size))};
}
/// Nobody is asked for a password.
int no_password(char*, int, int, void*) { return -1; }

std::vector<std::pair<std::string, std::string>> parts_of(const X509_NAME* name) {
  std::vector<std::pair<std::string, std::string>> out;
  for (int i = 0; i < X509_NAME_entry_count(name); ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    const ASN1_OBJECT* object = X509_NAME_ENTRY_get_object(entry);
    const int nid = OBJ_obj2nid(object);
    char number[128] = "";
    if (nid == NID_undef) OBJ_obj2txt(number, sizeof number, object, 1);
    const ASN1_STRING* value = X509_NAME_ENTRY_get_data(entry);
    out.emplace_back(nid == NID_undef ? number : OBJ_nid2sn(nid),
                     std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                                 static_cast<size_t>(ASN1_STRING_length(value))));
  }
  return out;
}
std::string one_line(const std::vector<std::pair<std::string, std::string>>& parts) {
  std::string out;
  for (const auto& [name, value] : parts) out += "/" + name + "=" + value;
  return out;
}

std::string printed_time(const ASN1_TIME* time) {
  const Bio out(BIO_new(BIO_s_mem()));
  ASN1_TIME_print(out.get(), time);
  return text_of(out.get());
}
/// Two digits of the year, as the certificate's own form mostly is.
std::string compact_time(const ASN1_TIME* time) {
  const std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(time)),
                         static_cast<size_t>(ASN1_STRING_length(time)));
  return time->type == V_ASN1_GENERALIZEDTIME && text.size() > 2 ? text.substr(2) : text;
}

std::vector<std::string> alternatives_of(X509* certificate) {
  std::vector<std::string> out;
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const Bio text(BIO_new(BIO_s_mem()));
    GENERAL_NAME_print(text.get(), sk_GENERAL_NAME_value(names, i));
    out.push_back(text_of(text.get()));
  }
  GENERAL_NAMES_free(names);
  return out;
}

std::string kind_of(EVP_PKEY* key) {
  if (key == nullptr) return "";
  switch (EVP_PKEY_base_id(key)) {
    case EVP_PKEY_RSA:
      return fmt::format("RSA{}", EVP_PKEY_bits(key));
    case EVP_PKEY_EC:
      return fmt::format("EC{}", EVP_PKEY_bits(key));
    case EVP_PKEY_DSA:
      return fmt::format("DSA{}", EVP_PKEY_bits(key));
    default:
      return fmt::format("{}", EVP_PKEY_bits(key));
  }
}

CertificateFacts facts_of(X509* certificate) {
  CertificateFacts out;
  out.subject_parts = parts_of(X509_get_subject_name(certificate));
  out.issuer_parts = parts_of(X509_get_issuer_name(certificate));
  out.subject = one_line(out.subject_parts);
  out.issuer = one_line(out.issuer_parts);
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  out.serial.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(serial)),
                    static_cast<size_t>(ASN1_STRING_length(serial)));
  out.not_before = printed_time(X509_get0_notBefore(certificate));
  out.not_after = printed_time(X509_get0_notAfter(certificate));
  out.not_before_compact = compact_time(X509_get0_notBefore(certificate));
  out.not_after_compact = compact_time(X509_get0_notAfter(certificate));
  out.names = alternatives_of(certificate);
  EVP_PKEY* key = X509_get0_pubkey(certificate);
  out.key_kind = kind_of(key);
  if (key != nullptr) out.key_algorithm = OBJ_nid2sn(EVP_PKEY_base_id(key));
  out.signature_algorithm = OBJ_nid2sn(X509_get_signature_nid(certificate));
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha1(), digest, &size) == 1) {
    out.sha1.assign(reinterpret_cast<char*>(digest), size);
  }
  out.version = static_cast<int>(X509_get_version(certificate)) + 1;
  out.self_signed = X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
  return out;
}

}  // namespace

std::optional<CertificateFacts> read_certificate(std::string_view der) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const Certificate certificate(d2i_X509(nullptr, &bytes, static_cast<long>(std::min<size_t>(der.size(), INT_MAX))));
  ERR_clear_error();
  if (!certificate) return std::nullopt;
  return facts_of(certificate.get());
}

PemFacts read_pem(std::string_view text) {
  PemFacts out;
  Certificate first;
  const Bio certificates = bio_of(text);
  while (Certificate next{PEM_read_bio_X509_AUX(certificates.get(), nullptr, no_password, nullptr)}) {
    out.certificates.push_back(facts_of(next.get()));
    if (!first) first = std::move(next);
  }
  const Key key(PEM_read_bio_PrivateKey(bio_of(text).get(), nullptr, no_password, nullptr));
  out.has_key = key != nullptr;
  out.key_fits = first && key && X509_check_private_key(first.get(), key.get()) == 1;
  const Bio lists = bio_of(text);
  while (std::unique_ptr<X509_CRL, Free> list{PEM_read_bio_X509_CRL(lists.get(), nullptr, no_password, nullptr)}) {
    ++out.revocation_lists;
  }
  ERR_clear_error();
  return out;
}

}  // namespace holdfast::codec
