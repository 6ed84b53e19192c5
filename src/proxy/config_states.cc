// `load-server-state-from-file`: the states that servers had in the process before, from its files.
#include <fmt/format.h>

#include "proxy/config_parser.h"

namespace holdfast::proxy {
namespace {

std::string path_of(const Config& config, const std::string& name) {
  const std::string& base = config.global.server_state_base;
  if (name.starts_with('/') || base.empty()) return name;
  return base + (base.ends_with('/') ? "" : "/") + name;
}

/// Gives a server its line; false = it was there, but is of no use.
void take(const ProxyConfig& proxy, ServerConfig& server, const StateLine& line, conf::Diagnostics& diagnostics) {
  auto state = parse_saved_state(line.fields);
  if (!state) {
    diagnostics.warn(fmt::format("config : server-state application failed for server '{}/{}'{}", proxy.name,
                                 server.name, state.error()));
    return;
  }
  if ((state->check_port != 0 || !state->check_address.empty()) && !server.check.enabled) {
    diagnostics.warn(fmt::format(
        "config : server-state partially applied for server '{}/{}', health checks are not enabled on this server",
        proxy.name, server.name));
    state->check_port = 0;
    state->check_address.clear();
  }
  server.saved = std::move(*state);
}

void take_all(ProxyConfig& proxy, StateFileLines& lines, conf::Diagnostics& diagnostics) {
  for (ServerConfig& server : proxy.servers) {
    const auto at = lines.find({proxy.name, server.name});
    if (at == lines.end()) continue;
    take(proxy, server, at->second, diagnostics);
    lines.erase(at);
  }
}

/// Lines of other backends are nobody's; a line of ours under another number is taken with a warning.
StateFileLines lines_of(const ProxyConfig& proxy, const StateFileLines& all, conf::Diagnostics& diagnostics) {
  StateFileLines out;
  for (const auto& [key, line] : all) {
    const bool same_id = line.backend_id == std::to_string(proxy.id);
    const bool same_name = line.backend == proxy.name;
    const std::string who = fmt::format("config : Proxy '{}': backend ", proxy.name);
    if (!same_id && !same_name) continue;
    if (!same_id) {
      diagnostics.warn(fmt::format("{}ID mismatch: from server state file: '{}', from running config '{}'", who,
                                   line.backend_id, proxy.id));
    } else if (!same_name) {
      diagnostics.warn(fmt::format("{}name mismatch: from server state file: '{}', from running config '{}'", who,
                                   line.backend, proxy.name));
      if (line.fields[11] != "1") continue;
    }
    out.try_emplace({proxy.name, line.server}, line);
  }
  return out;
}

void load_local(const Config& config, ProxyConfig& proxy, FileLookup& files, conf::Diagnostics& diagnostics) {
  const std::string path = path_of(config, proxy.state_file_name.empty() ? proxy.name : proxy.state_file_name);
  const std::string who = fmt::format("config : Proxy '{}': ", proxy.name);
  const auto text = files.read(path);
  if (!text) {
    return diagnostics.warn(fmt::format("{}Can't open server state file '{}': {}.", who, path, text.error()));
  }
  const auto all = read_state_file(*text);
  if (!all) {
    return diagnostics.warn(
        all.error() == 0 ? fmt::format("{}Can't get version of the server state file '{}'.", who, path)
                         : fmt::format("{}corrupted server state file '{}' at line {}.", who, path, all.error()));
  }
  StateFileLines lines = lines_of(proxy, *all, diagnostics);
  take_all(proxy, lines, diagnostics);
  for (const auto& [key, line] : lines) {
    diagnostics.warn(fmt::format("{}can't find server '{}' in backend '{}'", who, line.server, proxy.name));
  }
}

StateFileLines load_global(const Config& config, FileLookup& files, conf::Diagnostics& diagnostics) {
  if (config.global.server_state_file.empty()) return {};
  const std::string path = path_of(config, config.global.server_state_file);
  const auto text = files.read(path);
  if (!text) {
    diagnostics.warn(fmt::format("config : config: Can't open global server state file '{}': {}", path, text.error()));
    return {};
  }
  auto lines = read_state_file(*text);
  if (lines) return std::move(*lines);
  diagnostics.warn(
      lines.error() == 0
          ? fmt::format("config : config: Can't get version of the global server state file '{}'.", path)
          : fmt::format("config : config: corrupted global server state file '{}' at line {}.", path, lines.error()));
  return {};
}

}  // namespace

void load_server_states(Config& config, const ParseOptions& options, conf::Diagnostics& diagnostics) {
  if (options.files == nullptr) return;
  StateFileLines global = load_global(config, *options.files, diagnostics);
  for (ProxyConfig& proxy : config.proxies) {
    if (!proxy.is_backend() || proxy.disabled || proxy.servers.empty()) continue;
    if (proxy.state_file == StateFile::kGlobal) take_all(proxy, global, diagnostics);
    if (proxy.state_file == StateFile::kLocal) load_local(config, proxy, *options.files, diagnostics);
  }
}

}  // namespace holdfast::proxy
