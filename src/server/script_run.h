// ScriptRun: one run of a script or function as the server sees it - what it may still do, and its commands.
//
// Commands run as the caller's user on a session of their own. Once a script has written, errors that come with time
// (full disk, missing replicas, memory) do not stop it half way. Source: scripts of Redis 7.2.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "family/context.h"
#include "script/host.h"

namespace holdfast::server {

class Engine;

class ScriptRun final : public script::Host {
 public:
  ScriptRun(Engine& engine, family::Context& caller, const family::Services::ScriptCall& call);

  /// What forbids it to start: the error's text, or empty.
  std::string refuse_start() const;

  script::Called call(script::Words words, int resp) override;
  std::optional<bool> may_call(script::Words words) override;
  void log(LogLevel level, std::string text) override;
  void set_replication(unsigned targets) override;
  bool go_on() override;

 private:
  bool obeyed() const;  // the stream of our primary
  std::string refuse(command::SpecIndex index, script::Words words);
  std::string refuse_write(const command::Spec& spec) const;
  bool declared() const { return (call_.flags & script::kUndeclared) == 0; }

  Engine& engine_;
  family::Context& caller_;
  const family::Services::ScriptCall& call_;
  family::Session session_;
  bool read_only_;
  bool over_memory_;
  unsigned targets_ = script::kReplicateAll;
  std::string reply_;
};

}  // namespace holdfast::server
