// Names: host names and their addresses, looked up off the machine's thread.
//
// Source: redis-sentinel's `resolve-hostnames`. With it off only literals are accepted. With it on a name's last answer
// is kept, and replaced whenever a link asks anew; a name that once resolved keeps its address when a later look-up
// fails. Bound: kNamesMax names, further ones do not resolve.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "sentinel/instance.h"

namespace holdfast::sentinel {

struct Core;

inline constexpr size_t kNamesMax = 4096;

class Names {
 public:
  /// The address of a literal, or a name's last answer; nullopt: not known (yet), or names are not allowed.
  std::optional<std::string> find(const Core& core, std::string_view host) const;
  /// True: a name whose answer is still to come.
  bool pending(std::string_view host) const;
  /// True: a name that was looked up, without success.
  bool failed(std::string_view host) const;
  /// Starts a look-up unless one is under way. Literals need none. Returns whether one is under way now.
  bool request(Core& core, std::string_view host);
  /// The name the job was about; nullopt: not a job of ours. Logs failures.
  std::optional<std::string> answered(Core& core, JobId job, const std::vector<std::string>& addresses);
  bool idle() const { return jobs_.empty(); }

 private:
  struct Entry {
    std::string ip;  // empty: never resolved
    bool pending = false;
    bool failed = false;
  };
  std::map<std::string, Entry, std::less<>> entries_;
  std::map<JobId, std::string> jobs_;
};

}  // namespace holdfast::sentinel
