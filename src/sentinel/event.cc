#include "sentinel/event.h"

#include <fmt/format.h>

#include <array>

#include "base/assert.h"

namespace holdfast::sentinel {
namespace {

constexpr LogLevel kW = LogLevel::kWarning;
constexpr LogLevel kN = LogLevel::kNotice;

constexpr std::array<EventRow, static_cast<size_t>(Event::kCount)> kRows = {{
    {Event::kMonitor, "+monitor", kW},
    {Event::kUnmonitor, "-monitor", kW},
    {Event::kSet, "+set", kW},
    {Event::kResetMaster, "+reset-master", kW},
    {Event::kSdown, "+sdown", kW},
    {Event::kSdownEnd, "-sdown", kW},
    {Event::kOdown, "+odown", kW},
    {Event::kOdownEnd, "-odown", kW},
    {Event::kNewEpoch, "+new-epoch", kW},
    {Event::kTryFailover, "+try-failover", kW},
    {Event::kVoteForLeader, "+vote-for-leader", kW},
    {Event::kElectedLeader, "+elected-leader", kW},
    {Event::kStateSelectSlave, "+failover-state-select-slave", kW},
    {Event::kSelectedSlave, "+selected-slave", kW},
    {Event::kStateSendSlaveofNoone, "+failover-state-send-slaveof-noone", kN},
    {Event::kStateWaitPromotion, "+failover-state-wait-promotion", kN},
    {Event::kPromotedSlave, "+promoted-slave", kW},
    {Event::kStateReconfSlaves, "+failover-state-reconf-slaves", kW},
    {Event::kReconfSent, "+slave-reconf-sent", kN},
    {Event::kReconfInprog, "+slave-reconf-inprog", kN},
    {Event::kReconfDone, "+slave-reconf-done", kN},
    {Event::kReconfSentBestEffort, "+slave-reconf-sent-be", kN},
    {Event::kReconfSentTimeout, "-slave-reconf-sent-timeout", kN},
    {Event::kFailoverEndForTimeout, "+failover-end-for-timeout", kW},
    {Event::kFailoverEnd, "+failover-end", kW},
    {Event::kSwitchMaster, "+switch-master", kW},
    {Event::kConfigUpdateFrom, "+config-update-from", kW},
    {Event::kAbortNotElected, "-failover-abort-not-elected", kW},
    {Event::kAbortNoGoodSlave, "-failover-abort-no-good-slave", kW},
    {Event::kAbortSlaveTimeout, "-failover-abort-slave-timeout", kW},
    {Event::kAbortMasterTimeout, "-failover-abort-master-timeout", kW},
    {Event::kTilt, "+tilt", kW},
    {Event::kTiltEnd, "-tilt", kW},
    {Event::kScriptError, "-script-error", kW},
    {Event::kScriptTimeout, "-script-timeout", kW},
    {Event::kScriptChild, "+script-child", LogLevel::kDebug},
    {Event::kScriptChildEnd, "-script-child", LogLevel::kDebug},
    {Event::kSlave, "+slave", kN},
    {Event::kSentinel, "+sentinel", kN},
    {Event::kSentinelAddressSwitch, "+sentinel-address-switch", kN},
    {Event::kSentinelAddressUpdate, "+sentinel-address-update", kN},
    {Event::kSentinelInvalidAddress, "+sentinel-invalid-addr", kN},
    {Event::kReboot, "+reboot", kN},
    {Event::kConvertToSlave, "+convert-to-slave", kN},
    {Event::kFixSlaveConfig, "+fix-slave-config", kN},
    {Event::kRoleChange, "+role-change", LogLevel::kVerbose},
    {Event::kRoleMismatch, "-role-change", LogLevel::kVerbose},
    {Event::kCommandLinkReconnection, "-cmd-link-reconnection", LogLevel::kDebug},
    {Event::kPubsubLinkReconnection, "-pubsub-link-reconnection", LogLevel::kDebug},
}};

}  // namespace

const EventRow& event_row(Event event) {
  const EventRow& row = kRows[static_cast<size_t>(event)];
  HF_ASSERT(row.event == event);
  return row;
}

std::string_view type_word(Kind kind) {
  switch (kind) {
    case Kind::kPrimary:
      return "master";
    case Kind::kReplica:
      return "slave";
    case Kind::kSentinel:
      return "sentinel";
  }
  HF_UNREACHABLE();
}

std::string describe(const Instance& instance, const AddressStyle& style) {
  std::string out = fmt::format("{} {} {} {}", type_word(instance.kind), instance.name,
                                announced_host(instance.address, style), instance.address.port);
  if (instance.primary != nullptr) {
    const Instance& primary = *instance.primary;
    out += fmt::format(" @ {} {} {}", primary.name, announced_host(primary.address, style), primary.address.port);
  }
  return out;
}

}  // namespace holdfast::sentinel
