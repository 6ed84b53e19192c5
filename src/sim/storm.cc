// tidy: long because one picture and all that can happen to it.
#include "sim/storm.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "base/prng.h"
#include "sim/checkers.h"
#include "sim/programs.h"
#include "sim/redis_model.h"
#include "sim/sentinel_model.h"
#include "sim/world.h"

namespace holdfast::sim {
namespace {

constexpr uint16_t kRedisPort = 6379;
constexpr uint16_t kSentinelPort = 26379;
constexpr size_t kServers = 3;
constexpr size_t kBaseWrites = 20;
constexpr Duration kRestMax = 120s;  // after the last fault

/// Lets the checkers see a machine after each of its inputs.
class Observed final : public Boot {
 public:
  using See = std::function<void(const Machine&)>;
  Observed(std::unique_ptr<Boot> inner, See see, std::function<void()> born)
      : inner_(std::move(inner)), see_(std::move(see)), born_(std::move(born)) {}
  std::unique_ptr<Machine> boot(Disk& disk, uint64_t seed) override {
    born_();
    return inner_->boot(disk, seed);
  }
  bool heeds_drained() const override { return inner_->heeds_drained(); }
  void check(const Machine& machine) const override {
    inner_->check(machine);
    see_(machine);
  }

 private:
  std::unique_ptr<Boot> inner_;
  See see_;
  std::function<void()> born_;
};

std::string host(size_t number) { return fmt::format("h{}", number); }
std::string ip(size_t number) { return fmt::format("10.0.0.{}", number + 1); }
std::string server(size_t number) { return fmt::format("r{}", number); }
std::string sentinel_name(size_t number) { return fmt::format("s{}", number); }

class Storm {
 public:
  Storm(uint64_t seed, const StormOptions& options)
      : options_(options),
        prng_(seed * 31 + static_cast<uint64_t>(options.kind)),
        world_(seed, weather()),
        checks_(count_) {}

  StormResult run() {
    build();
    run_for(mixed() ? 6s : 1500ms);
    for (int round = 0; round < rounds_ && good(); ++round) {
      play();
      if (!calm()) run_for(upto(200ms));
    }
    const bool nothing_may_happen = calm() && good();
    repair();
    if (good()) come_to_rest();
    if (nothing_may_happen && checks_.elections() > 0) checks_.report("I10: a failover without a reason");
    return finish();
  }

 private:
  // ---- the picture -----------------------------------------------------------------------------------------------

  bool calm() const { return options_.kind == StormKind::kCalm; }
  bool mixed() const { return models_ > 0; }
  bool good() const { return checks_.broken().empty(); }
  uint64_t below(uint64_t bound) { return prng_.below(bound); }
  bool chance(uint64_t in) { return below(in) == 0; }
  Duration upto(Duration max) { return Duration(static_cast<int64_t>(below(static_cast<uint64_t>(max.count())))); }

  /// Also decides how many Sentinels of which make there are: the first thing of a history.
  Weather weather() {
    count_ = chance(4) ? 5 : 3;
    if (options_.kind == StormKind::kMixed) models_ = 1 + below(count_ - 1);
    strict_ = options_.kind == StormKind::kElections && chance(2);
    one_is_enough_ = options_.kind == StormKind::kMinority || (options_.kind == StormKind::kElections && chance(2));
    down_after_ = 500ms + upto(1000ms);
    Weather out;
    if (chance(3)) out.delay_max = 5ms;
    if (options_.kind == StormKind::kElections) out.disk_max = chance(2) ? 60ms : 8ms;
    const bool orderly = calm() || options_.kind == StormKind::kWipe;
    if (!orderly && chance(4)) out.lost_per_thousand = static_cast<uint32_t>(1 + below(20));
    return out;
  }

  void build() {
    for (size_t i = 0; i < kServers + count_; ++i) {
      world_.add_host(host(i), ip(i));
      if (chance(2)) world_.drift(host(i), static_cast<int64_t>(below(2000)) - 1000);
    }
    std::vector<uint32_t> base;
    for (size_t i = 0; i < kBaseWrites; ++i) base.push_back(static_cast<uint32_t>(i + 1));
    const std::string replid = prng_.hex(40);
    for (size_t i = 0; i < kServers; ++i) {
      RedisModelOptions node;
      node.ip = ip(i);
      node.number = static_cast<uint32_t>(i + 1);
      const bool keeps = options_.kind == StormKind::kNewcomer || options_.kind == StormKind::kStale || !chance(4);
      node.persistent = options_.kind != StormKind::kWipe && keeps;
      node.base = base;
      node.replid = replid;
      node.full_sync = options_.kind == StormKind::kNewcomer ? 20s : upto(300ms);
      if (i > 0) node.primary = {ip(0), kRedisPort, {}};
      if (options_.kind == StormKind::kNewcomer && i == 2) {
        node.base.clear();
        node.replid = prng_.hex(40);
        node.priority = 10;
      }
      world_.add_node(server(i), host(i), redis_model_boot(node));
    }
    for (size_t i = 0; i < kServers; ++i) world_.start(server(i));
    run_for(1200ms);
    std::vector<std::string> ids;
    for (size_t i = 0; i < count_; ++i) ids.push_back(prng_.hex(40));
    for (size_t i = 0; i < count_; ++i) {
      const bool model = i < models_;
      const auto see = [this, i, model](const Machine& machine) {
        if (model) return checks_.model_acted(i, view_of(machine));
        checks_.ours_acted(i, static_cast<const sentinel::Sentinel&>(machine));
      };
      auto boot = model ? model_boot(i) : sentinel_boot(config(i, ids), options_.left_out);
      world_.add_node(sentinel_name(i), host(kServers + i),
                      std::make_unique<Observed>(std::move(boot), see, [this, i] { checks_.reborn(i); }));
      if (!model) numbers_[sentinel_name(i)] = i;
    }
    for (size_t i = 0; i < count_; ++i) world_.start(sentinel_name(i));
  }

  std::unique_ptr<Boot> model_boot(size_t i) {
    SentinelModelOptions model;
    model.ip = ip(kServers + i);
    model.primary = {ip(0), kRedisPort, {}};
    model.quorum = static_cast<int64_t>(count_ / 2 + 1);
    model.down_after = down_after_;
    model.failover_timeout = 3s;
    return sentinel_model_boot(model);
  }

  std::string config(size_t i, const std::vector<std::string>& ids) {
    std::string out = fmt::format(
        "port {}\nsentinel myid {}\nsentinel monitor m {} {} {}\n"
        "sentinel down-after-milliseconds m {}\nsentinel failover-timeout m 3000\n",
        kSentinelPort, ids[i], ip(0), kRedisPort, quorum(), to_ms(down_after_));
    if (strict_) out += "sentinel fast-failover m no\n";
    for (size_t other = 1; other < kServers; ++other) {
      out += fmt::format("sentinel known-replica m {} {}\n", ip(other), kRedisPort);
    }
    for (size_t other = models_; other < count_; ++other) {
      if (other == i) continue;
      out += fmt::format("sentinel known-sentinel m {} {} {}\n", ip(kServers + other), kSentinelPort, ids[other]);
    }
    return out;
  }
  size_t quorum() const { return one_is_enough_ ? 1 : count_ / 2 + 1; }

  // ---- faults ----------------------------------------------------------------------------------------------------

  void note(std::string what) {
    ++out_.faults;
    faults_ += fmt::format("  {:>10.4f} {}\n", static_cast<double>(world_.elapsed().count()) / 1e6, what);
  }
  void kill(const std::string& node) {
    if (!world_.running(node)) return;
    note("kill " + node);
    world_.kill(node);
    paused_.erase(node);
  }
  void start(const std::string& node) {
    if (world_.running(node)) return;
    note("start " + node);
    world_.start(node);
  }
  void pause(const std::string& node) {
    if (!world_.running(node)) return;
    note("pause " + node);
    world_.pause(node);
    paused_.insert(node);
  }
  void resume(const std::string& node) {
    if (paused_.erase(node) == 0) return;
    note("resume " + node);
    world_.resume(node);
  }
  void cut(const std::string& a, const std::string& b, bool both) {
    note(fmt::format("cut {} {} {}", a, both ? "<->" : "->", b));
    world_.cut(a, b);
    if (both) world_.cut(b, a);
  }
  std::string any_host() { return host(below(kServers + count_)); }
  std::string any_sentinel() { return sentinel_name(below(count_)); }
  std::string any_node() { return chance(2) ? server(below(kServers)) : any_sentinel(); }
  /// The data server that most Sentinels take for the primary.
  size_t primary() {
    std::map<size_t, int> named;
    for (size_t i = 0; i < count_; ++i) {
      const Address at = address_of(i);
      for (size_t n = 0; n < kServers; ++n) named[n] += at.host == ip(n) ? 1 : 0;
    }
    return std::max_element(named.begin(), named.end(), [](auto& a, auto& b) { return a.second < b.second; })->first;
  }
  Address address_of(size_t i) {
    const Machine* machine = world_.machine(sentinel_name(i));
    if (machine == nullptr) return {};
    if (i < models_) return view_of(*machine).primary;
    return static_cast<const sentinel::Sentinel*>(machine)->primary_address("m");
  }

  void play() {
    switch (options_.kind) {
      case StormKind::kWild:
      case StormKind::kMixed:
        return wild();
      case StormKind::kCalm:
        return ripple();
      case StormKind::kElections:
        return election();
      case StormKind::kMinority:
        return minority();
      case StormKind::kWipe:
        return wipe();
      case StormKind::kDiverged:
        return diverge();
      case StormKind::kNewcomer:
        return newcomer();
      case StormKind::kStale:
        return stale();
      case StormKind::kCount:
        break;
    }
    HF_UNREACHABLE();
  }

  void wild() {
    rounds_ = 8;
    const std::string node = any_node();
    switch (below(12)) {
      case 0:
      case 1:
        kill(node);
        break;
      case 2:
        kill(server(primary()));
        break;
      case 3:
        if (world_.running(node)) power_off(node);
        break;
      case 4:
      case 5:
        start(node);
        break;
      case 6:
        cut(any_host(), any_host(), chance(2));
        break;
      case 7:
        note("heal all");
        world_.heal_all();
        break;
      case 8:
        pause(node);
        break;
      case 9:
        for (const std::string& frozen : std::set<std::string>(paused_)) resume(frozen);
        break;
      case 10:
        slow_down();
        break;
      default:
        spoil_disk(any_sentinel());
    }
    run_for(chance(3) ? upto(100ms) : upto(3s));
  }
  void power_off(const std::string& node) {
    note("power off " + node);
    for (size_t i = 0; i < count_; ++i) {
      if (sentinel_name(i) == node && liars_.contains(node)) checks_.excuse_disk(i);
    }
    world_.power_off(node);
    paused_.erase(node);
  }
  void slow_down() {
    const std::string a = any_host();
    const std::string b = any_host();
    const Duration extra = upto(400ms);
    note(fmt::format("slow {} -> {} by {} ms", a, b, to_ms(extra)));
    world_.slow(a, b, extra);
  }
  void spoil_disk(const std::string& node) {
    if (chance(2)) {
      const bool lies = chance(2);
      note(fmt::format("the disk of {} {}", node, lies ? "lies" : "is honest again"));
      if (lies) liars_.insert(node);
      return world_.lie_disk(node, lies);
    }
    const int error = chance(2) ? 28 : 0;
    note(fmt::format("the disk of {} {}", node, error == 0 ? "works" : "is full"));
    world_.fail_disk(node, error);
  }

  /// Nothing here is a reason to replace a primary that lives.
  void ripple() {
    rounds_ = 12;
    switch (below(6)) {
      case 5: {
        // One Sentinel does not hear the primary, the others do.
        const std::string deaf = host(kServers + below(count_));
        cut(deaf, host(primary()), chance(2));
        run_for(down_after_ * 3);
        world_.heal_all();
        break;
      }
      case 0: {
        const std::string node = server(below(kServers));
        pause(node);
        run_for(down_after_ / 3);
        resume(node);
        break;
      }
      case 1: {
        // A firewall between the Sentinels and the primary; the replicas go on replicating.
        const size_t node = primary();
        note("reject Sentinels at " + host(node));
        for (size_t i = 0; i < count_; ++i) world_.reject(host(kServers + i), host(node));
        run_for(down_after_ / 2);
        world_.heal_all();
        break;
      }
      case 2: {
        const std::string node = server(below(kServers));
        note("connections of " + node + " are closed");
        world_.ask(node, kRedisPort, "CLIENT KILL TYPE normal\r\nCLIENT KILL TYPE pubsub\r\n", 1ms);
        break;
      }
      case 3: {
        const std::string node = any_sentinel();
        pause(node);
        run_for(upto(3s));
        resume(node);
        break;
      }
      default:
        slow_between(down_after_ / 8);
    }
    run_for(1s + upto(1s));
  }
  void slow_between(Duration extra) {
    const std::string a = any_host();
    const std::string b = any_host();
    note(fmt::format("slow {} -> {} by {} ms", a, b, to_ms(extra)));
    world_.slow(a, b, extra);
    run_for(1s);
    world_.heal_all();
  }

  void election() {
    rounds_ = 3;
    for (int i = 0; i < 2; ++i) world_.slow(any_host(), any_host(), upto(30ms));
    kill(server(primary()));
    if (strict_) run_for(down_after_ - 50ms);
    const int troubles = 1 + static_cast<int>(below(4));
    for (int i = 0; i < troubles && good(); ++i) {
      run_for(strict_ ? upto(150ms) : upto(25ms));
      const std::string node = any_sentinel();
      if (chance(3)) {
        pause(node);
        run_for(chance(2) ? upto(40ms) : upto(1500ms));
        resume(node);
      } else {
        kill(node);
        run_for(upto(30ms));
        start(node);
      }
    }
    run_for(upto(4s));
    world_.heal_all();
    for (size_t i = 0; i < count_; ++i) start(sentinel_name(i));
    for (size_t i = 0; i < kServers; ++i) start(server(i));
    run_for(2s);
  }

  void minority() {
    rounds_ = 2;
    // Up to a minority of them hears only each other; the primary is cut off from them as well, or dies.
    const size_t few = 1 + below((count_ - 1) / 2);
    for (size_t i = 0; i < few; ++i) {
      for (size_t other = few; other < count_; ++other) cut(host(kServers + i), host(kServers + other), true);
      for (size_t n = 0; n < kServers; ++n) {
        if (chance(2) || n == primary()) cut(host(kServers + i), host(n), true);
      }
    }
    run_for(300ms);
    for (size_t i = 0; i < few; ++i) checks_.alone(i, true, world_.elapsed());
    run_for(3s + upto(9s));
    for (size_t i = 0; i < few; ++i) checks_.alone(i, false, world_.elapsed());
    note("heal all");
    world_.heal_all();
    run_for(2s);
  }

  void wipe() {
    rounds_ = 2;
    const size_t node = primary();
    world_.run_for(upto(1s));
    kill(server(node));
    run_for(upto(400ms));
    start(server(node));
    run_for(4s);
    check_base();
    run_for(12s);
  }

  /// The first writes of all are still there.
  void check_base() {
    const Machine* now = world_.machine(server(primary()));
    if (now == nullptr || !good()) return;
    const std::vector<uint32_t>& writes = *truth_of(*now).writes;
    if (writes.size() < kBaseWrites || writes[0] != 1) checks_.report("I7: the data is gone: " + server(primary()));
  }

  /// The promoted node has to hold what the successor's own replica held.
  void diverge() {
    rounds_ = 1;
    const size_t old = primary();
    note("cut off " + host(old));
    for (size_t i = 0; i < kServers + count_; ++i) {
      if (i != old) {
        world_.cut(host(old), host(i));
        world_.cut(host(i), host(old));
      }
    }
    run_for(5s + upto(6s));  // it goes on writing, alone
    const size_t heir = primary();
    if (heir == old) return;
    const size_t third = 3 - old - heir;
    const Machine* witness = world_.machine(server(third));
    if (!truth_of(*witness).link_up) return;
    const std::vector<uint32_t> held = *truth_of(*witness).writes;
    // It is back, and known to be a replica, but its copy takes long; now the successor dies.
    note("heal all");
    world_.heal_all();
    run_for(upto(2s));
    kill(server(heir));
    run_for(4s);
    const size_t chosen = primary();
    const Machine* now = world_.machine(server(chosen));
    if (!good() || chosen == heir || now == nullptr) return;
    const std::vector<uint32_t>& writes = *truth_of(*now).writes;
    if (writes.size() < held.size() || !std::equal(held.begin(), held.end(), writes.begin())) {
      checks_.report(fmt::format("I7: {} was promoted although {} held {} more writes", server(chosen), server(third),
                                 held.size()));
    }
  }

  /// The first primary is primary again, its successor returns: one Sentinel knows of the first change only.
  void stale() {
    rounds_ = 1;
    kill(server(0));
    run_for(4s);
    const size_t successor = primary();
    if (successor == 0 || !good()) return;
    note("cut s0 off from the others");
    for (size_t i = 1; i < count_; ++i) {
      world_.cut(host(kServers), host(kServers + i));
      world_.cut(host(kServers + i), host(kServers));
    }
    kill(server(3 - successor));
    run_for(down_after_ + upto(1s));
    kill(server(successor));
    start(server(0));
    run_for(6s);
    if (address_of(1).host != ip(0) || !good()) return;
    start(server(successor));
    for (int i = 0; i < 40 && good(); ++i) {
      run_for(100ms);
      if (!truth_of(*world_.machine(server(0))).primary) checks_.report("I9: one that missed the change undid it");
    }
  }

  void newcomer() {
    rounds_ = 1;
    run_for(upto(3s));
    kill(server(1));
    run_for(upto(300ms));
    kill(server(0));
    run_for(4s);
    check_base();
  }

  // ---- the end ---------------------------------------------------------------------------------------------------

  void repair() {
    note("repair everything");
    world_.heal_all();
    for (const std::string& node : std::set<std::string>(paused_)) resume(node);
    for (size_t i = 0; i < count_; ++i) {
      world_.fail_disk(sentinel_name(i), 0);
      world_.lie_disk(sentinel_name(i), false);
      start(sentinel_name(i));
    }
    for (size_t i = 0; i < kServers; ++i) start(server(i));
  }

  void run_for(Duration d) {
    const Duration limit = world_.elapsed() + d;
    while (good() && world_.step(limit)) {
      ++out_.steps;
      if (options_.jump_wall && out_.steps % 97 == 0) world_.jump_wall(host(out_.steps % (kServers + count_)), jump());
      checks_.read_log(world_.log(), numbers_);
    }
  }
  /// No draw of the storm's own numbers: they must be the same without jumps.
  Duration jump() const { return out_.steps % 2 == 0 ? Duration(3600s) : Duration(-7200s); }

  std::string why_not_at_rest() {
    const Address address = address_of(0);
    for (size_t i = 0; i < count_; ++i) {
      if (address_of(i) != address) return fmt::format("s0 and s{} name different primaries", i);
      const Machine& machine = *world_.machine(sentinel_name(i));
      const bool busy = i < models_ ? view_of(machine).failing_over
                                    : static_cast<const sentinel::Sentinel&>(machine).progress("m").running;
      if (busy) return fmt::format("s{} is failing over", i);
    }
    for (size_t i = 0; i < kServers; ++i) {
      const RedisTruth truth = truth_of(*world_.machine(server(i)));
      const bool chosen = address.host == ip(i);
      if (truth.primary != chosen) return server(i) + (chosen ? " should be the primary" : " should be a replica");
      if (!chosen && (truth.follows != address || !truth.link_up)) return server(i) + " should follow";
    }
    return "";
  }

  void come_to_rest() {
    const Duration limit = world_.elapsed() + kRestMax;
    std::string why = "nothing happened";
    while (good() && world_.elapsed() < limit) {
      why = why_not_at_rest();
      if (why.empty()) return;
      run_for(500ms);
    }
    if (good()) checks_.report("I8: not at rest: " + why);
  }

  StormResult finish() {
    out_.ok = good();
    out_.elections = checks_.elections();
    std::string lines;
    for (const LogLine& line : world_.log()) {
      lines += fmt::format("  {:>10.4f} {} {}\n", static_cast<double>(line.at.count()) / 1e6, line.node, line.text);
    }
    if (!out_.ok) out_.report = checks_.broken() + "\n" + faults_ + lines;
    out_.events = std::move(lines);
    return std::move(out_);
  }

  StormOptions options_;
  Prng prng_;
  size_t count_ = 3;
  size_t models_ = 0;
  bool strict_ = false;
  bool one_is_enough_ = false;  // quorum 1: the majority of votes is needed all the same
  Duration down_after_{};
  World world_;
  Checkers checks_;
  StormResult out_;
  std::string faults_;
  int rounds_ = 1;
  std::set<std::string> paused_, liars_;
  std::map<std::string, size_t> numbers_;
};

}  // namespace

std::string_view storm_name(StormKind kind) {
  constexpr std::array<std::string_view, static_cast<size_t>(StormKind::kCount)> kNames = {
      "wild", "mixed", "calm", "elections", "minority", "wipe", "diverged", "newcomer", "stale"};
  return kNames[static_cast<size_t>(kind)];
}

StormResult storm(uint64_t seed, const StormOptions& options) { return Storm(seed, options).run(); }

}  // namespace holdfast::sim
