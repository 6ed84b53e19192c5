#include "net/tls_names.h"

#include <openssl/x509v3.h>

#include <algorithm>

#include "base/text.h"

namespace holdfast::net {
namespace {

std::string text_of(const ASN1_STRING* value) {
  unsigned char* bytes = nullptr;
  const int size = ASN1_STRING_to_UTF8(&bytes, value);
  std::string out;
  if (size >= 0) out.assign(reinterpret_cast<char*>(bytes), static_cast<size_t>(size));
  OPENSSL_free(bytes);
  return to_lower(out);
}

/// `a.example.net` -> `.example.net`; empty if there is but one label.
std::string_view parent_of(std::string_view name) {
  const size_t dot = name.find('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(dot);
}

}  // namespace

std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> out;
  auto* alternatives =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives, i);
    if (name->type == GEN_DNS) out.push_back(text_of(name->d.dNSName));
  }
  GENERAL_NAMES_free(alternatives);
  X509_NAME* subject = X509_get_subject_name(certificate);
  for (int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) {
    out.push_back(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
  }
  return out;
}

void TlsNames::add(Entry entry, const std::vector<std::string>& filters) {
  const Entry* kept = &entries_.emplace_back(std::move(entry));
  for (const std::string& given : filters.empty() ? names_of(kept->certificate.get()) : filters) {
    const std::string name = to_lower(given);
    if (name.starts_with('!')) {
      excluded_.emplace(kept, name.substr(1));
    } else if (name.starts_with("*.")) {
      patterns_.emplace(name.substr(1), kept);
    } else {
      exact_.emplace(name, kept);
    }
  }
}

std::vector<const TlsNames::Entry*> TlsNames::pick(std::string_view asked, bool strict) const {
  const std::string name = to_lower(asked);
  std::vector<const Entry*> out;
  const auto collect = [&](const std::multimap<std::string, const Entry*>& names, const std::string& key) {
    for (auto [at, end] = names.equal_range(key); at != end; ++at) {
      auto [first, last] = excluded_.equal_range(at->second);
      const bool excluded = std::any_of(first, last, [&](const auto& row) {
        return row.second == name || (row.second.starts_with("*.") && row.second.substr(1) == parent_of(name));
      });
      if (!excluded) out.push_back(at->second);
    }
  };
  if (!name.empty()) {
    collect(exact_, name);
    if (out.empty()) collect(patterns_, std::string(parent_of(name)));
  }
  if (out.empty() && !strict && !entries_.empty()) out.push_back(&entries_.front());
  return out;
}

}  // namespace holdfast::net
