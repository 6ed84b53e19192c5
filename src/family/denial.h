// Denials: what is remembered of a user who may not do something. What is said is acl/answers.h's.
#pragma once

#include <string>
#include <string_view>

#include "acl/answers.h"
#include "family/services.h"
#include "family/state.h"

namespace holdfast::family {

using acl::DeniedRequest;

/// An entry of ACL LOG for `session`'s refused request.
void note_denial(State& state, const Services& services, const Session& session, const DeniedRequest& request,
                 acl::LogContext context, Now now);
/// The same for a refused AUTH or HELLO (`command` as the client wrote it).
void note_failed_login(State& state, const Services& services, const Session& session, std::string_view command,
                       std::string_view username, Now now);

}  // namespace holdfast::family
