// Conditions: what `acl` and `if` / `unless` say, and whether it holds. Three answers: yes, no, and not yet known,
// while bytes that a fetch looks at may still come. Source: HAProxy configuration manual 7 "Using ACLs and fetching
// samples".
#pragma once

#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config_parse.h"
#include "proxy/rule/rule_config.h"

namespace holdfast::proxy {

class SampleContext;

/// `words` = what follows `acl <name>`, or stands between `{` and `}`. The error is HAProxy's text.
std::expected<ConditionTerm, std::string> parse_condition_term(const std::vector<std::string_view>& words,
                                                               FileLookup* files);

/// `words` = what follows `if` or `unless`.
std::expected<Condition, std::string> parse_condition(const std::vector<std::string_view>& words,
                                                      const std::map<std::string, Condition>& acls, FileLookup* files);

enum class Truth : uint8_t { kNo, kYes, kUnknown };
Truth holds(const Condition& condition, const SampleContext& context);
/// With `unless` taken into account.
Truth holds(const RuleCondition& condition, const SampleContext& context);

}  // namespace holdfast::proxy
