#include "sim/programs.h"

#include "base/assert.h"
#include "proxy/config_parse.h"
#include "proxy/proxy.h"
#include "sentinel/sentinel.h"
#include "server/config.h"
#include "server/engine.h"

namespace holdfast::sim {
namespace {

class SentinelBoot final : public Boot {
 public:
  SentinelBoot(std::string config, uint32_t left_out) : config_(std::move(config)), left_out_(left_out) {}
  bool heeds_drained() const override { return false; }
  std::unique_ptr<Machine> boot(Disk& disk, uint64_t seed) override {
    const std::string& text = disk.emplace(kSentinelConf, config_).first->second;
    sentinel::Options options;
    options.config_path = kSentinelConf;
    options.conf = conf::parse_redis_conf(text, kSentinelConf);
    options.seed = seed;
    options.left_out = left_out_;
    const std::string beside = sentinel::extension_path(kSentinelConf);
    if (const auto at = disk.find(beside); at != disk.end()) options.extension_text = at->second;
    sentinel::add_extension(options.conf, options.extension_text, beside);
    HF_ASSERT(sentinel::check_config(options.conf).empty());
    return std::make_unique<sentinel::Sentinel>(std::move(options));
  }
  void check(const Machine& machine) const override {
    static_cast<const sentinel::Sentinel&>(machine).check_invariants();
  }

 private:
  std::string config_;
  uint32_t left_out_;
};

class ServerBoot final : public Boot {
 public:
  explicit ServerBoot(std::string config) : config_(std::move(config)) {}
  std::unique_ptr<Machine> boot(Disk& disk, uint64_t seed) override {
    const std::string& text = disk.emplace(kServerConf, config_).first->second;
    server::StartConfig start = server::apply_conf(conf::parse_redis_conf(text, kServerConf));
    HF_ASSERT(start.errors.empty());
    server::EngineOptions options;
    options.settings = std::move(start.settings);
    options.config_path = kServerConf;
    options.config_content = text;
    options.seed = seed;
    return std::make_unique<server::Engine>(std::move(options));
  }
  void check(const Machine& machine) const override { static_cast<const server::Engine&>(machine).check_invariants(); }

 private:
  std::string config_;
};

class ProxyBoot final : public Boot {
 public:
  explicit ProxyBoot(std::string config) : config_(std::move(config)) {}
  std::unique_ptr<Machine> boot(Disk& disk, uint64_t seed) override {
    const std::string& text = disk.emplace(kProxyConf, config_).first->second;
    const proxy::ParseOutcome outcome = proxy::parse_config({{kProxyConf, text}}, {});
    HF_ASSERT(outcome.exit_code == 0);
    return std::make_unique<proxy::Proxy>(outcome.config, proxy::ProxyOptions{.seed = seed, .pid = 1, .node = "sim"});
  }
  void check(const Machine& machine) const override { static_cast<const proxy::Proxy&>(machine).check_invariants(); }

 private:
  std::string config_;
};

}  // namespace

std::unique_ptr<Boot> sentinel_boot(std::string config, uint32_t left_out) {
  return std::make_unique<SentinelBoot>(std::move(config), left_out);
}
std::unique_ptr<Boot> proxy_boot(std::string config) { return std::make_unique<ProxyBoot>(std::move(config)); }
std::unique_ptr<Boot> server_boot(std::string config) { return std::make_unique<ServerBoot>(std::move(config)); }

}  // namespace holdfast::sim
