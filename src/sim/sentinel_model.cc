// tidy: long because one program, every rule of it once.
#include "sim/sentinel_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <optional>

#include "base/text.h"
#include "sim/model.h"

namespace holdfast::sim {
namespace {

constexpr const char* kState = "/state";
constexpr const char* kChannel = "__sentinel__:hello";
constexpr Duration kInfoPeriod = 10s;
constexpr Duration kPingPeriod = 1s;
constexpr Duration kAskPeriod = 1s;
constexpr Duration kPublishPeriod = 2s;
constexpr Duration kElectionTimeout = 10s;
constexpr Duration kReconfTimeout = 10s;

enum class Kind { kPrimary, kReplica, kSentinel };
enum class Asked { kNothing, kPing, kInfo, kHello, kOpinion };
enum class Reconf { kNone, kSent, kDone };
enum class Step { kNone, kWaitStart, kSelect, kSend, kWaitPromotion, kReconf };

struct Peer {
  Kind kind = Kind::kReplica;
  Address address;
  std::string runid;
  std::optional<ConnId> commands, pubsub;
  std::deque<Asked> asked;
  Mono last_attempt{}, last_ping{}, last_pong{}, available{};
  std::optional<Mono> waiting;  // for the answer to a ping
  bool s_down = false;
  Mono s_down_since{};
  std::optional<Mono> info_at, info_asked;
  Mono hello_at{};
  // nodes
  bool says_primary = false;
  Mono role_since{}, link_changed{};
  Address follows;
  bool link_up = false;
  Duration link_down{};
  int64_t priority = 100;
  uint64_t offset = 0;
  Reconf reconf = Reconf::kNone;
  Mono reconf_at{};
  // Sentinels
  bool says_down = false;
  Mono answered{};
  std::string voted;
  uint64_t voted_epoch = 0;
};

class SentinelModel final : public Model {
 public:
  SentinelModel(const SentinelModelOptions& options, Disk& disk, uint64_t seed)
      : Model(seed, options.port), options_(options), disk_(disk) {
    primary_.kind = Kind::kPrimary;
    primary_.says_primary = true;
    primary_.address = options.primary;
    runid_ = prng_.hex(40);
    const auto saved = disk.find(kState);
    if (saved == disk.end()) {
      save();
      return;
    }
    const auto words = split(saved->second, ' ');
    runid_ = words[0];
    current_epoch_ = *parse_uint64(words[1]);
    config_epoch_ = *parse_uint64(words[2]);
    leader_epoch_ = *parse_uint64(words[3]);
    primary_.address = {std::string(words[4]), static_cast<uint16_t>(*parse_uint64(words[5])), {}};
    for (size_t i = 6; i + 1 < words.size(); i += 2) {
      replicas_.push_back(
          node(Kind::kReplica, {std::string(words[i]), static_cast<uint16_t>(*parse_uint64(words[i + 1])), {}}));
    }
  }

  SentinelModelView view() const {
    return {runid_, current_address(), current_epoch_, config_epoch_, leader_epoch_, leader_, step_ != Step::kNone};
  }

 private:
  static Peer node(Kind kind, Address address) {
    Peer out;
    out.kind = kind;
    out.address = std::move(address);
    return out;
  }

  void save() {
    std::string text = fmt::format("{} {} {} {} {} {}", runid_, current_epoch_, config_epoch_, leader_epoch_,
                                   current_address().host, current_address().port);
    for (const Peer& replica : replicas_) {
      const Address& at = replica.address == current_address() ? primary_.address : replica.address;
      text += fmt::format(" {} {}", at.host, at.port);
    }
    disk_[kState] = text;
  }

  const Address& current_address() const {
    return step_ == Step::kReconf && promoted_ != nullptr ? promoted_->address : primary_.address;
  }

  template <typename F>
  void each(F what) {
    what(primary_);
    for (Peer& peer : replicas_) what(peer);
    for (Peer& peer : sentinels_) what(peer);
  }

  void began() override {
    each([this](Peer& peer) { fresh(peer); });
    next_ = now() + 10ms;
  }
  void fresh(Peer& peer) {
    peer.available = peer.last_pong = peer.role_since = peer.link_changed = peer.answered = peer.hello_at = now();
    peer.waiting = now();
  }
  Mono deadline() const override { return next_; }

  void time_passed() override {
    next_ = now() + from_ms(52 + static_cast<int64_t>(prng_.below(49)));
    each([this](Peer& peer) { keep_up(peer); });
    const int64_t down =
        1 + std::count_if(sentinels_.begin(), sentinels_.end(), [](const Peer& s) { return s.says_down; });
    o_down_ = primary_.s_down && down >= options_.quorum;
    const bool free = !attempted_ || now() - *attempted_ >= options_.failover_timeout * 2;
    bool forced = false;
    if (o_down_ && step_ == Step::kNone && free) {
      failover_epoch_ = ++current_epoch_;
      step_ = Step::kWaitStart;
      step_since_ = now();
      attempted_ = now() + from_ms(static_cast<int64_t>(prng_.below(1000)));
      log(fmt::format("+try-failover {}", failover_epoch_));
      forced = true;
    }
    if (!forced) advance();
    ask(forced);
  }

  // ---- watching ------------------------------------------------------------------------------------------------

  void keep_up(Peer& peer) {
    const bool wants_pubsub = peer.kind != Kind::kSentinel;
    if ((!peer.commands || (wants_pubsub && !peer.pubsub)) && now() - peer.last_attempt >= kPingPeriod) {
      peer.last_attempt = now();
      if (!peer.commands) {
        peer.commands = connect(peer.address, 0).id;
        peer.asked.clear();
        tell(peer, Asked::kNothing, {"CLIENT", "SETNAME", "sentinel-" + runid_.substr(0, 8) + "-cmd"});
        ping(peer);
      }
      if (wants_pubsub && !peer.pubsub) {
        ModelConn& conn = connect(peer.address, 1);
        peer.pubsub = conn.id;
        send(conn, {"SUBSCRIBE", kChannel});
      }
    }
    if (is_up(peer) && peer.asked.size() < 100) periodic(peer);
    judge(peer);
  }
  bool established(const std::optional<ConnId>& id) {
    const ModelConn* conn = id ? find(*id) : nullptr;
    return conn != nullptr && conn->established;
  }
  bool is_up(Peer& peer) {
    return established(peer.commands) && (peer.kind == Kind::kSentinel || established(peer.pubsub));
  }
  void tell(Peer& peer, Asked what, std::initializer_list<std::string_view> words) {
    send(*find(*peer.commands), words);
    peer.asked.push_back(what);
  }
  void ping(Peer& peer) {
    tell(peer, Asked::kPing, {"PING"});
    peer.last_ping = now();
    if (!peer.waiting) peer.waiting = now();
  }

  void periodic(Peer& peer) {
    const bool busy =
        peer.kind == Kind::kReplica && (o_down_ || step_ != Step::kNone || peer.link_down != Duration::zero());
    const Duration period = busy ? 1s : kInfoPeriod;
    if (peer.kind != Kind::kSentinel && (!peer.info_at || now() - *peer.info_at > period) &&
        (!peer.info_asked || now() - *peer.info_asked > 1s)) {
      tell(peer, Asked::kInfo, {"INFO"});
      peer.info_asked = now();
    }
    const Duration every = std::min(options_.down_after, kPingPeriod);
    if (now() - peer.last_pong > every && now() - peer.last_ping > every / 2) ping(peer);
    if (now() - peer.hello_at > kPublishPeriod) {
      peer.hello_at = now();
      const Address& at = current_address();
      tell(peer, Asked::kHello,
           {"PUBLISH", kChannel,
            fmt::format("{},{},{},{},{},{},{},{}", options_.ip, port_, runid_, current_epoch_, options_.name, at.host,
                        at.port, config_epoch_)});
    }
  }

  void judge(Peer& peer) {
    bool down = false;
    if (peer.waiting) {
      down = now() - *peer.waiting > options_.down_after;
    } else if (!peer.commands) {
      down = now() - peer.available > options_.down_after;
    }
    if (peer.kind == Kind::kPrimary && !peer.says_primary) {
      down |= now() - peer.role_since > options_.down_after + kInfoPeriod * 2;
    }
    if (down && !peer.s_down) peer.s_down_since = now();
    peer.s_down = down;
  }

  // ---- deciding ------------------------------------------------------------------------------------------------

  void ask(bool forced) {
    for (Peer& peer : sentinels_) {
      if (now() - peer.answered > kAskPeriod * 5) {
        peer.says_down = false;
        peer.voted.clear();
      }
      if (!primary_.s_down || !is_up(peer) || (!forced && now() - peer.answered < kAskPeriod)) continue;
      tell(peer, Asked::kOpinion,
           {"SENTINEL", "is-master-down-by-addr", primary_.address.host, std::to_string(primary_.address.port),
            std::to_string(current_epoch_), step_ == Step::kNone ? std::string_view("*") : std::string_view(runid_)});
    }
  }

  void vote(uint64_t epoch, std::string_view candidate) {
    if (epoch > current_epoch_) {
      current_epoch_ = epoch;
      save();
    }
    if (leader_epoch_ >= epoch || current_epoch_ > epoch) return;
    leader_ = candidate;
    leader_epoch_ = current_epoch_;
    save();
    if (leader_ != runid_) attempted_ = now() + from_ms(static_cast<int64_t>(prng_.below(1000)));
  }

  bool elected() {
    std::map<std::string, int64_t> votes;
    for (const Peer& peer : sentinels_) {
      if (!peer.voted.empty() && peer.voted_epoch == current_epoch_) ++votes[peer.voted];
    }
    std::string best = runid_;
    int64_t most = 0;
    for (const auto& [who, count] : votes) {
      if (count > most) {
        best = who;
        most = count;
      }
    }
    vote(failover_epoch_, best);
    if (leader_epoch_ == failover_epoch_ && !leader_.empty()) ++votes[leader_];
    const auto voters = static_cast<int64_t>(sentinels_.size()) + 1;
    return votes[runid_] >= voters / 2 + 1 && votes[runid_] >= options_.quorum;
  }

  void enter(Step step) {
    step_ = step;
    step_since_ = now();
  }
  void abort(std::string_view why) {
    log(fmt::format("-failover-abort-{}", why));
    promoted_ = nullptr;
    enter(Step::kNone);
  }

  /// One step per turn, as the original.
  void advance() {
    switch (step_) {
      case Step::kNone:
        return;
      case Step::kWaitStart:
        if (elected()) {
          log(fmt::format("+elected-leader {}", failover_epoch_));
          return enter(Step::kSelect);
        }
        if (now() - *attempted_ > std::min(kElectionTimeout, options_.failover_timeout)) abort("not-elected");
        return;
      case Step::kSelect:
        promoted_ = select();
        return promoted_ == nullptr ? abort("no-good-slave") : enter(Step::kSend);
      case Step::kSend:
        if (!is_up(*promoted_)) {
          if (now() - step_since_ > options_.failover_timeout) abort("slave-timeout");
          return;
        }
        slaveof(*promoted_, nullptr);
        return enter(Step::kWaitPromotion);
      case Step::kWaitPromotion:
        if (now() - step_since_ > options_.failover_timeout) abort("slave-timeout");
        return;
      case Step::kReconf:
        return reconfigure();
    }
  }

  Peer* select() {
    Peer* best = nullptr;
    for (Peer& peer : replicas_) {
      const Duration fresh = primary_.s_down ? kPingPeriod * 5 : kInfoPeriod * 3;
      const Duration limit = (primary_.s_down ? now() - primary_.s_down_since : Duration{}) + options_.down_after * 10;
      if (peer.s_down || !is_up(peer) || now() - peer.available > kPingPeriod * 5 || peer.priority == 0) continue;
      if (!peer.info_at || now() - *peer.info_at > fresh || peer.link_down > limit) continue;
      const auto rank = [](const Peer& p) { return std::tuple(p.priority, ~p.offset, to_lower(p.runid)); };
      if (best == nullptr || rank(peer) < rank(*best)) best = &peer;
    }
    return best;
  }

  void slaveof(Peer& peer, const Address* to) {
    const std::string host = to == nullptr ? "NO" : to->host;
    const std::string port = to == nullptr ? "ONE" : std::to_string(to->port);
    tell(peer, Asked::kNothing, {"MULTI"});
    tell(peer, Asked::kNothing, {"SLAVEOF", host, port});
    tell(peer, Asked::kNothing, {"CONFIG", "REWRITE"});
    tell(peer, Asked::kNothing, {"CLIENT", "KILL", "TYPE", "normal"});
    tell(peer, Asked::kNothing, {"CLIENT", "KILL", "TYPE", "pubsub"});
    tell(peer, Asked::kNothing, {"EXEC"});
  }

  void reconfigure() {
    bool waiting = false;
    int busy = 0;
    for (Peer& peer : replicas_) busy += peer.reconf == Reconf::kSent ? 1 : 0;
    for (Peer& peer : replicas_) {
      if (&peer == promoted_ || peer.reconf == Reconf::kDone) continue;
      if (peer.reconf == Reconf::kSent && now() - peer.reconf_at > kReconfTimeout) peer.reconf = Reconf::kDone;
      if (peer.reconf == Reconf::kNone && busy == 0 && is_up(peer)) {
        slaveof(peer, &promoted_->address);
        peer.reconf = Reconf::kSent;
        peer.reconf_at = now();
        ++busy;
      }
      waiting |= peer.reconf != Reconf::kDone && !peer.s_down;
    }
    if (promoted_->s_down) return;
    if (!waiting || now() - step_since_ > options_.failover_timeout) switch_to(Address(promoted_->address));
  }

  void switch_to(const Address& to) {
    log(fmt::format("+switch-master {}", to_string(to)));
    std::vector<Address> others = {primary_.address};
    each([this](Peer& peer) {
      if (peer.kind != Kind::kSentinel) drop(peer);
    });
    for (const Peer& peer : replicas_) others.push_back(peer.address);
    replicas_.clear();
    for (const Address& other : others) {
      if (other == to) continue;
      replicas_.push_back(node(Kind::kReplica, other));
      fresh(replicas_.back());
    }
    primary_ = node(Kind::kPrimary, to);
    primary_.says_primary = true;
    fresh(primary_);
    promoted_ = nullptr;
    step_ = Step::kNone;
    attempted_.reset();
    leader_.clear();
    o_down_ = false;
    save();
  }
  void drop(Peer& peer) {
    if (peer.commands) close(*peer.commands);
    if (peer.pubsub) close(*peer.pubsub);
  }

  // ---- hearing -------------------------------------------------------------------------------------------------

  Peer* owner(ConnId id, bool& pubsub) {
    Peer* found = nullptr;
    each([&](Peer& peer) {
      if (peer.commands == id || peer.pubsub == id) {
        found = &peer;
        pubsub = peer.pubsub == id;
      }
    });
    return found;
  }

  void up(ModelConn&) override {}
  void down(ModelConn& conn, CloseReason) override {
    bool pubsub = false;
    Peer* peer = owner(conn.id, pubsub);
    if (peer == nullptr) return;
    (pubsub ? peer->pubsub : peer->commands).reset();
    if (!pubsub) peer->asked.clear();
  }

  void reply(ModelConn& conn, const codec::Reply& what) override {
    bool pubsub = false;
    Peer* peer = owner(conn.id, pubsub);
    if (peer == nullptr) return;
    if (pubsub) {
      if (what.items.size() == 3 && what.items[0].text == "message") hello(what.items[2].text, true);
      return;
    }
    if (peer->asked.empty()) return log("protocol violation: a reply to nothing");
    const Asked asked = peer->asked.front();
    peer->asked.pop_front();
    if (asked == Asked::kPing) pong(*peer, what);
    if (asked == Asked::kInfo && what.is_string()) info(*peer, what.text);
    if (asked == Asked::kOpinion) opinion(*peer, what);
  }

  void pong(Peer& peer, const codec::Reply& what) {
    peer.last_pong = now();
    if (!what.text.starts_with("PONG") && !what.text.starts_with("LOADING") && !what.text.starts_with("MASTERDOWN"))
      return;
    peer.available = now();
    peer.waiting.reset();
  }

  void opinion(Peer& peer, const codec::Reply& what) {
    if (what.items.size() != 3) return log("protocol violation: not an opinion");
    peer.answered = now();
    peer.says_down = what.items[0].integer == 1;
    if (what.items[1].text == "*") return;
    peer.voted = what.items[1].text;
    peer.voted_epoch = static_cast<uint64_t>(what.items[2].integer);
  }

  static std::string value_of(std::string_view text, std::string_view key) {
    const size_t at = text.find("\r\n" + std::string(key) + ":");
    if (at == std::string_view::npos) return "";
    const size_t from = at + key.size() + 3;
    return std::string(text.substr(from, text.find('\r', from) - from));
  }

  void info(Peer& peer, std::string_view text) {
    peer.info_at = now();
    peer.runid = value_of(text, "run_id");
    const bool primary = value_of(text, "role") == "master";
    if (primary != peer.says_primary) {
      peer.says_primary = primary;
      peer.role_since = now();
      if (!primary) peer.link_changed = now();
    }
    for (int i = 0; peer.kind == Kind::kPrimary && primary; ++i) {
      const std::string listed = value_of(text, fmt::format("slave{}", i));
      if (listed.empty()) break;
      const auto fields = split(listed, ',');
      know_replica({std::string(fields[0].substr(3)), static_cast<uint16_t>(*parse_uint64(fields[1].substr(5))), {}});
    }
    if (peer.kind == Kind::kReplica && !primary) replica_info(peer, text);
    if (peer.kind == Kind::kReplica) correct(peer, primary);
  }

  void know_replica(Address address) {
    for (const Peer& peer : replicas_) {
      if (peer.address == address) return;
    }
    if (step_ != Step::kNone) return;  // keeps promoted_ where it is; the next INFO comes
    replicas_.push_back(node(Kind::kReplica, std::move(address)));
    fresh(replicas_.back());
    save();
  }

  void replica_info(Peer& peer, std::string_view text) {
    const Address follows = {value_of(text, "master_host"),
                             static_cast<uint16_t>(parse_uint64(value_of(text, "master_port")).value_or(0)),
                             {}};
    if (follows != peer.follows) peer.link_changed = now();
    peer.follows = follows;
    peer.link_up = value_of(text, "master_link_status") == "up";
    peer.link_down = std::chrono::seconds(parse_int64(value_of(text, "master_link_down_since_seconds")).value_or(0));
    peer.priority = parse_int64(value_of(text, "slave_priority")).value_or(100);
    peer.offset = parse_uint64(value_of(text, "slave_repl_offset")).value_or(0);
  }

  bool sane() const {
    return primary_.says_primary && !primary_.s_down && !o_down_ && primary_.info_at &&
           now() - *primary_.info_at < kInfoPeriod * 2;
  }

  void correct(Peer& peer, bool primary) {
    if (primary && &peer == promoted_ && step_ == Step::kWaitPromotion) {
      config_epoch_ = failover_epoch_;
      enter(Step::kReconf);
      save();
      log(fmt::format("+promoted-slave {}", to_string(peer.address)));
      each([](Peer& other) { other.hello_at = Mono{}; });
    } else if (primary && &peer != promoted_) {
      const Duration wait = kPublishPeriod * 4;
      const bool was_up = now() - peer.s_down_since > wait && !peer.s_down;
      if (now() - peer.role_since > wait && was_up && sane() && is_up(peer)) {
        slaveof(peer, &primary_.address);
        log(fmt::format("+convert-to-slave {}", to_string(peer.address)));
      }
    } else if (!primary && step_ == Step::kReconf && peer.reconf == Reconf::kSent) {
      if (peer.follows == promoted_->address && peer.link_up) peer.reconf = Reconf::kDone;
    } else if (!primary && step_ == Step::kNone && peer.follows != primary_.address) {
      const Duration wait = options_.failover_timeout;
      if (now() - peer.link_changed > wait && now() - peer.s_down_since > wait && sane() && is_up(peer)) {
        slaveof(peer, &primary_.address);
        log(fmt::format("+fix-slave-config {}", to_string(peer.address)));
      }
    }
  }

  void hello(std::string_view text, bool by_channel) {
    if (by_channel && text.find(runid_) != std::string_view::npos) return;
    const auto fields = split(text, ',');
    if (fields.size() != 8) return log("protocol violation: a hello of " + std::string(text));
    if (fields[4] != options_.name) return;
    const auto port = parse_uint64(fields[1]);
    const auto epoch = parse_uint64(fields[3]);
    const auto primary_port = parse_uint64(fields[6]);
    const auto config = parse_uint64(fields[7]);
    if (!port || !epoch || !primary_port || !config || fields[2].size() != 40) {
      return log("protocol violation: a hello of " + std::string(text));
    }
    if (fields[2] == runid_) return;
    meet(std::string(fields[2]), {std::string(fields[0]), static_cast<uint16_t>(*port), {}});
    if (*epoch > current_epoch_) {
      current_epoch_ = *epoch;
      save();
    }
    if (*config <= config_epoch_) return;
    config_epoch_ = *config;
    const Address to = {std::string(fields[5]), static_cast<uint16_t>(*primary_port), {}};
    if (to != primary_.address) switch_to(to);
    save();
  }

  void meet(const std::string& runid, const Address& address) {
    for (const Peer& peer : sentinels_) {
      if (peer.runid == runid && peer.address == address) return;
    }
    sentinels_.push_back(node(Kind::kSentinel, address));
    sentinels_.back().runid = runid;
    fresh(sentinels_.back());
  }

  void request(ModelConn&, const Args& args, command::Reply& out) override {
    const std::string name = to_lower(args[0]);
    if (name == "ping") return out.simple("PONG");
    if (name == "client" || name == "auth") return out.ok();
    if (name == "publish" && args.size() == 3 && args[1] == kChannel) {
      hello(args[2], false);
      return out.integer(1);
    }
    const std::string sub = args.size() > 1 ? to_lower(args[1]) : "";
    if (name == "sentinel" && sub == "is-master-down-by-addr" && args.size() == 6) return answer(args, out);
    out.error("ERR unknown subcommand '" + sub + "'. Try SENTINEL HELP.");
    const bool asks_for_ours = name == "sentinel" && sub == "ext" && args.size() > 2 && args[2] == "HELLO";
    if (!asks_for_ours) log(fmt::format("protocol violation: {} {}", name, sub));
  }

  void answer(const Args& args, command::Reply& out) {
    const Address about = {std::string(args[2]), static_cast<uint16_t>(parse_uint64(args[3]).value_or(0)), {}};
    const auto epoch = parse_uint64(args[4]);
    if (!epoch) return log("protocol violation: epoch");
    const bool known = about == primary_.address;
    const bool voting = known && args[5] != "*";
    if (voting) vote(*epoch, args[5]);
    out.array(3);
    out.integer(known && primary_.s_down ? 1 : 0);
    out.bulk(voting && !leader_.empty() ? leader_ : "*");
    out.integer(voting ? static_cast<int64_t>(leader_epoch_) : 0);
  }

  SentinelModelOptions options_;
  Disk& disk_;
  std::string runid_;
  uint64_t current_epoch_ = 0, config_epoch_ = 0, leader_epoch_ = 0, failover_epoch_ = 0;
  std::string leader_;
  Peer primary_;
  std::deque<Peer> replicas_, sentinels_;  // deques: promoted_ points into one
  Peer* promoted_ = nullptr;
  bool o_down_ = false;
  Step step_ = Step::kNone;
  Mono step_since_{};
  std::optional<Mono> attempted_;
  Mono next_{};
};

class ModelBoot final : public Boot {
 public:
  explicit ModelBoot(SentinelModelOptions options) : options_(std::move(options)) {}
  bool heeds_drained() const override { return false; }
  std::unique_ptr<Machine> boot(Disk& disk, uint64_t seed) override {
    return std::make_unique<SentinelModel>(options_, disk, seed);
  }

 private:
  SentinelModelOptions options_;
};

}  // namespace

std::unique_ptr<Boot> sentinel_model_boot(const SentinelModelOptions& options) {
  return std::make_unique<ModelBoot>(options);
}
SentinelModelView view_of(const Machine& machine) { return static_cast<const SentinelModel&>(machine).view(); }

}  // namespace holdfast::sim
