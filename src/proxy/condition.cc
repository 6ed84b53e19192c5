#include "proxy/condition.h"

#include <fmt/format.h>

#include <optional>

#include "base/assert.h"
#include "proxy/sample/context.h"

namespace holdfast::proxy {
namespace {

/// `path_beg` is `path -m beg`: the names that old files use.
struct Derived {
  std::string_view suffix;
  PatternMethod method;
};
constexpr Derived kDerived[] = {
    {"_beg", PatternMethod::kBegin},  {"_end", PatternMethod::kEnd},       {"_sub", PatternMethod::kSubstring},
    {"_reg", PatternMethod::kRegex},  {"_dir", PatternMethod::kDirectory}, {"_dom", PatternMethod::kDomain},
    {"_len", PatternMethod::kLength},
};

ConditionTerm made(std::string_view fetch, PatternMethod method, std::vector<std::string> texts) {
  ConditionTerm term;
  const auto expression = parse_expression(fetch, "ACL expression");
  HF_ASSERT(expression.has_value());
  term.expression = *expression;
  auto set = std::make_shared<PatternSet>();
  set->method = method;
  set->texts = std::move(texts);
  term.patterns = std::move(set);
  return term;
}

/// The conditions that exist without being written.
std::optional<ConditionTerm> built_in_term(std::string_view name) {
  if (name == "TRUE") return made("always_true", PatternMethod::kBoolean, {});
  if (name == "FALSE") return made("always_false", PatternMethod::kBoolean, {});
  if (name == "LOCALHOST") return made("src", PatternMethod::kAddress, {"127.0.0.0/8", "::1"});
  if (name == "METH_GET") return made("method", PatternMethod::kExact, {"GET", "HEAD"});
  if (name == "METH_POST") return made("method", PatternMethod::kExact, {"POST"});
  if (name == "HTTP") return made("always_false", PatternMethod::kBoolean, {});
  if (name == "WAIT_END") {
    ConditionTerm term = made("always_true", PatternMethod::kBoolean, {});
    term.wait_end = true;
    return term;
  }
  if (name == "REQ_CONTENT") {
    ConditionTerm term = made("req.len", PatternMethod::kInteger, {});
    auto set = std::make_shared<PatternSet>();
    set->method = PatternMethod::kInteger;
    set->ranges.emplace_back(1, INT64_MAX);
    term.patterns = std::move(set);
    return term;
  }
  return std::nullopt;
}

Truth term_holds(const ConditionTerm& term, const SampleContext& context) {
  if (term.wait_end && !context.final) return Truth::kUnknown;
  const Sample sample = evaluate(term.expression, context);
  const bool matches = sample.value && term.patterns->matches(*sample.value);
  // COMPAT: what may still change decides nothing, unless it already matches.
  if (!matches && sample.may_change && !context.final) return Truth::kUnknown;
  return matches != term.negated ? Truth::kYes : Truth::kNo;
}

}  // namespace

std::expected<ConditionTerm, std::string> parse_condition_term(const std::vector<std::string_view>& words,
                                                               FileLookup* files) {
  ConditionTerm term;
  std::string name = words.empty() ? std::string() : std::string(words[0]);
  if (name.empty()) return std::unexpected(std::string("missing fetch method in ACL expression ''"));
  if (name.starts_with('!')) {
    term.negated = true;
    name.erase(0, 1);
  }
  auto expression = parse_expression(name, "ACL expression");
  std::optional<PatternMethod> method;
  if (!expression) {
    const size_t open = std::min(name.find('('), name.size());
    for (const Derived& derived : kDerived) {
      if (!std::string_view(name).substr(0, open).ends_with(derived.suffix)) continue;
      std::string plain = name;
      plain.erase(open - derived.suffix.size(), derived.suffix.size());
      auto again = parse_expression(plain, "ACL expression");
      if (!again) continue;
      expression = std::move(again);
      method = derived.method;
    }
  }
  if (!expression) return std::unexpected(expression.error());
  term.expression = std::move(*expression);
  // Behind converters the type is not known here; texts are what they mostly yield.
  const bool converted = !term.expression.converters.empty();
  if (!method) method = converted ? PatternMethod::kExact : method_for(fetch_at(term.expression.fetch).type);
  auto patterns = parse_patterns({words.begin() + 1, words.end()}, *method, files);
  if (!patterns) return std::unexpected(patterns.error());
  term.patterns = std::move(*patterns);
  return term;
}

std::expected<Condition, std::string> parse_condition(const std::vector<std::string_view>& words,
                                                      const std::map<std::string, Condition>& acls, FileLookup* files) {
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
      auto term = parse_condition_term(inner, files);
      if (!term) return std::unexpected(term.error());
      alternatives.push_back(std::move(*term));
    } else if (const auto built_in = built_in_term(word)) {
      alternatives.push_back(*built_in);
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

/// COMPAT: as in HAProxy, the first alternative that is not refuted decides: an unknown one makes the whole wait.
Truth holds(const Condition& condition, const SampleContext& context) {
  if (condition.empty()) return Truth::kYes;
  for (const auto& terms : condition) {
    Truth all = Truth::kYes;
    for (const ConditionTerm& term : terms) {
      all = term_holds(term, context);
      if (all != Truth::kYes) break;
    }
    if (all != Truth::kNo) return all;
  }
  return Truth::kNo;
}

Truth holds(const RuleCondition& condition, const SampleContext& context) {
  const Truth truth = holds(condition.terms, context);
  if (truth == Truth::kUnknown || !condition.unless) return truth;
  return truth == Truth::kYes ? Truth::kNo : Truth::kYes;
}

}  // namespace holdfast::proxy
