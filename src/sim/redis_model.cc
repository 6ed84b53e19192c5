#include "sim/redis_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/text.h"
#include "sim/model.h"

namespace holdfast::sim {
namespace {

constexpr Duration kWritePeriod = 50ms;
constexpr Duration kCron = 1s;  // between two attempts to reach the primary
constexpr Duration kReplicationTimeout = 10s;
constexpr Duration kLoading = 80ms;  // of a dataset that was saved
constexpr const char* kData = "/dump";
constexpr const char* kRole = "/role";
enum Tag { kClientConn, kUpstream, kDownstream };

std::string pack(const std::vector<uint32_t>& writes) {
  std::string out(writes.size() * sizeof(uint32_t), '\0');
  if (!writes.empty()) std::memcpy(out.data(), writes.data(), out.size());
  return out;
}
std::vector<uint32_t> unpack(std::string_view bytes) {
  std::vector<uint32_t> out(bytes.size() / sizeof(uint32_t));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size() * sizeof(uint32_t));
  return out;
}

class RedisModel final : public Model {
 public:
  RedisModel(const RedisModelOptions& options, Disk& disk, uint64_t seed)
      : Model(seed, options.port), options_(options), disk_(disk), runid_(prng_.hex(40)) {
    const bool first = !disk.contains(kRole);
    primary_ = options.primary;
    replid_ = prng_.hex(40);
    if (first) {
      writes_ = options.base;
      replid_ = options.replid;
      save_role();
    } else {
      const std::vector<std::string_view> words = split(disk.at(kRole), ' ');
      primary_ = {std::string(words[0] == "-" ? "" : words[0]), static_cast<uint16_t>(*parse_uint64(words[1])), {}};
    }
    const auto saved = disk.find(kData);
    if (saved == disk.end() || !options.persistent) return;
    // As redis-server 7: what was saved by a primary continues under a new id; a replica continues as it was.
    const size_t at = saved->second.find(' ');
    const std::string former = saved->second.substr(0, at);
    writes_ = unpack(std::string_view(saved->second).substr(at + 1));
    loading_ = true;
    if (is_primary()) {
      replid2_ = former;
      second_offset_ = static_cast<int64_t>(writes_.size()) + 1;
    } else {
      replid_ = former;
    }
  }

  RedisTruth truth() const { return {is_primary(), loading_, link_up_, half_synced_, primary_, &writes_, promotions_}; }
  void check() const { HF_ASSERT(!is_primary() || !link_up_); }

 private:
  bool is_primary() const { return primary_.host.empty(); }
  void save_role() { disk_[kRole] = fmt::format("{} {}", is_primary() ? "-" : primary_.host, primary_.port); }
  void save_data() {
    if (options_.persistent && !half_synced_) disk_[kData] = replid_ + " " + pack(writes_);
  }

  void began() override {
    cron_ = now();
    next_write_ = now() + kWritePeriod;
    if (loading_) loaded_at_ = now() + kLoading;
  }

  Mono deadline() const override {
    Mono next = std::min(cron_, is_primary() ? next_write_ : kNever);
    if (loading_) next = std::min(next, loaded_at_);
    for (const auto& [conn, when] : copies_) next = std::min(next, when);
    return next;
  }

  void time_passed() override {
    if (loading_ && loaded_at_ <= now()) loaded();
    if (next_write_ <= now()) {
      next_write_ = now() + kWritePeriod;
      if (is_primary() && !loading_) write(options_.number << 20 | ++made_);
    }
    if (cron_ <= now()) {
      cron_ = now() + kCron;
      save_data();
      // A primary whose host lost power says nothing for ever.
      if (upstream_ && now() - heard_ > (syncing_ ? kReplicationTimeout * 3 : kReplicationTimeout)) leave();
      if (!is_primary() && !loading_) follow();
    }
    for (auto at = copies_.begin(); at != copies_.end();) {
      ModelConn* conn = at->second <= now() ? find(at->first) : nullptr;
      if (conn != nullptr) send(*conn, {"COPY", replid_, pack(writes_)});
      at = at->second <= now() ? copies_.erase(at) : std::next(at);
    }
  }

  void write(uint32_t id) {
    writes_.push_back(id);
    for (const auto& [conn_id, conn] : conns()) {
      if (conn->tag == kDownstream && !copies_.contains(conn_id)) send(*conn, {"WRITE", std::to_string(id)});
    }
  }

  void follow() {
    if (upstream_) return;
    ModelConn& conn = connect(primary_, kUpstream);
    conn.requests_come = true;
    upstream_ = conn.id;
    heard_ = now();
  }
  void leave() {
    if (upstream_) close(*upstream_);
    lost_link();
  }
  void lost_link() {
    upstream_.reset();
    if (link_up_ || !down_since_) down_since_ = now();
    link_up_ = false;
    syncing_ = false;
  }

  void up(ModelConn& conn) override {
    if (conn.tag != kUpstream) return;
    send(conn, {"PSYNC", replid_, std::to_string(writes_.size()), std::to_string(port_)});
  }
  void down(ModelConn& conn, CloseReason) override {
    copies_.erase(conn.id);
    subscribers_.erase(std::remove(subscribers_.begin(), subscribers_.end(), conn.id), subscribers_.end());
    transactions_.erase(conn.id);
    if (conn.tag == kUpstream && upstream_ == conn.id) lost_link();
  }
  void reply(ModelConn&, const codec::Reply&) override {}

  void request(ModelConn& conn, const Args& args, command::Reply& out) override {
    if (conn.tag == kUpstream) return from_upstream(args);
    const std::string name = to_lower(args[0]);
    if (name == "psync") return psync(conn, args);
    const auto open = transactions_.find(conn.id);
    if (open != transactions_.end() && name != "exec") {
      open->second.emplace_back(args.begin(), args.end());
      return out.simple("QUEUED");
    }
    if (name == "multi") {
      transactions_[conn.id];
      return out.ok();
    }
    if (name == "exec") {
      const auto queued = std::move(transactions_[conn.id]);
      transactions_.erase(conn.id);
      out.array(queued.size());
      for (const auto& words : queued) execute(conn, Args(words.begin(), words.end()), out);
      return;
    }
    execute(conn, args, out);
  }

  void execute(ModelConn& conn, const Args& args, command::Reply& out) {
    const std::string name = to_lower(args[0]);
    if (name == "ping")
      return loading_ ? out.error("LOADING Redis is loading the dataset in memory") : out.simple("PONG");
    if (name == "info") return out.bulk(info());
    if (name == "slaveof") return slaveof(args, out);
    if (name == "publish") return publish(args, out);
    if (name == "subscribe") {
      subscribers_.push_back(conn.id);
      out.array(3);
      out.bulk("subscribe");
      out.bulk(args[1]);
      return out.integer(1);
    }
    if (name == "client" && args.size() == 4 && equal_ignoring_case(args[1], "kill")) {
      kill_clients(conn, equal_ignoring_case(args[3], "pubsub"));
      return out.integer(0);
    }
    if (name == "client" || name == "config" || name == "auth" || name == "script") return out.ok();
    out.error("ERR unknown command");
    log(fmt::format("protocol violation: {}", args[0]));
  }

  void kill_clients(const ModelConn& asker, bool pubsub) {
    std::vector<ConnId> doomed;
    for (const auto& [id, conn] : conns()) {
      const bool subscribed = std::find(subscribers_.begin(), subscribers_.end(), id) != subscribers_.end();
      if (conn->tag == kClientConn && id != asker.id && subscribed == pubsub) doomed.push_back(id);
    }
    for (const ConnId id : doomed) {
      down(*find(id), CloseReason::kEof);
      close(id);
    }
  }

  void publish(const Args& args, command::Reply& out) {
    std::string bytes;
    codec::append_request(bytes, {"message", args[1], args[2]});
    for (const ConnId id : subscribers_) send_bytes(*find(id), bytes);
    out.integer(static_cast<int64_t>(subscribers_.size()));
  }

  void slaveof(const Args& args, command::Reply& out) {
    if (loading_) return out.error("LOADING Redis is loading the dataset in memory");
    if (equal_ignoring_case(args[1], "no")) {
      if (!is_primary()) {
        ++promotions_;
        leave();
        replid2_ = replid_;
        second_offset_ = static_cast<int64_t>(writes_.size()) + 1;
        replid_ = prng_.hex(40);
        primary_ = {};
        down_since_.reset();
        save_role();
        drop_replicas();
        log(fmt::format("promoted with {} writes", writes_.size()));
      }
      return out.ok();
    }
    const Address to = {std::string(args[1]), static_cast<uint16_t>(*parse_uint64(args[2])), {}};
    if (to == primary_) return out.ok();
    leave();
    primary_ = to;
    save_role();
    drop_replicas();
    follow();
    out.ok();
  }

  void drop_replicas() {
    std::vector<ConnId> doomed;
    for (const auto& [id, conn] : conns()) {
      if (conn->tag == kDownstream) doomed.push_back(id);
    }
    for (const ConnId id : doomed) {
      copies_.erase(id);
      close(id);
    }
  }

  void psync(ModelConn& conn, const Args& args) {
    conn.tag = kDownstream;
    if (loading_ || half_synced_ || (!is_primary() && !link_up_)) {
      close(conn.id);
      return;
    }
    const auto offset = static_cast<int64_t>(*parse_uint64(args[2]));
    const bool mine = args[1] == replid_ && offset <= static_cast<int64_t>(writes_.size());
    const bool former = args[1] == replid2_ && offset < second_offset_;
    conn.peer.port = static_cast<uint16_t>(*parse_uint64(args[3]));
    if (mine || former) {
      const std::vector<uint32_t> rest(writes_.begin() + offset, writes_.end());
      return send(conn, {"CONTINUE", replid_, pack(rest)});
    }
    send(conn, {"FULL"});
    copies_[conn.id] = now() + options_.full_sync;
  }

  void from_upstream(const Args& args) {
    heard_ = now();
    if (args[0] == "FULL") {
      syncing_ = true;
    } else if (args[0] == "COPY") {
      // From here until it is loaded there is neither the old dataset nor the new one.
      copy_ = Copy{std::string(args[1]), unpack(args[2])};
      writes_.clear();
      half_synced_ = true;
      loading_ = true;
      loaded_at_ = now() + kLoading;
    } else if (copy_ && args[0] == "WRITE") {
      copy_->writes.push_back(static_cast<uint32_t>(*parse_uint64(args[1])));
    } else if (args[0] == "CONTINUE") {
      if (replid_ != args[1]) {
        replid2_ = replid_;
        second_offset_ = static_cast<int64_t>(writes_.size()) + 1;
        replid_ = args[1];
      }
      for (const uint32_t id : unpack(args[2])) write(id);
      synchronized();
    } else if (args[0] == "WRITE") {
      write(static_cast<uint32_t>(*parse_uint64(args[1])));
    }
  }
  void loaded() {
    loading_ = false;
    if (!copy_) return;
    replid_ = copy_->replid;
    replid2_.clear();
    second_offset_ = -1;
    writes_ = std::move(copy_->writes);
    copy_.reset();
    syncing_ = false;
    half_synced_ = false;
    if (upstream_) synchronized();
    save_data();
  }
  void synchronized() {
    link_up_ = true;
    down_since_.reset();
    ever_linked_ = true;
  }

  std::string info() const {
    std::string out = fmt::format(
        "# Server\r\nredis_version:7.2.6\r\nrun_id:{}\r\n# Persistence\r\nloading:{}\r\n"
        "# Replication\r\n",
        runid_, loading_ ? 1 : 0);
    out += is_primary() ? "role:master\r\n" : "role:slave\r\n";
    const uint64_t offset = std::max<uint64_t>(1, writes_.size());
    if (!is_primary()) {
      out += fmt::format(
          "master_host:{}\r\nmaster_port:{}\r\nmaster_link_status:{}\r\nmaster_sync_in_progress:{}\r\n"
          "slave_repl_offset:{}\r\n",
          primary_.host, primary_.port, link_up_ ? "up" : "down", syncing_ ? 1 : 0, offset);
      if (!link_up_) {
        const int64_t seconds = ever_linked_ ? to_ms(now() - down_since_.value_or(now())) / 1000 : -1;
        out += fmt::format("master_link_down_since_seconds:{}\r\n", seconds);
      }
      out += fmt::format("slave_priority:{}\r\n", options_.priority);
    }
    int listed = 0;
    for (const auto& [id, conn] : conns()) {
      if (conn->tag != kDownstream) continue;
      out += fmt::format("slave{}:ip={},port={},state=online,offset={},lag=0\r\n", listed++, conn->peer.host,
                         conn->peer.port, offset);
    }
    out += fmt::format("master_replid:{}\r\nmaster_replid2:{}\r\nmaster_repl_offset:{}\r\nsecond_repl_offset:{}\r\n",
                       replid_, replid2_.empty() ? std::string(40, '0') : replid2_, writes_.size(), second_offset_);
    out += "# Keyspace\r\n";
    if (!writes_.empty()) out += fmt::format("db0:keys={},expires=0,avg_ttl=0\r\n", writes_.size());
    return out;
  }

  RedisModelOptions options_;
  Disk& disk_;
  std::string runid_;
  std::string replid_, replid2_;
  int64_t second_offset_ = -1;
  Address primary_;
  std::vector<uint32_t> writes_;
  uint32_t made_ = 0;
  bool loading_ = false;
  bool link_up_ = false;
  bool syncing_ = false;
  bool half_synced_ = false;
  bool ever_linked_ = false;
  struct Copy {
    std::string replid;
    std::vector<uint32_t> writes;
  };
  std::optional<Copy> copy_;  // being loaded
  std::optional<Mono> down_since_;
  Mono heard_{};  // from upstream
  std::optional<ConnId> upstream_;
  std::map<ConnId, Mono> copies_;  // full copies on their way to replicas
  std::map<ConnId, std::vector<std::vector<std::string>>> transactions_;
  std::vector<ConnId> subscribers_;
  uint64_t promotions_ = 0;
  Mono cron_{}, next_write_{}, loaded_at_{};
};

class ModelBoot final : public Boot {
 public:
  explicit ModelBoot(RedisModelOptions options) : options_(std::move(options)) {}
  bool heeds_drained() const override { return false; }
  std::unique_ptr<Machine> boot(Disk& disk, uint64_t seed) override {
    return std::make_unique<RedisModel>(options_, disk, seed);
  }
  void check(const Machine& machine) const override { static_cast<const RedisModel&>(machine).check(); }

 private:
  RedisModelOptions options_;
};

}  // namespace

std::unique_ptr<Boot> redis_model_boot(const RedisModelOptions& options) {
  return std::make_unique<ModelBoot>(options);
}
RedisTruth truth_of(const Machine& machine) { return static_cast<const RedisModel&>(machine).truth(); }

}  // namespace holdfast::sim
