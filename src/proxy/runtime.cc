#include "proxy/runtime.h"

#include <algorithm>

#include "base/assert.h"
#include "proxy/check/redis_role.h"

namespace holdfast::proxy {

Runtime::Runtime(Config configuration, ProxyOptions proxy_options, ActionSink& action_sink)
    : config(std::move(configuration)), options(std::move(proxy_options)), sink(action_sink), random(options.seed) {
  maxconn = config.global.maxconn > 0 ? config.global.maxconn : options.maxconn;
  build_channels();
  build_proxies();
  build_listeners();
  resolve_tracking();
  tls.begin(config, options.tls);
}

void Runtime::build_channels() {
  auto channel = [this](const std::vector<LogTarget>& targets, const std::string& tag, bool event) {
    LogChannel made{
        .targets = targets, .tag = tag.empty() ? config.global.log_tag : tag, .standard_error = event, .hostname = {}};
    if (config.global.log_send_hostname) {
      made.hostname = config.global.log_send_hostname->empty() ? options.node : *config.global.log_send_hostname;
    }
    channels.push_back(std::move(made));
  };
  channel(config.global.logs, "", false);
  for (const ProxyConfig& proxy : config.proxies) {
    channel(proxy.logs, proxy.log_tag, false);
    channel(proxy.logs, proxy.log_tag, true);
  }
}

void Runtime::build_proxies() {
  for (uint32_t i = 0; i < config.proxies.size(); ++i) {
    const ProxyConfig& proxy = config.proxies[i];
    if (proxy.disabled) continue;
    if (proxy.table.configured()) tables.emplace_back(proxy.table);
    if (proxy.is_frontend()) {
      frontends.emplace_back();
      frontends.back().config = &proxy;
      frontends.back().proxy = i;
      frontends.back().maxconn = proxy.maxconn > 0 ? proxy.maxconn : maxconn;
    }
    if (proxy.is_backend()) {
      backends.emplace_back();
      backends.back().config = &proxy;
      backends.back().proxy = i;
      backends.back().clock = &now.mono;
      build_servers(backends.back());
    }
  }
  for (BackendState& backend : backends) {
    // COMPAT: without fullconn, a tenth of what the frontends that may use the backend accept, rounded up.
    int64_t reachable = 0;
    for (const FrontendState& frontend : frontends) {
      const ProxyConfig& front = *frontend.config;
      bool uses = frontend.proxy == backend.proxy || front.default_backend == backend.config->name;
      for (const UseBackend& rule : front.use_backends) uses = uses || rule.backend == backend.config->name;
      if (uses) reachable += frontend.maxconn;
    }
    backend.fullconn = backend.config->fullconn > 0 ? backend.config->fullconn : (reachable + 9) / 10;
  }
}

void Runtime::build_servers(BackendState& backend) {
  const ProxyConfig& proxy = *backend.config;
  CheckProgram program = proxy.check_program;
  backend.primary.watched = proxy.redis_primary.configured();
  if (backend.primary.watched) {
    const auto& sections = config.sentinels;
    const auto section = std::ranges::find(sections, proxy.redis_primary.sentinels, &SentinelsConfig::name);
    HF_ASSERT(section != sections.end());
    backend.primary.sentinels = static_cast<uint32_t>(section - sections.begin());
    backend.primary.reports.resize(section->members.size());
  }
  backend.asks_role = backend.primary.watched || (proxy.redis_fast_check && asks_redis_role(program));
  program.conclude_on_reply = backend.asks_role;
  backend.check = std::make_unique<CompiledCheck>(std::move(program));
  const auto index = static_cast<uint32_t>(backends.size() - 1);
  for (uint32_t i = 0; i < proxy.servers.size(); ++i) {
    const ServerConfig& server = proxy.servers[i];
    backend.servers.emplace_back();
    ServerState& state = backend.servers.back();
    state.backend = index;
    state.index = i;
    state.config = &server;
    state.address = server.address;
    if (!server.is_service()) state.host_name = server.fqdn;
    state.check_port = server.check.port;
    state.check_address = server.check.address;
    state.weight = server.weight;
    state.maxconn = server.maxconn;
    state.check.configured = state.check.enabled = server.check.enabled;
    state.health = initial_health(server.check.rise, server.check.fall, server.init_state);
    state.running = !server.check.enabled || state.health.up();
    if (backend.primary.watched) {
      state.fenced = true;
      state.running = false;
      state.health.value = 0;
    }
    if (server.unresolved) {
      state.admin = kAdminResolveMaint;
      state.health.value = 0;
      state.running = false;
      state.address.host.clear();
    }
    if (server.disabled) {
      state.admin |= kAdminForcedMaint | kAdminConfigMaint;
      state.health.value = 0;
    }
  }
}

void Runtime::build_listeners() {
  for (uint32_t i = 0; i < frontends.size(); ++i) {
    for (const BindConfig& bind : frontends[i].config->binds) listeners.push_back({.config = &bind, .frontend = i});
  }
  for (const BindConfig& bind : config.global.stats_sockets) listeners.push_back({.config = &bind});
}

void Runtime::resolve_tracking() {
  for (BackendState& backend : backends) {
    for (ServerState& server : backend.servers) {
      const std::string& track = server.config->track;
      if (track.empty()) continue;
      const size_t slash = track.find('/');
      server.track_backend = slash == std::string::npos ? server.backend : find_backend(track.substr(0, slash));
      if (server.track_backend == kNoIndex) continue;  // the tracked proxy is disabled
      server.track_server =
          find_server(server.track_backend, slash == std::string::npos ? track : track.substr(slash + 1));
    }
  }
}

ConnId Runtime::open(ConnKind kind, uint32_t owner, uint32_t second) {
  const ConnId id = ids_.allocate();
  if (id.index >= slots_.size()) slots_.resize(id.index + 1);
  slots_[id.index] = {id.generation, kind, owner, second};
  return id;
}

ConnSlot* Runtime::find(ConnId conn) {
  if (!conn || conn.index >= slots_.size()) return nullptr;
  ConnSlot& slot = slots_[conn.index];
  return slot.kind != ConnKind::kNone && slot.generation == conn.generation ? &slot : nullptr;
}

OutQueue& Runtime::closing_output(ConnId conn) {
  for (auto& [id, out] : closing_) {
    if (id == conn) return out;
  }
  nothing_.clear();
  return nothing_;
}

void Runtime::close(ConnId conn, action::CloseMode mode, OutQueue&& out) {
  if (find(conn) == nullptr) return;
  closing_.emplace_back(conn, std::move(out));
  act(action::Close{conn, mode});
  forget(conn);
}

void Runtime::forget(ConnId conn) {
  ConnSlot* slot = find(conn);
  HF_ASSERT(slot != nullptr);
  *slot = {};
  ids_.release(conn);
}

void Runtime::log(LogLevel level, uint32_t proxy, bool event, std::string text) {
  const uint32_t channel = proxy == kNoIndex ? 0 : 1 + 2 * proxy + (event ? 1 : 0);
  log_channels.push_back(channel);
  act(action::Log{level, std::move(text)});
}

bool Runtime::has_log_targets(uint32_t proxy) const {
  return !(proxy == kNoIndex ? config.global.logs : config.proxies[proxy].logs).empty();
}

uint32_t Runtime::find_table(std::string_view name) const {
  for (uint32_t i = 0; i < tables.size(); ++i) {
    if (tables[i].config().name == name) return i;
  }
  return kNoIndex;
}

uint32_t Runtime::find_backend(std::string_view name) const {
  for (uint32_t i = 0; i < backends.size(); ++i) {
    if (backends[i].config->name == name) return i;
  }
  return kNoIndex;
}

uint32_t Runtime::find_server(uint32_t backend, std::string_view name) const {
  for (const ServerState& server : backends[backend].servers) {
    if (server.config->name == name) return server.index;
  }
  return kNoIndex;
}

int slowstart_percent(const BackendState& backend, const ServerState& server) {
  const Duration slow = server.config->slowstart;
  // COMPAT: at start-up everybody takes its full share.
  if (slow <= Duration{} || server.counters.down_transitions == 0) return 100;
  const Duration age = *backend.clock - server.last_change;
  return age >= slow ? 100 : static_cast<int>(std::max<int64_t>(1, 100 * age.count() / slow.count()));
}

int64_t effective_maxconn(const BackendState& backend, const ServerState& server) {
  if (server.maxconn == 0) return 0;
  const int64_t most = std::max<int64_t>(1, server.maxconn * slowstart_percent(backend, server) / 100);
  const int64_t least = server.config->minconn;
  if (least <= 0 || least >= server.maxconn || backend.fullconn <= 0) return most;
  if (backend.counters.current >= backend.fullconn) return most;
  return std::min(most, std::max(least, server.maxconn * backend.counters.current / backend.fullconn));
}

void usable_servers(const BackendState& backend, std::vector<Candidate>* candidates) {
  candidates->clear();
  // Weights are made finer while a server starts slowly, so that a weight of 1 can have a part of itself.
  const bool finer = std::ranges::any_of(
      backend.servers, [](const ServerState& server) { return server.config->slowstart > Duration{}; });
  auto add = [&](const ServerState& server) {
    const int64_t limit = effective_maxconn(backend, server);
    const auto waiting = static_cast<int64_t>(server.queue.size());
    const int weight = finer ? std::max(1, server.weight * slowstart_percent(backend, server)) : server.weight;
    candidates->push_back({.server = server.index,
                           .id = server.config->id,
                           .weight = weight,
                           .load = server.sessions + waiting,
                           .full = limit > 0 && server.sessions >= limit});
  };
  for (const ServerState& server : backend.servers) {
    if (server.usable() && !server.config->backup) add(server);
  }
  if (!candidates->empty()) return;
  for (const ServerState& server : backend.servers) {
    if (!server.usable() || !server.config->backup) continue;
    add(server);
    if (!backend.config->allbackups) return;
  }
}

}  // namespace holdfast::proxy
