#include "sim/explore.h"

#include <fmt/format.h>

#include <set>

#include "base/prng.h"
#include "sentinel/sentinel.h"
#include "sim/programs.h"
#include "sim/world.h"

namespace holdfast::sim {
namespace {

constexpr uint16_t kServerPort = 6379;
constexpr uint16_t kSentinelPort = 26379;
constexpr Duration kSettle = 20s;    // before the first fault
constexpr Duration kRestMax = 240s;  // after the last one

class Explorer {
 public:
  explicit Explorer(uint64_t seed) : prng_(seed ^ 0x9e3779b97f4a7c15), world_(seed) {}

  Exploration run() {
    build();
    run_for(kSettle);
    const uint64_t faults = 3 + prng_.below(12);
    for (uint64_t i = 0; i < faults && out_.report.empty(); ++i) {
      fault();
      run_for(from_ms(static_cast<int64_t>(prng_.below(prng_.below(3) == 0 ? 100 : 9000))));
    }
    repair();
    come_to_rest();
    out_.ok = out_.report.empty();
    if (!out_.ok) append_log();
    return out_;
  }

 private:
  void build() {
    const int sentinels = prng_.below(4) == 0 ? 5 : 3;
    for (int i = 1; i <= sentinels; ++i) {
      hosts_.push_back(fmt::format("h{}", i));
      world_.add_host(hosts_.back(), fmt::format("10.0.0.{}", i));
    }
    for (int i = 1; i <= 3; ++i) {
      std::string config = fmt::format("port {}\nprotected-mode no\n", kServerPort);
      if (i > 1) config += fmt::format("replicaof 10.0.0.1 {}\n", kServerPort);
      servers_.push_back(fmt::format("r{}", i));
      world_.add_node(servers_.back(), hosts_[static_cast<size_t>(i - 1)], server_boot(config));
      world_.start(servers_.back());
    }
    run_for(3s);
    const int64_t down_after = 1000 + static_cast<int64_t>(prng_.below(2000));
    for (int i = 1; i <= sentinels; ++i) {
      sentinels_.push_back(fmt::format("s{}", i));
      world_.add_node(sentinels_.back(), hosts_[static_cast<size_t>(i - 1)],
                      sentinel_boot(fmt::format("port {}\nsentinel monitor m 10.0.0.1 {} {}\n"
                                                "sentinel down-after-milliseconds m {}\n"
                                                "sentinel failover-timeout m 8000\n",
                                                kSentinelPort, kServerPort, sentinels / 2 + 1, down_after)));
      world_.start(sentinels_.back());
    }
  }

  void note(std::string what) {
    ++out_.faults;
    faults_ += fmt::format("  {:>10.3f} {}\n", static_cast<double>(world_.elapsed().count()) / 1e6, what);
  }

  const std::string& any(const std::vector<std::string>& names) { return names[prng_.below(names.size())]; }

  void fault() {
    const std::string node = prng_.below(2) == 0 ? any(servers_) : any(sentinels_);
    switch (prng_.below(8)) {
      case 0:
      case 1:
        if (!world_.running(node)) return;
        note("kill " + node);
        paused_.erase(node);
        return world_.kill(node);
      case 2:
        if (!world_.running(node)) return;
        note("power-off " + node);
        paused_.erase(node);
        return world_.power_off(node);
      case 3:
      case 4:
        if (world_.running(node)) return;
        note("start " + node);
        return world_.start(node);
      case 5: {
        const std::string& from = any(hosts_);
        const std::string& to = any(hosts_);
        const bool both = prng_.below(2) == 0;
        if (from == to) return;
        note(fmt::format("cut {} {} {}", from, both ? "<->" : "->", to));
        world_.cut(from, to);
        if (both) world_.cut(to, from);
        return;
      }
      case 6:
        note("heal all");
        return world_.heal_all();
      default:
        if (paused_.contains(node)) {
          note("resume " + node);
          paused_.erase(node);
          return world_.resume(node);
        }
        if (!world_.running(node)) return;
        note("pause " + node);
        paused_.insert(node);
        return world_.pause(node);
    }
  }

  void repair() {
    note("repair everything");
    world_.heal_all();
    for (const std::string& node : paused_) world_.resume(node);
    paused_.clear();
    for (const auto* group : {&servers_, &sentinels_}) {
      for (const std::string& node : *group) {
        if (!world_.running(node)) world_.start(node);
      }
    }
  }

  void run_for(Duration d) {
    const Duration limit = world_.elapsed() + d;
    while (out_.report.empty() && world_.step(limit)) {
      ++out_.steps;
      check();
    }
  }

  void broken(std::string what) {
    if (out_.report.empty()) out_.report = std::move(what) + "\n";
  }

  const sentinel::Sentinel* sentinel_of(const std::string& node) {
    return static_cast<const sentinel::Sentinel*>(world_.machine(node));
  }

  void check() {
    for (const std::string& node : sentinels_) {
      const sentinel::Sentinel* machine = sentinel_of(node);
      Seen& seen = seen_[node];
      if (machine != seen.machine) seen = {machine, 0, 0};
      if (machine == nullptr) continue;
      const uint64_t epoch = machine->current_epoch();
      const uint64_t config_epoch = machine->config_epoch("m");
      if (epoch < seen.epoch) broken(fmt::format("{}: current epoch went back", node));
      if (config_epoch < seen.config_epoch) broken(fmt::format("{}: config epoch went back", node));
      seen.epoch = epoch;
      seen.config_epoch = config_epoch;
      check_vote(node, machine->vote("m"));
      check_address(node, config_epoch, machine->primary_address("m"));
    }
  }

  void check_vote(const std::string& node, const sentinel::Sentinel::Vote& vote) {
    if (!vote.durable || vote.leader.empty()) return;
    const auto [at, fresh] = votes_.emplace(std::pair(node, vote.epoch), vote.leader);
    if (!fresh && at->second != vote.leader) {
      broken(fmt::format("{} voted for {} and for {} in epoch {}", node, at->second, vote.leader, vote.epoch));
    }
  }

  void check_address(const std::string& node, uint64_t epoch, const Address& address) {
    if (address.host.empty()) return;
    const auto [at, fresh] = addresses_.emplace(epoch, address);
    if (fresh && epoch > 0) ++out_.failovers;
    if (!fresh && at->second != address) {
      broken(fmt::format("{}: epoch {} means {} and {}", node, epoch, to_string(at->second), to_string(address)));
    }
  }

  std::string why_not_at_rest() {
    const sentinel::Sentinel* first = sentinel_of(sentinels_[0]);
    const Address address = first->primary_address("m");
    for (const std::string& node : sentinels_) {
      const sentinel::Sentinel* machine = sentinel_of(node);
      if (machine->primary_address("m") != address || machine->config_epoch("m") != first->config_epoch("m")) {
        return fmt::format("{} and {} disagree", sentinels_[0], node);
      }
    }
    for (size_t i = 0; i < servers_.size(); ++i) {
      const std::optional<std::string> info = world_.ask(servers_[i], kServerPort, "info replication\r\n", 20ms);
      if (!info) return servers_[i] + " does not answer";
      const bool chosen = address.host == fmt::format("10.0.0.{}", i + 1);
      if (chosen && info->find("role:master") == std::string::npos) return servers_[i] + " should be primary";
      const bool follows = info->find("master_host:" + address.host + "\r\n") != std::string::npos &&
                           info->find("master_link_status:up") != std::string::npos;
      if (!chosen && !follows) return servers_[i] + " should follow " + address.host;
    }
    return "";
  }

  void come_to_rest() {
    const Duration limit = world_.elapsed() + kRestMax;
    std::string why = "nothing happened";
    while (out_.report.empty() && world_.elapsed() < limit) {
      run_for(5s);
      why = why_not_at_rest();
      if (why.empty()) return;
    }
    broken("not at rest: " + why);
  }

  void append_log() {
    out_.report += faults_;
    for (const LogLine& line : world_.log()) {
      out_.report +=
          fmt::format("  {:>10.3f} {} {}\n", static_cast<double>(line.at.count()) / 1e6, line.node, line.text);
    }
  }

  struct Seen {
    const sentinel::Sentinel* machine = nullptr;
    uint64_t epoch = 0;
    uint64_t config_epoch = 0;
  };

  Prng prng_;
  World world_;
  Exploration out_;
  std::string faults_;
  std::vector<std::string> hosts_, servers_, sentinels_;
  std::set<std::string> paused_;
  std::map<std::string, Seen> seen_;
  std::map<std::pair<std::string, uint64_t>, std::string> votes_;  // of a Sentinel in an epoch
  std::map<uint64_t, Address> addresses_;                          // of a configuration epoch
};

}  // namespace

Exploration explore(uint64_t seed) { return Explorer(seed).run(); }

}  // namespace holdfast::sim
