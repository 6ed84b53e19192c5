#include <array>

#include "proxy/keyword/keyword.h"

namespace holdfast::proxy {

std::span<const std::span<const KeywordRow>> all_keywords() {
  static const std::array<std::span<const KeywordRow>, 13> kTables = {
      global_keywords(), section_keywords(),   bind_keywords(), server_keywords(), check_keywords(),
      option_keywords(), routing_keywords(),   log_keywords(),  redis_keywords(),  table_keywords(),
      http_keywords(),   resolvers_keywords(), tls_keywords(),
  };
  return kTables;
}

const KeywordRow* find_keyword(std::string_view name, uint8_t section) {
  for (const auto& table : all_keywords()) {
    for (const KeywordRow& row : table) {
      if (row.name == name && (row.sections & section) != 0) return &row;
    }
  }
  return nullptr;
}

char forbidden_character(std::string_view name) {
  for (char c : name) {
    const bool fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
                      c == ':' || c == '-' || c == '_';
    if (!fine) return c;
  }
  return 0;
}

std::string_view kind_word(const ProxyConfig& proxy) {
  switch (proxy.kind) {
    case ProxyConfig::Kind::kDefaults:
      return "defaults";
    case ProxyConfig::Kind::kFrontend:
      return "frontend";
    case ProxyConfig::Kind::kBackend:
      return "backend";
    case ProxyConfig::Kind::kListen:
      return "proxy";
  }
  return "";
}

void KeywordContext::say(conf::Severity severity, std::string_view separator, std::string_view text) {
  diagnostics_.add(severity,
                   fmt::format("config : parsing [{}:{}]{}{}", statement_.file, statement_.line, separator, text));
}

void KeywordContext::alert_at(std::string_view text) {
  diagnostics_.alert(fmt::format("config : [{}:{}] : {}", statement_.file, statement_.line, text));
}

void KeywordContext::alert_plain(std::string_view text) { diagnostics_.alert(fmt::format("config : {}", text)); }

bool KeywordContext::at_most(size_t words, std::string_view name) {
  if (count() <= words) return true;
  alert("'{}' cannot handle unexpected argument '{}'.", name, word(words));
  return false;
}

bool KeywordContext::ignored_without_backend(std::string_view name) {
  if (proxy == nullptr || proxy->kind != ProxyConfig::Kind::kFrontend) return false;
  warn("'{}' ignored because {} '{}' has no backend capability.", name, kind_word(*proxy), proxy->name);
  return true;
}

bool KeywordContext::ignored_without_frontend(std::string_view name, std::string_view hint) {
  if (proxy == nullptr || proxy->kind != ProxyConfig::Kind::kBackend) return false;
  warn("'{}' ignored because {} '{}' has no frontend capability.{}", name, kind_word(*proxy), proxy->name, hint);
  return true;
}

}  // namespace holdfast::proxy
