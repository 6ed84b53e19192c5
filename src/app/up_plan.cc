#include "app/up_plan.h"

#include <fmt/format.h>

#include "base/text.h"
#include "conf/redis_conf.h"

namespace holdfast::app {
namespace {

constexpr int kReplicasMax = 64;
constexpr int kSentinelsMax = 33;

std::string server_text(const Plan& plan, const Member& member, bool primary) {
  std::string out = fmt::format(
      "# Written by `holdfast up` on its first run; redis-server runs it as well.\n"
      "# From now on CONFIG REWRITE and the Sentinels change it: `replicaof` follows the roles.\n"
      "port {}\n"
      "bind {}\n"
      "daemonize no\n"
      "dir \"{}\"\n"
      "logfile \"{}\"\n"
      "pidfile \"{}\"\n"
      "# `debug segfault` is how the article crashes a primary; local connections only.\n"
      "enable-debug-command local\n",
      member.port, plan.bind, member.directory, member.log, member.pidfile);
  if (!primary) out += fmt::format("replicaof 127.0.0.1 {}\n", plan.port);
  return out;
}

std::string sentinel_text(const Plan& plan, const Member& member) {
  return fmt::format(
      "# Written by `holdfast up` on its first run; redis-sentinel runs it as well and goes on from its state.\n"
      "port {}\n"
      "bind {}\n"
      "daemonize no\n"
      "dir \"{}\"\n"
      "logfile \"{}\"\n"
      "pidfile \"{}\"\n"
      "# quorum {}: so many Sentinels must agree that the primary is gone.\n"
      "sentinel monitor master01 127.0.0.1 {} {}\n"
      "sentinel down-after-milliseconds master01 3000\n"
      "sentinel failover-timeout master01 6000\n"
      "sentinel parallel-syncs master01 1\n",
      member.port, plan.bind, member.directory, member.log, member.pidfile, effective_quorum(plan), plan.port,
      effective_quorum(plan));
}

std::string proxy_text(const Plan& plan, const Member& member) {
  std::string out = fmt::format(
      "# Written by `holdfast up` on its first run; haproxy runs it as well.\n"
      "# Clients connect here; the check below lets only a primary through.\n"
      "global\n"
      "    log stdout format iso local0\n"
      "\n"
      "defaults REDIS\n"
      "    mode tcp\n"
      "    log global\n"
      "    timeout connect 3s\n"
      "    timeout server 6s\n"
      "    timeout client 6s\n"
      "\n"
      "frontend ft_redis\n"
      "    bind {}:{} name redis\n"
      "    default_backend bk_redis\n"
      "\n"
      "backend bk_redis\n"
      "    option tcp-check\n"
      "    tcp-check connect\n"
      "    tcp-check send PING\\r\\n\n"
      "    tcp-check expect string +PONG\n"
      "    tcp-check send info\\ replication\\r\\n\n"
      "    tcp-check expect string role:master\n"
      "    tcp-check send QUIT\\r\\n\n"
      "    tcp-check expect string +OK\n",
      plan.bind, member.port);
  for (int i = 0; i <= plan.replicas; ++i) {
    const int port = plan.port + i;
    out += fmt::format("    server redis_{} 127.0.0.1:{} check inter 1s\n", port, port);
  }
  return out;
}

Member member(Member::Kind kind, std::string name, int port, const std::string& root, std::string_view conf_name) {
  Member out;
  out.kind = kind;
  out.port = static_cast<uint16_t>(port);
  out.directory = root + '/' + name;
  out.conf = fmt::format("{}/{}", out.directory, conf_name);
  out.log = fmt::format("{}/log/{}.log", root, name);
  out.pidfile = fmt::format("{}/run/{}.pid", root, name);
  out.name = std::move(name);
  return out;
}

bool overlap(int first, int count, int other, int other_count) {
  return first < other + other_count && other < first + count;
}

}  // namespace

int effective_quorum(const Plan& plan) { return plan.quorum > 0 ? plan.quorum : plan.sentinels / 2 + 1; }

std::string check_plan(const Plan& plan) {
  if (plan.replicas < 0 || plan.replicas > kReplicasMax) return fmt::format("replicas: 0 to {}", kReplicasMax);
  if (plan.sentinels < 1 || plan.sentinels > kSentinelsMax) return fmt::format("sentinels: 1 to {}", kSentinelsMax);
  if (plan.quorum < 0 || plan.quorum > plan.sentinels) {
    return fmt::format("quorum {} can never be reached by {} Sentinels", plan.quorum, plan.sentinels);
  }
  if (plan.port == 0 || plan.sentinel_port == 0 || plan.proxy_port == 0) return "a port is a number from 1 to 65535";
  if (plan.port + plan.replicas > 65535 || plan.sentinel_port + plan.sentinels - 1 > 65535) {
    return "the ports run beyond 65535";
  }
  if (overlap(plan.port, plan.replicas + 1, plan.sentinel_port, plan.sentinels) ||
      overlap(plan.port, plan.replicas + 1, plan.proxy_port, 1) ||
      overlap(plan.sentinel_port, plan.sentinels, plan.proxy_port, 1)) {
    return fmt::format("the ports overlap: servers from {}, Sentinels from {}, proxy {}", plan.port, plan.sentinel_port,
                       plan.proxy_port);
  }
  return {};
}

std::vector<Member> members_of(const Plan& plan, const std::string& root) {
  std::vector<Member> out;
  for (int i = 0; i <= plan.replicas; ++i) {
    const int port = plan.port + i;
    Member server = member(Member::Kind::kServer, fmt::format("redis_{}", port), port, root, "redis.conf");
    server.conf_text = server_text(plan, server, i == 0);
    server.command = {"server", server.conf};
    out.push_back(std::move(server));
  }
  for (int i = 0; i < plan.sentinels; ++i) {
    const int port = plan.sentinel_port + i;
    Member sentinel = member(Member::Kind::kSentinel, fmt::format("sentinel_{}", port), port, root, "sentinel.conf");
    sentinel.conf_text = sentinel_text(plan, sentinel);
    sentinel.command = {"sentinel", sentinel.conf};
    out.push_back(std::move(sentinel));
  }
  Member proxy = member(Member::Kind::kProxy, "proxy", plan.proxy_port, root, "haproxy.cfg");
  proxy.conf_text = proxy_text(plan, proxy);
  proxy.command = {"proxy", "-f", proxy.conf};
  out.push_back(std::move(proxy));
  return out;
}

uint16_t primary_port(const std::vector<std::string>& sentinel_confs) {
  int64_t best_epoch = -1;
  uint16_t best = 0;
  for (const std::string& text : sentinel_confs) {
    int64_t epoch = 0;
    int64_t port = 0;
    for (const conf::Directive& directive : conf::parse_redis_conf(text, "").directives) {
      const auto& words = directive.words;
      if (words[0] != "sentinel" || words.size() < 4 || words[2] != "master01") continue;
      if (words[1] == "monitor" && words.size() == 6) port = parse_int64(words[4]).value_or(0);
      if (words[1] == "config-epoch") epoch = parse_int64(words[3]).value_or(0);
    }
    if (port < 1 || port > 65535 || epoch <= best_epoch) continue;
    best_epoch = epoch;
    best = static_cast<uint16_t>(port);
  }
  return best;
}

std::vector<std::string> role_options(const Member& server, std::string_view conf_text, uint16_t primary) {
  if (primary == 0) return {};
  std::string follows;  // the port the file replicates from
  for (const conf::Directive& directive : conf::parse_redis_conf(conf_text, "").directives) {
    const auto& words = directive.words;
    if ((words[0] != "replicaof" && words[0] != "slaveof") || words.size() != 3) continue;
    follows = equal_ignoring_case(words[1], "no") ? "" : words[2];
  }
  if (server.port == primary) {
    if (follows.empty()) return {};
    return {"--replicaof", "no", "one"};
  }
  if (follows == std::to_string(primary)) return {};
  return {"--replicaof", "127.0.0.1", std::to_string(primary)};
}

std::string print_plan(const Plan& plan) {
  return fmt::format(
      "# What `holdfast up` started here. A second `up` continues with it.\n"
      "replicas {}\nsentinels {}\nquorum {}\nport {}\nsentinel-port {}\nproxy-port {}\nbind {}\n",
      plan.replicas, plan.sentinels, plan.quorum, plan.port, plan.sentinel_port, plan.proxy_port, plan.bind);
}

std::expected<Plan, std::string> parse_plan(std::string_view text) {
  Plan out;
  for (const std::string_view raw : split(text, '\n')) {
    const std::string_view line = trim(raw);
    if (line.empty() || line[0] == '#') continue;
    const size_t space = line.find(' ');
    const std::string_view name = line.substr(0, space);
    const std::string_view value = space == std::string_view::npos ? "" : trim(line.substr(space));
    if (name == "bind" && !value.empty()) {
      out.bind = value;
      continue;
    }
    const auto number = parse_int64(value);
    if (!number || *number < 0 || *number > 65535) return std::unexpected(fmt::format("bad line '{}'", line));
    const int n = static_cast<int>(*number);
    if (name == "replicas") {
      out.replicas = n;
    } else if (name == "sentinels") {
      out.sentinels = n;
    } else if (name == "quorum") {
      out.quorum = n;
    } else if (name == "port") {
      out.port = static_cast<uint16_t>(n);
    } else if (name == "sentinel-port") {
      out.sentinel_port = static_cast<uint16_t>(n);
    } else if (name == "proxy-port") {
      out.proxy_port = static_cast<uint16_t>(n);
    } else {
      return std::unexpected(fmt::format("unknown line '{}'", line));
    }
  }
  if (std::string wrong = check_plan(out); !wrong.empty()) return std::unexpected(std::move(wrong));
  return out;
}

}  // namespace holdfast::app
