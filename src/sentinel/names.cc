#include "sentinel/names.h"

#include <fmt/format.h>

#include "base/address.h"
#include "sentinel/core.h"
#include "sentinel/hello.h"

namespace holdfast::sentinel {

std::optional<std::string> Names::find(const Core& core, std::string_view host) const {
  if (is_numeric_host(host)) return std::string(host);
  if (!core.settings.style.resolve_hostnames) return std::nullopt;
  const auto at = entries_.find(host);
  if (at == entries_.end() || at->second.ip.empty()) return std::nullopt;
  return at->second.ip;
}

bool Names::pending(std::string_view host) const {
  const auto at = entries_.find(host);
  return at != entries_.end() && at->second.pending;
}

bool Names::failed(std::string_view host) const {
  const auto at = entries_.find(host);
  return at != entries_.end() && at->second.failed;
}

bool Names::request(Core& core, std::string_view host) {
  if (!core.settings.style.resolve_hostnames || is_numeric_host(host) || !is_plain_word(host)) return false;
  auto at = entries_.find(host);
  if (at == entries_.end()) {
    if (entries_.size() >= kNamesMax) return false;
    at = entries_.emplace(std::string(host), Entry{}).first;
  }
  if (at->second.pending) return true;
  at->second.pending = true;
  const JobId job = core.new_job();
  jobs_[job] = at->first;
  core.act(action::Resolve{job, at->first});
  return true;
}

std::optional<std::string> Names::answered(Core& core, JobId job, const std::vector<std::string>& addresses) {
  const auto at = jobs_.find(job);
  if (at == jobs_.end()) return std::nullopt;
  std::string host = std::move(at->second);
  jobs_.erase(at);
  Entry& entry = entries_[host];
  entry.pending = false;
  entry.failed = addresses.empty();
  if (addresses.empty()) {
    core.log(LogLevel::kWarning, fmt::format("Failed to resolve hostname '{}'", host));
  } else {
    entry.ip = addresses.front();
  }
  return host;
}

}  // namespace holdfast::sentinel
