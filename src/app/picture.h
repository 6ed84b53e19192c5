// Picture: the running members of one `holdfast up` directory, by their pid files and the sockets they answer on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/up_plan.h"
#include "base/time.h"
#include "net/child.h"

namespace holdfast::app {

class Picture {
 public:
  /// `root` is absolute. `executable` is what members are started with: this program, but for tests.
  Picture(const Plan& plan, std::string root, std::string executable);

  const Plan& plan() const { return plan_; }
  const std::vector<Member>& members() const { return members_; }
  const std::string& root() const { return root_; }

  /// The directories and the files of a first run; existing files are kept. The error names the path.
  std::string prepare();
  /// A port of a missing member that some other process holds, as a sentence; empty if all are free.
  std::string busy_port() const;
  /// The pid of a running member, 0 if it does not run.
  int64_t pid_of(const Member& member) const;
  size_t running() const;

  /// Starts every member that does not run, in order, or those of one kind. The error says which did not start.
  std::string start_missing();
  std::string start_missing(Member::Kind kind);
  /// The name and end of the first child that ended since the last call, or empty.
  std::string next_death();
  /// Proxy, Sentinels, replicas, primary; each has `patience` to end before it is killed. Returns how many were
  /// running.
  int stop_all(Duration patience);

  /// True if writes through the proxy are acknowledged, several in a row: a proxy that has just started believes that
  /// every server is up and sends some connections to replicas. `why_not` says what it answered.
  bool accepts_writes(std::string* why_not) const;
  /// True if every replica is connected to its primary: from then on a Sentinel finds it in its first INFO.
  bool replicas_follow(std::string* why_not) const;
  /// True if every Sentinel knows every replica and every other Sentinel: before that a crash of the primary may find
  /// no successor or no majority.
  bool sentinels_know_all(std::string* why_not) const;
  /// `primary`, `replica`, `sentinel`, `proxy`, `starting` or `down`.
  std::string role_of(const Member& member) const;

 private:
  struct Child {
    std::string name;
    net::Child child;
  };
  std::vector<std::string> command_of(const Member& member) const;
  bool accepts_write(std::string* why_not) const;
  void stop(const Member& member, Duration patience);
  bool reap_ended(Child& child);

  Plan plan_;
  std::string root_;
  std::string executable_;
  std::vector<Member> members_;
  std::vector<Child> children_;
};

}  // namespace holdfast::app
