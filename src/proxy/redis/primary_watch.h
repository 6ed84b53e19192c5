// PrimaryWatch: backends with `redis-primary` follow the primary their Sentinels name.
//
// +switch-master or a lost server makes it ask every Sentinel; their answers (address and configuration epoch) are
// weighed by choose_primary; a candidate is asked ROLE at once and adopted when it says it is a primary. Adoption
// brings that server up, takes every other one down and closes their sessions. All servers are down until then.
// Invariant: in a watched backend exactly the servers that are not the adopted primary are fenced.
#pragma once

#include <string_view>

#include "proxy/check/runner.h"
#include "proxy/redis/sentinel_links.h"
#include "proxy/runtime.h"
#include "proxy/server_state.h"

namespace holdfast::proxy {

class PrimaryWatch final : public SentinelListener, public RoleListener {
 public:
  /// Before the first decision a minority of Sentinels is not believed for this long.
  static constexpr Duration kSettle = 500ms;
  /// A ROLE answer asked for at most this long ago confirms a candidate without being asked for again.
  static constexpr Duration kFreshAnswer = 50ms;

  PrimaryWatch(Runtime& runtime, ServerStates& states, CheckRunner& checks)
      : runtime_(runtime), states_(states), checks_(checks), links_(runtime, *this) {}

  void start();
  void stop() { links_.stop(); }
  SentinelLinks& links() { return links_; }
  /// The moment after which a minority counts has come.
  void settle_timer();

  void master_reported(uint32_t section, uint32_t member, std::string_view name,
                       const std::optional<PrimaryReport>& report) override;
  void switch_announced(uint32_t section, uint32_t member, std::string_view name, const Address& to) override;
  void role_passed(ServerState& server, Mono asked) override;
  void role_doubted(uint32_t backend) override;

 private:
  void decide(uint32_t backend);
  void adopt(uint32_t backend, const PrimaryState::Candidate& candidate, std::string evidence, bool confirmed);
  /// The server that has this address, kNoIndex = none.
  uint32_t server_at(const BackendState& backend, const Address& address) const;
  std::string sentinel_name(const BackendState& backend, size_t member) const;

  Runtime& runtime_;
  ServerStates& states_;
  CheckRunner& checks_;
  SentinelLinks links_;
  Mono settle_queued_ = kNever;
};

}  // namespace holdfast::proxy
