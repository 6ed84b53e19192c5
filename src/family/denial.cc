#include "family/denial.h"

namespace holdfast::family {
namespace {

using acl::Denied;

void note(State& state, const Services& services, const Session& session, acl::LogEntry entry, Now now) {
  entry.client = services.client_line(session, now);
  entry.updated_ms = unix_ms(now.wall);
  state.acl_log.add(std::move(entry), static_cast<size_t>(state.settings.acllog_max_len));
}

}  // namespace

void note_denial(State& state, const Services& services, const Session& session, const DeniedRequest& request,
                 acl::LogContext context, Now now) {
  acl::LogEntry entry;
  entry.reason = request.verdict.denied;
  entry.context = context;
  entry.username = state.users.at(session.user).name();
  entry.object = request.verdict.denied == Denied::kCommand ? command::full_name(request.spec)
                                                            : std::string(request.words[request.verdict.position]);
  note(state, services, session, std::move(entry), now);
}

void note_failed_login(State& state, const Services& services, const Session& session, std::string_view command,
                       std::string_view username, Now now) {
  acl::LogEntry entry;
  entry.reason = Denied::kAuth;
  entry.context = session.transaction.open ? acl::LogContext::kMulti : acl::LogContext::kTopLevel;
  entry.username = username;
  entry.object = command;
  note(state, services, session, std::move(entry), now);
}

}  // namespace holdfast::family
