// Redaction: the words of a command as SLOWLOG and MONITOR may show them.
//
// Source of the rule: which arguments redis-server 7.2 shows as `(redacted)` - passwords, and all of ACL SETUSER.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "command/spec.h"

namespace holdfast::family {

/// `words`, or, where something must not be shown, a copy in `storage` that says so.
std::span<const std::string_view> shown_words(const command::Spec& spec, std::span<const std::string_view> words,
                                              std::vector<std::string_view>& storage);

}  // namespace holdfast::family
