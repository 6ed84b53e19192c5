#include "sentinel/config_file.h"

#include <fmt/format.h>

#include <cerrno>

#include "base/error_text.h"
#include "sentinel/config.h"

namespace holdfast::sentinel {

ConfigFile::ConfigFile(Core& core) : core_(core) {
  for (const conf::Directive& directive : core.options.conf.directives) {
    const bool ours = directive.words[0] == "sentinel" || directive.words[0] == "user";
    if (ours || directive.place.file != core.options.config_path) continue;
    given_[conf::document_key(directive.words)].push_back(directive.text);
  }
}

void ConfigFile::save_if_needed() {
  if (reading_ || !core_.saver.should_write() || core_.exiting) return;
  reading_ = core_.new_job();
  former_.clear();
  core_.act(action::ReadFile{*reading_, core_.options.config_path});
}

void ConfigFile::file_data(JobId job, std::string_view bytes) {
  if (reading_ == job && former_.size() <= kConfigBytesMax) former_ += bytes;
}

std::optional<Saver::Finished> ConfigFile::job_done(JobId job, int status) {
  std::optional<Saver::Finished> finished;
  if (reading_ == job) {
    reading_.reset();
    if (status == 0 && former_.size() > kConfigBytesMax) status = EFBIG;
    // Somebody's directory in its place is told when the new file cannot take that place.
    if (status == ENOENT || status == EISDIR) status = 0;
    if (status == 0) {
      write();
      return std::nullopt;
    }
    core_.saver.begin(job);
  }
  finished = core_.saver.finish(job, status == 0);
  if (status != 0) {
    core_.log(
        LogLevel::kWarning,
        fmt::format("WARNING: Sentinel was not able to save the new configuration on disk!!!: {}", error_text(status)));
  }
  if (finished && finished->ok) core_.log(LogLevel::kNotice, "Sentinel new configuration saved on disk");
  return finished;
}

void ConfigFile::write() {
  conf::Document document(former_);
  former_ = {};
  for (const auto& [key, lines] : given_) {
    if (!document.contains(key)) document.set(key, lines);
  }
  render_config(core_, document);
  const JobId job = core_.new_job();
  core_.saver.begin(job);
  core_.act(action::WriteFile{job, core_.options.config_path, document.print(), 0644});
  const auto write_more = [this](const std::string& path, std::string bytes) {
    const JobId more = core_.new_job();
    core_.saver.begin_more(more);
    core_.act(action::WriteFile{more, path, std::move(bytes), 0644});
  };
  const std::string extension = render_extension(core_);
  if (extension != core_.options.extension_text) {
    core_.options.extension_text = extension;
    write_more(extension_path(core_.options.config_path), extension);
  }
  if (core_.users_to_save) write_more(core_.settings.aclfile, core_.users.save());
  core_.users_to_save = false;
}

}  // namespace holdfast::sentinel
