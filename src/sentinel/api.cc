#include "sentinel/api.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>

#include "base/address.h"
#include "base/text.h"
#include "command/help.h"
#include "sentinel/coordinate.h"
#include "sentinel/hello.h"
#include "sentinel/quorum.h"
#include "sentinel/switchover.h"

namespace holdfast::sentinel {
namespace {

constexpr Duration kResetPause = 100ms;  // the original's tick

using Handler = void (Api::*)(CommandContext&, const Api::Args&);
struct Row {
  std::string_view name;
  Handler handler;
};

constexpr Row kRows[] = {
    {"masters", &Api::primaries},
    {"master", &Api::primary},
    {"slaves", &Api::replicas},
    {"replicas", &Api::replicas},
    {"sentinels", &Api::sentinels},
    {"get-master-addr-by-name", &Api::primary_address},
    {"is-master-down-by-addr", &Api::is_primary_down},
    {"ckquorum", &Api::ckquorum},
    {"failover", &Api::failover},
    {"reset", &Api::reset},
    {"monitor", &Api::monitor},
    {"remove", &Api::remove},
    {"set", &Api::set},
    {"config", &Api::config},
    {"flushconfig", &Api::flushconfig},
    {"info-cache", &Api::info_cache},
    {"pending-scripts", &Api::pending_scripts},
    {"myid", &Api::myid},
    {"debug", &Api::debug},
    {"simulate-failure", &Api::simulate_failure},
    {"help", &Api::help},
    {"ext", &Api::extension},
};

constexpr std::string_view kHelp[] = {
    "CKQUORUM <master-name>",
    "    Check if the current Sentinel configuration is able to reach the quorum",
    "    needed to failover a master and the majority needed to authorize the",
    "    failover.",
    "CONFIG SET param value [param value ...]",
    "    Set a global Sentinel configuration parameter.",
    "CONFIG GET <param> [param param param ...]",
    "    Get global Sentinel configuration parameter.",
    "DEBUG [<param> <value> ...]",
    "    Show a list of configurable time parameters and their values (milliseconds).",
    "    Or update current configurable parameters values (one or more).",
    "GET-MASTER-ADDR-BY-NAME <master-name>",
    "    Return the ip and port number of the master with that name.",
    "FAILOVER <master-name>",
    "    Manually failover a master node without asking for agreement from other",
    "    Sentinels",
    "FLUSHCONFIG",
    "    Force Sentinel to rewrite its configuration on disk, including the current",
    "    Sentinel state.",
    "INFO-CACHE <master-name>",
    "    Return last cached INFO output from masters and all its replicas.",
    "IS-MASTER-DOWN-BY-ADDR <ip> <port> <current-epoch> <runid>",
    "    Check if the master specified by ip:port is down from current Sentinel's",
    "    point of view.",
    "MASTER <master-name>",
    "    Show the state and info of the specified master.",
    "MASTERS",
    "    Show a list of monitored masters and their state.",
    "MONITOR <name> <ip> <port> <quorum>",
    "    Start monitoring a new master with the specified name, ip, port and quorum.",
    "MYID",
    "    Return the ID of the Sentinel instance.",
    "PENDING-SCRIPTS",
    "    Get pending scripts information.",
    "REMOVE <master-name>",
    "    Remove master from Sentinel's monitor list.",
    "REPLICAS <master-name>",
    "    Show a list of replicas for this master and their state.",
    "RESET <pattern>",
    "    Reset masters for specific master name matching this pattern.",
    "SENTINELS <master-name>",
    "    Show a list of Sentinel instances for this master and their state.",
    "SET <master-name> <option> <value> [<option> <value> ...]",
    "    Set configuration parameters for certain masters.",
    "SIMULATE-FAILURE [CRASH-AFTER-ELECTION] [CRASH-AFTER-PROMOTION] [HELP]",
    "    Simulate a Sentinel crash.",
};

}  // namespace

void Api::execute(CommandContext& context, const Args& args) {
  for (const Row& row : kRows) {
    if (equal_ignoring_case(row.name, args[1])) return (this->*row.handler)(context, args);
  }
  context.reply.error(command::unknown_subcommand("sentinel", args[1]));
}

Primary* Api::find_or_reply(CommandContext& context, std::string_view name) {
  Primary* primary = core_.topology.find(name);
  if (primary == nullptr) context.reply.error("ERR No such master with that name");
  return primary;
}

void Api::ok_when_saved(CommandContext& context) {
  core_.saver.request();
  context.reply.ok();
  context.instead = "-ERR Failed to save config file. Check server logs.\r\n";
}

void Api::help(CommandContext& context, const Args&) { command::put_help(context.reply, "sentinel", kHelp); }

void Api::myid(CommandContext& context, const Args&) { context.reply.bulk(core_.settings.myid); }

void Api::primary_address(CommandContext& context, const Args& args) {
  const Primary* primary = core_.topology.find(args[2]);
  if (primary == nullptr) return context.reply.null_array();
  const NodeAddress& address = core_.topology.current_address(*primary);
  context.reply.array(2);
  context.reply.bulk(core_.announced(address));
  context.reply.bulk_integer(address.port);
}

void Api::is_primary_down(CommandContext& context, const Args& args) {
  const std::optional<int64_t> port = parse_int64(args[3]);
  const std::optional<int64_t> epoch = parse_int64(args[4]);
  if (!port || !epoch) return context.reply.error("ERR value is not an integer or out of range");
  Primary* primary = nullptr;
  if (*port >= 0 && *port <= 65535) {
    primary = core_.topology.find_by_address(core_.address_of(args[2], static_cast<uint16_t>(*port)));
  }
  const bool down = primary != nullptr && primary->s_down && !core_.tilt.active();
  std::string leader;
  uint64_t leader_epoch = 0;
  // A negative epoch is nobody's; a candidate's id ends up in other Sentinels' tables.
  if (primary != nullptr && args[5] != "*" && *epoch >= 0 && is_plain_word(args[5], 64)) {
    election_.request_vote(*primary, static_cast<uint64_t>(*epoch), args[5]);
    core_.touch(*primary);
    leader = primary->leader;
    leader_epoch = primary->leader_epoch;
    // Even a vote given earlier is not told before it is on disk.
    if (!election_.vote_is_durable(*primary)) {
      // If it cannot be kept it is not given; if that failed before, once more.
      const bool failed = core_.saver.done(primary->vote_generation);
      context.barrier = failed ? core_.saver.request() : primary->vote_generation;
      context.instead = fmt::format("*3\r\n:{}\r\n$1\r\n*\r\n:0\r\n", down ? 1 : 0);
    }
  }
  context.reply.array(3);
  context.reply.integer(down ? 1 : 0);
  context.reply.bulk(leader.empty() ? "*" : leader);
  context.reply.integer(static_cast<int64_t>(leader_epoch));
}

void Api::ckquorum(CommandContext& context, const Args& args) {
  const Primary* primary = find_or_reply(context, args[2]);
  if (primary == nullptr) return;
  const auto down = std::count_if(primary->sentinels.begin(), primary->sentinels.end(),
                                  [](const auto& entry) { return entry.second->s_down; });
  const Reachability reach = reachable(static_cast<int64_t>(primary->sentinels.size()), down, primary->quorum);
  if (reach.quorum && reach.majority) {
    return context.reply.simple(
        fmt::format("OK {} usable Sentinels. Quorum and failover authorization can be reached", reach.usable));
  }
  std::string error = fmt::format("NOQUORUM {} usable Sentinels. ", reach.usable);
  if (!reach.quorum) error += "Not enough available Sentinels to reach the specified quorum for this master";
  if (!reach.quorum && !reach.majority) error += ". ";
  if (!reach.majority) error += "Not enough available Sentinels to reach the majority and authorize a failover";
  context.reply.error(error);
}

void Api::failover(CommandContext& context, const Args& args) {
  Primary* primary = find_or_reply(context, args[2]);
  if (primary == nullptr) return;
  const bool coordinated = args.size() == 4;
  if (coordinated && !equal_ignoring_case(args[3], "coordinated")) return context.reply.error("ERR syntax error");
  if (primary->failover_in_progress) return context.reply.error("INPROG Failover already in progress");
  if (failover_.select_replica(*primary) == nullptr) {
    return context.reply.error("NOGOODSLAVE No suitable replica to promote");
  }
  if (coordinated && (!knows_failover(*primary) || !core_.topology.link_of(*primary).ready())) {
    return context.reply.error("NOGOODPRIMARY Primary does not support FAILOVER command");
  }
  core_.log(LogLevel::kNotice, fmt::format("Executing user requested {}FAILOVER of '{}'",
                                           coordinated ? "coordinated " : "", primary->name));
  failover_.start(*primary);
  primary->forced = !coordinated;
  primary->coordinated = coordinated;
  context.reply.ok();
}

void Api::reset(CommandContext& context, const Args& args) {
  int64_t count = 0;
  for (const auto& [name, primary] : core_.topology.primaries()) {
    if (!glob_match(args[2], name)) continue;
    reset_primary(core_, links_, *primary, false);
    // COMPAT: the original connects again at its next tick; until then nothing is known, and clients look.
    core_.topology.link_of(*primary).last_attempt = core_.now.mono - core_.periods.ping + kResetPause;
    core_.event(Event::kResetMaster, *primary);
    ++count;
  }
  context.reply.integer(count);
}

void Api::monitor(CommandContext& context, const Args& args) {
  const std::optional<int64_t> quorum = parse_int64(args[5]);
  const std::optional<int64_t> port = parse_int64(args[4]);
  if (!quorum) return context.reply.error("ERR Invalid quorum");
  if (!port) return context.reply.error("ERR Invalid port");
  if (*quorum <= 0 || *quorum > INT_MAX) return context.reply.error("ERR Quorum must be 1 or greater.");
  const std::string host(args[3]);
  const std::string name(args[2]);
  const bool may_resolve = core_.settings.style.resolve_hostnames && is_plain_word(host);
  if (!is_numeric_host(host) && may_resolve && !core_.names.find(core_, host)) {
    if (!core_.names.failed(host) && core_.names.request(core_, host)) {
      context.wait_for_name = host;
      return;
    }
  }
  if (!is_plain_word(host) || !core_.names.find(core_, host)) {
    return context.reply.error("ERR Invalid IP address or hostname specified");
  }
  // A name goes into the configuration file as one word, and into hellos as one field.
  if (!is_plain_word(name) || name.find(',') != std::string::npos) {
    return context.reply.error("ERR Invalid master name");
  }
  if (*port < 0 || *port > 65535) return context.reply.error("ERR Invalid port number.");
  if (core_.topology.find(name) != nullptr) return context.reply.error("ERR Duplicate master name.");
  Primary& primary =
      core_.topology.add_primary(name, core_.address_of(host, static_cast<uint16_t>(*port)), *quorum, core_.now.mono);
  primary.down_after = core_.periods.default_down_after;
  primary.failover_timeout = core_.periods.default_failover_timeout;
  ok_when_saved(context);
  core_.event(Event::kMonitor, primary, fmt::format(" quorum {}", primary.quorum));
}

void Api::remove(CommandContext& context, const Args& args) {
  Primary* primary = find_or_reply(context, args[2]);
  if (primary == nullptr) return;
  core_.event(Event::kUnmonitor, *primary);
  core_.topology.remove_primary(*primary);
  core_.close_orphans();
  ok_when_saved(context);
}

void Api::flushconfig(CommandContext& context, const Args&) { ok_when_saved(context); }

void Api::pending_scripts(CommandContext& context, const Args&) {
  const auto& entries = core_.scripts.entries();
  command::Reply& reply = context.reply;
  reply.array(entries.size());
  for (const Scripts::Entry& entry : entries) {
    reply.map(5);
    reply.bulk("argv");
    reply.array(entry.argv.size());
    for (const std::string& word : entry.argv) reply.bulk(word);
    reply.bulk("flags");
    reply.bulk(entry.running ? "running" : "scheduled");
    reply.bulk("pid");
    reply.bulk_integer(entry.running ? static_cast<int64_t>(entry.job) : 0);
    reply.bulk(entry.running ? "run-time" : "run-delay");
    const Duration delay = entry.tries == 0 ? Duration{} : std::max(Duration{}, entry.not_before - core_.now.mono);
    reply.bulk_integer(to_ms(entry.running ? core_.since(entry.started) : delay));
    reply.bulk("retry-num");
    reply.bulk_integer(entry.tries);
  }
}

void Api::simulate_failure(CommandContext& context, const Args& args) {
  core_.simulated_failures = 0;
  for (size_t i = 2; i < args.size(); ++i) {
    const std::string word = to_lower(args[i]);
    if (word == "crash-after-election") {
      core_.simulated_failures |= kCrashAfterElection;
      core_.log(LogLevel::kWarning,
                "Failure simulation: this Sentinel will crash after being successfully elected as failover leader");
    } else if (word == "crash-after-promotion") {
      core_.simulated_failures |= kCrashAfterPromotion;
      core_.log(LogLevel::kWarning,
                "Failure simulation: this Sentinel will crash after promoting the selected replica to master");
    } else if (word == "help") {
      context.reply.array(2);
      context.reply.bulk("crash-after-election");
      return context.reply.bulk("crash-after-promotion");
    } else {
      return context.reply.error("ERR Unknown failure simulation specified");
    }
  }
  context.reply.ok();
}

}  // namespace holdfast::sentinel
