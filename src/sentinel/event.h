// Event: the things a Sentinel announces: their names, their log levels, who hears of them.
//
// Source: redis-sentinel documentation ("Pub/Sub messages") and its log. A log line is `name payload`; the payload is
// also published on the channel `name`, except for debug events; warnings about an instance also run its primary's
// notification script. Names and texts are read by other programs: never change them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/log.h"
#include "sentinel/instance.h"
#include "sentinel/topology.h"

namespace holdfast::sentinel {

enum class Event : uint8_t {
  kMonitor,
  kUnmonitor,
  kSet,
  kResetMaster,
  kSdown,
  kSdownEnd,
  kOdown,
  kOdownEnd,
  kNewEpoch,
  kTryFailover,
  kVoteForLeader,
  kElectedLeader,
  kStateSelectSlave,
  kSelectedSlave,
  kStateSendSlaveofNoone,
  kStateWaitPromotion,
  kPromotedSlave,
  kStateReconfSlaves,
  kReconfSent,
  kReconfInprog,
  kReconfDone,
  kReconfSentBestEffort,
  kReconfSentTimeout,
  kFailoverEndForTimeout,
  kFailoverEnd,
  kSwitchMaster,
  kConfigUpdateFrom,
  kAbortNotElected,
  kAbortNoGoodSlave,
  kAbortSlaveTimeout,
  kAbortMasterTimeout,
  kTilt,
  kTiltEnd,
  kScriptError,
  kScriptTimeout,
  kScriptChild,
  kScriptChildEnd,
  kSlave,
  kSentinel,
  kSentinelAddressSwitch,
  kSentinelAddressUpdate,
  kSentinelInvalidAddress,
  kReboot,
  kConvertToSlave,
  kFixSlaveConfig,
  kRoleChange,
  kRoleMismatch,
  kCommandLinkReconnection,
  kPubsubLinkReconnection,
  kCount,
};

struct EventRow {
  Event event;
  std::string_view name;
  LogLevel level;
};
const EventRow& event_row(Event event);

/// `master`, `slave` or `sentinel`.
std::string_view type_word(Kind kind);
/// `<type> <name> <ip> <port>[ @ <primary> <ip> <port>]`.
std::string describe(const Instance& instance, const AddressStyle& style);

}  // namespace holdfast::sentinel
