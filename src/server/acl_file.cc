#include "server/acl_file.h"

#include <fmt/format.h>

#include "acl/answers.h"
#include "base/error_text.h"
#include "server/engine.h"

namespace holdfast::server {

using family::Session;

namespace {
std::string cannot_open(std::string_view path, int error) {
  return fmt::format("Error loading ACLs, opening file '{}': {}", path, error_text(error));
}
}  // namespace

void AclFile::log_warnings() {
  for (std::string& line : engine_.state_.users.take_warnings()) engine_.log(LogLevel::kWarning, std::move(line));
}

bool AclFile::start() {
  family::State& state = engine_.state_;
  const family::Settings& settings = state.settings;
  state.users.set_default_password(settings.requirepass);
  if (!settings.aclfile.empty() && !settings.user_lines.empty()) {
    engine_.log(LogLevel::kWarning, std::string(acl::kBothSources));
    return false;
  }
  const auto applied = state.users.apply_lines(settings.user_lines);
  log_warnings();
  if (!applied) {
    engine_.log(LogLevel::kWarning, applied.error());
    engine_.log(LogLevel::kWarning, "Critical error while loading ACLs. Exiting.");
    return false;
  }
  if (settings.aclfile.empty()) return true;
  const auto& file = engine_.options_.acl_file;
  const std::string error = file ? adopt(*file) : cannot_open(settings.aclfile, file.error());
  if (error.empty()) return true;
  engine_.log(LogLevel::kWarning, "Aborting Redis startup because of ACL errors: " + error);
  return false;
}

std::string AclFile::adopt(std::string_view content) {
  family::State& state = engine_.state_;
  const auto loaded = state.users.load(content, state.settings.aclfile);
  log_warnings();
  if (!loaded) return loaded.error();
  std::vector<Session*> others;
  engine_.visit_sessions([&](Session& session) {
    if (session.user != acl::kDefaultUser) others.push_back(&session);
  });
  for (Session* session : others) {
    session->user = acl::kDefaultUser;
    session->authenticated = false;
    session->close_after_reply = true;
    if (!session->blocked) engine_.close_session(*session);
  }
  return {};
}

void AclFile::load(family::Context& context) {
  if (engine_.in_exec()) return context.reply.error("ERR ACL LOAD has to wait for its file: not inside a transaction");
  const JobId job = engine_.next_job();
  jobs_.emplace(job, Job{.client = context.session.id});
  context.session.blocked = true;
  engine_.act(action::ReadFile{job, engine_.state_.settings.aclfile});
}

void AclFile::save(family::Context& context) {
  const JobId job = engine_.next_job();
  jobs_.emplace(job, Job{.client = context.session.id, .saving = true, .answered = engine_.in_exec()});
  engine_.act(action::WriteFile{job, engine_.state_.settings.aclfile, engine_.state_.users.save(), 0644});
  context.session.blocked = true;
  if (!engine_.in_exec()) return;
  context.reply.ok();
  context.session.output_held = true;
}

bool AclFile::file_data(JobId job, std::string_view bytes) {
  const auto at = jobs_.find(job);
  if (at == jobs_.end()) return false;
  at->second.content += bytes;
  return true;
}

bool AclFile::job_done(JobId id, int status) {
  const auto at = jobs_.find(id);
  if (at == jobs_.end()) return false;
  const Job job = std::move(at->second);
  jobs_.erase(at);
  std::string error;
  if (job.saving) {
    if (status != 0) {
      engine_.log(LogLevel::kWarning, fmt::format("Writing ACL file for ACL SAVE: {}", error_text(status)));
      error = acl::kNotSaved;
    }
  } else {
    error = status == 0 ? adopt(job.content) : cannot_open(engine_.state_.settings.aclfile, status);
    if (!error.empty()) error.insert(0, "ERR ");
  }
  if (Session* session = engine_.clients_.find_by_id(job.client)) session->output_held = false;
  engine_.unblock(job.client, [&](command::Reply& reply) {
    if (job.answered) return;
    error.empty() ? reply.ok() : reply.error(error);
  });
  return true;
}

}  // namespace holdfast::server
