// Commands of what this server has not: the cluster and modules. They answer as the original with both switched off.
#include "family/bindings.h"
#include "family/help.h"

namespace holdfast::family {
namespace {

void cluster_disabled_command(Context& c) { c.reply.error("ERR This instance has cluster support disabled"); }

void module_list_command(Context& c) { c.reply.array(0); }

void module_refused_command(Context& c) {
  c.reply.error(
      "ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", you can run it from a "
      "local connection, otherwise you need to set this option in the configuration file, and then restart the "
      "server.");
}

void module_help_command(Context& c) {
  static constexpr std::string_view kLines[] = {
      "LIST",
      "    Return a list of loaded modules.",
      "LOAD <path> [<arg> ...]",
      "    Load a module library from <path>, passing to it any optional arguments.",
      "LOADEX <path> [[CONFIG NAME VALUE] ...] [ARGS ...]",
      "    Load a module library from <path>, while passing it module configurations and optional arguments.",
      "UNLOAD <name>",
      "    Unload a module.",
  };
  reply_help(c, kLines);
}

constexpr Binding kBindings[] = {
    {"asking", cluster_disabled_command},
    {"cluster|addslots", cluster_disabled_command},
    {"cluster|addslotsrange", cluster_disabled_command},
    {"cluster|bumpepoch", cluster_disabled_command},
    {"cluster|count-failure-reports", cluster_disabled_command},
    {"cluster|countkeysinslot", cluster_disabled_command},
    {"cluster|delslots", cluster_disabled_command},
    {"cluster|delslotsrange", cluster_disabled_command},
    {"cluster|failover", cluster_disabled_command},
    {"cluster|flushslots", cluster_disabled_command},
    {"cluster|forget", cluster_disabled_command},
    {"cluster|getkeysinslot", cluster_disabled_command},
    {"cluster|help", cluster_disabled_command},
    {"cluster|info", cluster_disabled_command},
    {"cluster|keyslot", cluster_disabled_command},
    {"cluster|links", cluster_disabled_command},
    {"cluster|meet", cluster_disabled_command},
    {"cluster|myid", cluster_disabled_command},
    {"cluster|myshardid", cluster_disabled_command},
    {"cluster|nodes", cluster_disabled_command},
    {"cluster|replicas", cluster_disabled_command},
    {"cluster|replicate", cluster_disabled_command},
    {"cluster|reset", cluster_disabled_command},
    {"cluster|saveconfig", cluster_disabled_command},
    {"cluster|set-config-epoch", cluster_disabled_command},
    {"cluster|setslot", cluster_disabled_command},
    {"cluster|shards", cluster_disabled_command},
    {"cluster|slaves", cluster_disabled_command},
    {"cluster|slots", cluster_disabled_command},
    {"module|help", module_help_command},
    {"module|list", module_list_command},
    {"module|load", module_refused_command},
    {"module|loadex", module_refused_command},
    {"module|unload", module_refused_command},
    {"readonly", cluster_disabled_command},
    {"readwrite", cluster_disabled_command},
};

}  // namespace

std::span<const Binding> absent_bindings() { return kBindings; }

}  // namespace holdfast::family
