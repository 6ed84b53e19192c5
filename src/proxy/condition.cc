#include "proxy/condition.h"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "base/text.h"
#include "conf/haproxy_value.h"

namespace holdfast::proxy {
namespace {

using Fetch = ConditionTerm::Fetch;
struct FetchRow {
  std::string_view name;
  Fetch fetch;
  enum class Match : uint8_t { kBoolean, kNetwork, kInteger } match;
};
constexpr FetchRow kFetches[] = {
    {"always_true", Fetch::kTrue, FetchRow::Match::kBoolean},
    {"always_false", Fetch::kFalse, FetchRow::Match::kBoolean},
    {"src", Fetch::kSource, FetchRow::Match::kNetwork},
    {"dst_port", Fetch::kDestinationPort, FetchRow::Match::kInteger},
    {"srv_is_up", Fetch::kServerIsUp, FetchRow::Match::kBoolean},
    {"nbsrv", Fetch::kServersUp, FetchRow::Match::kInteger},
};

/// 16 bytes of an IPv6 address (IPv4 mapped into the last four), nullopt = not a literal.
std::optional<std::array<uint8_t, 16>> address_bytes(std::string_view host, bool* v6) {
  std::array<uint8_t, 16> bytes{};
  *v6 = host.find(':') != std::string_view::npos;
  if (!*v6) {
    const auto parts = split(host, '.');
    if (parts.size() != 4) return std::nullopt;
    for (size_t i = 0; i < 4; ++i) {
      const auto part = parse_uint64(parts[i]);
      if (!part || *part > 255) return std::nullopt;
      bytes[12 + i] = static_cast<uint8_t>(*part);
    }
    return bytes;
  }
  std::array<uint16_t, 8> head{};
  size_t count = 0;
  std::optional<size_t> gap;
  std::string_view rest = host;
  while (!rest.empty() && count < 8) {
    if (rest.starts_with("::")) {
      if (gap) return std::nullopt;
      gap = count;
      rest.remove_prefix(2);
      continue;
    }
    if (rest.starts_with(':')) rest.remove_prefix(1);
    const size_t end = rest.find(':');
    const std::string_view group = rest.substr(0, end);
    if (group.empty() || group.size() > 4) return std::nullopt;
    uint32_t value = 0;
    for (char c : group) {
      const char lower = to_lower(c);
      if (!((lower >= '0' && lower <= '9') || (lower >= 'a' && lower <= 'f'))) return std::nullopt;
      value = value * 16 + static_cast<uint32_t>(lower <= '9' ? lower - '0' : lower - 'a' + 10);
    }
    head[count++] = static_cast<uint16_t>(value);
    rest.remove_prefix(group.size());
  }
  if (!rest.empty() || (!gap && count != 8)) return std::nullopt;
  std::array<uint16_t, 8> groups{};
  const size_t before = gap.value_or(count);
  for (size_t i = 0; i < before; ++i) groups[i] = head[i];
  for (size_t i = before; i < count; ++i) groups[8 - (count - i)] = head[i];
  for (size_t i = 0; i < 8; ++i) {
    bytes[2 * i] = static_cast<uint8_t>(groups[i] >> 8);
    bytes[2 * i + 1] = static_cast<uint8_t>(groups[i] & 255);
  }
  return bytes;
}

bool parse_integer_patterns(const std::vector<std::string_view>& words, ConditionTerm* term) {
  std::string_view verb = "eq";
  for (size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word == "eq" || word == "ge" || word == "gt" || word == "le" || word == "lt") {
      verb = word;
      continue;
    }
    const size_t colon = word.find(':');
    const auto low = conf::whole_integer(word.substr(0, colon));
    const auto high = colon == std::string_view::npos ? low : conf::whole_integer(word.substr(colon + 1));
    if (!low || !high) return false;
    if (verb == "eq") term->ranges.emplace_back(*low, *high);
    if (verb == "ge") term->ranges.emplace_back(*low, INT64_MAX);
    if (verb == "gt") term->ranges.emplace_back(*low + 1, INT64_MAX);
    if (verb == "le") term->ranges.emplace_back(INT64_MIN, *low);
    if (verb == "lt") term->ranges.emplace_back(INT64_MIN, *low - 1);
  }
  return true;
}

bool term_holds(const ConditionTerm& term, const ConditionSubject& subject) {
  auto in_ranges = [&term](int64_t value) {
    if (term.ranges.empty()) return value != 0;
    for (const auto& [low, high] : term.ranges) {
      if (value >= low && value <= high) return true;
    }
    return false;
  };
  switch (term.fetch) {
    case Fetch::kTrue:
      return true;
    case Fetch::kFalse:
      return false;
    case Fetch::kSource:
      for (const std::string& network : term.patterns) {
        if (in_network(subject.source().host, network)) return true;
      }
      return false;
    case Fetch::kDestinationPort:
      return in_ranges(subject.destination_port());
    case Fetch::kServerIsUp:
      return subject.server_is_up(term.argument);
    case Fetch::kServersUp:
      return in_ranges(subject.servers_up(term.argument));
  }
  return false;
}

}  // namespace

bool in_network(std::string_view host, std::string_view network) {
  const size_t slash = network.find('/');
  bool host_v6 = false;
  bool network_v6 = false;
  const auto left = address_bytes(host, &host_v6);
  const auto right = address_bytes(network.substr(0, slash), &network_v6);
  if (!left || !right || host_v6 != network_v6) return false;
  const int64_t most = host_v6 ? 128 : 32;
  int64_t bits = slash == std::string_view::npos ? most : conf::leading_integer(network.substr(slash + 1));
  if (bits < 0 || bits > most) return false;
  bits += 128 - most;
  for (size_t i = 0; i < 16; ++i) {
    const int64_t here = std::max<int64_t>(0, std::min<int64_t>(8, bits - static_cast<int64_t>(i) * 8));
    // The first 12 bytes of a mapped IPv4 address are zero on both sides.
    const auto mask = static_cast<uint8_t>(0xff00 >> here);
    if (((*left)[i] & mask) != ((*right)[i] & mask)) return false;
  }
  return true;
}

std::expected<ConditionTerm, std::string> parse_condition_term(const std::vector<std::string_view>& words) {
  ConditionTerm term;
  std::string_view name = words.empty() ? std::string_view() : words[0];
  if (name.empty()) return std::unexpected(std::string("missing fetch method in ACL expression ''"));
  if (name.starts_with('!')) {
    term.negated = true;
    name.remove_prefix(1);
  }
  const size_t open = name.find('(');
  const std::string_view fetch_name = name.substr(0, open);
  const FetchRow* row = nullptr;
  for (const FetchRow& candidate : kFetches) {
    if (candidate.name == fetch_name) row = &candidate;
  }
  if (row == nullptr) {
    return std::unexpected(fmt::format("unknown fetch method '{}' in ACL expression '{}'", fetch_name, name));
  }
  term.fetch = row->fetch;
  if (open != std::string_view::npos) {
    if (!name.ends_with(')'))
      return std::unexpected(fmt::format(
          "missing closing ')' after arguments to fetch keyword '{}' in ACL expression '{}'", fetch_name, name));
    term.argument = std::string(name.substr(open + 1, name.size() - open - 2));
  }
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i].starts_with('-')) return std::unexpected(fmt::format("flag '{}' is not supported", words[i]));
  }
  switch (row->match) {
    case FetchRow::Match::kBoolean:
      break;
    case FetchRow::Match::kInteger:
      if (!parse_integer_patterns(words, &term)) {
        return std::unexpected(fmt::format("'{}' is not a number", words.back()));
      }
      break;
    case FetchRow::Match::kNetwork:
      for (size_t i = 1; i < words.size(); ++i) {
        bool v6 = false;
        if (!address_bytes(words[i].substr(0, words[i].find('/')), &v6)) {
          return std::unexpected(fmt::format("'{}' is not a valid IPv4 or IPv6 address", words[i]));
        }
        term.patterns.emplace_back(words[i]);
      }
      break;
  }
  return term;
}

std::expected<Condition, std::string> parse_condition(const std::vector<std::string_view>& words,
                                                      const std::map<std::string, Condition>& acls) {
  // A named acl is an "or" of terms; negated, its terms must all fail. Both fit an or of ands by distribution, which
  // is bounded: more than this many alternatives are refused.
  constexpr size_t kAlternativesMax = 256;
  Condition result;
  std::vector<std::vector<ConditionTerm>> group{{}};
  for (size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    if (word == "or" || word == "||") {
      result.insert(result.end(), group.begin(), group.end());
      group = {{}};
      continue;
    }
    bool negated = false;
    while (word.starts_with('!')) {
      negated = !negated;
      word.remove_prefix(1);
      if (word.empty() && i + 1 < words.size()) word = words[++i];
    }
    std::vector<ConditionTerm> alternatives;
    if (word == "{") {
      std::vector<std::string_view> inner;
      while (++i < words.size() && words[i] != "}") inner.push_back(words[i]);
      if (i >= words.size()) return std::unexpected(std::string("missing closing '}' in condition"));
      auto term = parse_condition_term(inner);
      if (!term) return std::unexpected(term.error());
      alternatives.push_back(std::move(*term));
    } else if (word == "TRUE" || word == "FALSE") {
      alternatives.push_back({.fetch = word == "TRUE" ? Fetch::kTrue : Fetch::kFalse});
    } else if (word == "LOCALHOST") {
      alternatives.push_back({.fetch = Fetch::kSource, .patterns = {"127.0.0.0/8", "::1"}});
    } else {
      const auto acl = acls.find(std::string(word));
      if (acl == acls.end()) return std::unexpected(fmt::format("no such ACL : '{}'", word));
      for (const auto& terms : acl->second) alternatives.push_back(terms.front());
    }
    for (ConditionTerm& term : alternatives) term.negated = term.negated != negated;
    std::vector<std::vector<ConditionTerm>> next;
    for (const auto& so_far : group) {
      if (negated) {
        next.push_back(so_far);
        next.back().insert(next.back().end(), alternatives.begin(), alternatives.end());
        continue;
      }
      for (const ConditionTerm& term : alternatives) {
        next.push_back(so_far);
        next.back().push_back(term);
      }
    }
    group = std::move(next);
    if (result.size() + group.size() > kAlternativesMax) return std::unexpected(std::string("condition is too large"));
  }
  result.insert(result.end(), group.begin(), group.end());
  return result;
}

bool holds(const Condition& condition, const ConditionSubject& subject) {
  if (condition.empty()) return true;
  for (const auto& terms : condition) {
    bool all = true;
    for (const ConditionTerm& term : terms) all = all && term_holds(term, subject) != term.negated;
    if (all) return true;
  }
  return false;
}

}  // namespace holdfast::proxy
