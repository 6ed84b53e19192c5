// `acl`, `use_backend`, `default_backend`: which backend a connection goes to.
#include "proxy/condition.h"
#include "proxy/keyword/keyword.h"

namespace holdfast::proxy {
namespace {

std::vector<std::string_view> words_from(const KeywordContext& c, size_t first) {
  std::vector<std::string_view> words;
  for (size_t i = first; i < c.count(); ++i) words.push_back(c.word(i));
  return words;
}

void parse_acl(KeywordContext& c) {
  if (c.proxy->kind == ProxyConfig::Kind::kDefaults) return c.alert("'acl' not allowed in 'defaults' section.");
  const auto term = parse_condition_term(words_from(c, 2));
  if (!term) return c.alert("error detected while parsing ACL '{}' : {}.", c.word(1), term.error());
  c.proxy->acls[std::string(c.word(1))].push_back({*term});
}

void parse_use_backend(KeywordContext& c) {
  if (c.proxy->kind == ProxyConfig::Kind::kDefaults) {
    return c.alert("'use_backend' not allowed in 'defaults' section.");
  }
  if (c.word(1).empty()) return c.alert("'use_backend' expects a backend name.");
  // COMPAT: the rule of a backend is ignored, but its target must still exist.
  c.ignored_without_frontend("use_backend");
  UseBackend rule;
  rule.backend = std::string(c.word(1));
  rule.source = c.source();
  if (c.has(2)) {
    if (c.word(2) != "if" && c.word(2) != "unless") {
      return c.alert("unexpected keyword '{}' after switching rule, only 'if' and 'unless' are allowed.", c.word(2));
    }
    rule.unless = c.word(2) == "unless";
    auto condition = parse_condition(words_from(c, 3), c.proxy->acls);
    if (!condition) return c.alert("error detected while parsing switching rule : {}.", condition.error());
    rule.condition = std::move(*condition);
  }
  c.proxy->use_backends.push_back(std::move(rule));
}

void parse_default_backend(KeywordContext& c) {
  c.ignored_without_frontend("default_backend");
  if (c.word(1).empty()) return c.alert("'default_backend' expects a backend name.");
  if (c.at_most(2, "default_backend")) c.proxy->default_backend = std::string(c.word(1));
}

constexpr KeywordRow kRows[] = {
    {"acl", kInProxies, parse_acl, "a named condition"},
    {"use_backend", kInProxies, parse_use_backend, "a backend for connections that meet a condition"},
    {"default_backend", kInProxies, parse_default_backend, "the backend of all other connections"},
};

}  // namespace

std::span<const KeywordRow> routing_keywords() { return kRows; }

}  // namespace holdfast::proxy
