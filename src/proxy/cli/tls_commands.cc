// `show|new|set|commit|abort|del ssl cert`, `show ssl ca-file`, `show ssl crt-list`. Source: HAProxy management manual
// 9.3; output compared with 2.6.12.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "codec/x509.h"
#include "proxy/cli/cli.h"

namespace holdfast::proxy {
namespace {

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02X}", static_cast<unsigned char>(c));
  return out;
}

void describe(const codec::CertificateFacts& facts, std::string* out) {
  *out +=
      fmt::format("Serial: {}\nnotBefore: {}\nnotAfter: {}\n", hex(facts.serial), facts.not_before, facts.not_after);
  *out += fmt::format("Subject Alternative Name: {}\n", fmt::join(facts.names, ", "));
  *out += fmt::format("Algorithm: {}\nSHA1 FingerPrint: {}\nSubject: {}\nIssuer: {}\n", facts.key_kind, hex(facts.sha1),
                      facts.subject, facts.issuer);
}

void describe_file(CliContext& c, std::string_view label, const std::string& file, const std::string& text) {
  const codec::PemFacts facts = codec::read_pem(text);
  c.out = fmt::format("Filename: {}{}\n", label, file);
  if (facts.certificates.empty()) {
    c.out += "Status: Empty\nOCSP Response Key: \n";
    return;
  }
  c.out += fmt::format("Status: {}\n", c.runtime.tls.used(file) ? "Used" : "Unused");
  describe(facts.certificates[0], &c.out);
  for (size_t i = 1; i < facts.certificates.size(); ++i) {
    c.out += fmt::format("Chain Subject: {}\nChain Issuer: {}\n", facts.certificates[i].subject,
                         facts.certificates[i].issuer);
  }
  c.out += "OCSP Response Key: \n";  // nothing is stapled
}

void run_show_cert(CliContext& c) {
  const TlsState& tls = c.runtime.tls;
  std::string file(c.word(3));
  if (file.empty()) {
    if (!tls.pending_file().empty()) c.out += fmt::format("# transaction\n*{}\n", tls.pending_file());
    c.out += "# filename\n";
    for (const auto& [name, text] : tls.certificates()) c.out += name + "\n";
    return;
  }
  if (file.starts_with('*')) {
    file.erase(0, 1);
    if (file == tls.pending_file()) return describe_file(c, "*", file, tls.pending_text());
  } else if (const auto at = tls.certificates().find(file); at != tls.certificates().end()) {
    return describe_file(c, "", file, at->second);
  }
  c.out = "Can't display the certificate: Not found or the certificate is a bundle!\n";
}

void run_new_cert(CliContext& c) {
  c.out = c.word(3).empty() ? "'new ssl cert' expects a filename\n" : c.runtime.tls.create(std::string(c.word(3)));
}
void run_set_cert(CliContext& c) {
  if (c.word(3).empty() || c.payload.empty()) {
    c.out = "'set ssl cert expects a filename and a certificate as a payload\n";
    return;
  }
  c.out = c.runtime.tls.set(std::string(c.word(3)), c.payload);
}
void run_commit_cert(CliContext& c) {
  c.out = c.word(3).empty() ? "'commit ssl cert expects a filename\n" : c.runtime.tls.commit(std::string(c.word(3)));
}
void run_abort_cert(CliContext& c) {
  c.out = c.word(3).empty() ? "'abort ssl cert' expects a filename\n" : c.runtime.tls.abort(std::string(c.word(3)));
}
void run_del_cert(CliContext& c) {
  c.out =
      c.word(3).empty() ? "'del ssl cert' expects a certificate name\n" : c.runtime.tls.remove(std::string(c.word(3)));
}

/// Some line verifies its peers with this file.
bool verifies(const Config& config, const std::string& file) {
  const auto used = [&](const ProxyConfig& proxy) {
    return std::ranges::any_of(proxy.binds,
                               [&](const BindConfig& bind) {
                                 return bind.tls.enabled && bind.tls.verify != TlsVerify::kNone &&
                                        bind.tls.parameters.ca_file == file;
                               }) ||
           std::ranges::any_of(proxy.servers, [&](const ServerConfig& server) {
             return server.tls.context != TlsContextId::kNone && server.tls.parameters.ca_file == file;
           });
  };
  return std::ranges::any_of(config.proxies, used);
}

void run_show_authorities(CliContext& c) {
  const auto& files = c.runtime.config.global.tls.authorities;
  const std::string file(c.word(3));
  if (file.empty()) {
    c.out = "# filename\n";
    for (const auto& [name, text] : files) {
      c.out += fmt::format("{} - {} certificate(s)\n", name, codec::read_pem(text).certificates.size());
    }
    return;
  }
  const auto at = files.find(file);
  if (at == files.end()) {
    c.out = "Can't display the CA file : Not found!\n";
    return;
  }
  c.out = fmt::format("Filename: {}\nStatus: {}\n", file, verifies(c.runtime.config, file) ? "Used" : "Unused");
  size_t number = 0;
  for (const codec::CertificateFacts& facts : codec::read_pem(at->second).certificates) {
    c.out += fmt::format(" \nCertificate #{}:\n", ++number);
    describe(facts, &c.out);
  }
}

void run_show_lists(CliContext& c) {
  std::set<std::string> names;
  std::string wanted(c.word(3));
  if (wanted == "-n") wanted = c.word(4);
  for (const ProxyConfig& proxy : c.runtime.config.proxies) {
    for (const BindConfig& bind : proxy.binds) {
      names.insert(bind.tls.lists.begin(), bind.tls.lists.end());
      if (wanted.empty() || !std::ranges::count(bind.tls.lists, wanted) || !c.out.empty()) continue;
      c.out = fmt::format("# {}\n", wanted);
      for (const TlsCertificate& certificate : bind.tls.certificates) {
        c.out += certificate.file;
        for (const std::string& name : certificate.sni) c.out += " " + name;
        c.out += "\n";
      }
    }
  }
  if (wanted.empty()) {
    for (const std::string& name : names) c.out += name + "\n";
  } else if (c.out.empty()) {
    c.out = "didn't find the specified filename\n";
  }
}

constexpr CliCommand kCommands[] = {
    {"show ssl cert", CliLevel::kOperator, run_show_cert, "show ssl cert [<certfile>]",
     "display the SSL certificates used in memory, or the details of a file"},
    {"new ssl cert", CliLevel::kAdmin, run_new_cert, "new ssl cert <certfile>",
     "create a new certificate file to be used in a crt-list or a directory"},
    {"set ssl cert", CliLevel::kAdmin, run_set_cert, "set ssl cert <certfile> <payload>", "replace a certificate file"},
    {"commit ssl cert", CliLevel::kAdmin, run_commit_cert, "commit ssl cert <certfile>", "commit a certificate file"},
    {"abort ssl cert", CliLevel::kAdmin, run_abort_cert, "abort ssl cert <certfile>",
     "abort a transaction for a certificate file"},
    {"del ssl cert", CliLevel::kAdmin, run_del_cert, "del ssl cert <certfile>", "delete an unused certificate file"},
    {"show ssl ca-file", CliLevel::kOperator, run_show_authorities, "show ssl ca-file [<cafile>]",
     "display the SSL CA files used in memory, or the details of a <cafile>"},
    {"show ssl crt-list", CliLevel::kOperator, run_show_lists, "show ssl crt-list [-n] [<list>]",
     "show the list of crt-lists or the content of a crt-list file <list>"},
};

}  // namespace

std::span<const CliCommand> tls_commands() { return kCommands; }

}  // namespace holdfast::proxy
