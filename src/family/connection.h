// What commands on connections share.
#pragma once

#include <string_view>

#include "family/context.h"

namespace holdfast::family {

inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";
/// Printable ASCII without blanks; empty is fine.
bool is_client_name(std::string_view name);

/// Ends the connections of a user that is about to be removed.
void end_sessions_of(Context& c, acl::UserId id);

}  // namespace holdfast::family
