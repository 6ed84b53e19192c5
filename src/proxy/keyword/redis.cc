// The redis-aware directives: `sentinels` sections, and what a backend says about its primary. They belong inside
// `.if feature(REDIS_AWARE)`; the wording of their errors is ours.
#include "base/text.h"
#include "proxy/address_spec.h"
#include "proxy/keyword/keyword.h"

namespace holdfast::proxy {
namespace {

/// The first line that is neither empty nor a comment: `password` or `user password`.
bool read_auth(KeywordContext& c, RedisAuth* auth) {
  if (c.word(1).empty()) {
    c.alert("'{}' expects the path of a file with a line '[user] password'.", c.word(0));
    return false;
  }
  if (!c.at_most(2, c.word(0))) return false;
  if (c.options.files == nullptr) return true;
  const auto text = c.options.files->read(std::string(c.word(1)));
  if (!text) {
    c.alert("'{}' : cannot read '{}' : {}.", c.word(0), c.word(1), text.error());
    return false;
  }
  for (std::string_view line : split(*text, '\n')) {
    line = trim(line);
    if (line.empty() || line.starts_with('#')) continue;
    const size_t gap = line.find_first_of(" \t");
    auth->user = gap == std::string_view::npos ? "" : std::string(line.substr(0, gap));
    auth->password = std::string(gap == std::string_view::npos ? line : trim(line.substr(gap)));
    return true;
  }
  c.alert("'{}' : '{}' has no line '[user] password'.", c.word(0), c.word(1));
  return false;
}

void parse_sentinel(KeywordContext& c) {
  if (c.count() < 3) return c.alert("'sentinel' expects <name> and <addr>:<port> as arguments.");
  if (!c.at_most(3, "sentinel")) return;
  SentinelsConfig& section = c.config.sentinels.back();
  for (const SentinelConfig& other : section.members) {
    if (other.name == c.word(1)) return c.alert("sentinel '{}' is already defined in '{}'.", other.name, section.name);
  }
  AddressRules rules;
  rules.port_required = true;
  rules.name_kept = true;
  const auto spec = parse_address(c.word(2), rules);
  if (!spec) return c.alert("'sentinel {}' : {}.", c.word(1), spec.error());
  SentinelConfig sentinel{.name = std::string(c.word(1)), .address = spec->address, .fqdn = spec->name};
  if (!spec->name.empty()) {
    sentinel.address.host = spec->name;
    if (c.options.names != nullptr) {
      const auto found = c.options.names->lookup(spec->name);
      if (found.empty()) return c.alert("'sentinel {}' : could not resolve address '{}'.", c.word(1), spec->name);
      sentinel.address.host = found.front();
    }
  }
  section.members.push_back(std::move(sentinel));
}

void parse_sentinels_auth(KeywordContext& c) { read_auth(c, &c.config.sentinels.back().auth); }

void parse_redis_primary(KeywordContext& c) {
  if (c.ignored_without_backend("redis-primary")) return;
  if (c.proxy->kind == ProxyConfig::Kind::kDefaults) {
    return c.alert("'redis-primary' not allowed in 'defaults' section.");
  }
  const std::string_view word = c.word(1);
  const size_t slash = word.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == word.size()) {
    return c.alert("'redis-primary' expects <sentinels>/<name>, a sentinels section and the name it monitors.");
  }
  if (!c.at_most(2, "redis-primary")) return;
  c.proxy->redis_primary = {std::string(word.substr(0, slash)), std::string(word.substr(slash + 1))};
}

void parse_redis_auth(KeywordContext& c) {
  if (!c.ignored_without_backend("redis-auth-file")) read_auth(c, &c.proxy->redis_auth);
}

void parse_fast_check(KeywordContext& c) {
  if (c.ignored_without_backend("redis-fast-check")) return;
  if (c.at_most(1, "redis-fast-check")) c.proxy->redis_fast_check = !c.negated;
}

constexpr KeywordRow kRows[] = {
    {"sentinel", kInSentinels, parse_sentinel, "a Sentinel: name, address"},
    {"auth-file", kInSentinels, parse_sentinels_auth, "file with the `[user] password` of the Sentinels"},
    {"redis-primary", kInProxies, parse_redis_primary, "follow the primary that a sentinels section names"},
    {"redis-auth-file", kInProxies, parse_redis_auth, "file with the `[user] password` that checks log in with"},
    {"redis-fast-check", kInProxies, parse_fast_check, "checks for a Redis role conclude and repeat promptly"},
};

}  // namespace

std::span<const KeywordRow> redis_keywords() { return kRows; }

}  // namespace holdfast::proxy
