// Api: the SENTINEL command.
//
// Source: redis-sentinel 7.2: subcommands, field order and error texts (clients and tools index fields by position).
// Existence and arity of subcommands were checked against the command catalogue before execute().
#pragma once

#include <string_view>
#include <vector>

#include "sentinel/clients.h"
#include "sentinel/election.h"
#include "sentinel/failover.h"

namespace holdfast::sentinel {

class Api {
 public:
  using Args = std::vector<std::string_view>;

  Api(Core& core, Links& links, Failover& failover, Election& election)
      : core_(core), links_(links), failover_(failover), election_(election) {}

  void execute(CommandContext& context, const Args& args);

  // The rows of the table in api.cc.
  void primaries(CommandContext& context, const Args& args);
  void primary(CommandContext& context, const Args& args);
  void replicas(CommandContext& context, const Args& args);
  void sentinels(CommandContext& context, const Args& args);
  void primary_address(CommandContext& context, const Args& args);
  void is_primary_down(CommandContext& context, const Args& args);
  void ckquorum(CommandContext& context, const Args& args);
  void failover(CommandContext& context, const Args& args);
  void reset(CommandContext& context, const Args& args);
  void monitor(CommandContext& context, const Args& args);
  void remove(CommandContext& context, const Args& args);
  void set(CommandContext& context, const Args& args);
  void config(CommandContext& context, const Args& args);
  void flushconfig(CommandContext& context, const Args& args);
  void info_cache(CommandContext& context, const Args& args);
  void pending_scripts(CommandContext& context, const Args& args);
  void myid(CommandContext& context, const Args& args);
  void debug(CommandContext& context, const Args& args);
  void simulate_failure(CommandContext& context, const Args& args);
  void help(CommandContext& context, const Args& args);
  void extension(CommandContext& context, const Args& args);

 private:
  Primary* find_or_reply(CommandContext& context, std::string_view name);
  /// +OK once the state is on disk, an error if it cannot be written.
  void ok_when_saved(CommandContext& context);
  void put_instance(command::Reply& reply, const Instance& instance) const;
  void config_get(CommandContext& context, const Args& args);
  void config_set(CommandContext& context, const Args& args);
  void drop_connections(Primary& primary);
  void drop_sentinel_connections();

  Core& core_;
  Links& links_;
  Failover& failover_;
  Election& election_;
};

}  // namespace holdfast::sentinel
