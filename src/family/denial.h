// Denials: what is said and remembered when a user may not do something.
#pragma once

#include <string>
#include <string_view>

#include "acl/log.h"
#include "family/services.h"
#include "family/state.h"

namespace holdfast::family {

/// What was asked for: the words without their container's error text.
struct DeniedRequest {
  const command::Spec& spec;
  std::span<const std::string_view> words;
  acl::Verdict verdict;
};

/// Without a code. `verbose` names the key or channel (ACL DRYRUN); an error to the client does not.
std::string denial_text(const acl::User& user, const DeniedRequest& request, bool verbose);
/// An entry of ACL LOG for `session`'s refused request.
void note_denial(State& state, const Services& services, const Session& session, const DeniedRequest& request,
                 acl::LogContext context, Now now);
/// The same for a refused AUTH or HELLO (`command` as the client wrote it).
void note_failed_login(State& state, const Services& services, const Session& session, std::string_view command,
                       std::string_view username, Now now);

}  // namespace holdfast::family
