#include "proxy/keyword/tls.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "codec/x509.h"
#include "conf/haproxy_value.h"

namespace holdfast::proxy {
namespace {

using Result = TlsOptionResult;
constexpr std::string_view kSystemAuthorities = "@system-ca";
constexpr size_t kListLinesMax = 100'000;

constexpr std::array<std::string_view, 5> kVersions = {"SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
constexpr std::array<std::string_view, 5> kVersionWords = {"sslv3", "tlsv10", "tlsv11", "tlsv12", "tlsv13"};

Result fine() { return {true, {}, {}, true}; }
Result failed(std::string error, std::string before = {}) { return {true, std::move(error), std::move(before), true}; }

std::string with_base(const std::string& base, std::string_view file) {
  return base.empty() || file.starts_with('/') ? std::string(file) : fmt::format("{}/{}", base, file);
}

// ---- files ------------------------------------------------------------------------------------------------------

/// A directory stands for its files, but hidden ones and those that belong to a certificate beside them.
std::string load_certificates(KeywordContext& c, const std::string& place, std::vector<TlsCertificate>* out) {
  const auto names = c.options.files == nullptr ? std::nullopt : c.options.files->list(place);
  if (!names) {
    out->push_back({place, {}});
    return load_certificate(c.config.global.tls, c.options.files, place);
  }
  for (const std::string& name : *names) {
    const bool beside = std::ranges::any_of(std::array<std::string_view, 4>{".issuer", ".ocsp", ".sctl", ".key"},
                                            [&](std::string_view end) { return name.ends_with(end); });
    if (name.starts_with('.') || beside) continue;
    out->push_back({place + "/" + name, {}});
    if (std::string error = load_certificate(c.config.global.tls, c.options.files, out->back().file); !error.empty())
      return error;
  }
  return "";
}

/// A crt-list: a certificate and the names it is shown for on each line.
std::string load_list(KeywordContext& c, const std::string& file, BindTls& tls) {
  if (c.options.files == nullptr) return "";
  const auto text = c.options.files->read(file);
  if (!text) return fmt::format("'crt-list' : cannot open file '{}' : {}", file, text.error());
  size_t number = 0;
  for (std::string_view line : split(*text, '\n')) {
    if (++number > kListLinesMax) return fmt::format("'crt-list' : too many lines in file '{}'", file);
    line = trim(line);
    if (line.empty() || line.starts_with('#')) continue;
    std::vector<std::string> words;
    for (const std::string_view word : split(line, ' ')) {
      if (!trim(word).empty()) words.emplace_back(trim(word));
    }
    TlsCertificate certificate{with_base(c.config.global.tls.crt_base, words[0]), {}};
    for (size_t i = 1; i < words.size() && !words[i].starts_with('#'); ++i) {
      if (words[i].starts_with('[')) {
        return fmt::format("'crt-list' : options in brackets are not supported by this version in file '{}' on line {}",
                           file, number);
      }
      certificate.sni.push_back(words[i]);
    }
    if (std::string error = load_certificate(c.config.global.tls, c.options.files, certificate.file); !error.empty())
      return error;
    tls.certificates.push_back(std::move(certificate));
  }
  tls.lists.push_back(file);
  return "";
}

Result load_authorities(KeywordContext& c, std::string_view option, std::string_view value, std::string* target) {
  if (value == kSystemAuthorities) {
    *target = kSystemAuthorities;
    return fine();
  }
  const std::string file = with_base(c.config.global.tls.ca_base, value);
  *target = file;
  if (c.options.files == nullptr || c.config.global.tls.authorities.contains(file)) return fine();
  std::string text;
  if (const auto names = c.options.files->list(file)) {
    for (const std::string& name : *names) {
      if (const auto one = c.options.files->read(file + "/" + name)) text += *one + "\n";
    }
  } else {
    auto read = c.options.files->read(file);
    if (!read) {
      return failed(fmt::format("'{}' : unable to load {}", option, file),
                    fmt::format("Couldn't open the ca-file '{}' ({}).", file, read.error()));
    }
    text = std::move(*read);
  }
  const codec::PemFacts facts = codec::read_pem(text);
  if (facts.certificates.empty() && facts.revocation_lists == 0) {
    return failed(fmt::format("'{}' : unable to load {}", option, file),
                  fmt::format("Couldn't open the ca-file '{}' (no certificate or crl found).", file));
  }
  c.config.global.tls.authorities.emplace(file, std::move(text));
  return fine();
}

// ---- options that bind, server and global share -----------------------------------------------------------------

struct TextRow {
  std::string_view name;
  std::string TlsParameters::* member;
  std::string_view missing;
};
constexpr TextRow kTexts[] = {
    {"ciphers", &TlsParameters::ciphers, "missing cipher suite"},
    {"ciphersuites", &TlsParameters::ciphersuites, "missing cipher suite"},
    {"curves", &TlsParameters::curves, "missing curve suite"},
    {"ecdhe", &TlsParameters::curves, "missing named curve"},
    {"sigalgs", &TlsParameters::sigalgs, "missing signature algorithms"},
};

Result read_version(KeywordContext& c, TlsVersions& versions, size_t* at) {
  const std::string_view name = c.word(*at);
  if (name == "ssl-min-ver" || name == "ssl-max-ver") {
    const std::string_view value = c.word(*at + 1);
    *at += 2;
    if (value.empty()) return failed(fmt::format("'{}' : missing the ssl/tls version", name));
    const auto found = std::ranges::find(kVersions, value);
    if (found == kVersions.end()) return failed(fmt::format("'{}' : unknown ssl/tls version", value));
    (name == "ssl-min-ver" ? versions.least : versions.most) = static_cast<int>(found - kVersions.begin());
    return fine();
  }
  for (size_t i = 0; i < kVersionWords.size(); ++i) {
    if (name == fmt::format("force-{}", kVersionWords[i])) {
      versions.least = versions.most = static_cast<int>(i);
    } else if (name == fmt::format("no-{}", kVersionWords[i])) {
      versions.off |= 1u << i;
    } else {
      continue;
    }
    ++*at;
    return fine();
  }
  return {};
}

Result read_parameter(KeywordContext& c, TlsParameters& parameters, size_t* at) {
  const std::string_view name = c.word(*at);
  const std::string_view value = c.word(*at + 1);
  for (const TextRow& row : kTexts) {
    if (row.name != name) continue;
    *at += 2;
    if (value.empty()) return failed(fmt::format("'{}' : {}", name, row.missing));
    parameters.*row.member = std::string(value);
    return fine();
  }
  if (name == "alpn") {
    *at += 2;
    if (value.empty()) return failed("'alpn' : missing the comma-delimited ALPN protocol suite");
    parameters.alpn.clear();
    for (const std::string_view protocol : split(value, ',')) {
      if (protocol.empty() || protocol.size() > 255)
        return failed(fmt::format("'alpn' : ALPN protocol name too long : '{}'", protocol));
      parameters.alpn.emplace_back(protocol);
    }
    return fine();
  }
  if (name == "ca-file" || name == "crl-file") {
    *at += 2;
    const bool authorities = name == "ca-file";
    if (value.empty()) return failed(fmt::format("'{}' : missing {} path", name, authorities ? "CAfile" : "CRLfile"));
    return load_authorities(c, name, value, authorities ? &parameters.ca_file : &parameters.crl_file);
  }
  if (name == "no-tls-tickets" || name == "tls-tickets") {
    parameters.tickets = name == "tls-tickets";
    ++*at;
    return fine();
  }
  return read_version(c, parameters.versions, at);
}

bool read_ignored(std::string_view value, std::vector<int>* out) {
  for (const std::string_view word : split(value, ',')) {
    const int64_t number = word == "all" ? -1 : conf::leading_integer(word);
    out->push_back(static_cast<int>(std::clamp<int64_t>(number, -1, 1000)));
  }
  return true;
}

}  // namespace

std::string load_certificate(TlsGlobal& global, FileLookup* files, const std::string& file) {
  auto& known = global.certificates;
  if (known.contains(file) || files == nullptr) return "";
  auto text = files->read(file);
  if (!text) return fmt::format("unable to stat SSL certificate from file '{}' : {}", file, text.error());
  codec::PemFacts facts = codec::read_pem(*text);
  if (facts.certificates.empty()) return fmt::format("unable to load certificate from file '{}'", file);
  if (!facts.has_key) {
    const auto key = files->read(file + ".key");
    if (!key) return fmt::format("No Private Key found in '{}.key'", file);
    if (!text->ends_with('\n')) *text += '\n';
    *text += *key;
    facts = codec::read_pem(*text);
    if (!facts.has_key) return fmt::format("unable to load private key from file '{}.key'", file);
  }
  if (!facts.key_fits) {
    return fmt::format("inconsistencies between private key and certificate loaded '{}'", file);
  }
  known.emplace(file, std::move(*text));
  return "";
}

// ---- bind -------------------------------------------------------------------------------------------------------

TlsOptionResult read_bind_tls(KeywordContext& c, BindTls& tls, size_t* at) {
  const std::string_view name = c.word(*at);
  const std::string_view value = c.word(*at + 1);
  bool* flag = name == "ssl"                     ? &tls.enabled
               : name == "strict-sni"            ? &tls.strict_sni
               : name == "prefer-client-ciphers" ? &tls.prefer_client_ciphers
                                                 : nullptr;
  if (flag != nullptr) {
    *flag = true;
    ++*at;
    return fine();
  }
  if (name == "crt" || name == "crt-list") {
    *at += 2;
    if (value.empty()) return failed(fmt::format("'{}' : missing certificate location", name));
    const std::string place = name == "crt" ? with_base(c.config.global.tls.crt_base, value) : std::string(value);
    std::string error = name == "crt" ? load_certificates(c, place, &tls.certificates) : load_list(c, place, tls);
    if (!error.empty() && name == "crt") error += '.';
    return error.empty() ? fine() : failed(std::move(error));
  }
  if (name == "verify") {
    *at += 2;
    if (value.empty()) return failed("'verify' : missing verify method");
    if (value != "none" && value != "optional" && value != "required") {
      return failed(fmt::format(
          "'verify' : unknown verify method '{}', only 'none', 'optional', and 'required' are supported", value));
    }
    tls.verify = value == "none" ? TlsVerify::kNone : value == "optional" ? TlsVerify::kOptional : TlsVerify::kRequired;
    return fine();
  }
  if (name == "ca-ignore-err" || name == "crt-ignore-err") {
    *at += 2;
    if (value.empty()) return failed(fmt::format("'{}' : missing error IDs list", name));
    read_ignored(value, name == "ca-ignore-err" ? &tls.ca_ignored : &tls.crt_ignored);
    return fine();
  }
  return read_parameter(c, tls.parameters, at);
}

// ---- server -----------------------------------------------------------------------------------------------------

namespace {

Result read_name(std::string_view value, std::optional<Expression>* name) {
  auto expression = parse_expression(value, "sample expression");
  if (expression) {
    *name = std::move(*expression);
    return fine();
  }
  const std::string& error = expression.error();
  Result result = failed(
      fmt::format("error detected while parsing sni expression : {}", error.substr(0, error.find(" in sample"))));
  result.period = false;
  return result;
}

}  // namespace

TlsOptionResult read_server_tls(KeywordContext& c, ServerTls& tls, size_t* at) {
  const std::string_view name = c.word(*at);
  const std::string_view value = c.word(*at + 1);
  struct Flag {
    std::string_view name;
    bool ServerTls::* member;
    bool value;
  };
  static constexpr Flag kFlags[] = {{"ssl", &ServerTls::enabled, true},
                                    {"no-ssl", &ServerTls::enabled, false},
                                    {"check-ssl", &ServerTls::check, true},
                                    {"no-check-ssl", &ServerTls::check, false},
                                    {"no-check-ssl", &ServerTls::no_check, true}};
  bool known = name == "no-ssl-reuse" || name == "ssl-reuse" || name == "no-sni-auto" || name == "no-check-sni-auto";
  for (const Flag& flag : kFlags) {
    if (flag.name != name) continue;
    tls.*flag.member = flag.value;
    known = true;
  }
  if (known) {
    ++*at;
    return fine();
  }
  if (name == "crt") {
    *at += 2;
    if (value.empty()) return failed("'crt' : missing certificate file path");
    tls.certificate = with_base(c.config.global.tls.crt_base, value);
    return fine();  // read when the whole file is known to be good
  }
  if (name == "verify") {
    *at += 2;
    if (value.empty()) return failed("'verify' : missing verify method");
    if (value != "none" && value != "required") {
      return failed(
          fmt::format("'verify' : unknown verify method '{}', only 'none' and 'required' are supported", value));
    }
    tls.verify = value == "required";
    return fine();
  }
  if (name == "verifyhost") {
    *at += 2;
    if (value.empty()) return failed("'verifyhost' : missing hostname to verify against");
    tls.verify_name = std::string(value);
    return fine();
  }
  if (name == "sni") {
    *at += 2;
    if (value.empty()) return failed("'sni' : missing sni expression");
    return read_name(value, &tls.sni);
  }
  if (name == "check-sni") {
    *at += 2;
    if (value.empty()) return failed("'check-sni' : missing SNI");
    tls.check_sni = std::string(value);
    return fine();
  }
  if (name == "check-alpn") {
    *at += 2;
    return fine();
  }
  return read_parameter(c, tls.parameters, at);
}

// ---- global -----------------------------------------------------------------------------------------------------

namespace {

void parse_default_text(KeywordContext& c) {
  const std::string_view name = c.word(0);
  TlsParameters& target = name.starts_with("ssl-default-bind") ? c.config.global.tls.bind : c.config.global.tls.server;
  if (c.word(1).empty()) {
    return c.alert("global statement '{}' expects a {} as an argument.", name,
                   name.ends_with("curves") ? "curves suite" : "cipher suite");
  }
  if (name.ends_with("ciphersuites")) {
    target.ciphersuites = std::string(c.word(1));
  } else if (name.ends_with("ciphers")) {
    target.ciphers = std::string(c.word(1));
  } else if (name.ends_with("curves")) {
    target.curves = std::string(c.word(1));
  } else {
    target.sigalgs = std::string(c.word(1));
  }
}

void parse_default_options(KeywordContext& c) {
  const std::string_view name = c.word(0);
  TlsGlobal& tls = c.config.global.tls;
  const bool bind = name.starts_with("ssl-default-bind");
  if (c.word(1).empty()) return c.alert("global statement '{}' expects an option as an argument.", name);
  for (size_t at = 1; at < c.count();) {
    const std::string_view word = c.word(at);
    if (bind && word == "strict-sni") {
      tls.strict_sni = true;
      ++at;
      continue;
    }
    if (bind && word == "prefer-client-ciphers") {
      ++at;
      continue;
    }
    const bool version = word.starts_with("ssl-m") || word.starts_with("no-") || word.starts_with("force-");
    const Result result = version ? read_parameter(c, bind ? tls.bind : tls.server, &at) : Result{};
    if (!result.known) return c.alert("unknown option '{}' on global statement '{}'.", word, name);
    if (!result.error.empty()) return c.alert("global statement '{}' {}.", name, result.error);
  }
}

void parse_base(KeywordContext& c) {
  std::string& target = c.word(0) == "ca-base" ? c.config.global.tls.ca_base : c.config.global.tls.crt_base;
  if (c.word(1).empty()) return c.alert("global statement '{}' expects a directory path as an argument.", c.word(0));
  target = std::string(c.word(1));
}

void parse_server_verify(KeywordContext& c) {
  if (c.word(1) != "none" && c.word(1) != "required") {
    return c.alert("'ssl-server-verify' expects 'none' or 'required' as argument.");
  }
  c.config.global.tls.verify_servers = c.word(1) == "required";
}

void parse_tune_ssl(KeywordContext& c) {
  const std::string_view name = c.word(0);
  if (name == "tune.ssl.default-dh-param" && conf::leading_integer(c.word(1)) < 1024) {
    return c.alert("'tune.ssl.default-dh-param' expects a value >= 1024.");
  }
  if (name == "tune.ssl.cachesize")
    c.config.global.tls.cache_size = std::max<int64_t>(0, conf::leading_integer(c.word(1)));
  if (name == "tune.ssl.lifetime") {
    const conf::TimeValue value = conf::parse_haproxy_time(c.word(1), true);
    if (value.error == conf::TimeValue::Error::kCharacter) {
      return c.alert("unexpected character '{}' in argument to <tune.ssl.lifetime>.", value.character);
    }
    c.config.global.tls.lifetime_s = to_ms(value.value) / 1000;
  }
}

constexpr KeywordRow kRows[] = {
    {"ssl-default-bind-ciphers", kInGlobal, parse_default_text, "ciphers up to TLS 1.2 of bind lines"},
    {"ssl-default-bind-ciphersuites", kInGlobal, parse_default_text, "ciphers of TLS 1.3 of bind lines"},
    {"ssl-default-bind-curves", kInGlobal, parse_default_text, "curves of bind lines"},
    {"ssl-default-bind-sigalgs", kInGlobal, parse_default_text, "signature algorithms of bind lines"},
    {"ssl-default-bind-options", kInGlobal, parse_default_options, "versions and more of bind lines"},
    {"ssl-default-server-ciphers", kInGlobal, parse_default_text, "ciphers up to TLS 1.2 towards servers"},
    {"ssl-default-server-ciphersuites", kInGlobal, parse_default_text, "ciphers of TLS 1.3 towards servers"},
    {"ssl-default-server-curves", kInGlobal, parse_default_text, "curves towards servers"},
    {"ssl-default-server-sigalgs", kInGlobal, parse_default_text, "signature algorithms towards servers"},
    {"ssl-default-server-options", kInGlobal, parse_default_options, "versions and more towards servers"},
    {"ssl-server-verify", kInGlobal, parse_server_verify, "whether servers are verified unless they say otherwise"},
    {"ca-base", kInGlobal, parse_base, "directory of ca-file and crl-file"},
    {"crt-base", kInGlobal, parse_base, "directory of crt"},
    {"tune.ssl.default-dh-param", kInGlobal, parse_tune_ssl, "accepted"},
    {"tune.ssl.cachesize", kInGlobal, parse_tune_ssl, "sessions remembered"},
    {"tune.ssl.lifetime", kInGlobal, parse_tune_ssl, "how long they are"},
    {"tune.ssl.maxrecord", kInGlobal, parse_tune_ssl, "accepted"},
    {"tune.ssl.force-private-cache", kInGlobal, parse_tune_ssl, "accepted"},
    {"tune.ssl.keylog", kInGlobal, parse_tune_ssl, "accepted"},
    {"tune.ssl.hard-maxrecord", kInGlobal, parse_tune_ssl, "accepted"},
    {"tune.ssl.ssl-ctx-cache-size", kInGlobal, parse_tune_ssl, "accepted"},
};

}  // namespace

std::span<const KeywordRow> tls_keywords() { return kRows; }

}  // namespace holdfast::proxy
