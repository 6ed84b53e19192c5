// What COMMAND and COMMAND DOCS share: which commands there are, and how they are named.
#pragma once

#include <string_view>
#include <vector>

#include "family/context.h"

namespace holdfast::family {

/// Commands with a handler: subcommands of `parent`, or those that are nobody's (kNoSpec).
std::vector<command::SpecIndex> served(Context& c, command::SpecIndex parent);
/// `get` or `config|get`; kNoSpec if there is none.
command::SpecIndex find_full(std::string_view name);

}  // namespace holdfast::family
