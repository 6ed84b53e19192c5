// Help: the answer of `<container> HELP`, in the original's frame.
#pragma once

#include <span>
#include <string_view>

#include "family/context.h"

namespace holdfast::family {

/// `lines` are those between the head line and HELP's own two.
void reply_help(Context& c, std::span<const std::string_view> lines);
/// A subcommand with words it does not take.
void reply_unknown_subcommand(Context& c);

}  // namespace holdfast::family
