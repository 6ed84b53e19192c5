// Engine, continued: scripts and functions - one at a time, between any other two commands.
#include "server/engine.h"
#include "server/script_run.h"

namespace holdfast::server {

void Engine::run_script(family::Context& context, const ScriptCall& call,
                        store::FunctionRef<script::Outcome(script::Host&)> run) {
  ScriptRun host(*this, context, call);
  if (const std::string error = host.refuse_start(); !error.empty()) return context.reply.error(error);
  state_.running_script = family::RunningScript{.name = std::string(call.name),
                                                .command = {context.argv.begin(), context.argv.end()},
                                                .started = context.now.mono,
                                                .is_function = call.is_function,
                                                .from_primary = context.session.role == family::Role::kPrimary};
  const script::Outcome outcome = run(host);
  context.error_counted = outcome.counted_error;
  context.drop_effect();  // the effects of its commands are all there is to pass on
  state_.running_script.reset();
}

std::string Engine::kill_script(bool function) {
  if (!state_.running_script) return "NOTBUSY No scripts in execution right now.";
  family::RunningScript& running = *state_.running_script;
  if (running.from_primary) {
    return "UNKILLABLE The busy script was sent by a master instance in the context of replication and cannot be "
           "killed.";
  }
  if (running.wrote) {
    return "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the "
           "script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.";
  }
  if (running.is_function != function) {
    return std::string(running.is_function ? family::kBusyWithFunction : family::kBusyWithScript);
  }
  running.killed = true;
  return {};
}

}  // namespace holdfast::server
