// NameListener: who has servers to change when a name's resolution has an outcome.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"
#include "proxy/resolve/answer_set.h"

namespace holdfast::proxy {

/// How a name's last resolution went.
enum class NameStatus : uint8_t { kNone, kValid, kInvalid, kNoSuchName, kRefused, kTimeout, kOther };

/// Who asked for a resolution: a server for its address, or an SRV request for servers.
struct NameRequester {
  bool srv = false;
  uint32_t request = 0;  // of an SRV request
  ServerRef server;

  bool operator==(const NameRequester&) const = default;
};

class NameListener {
 public:
  virtual ~NameListener() = default;
  /// Records that no reply has brought for too long left the set.
  virtual void records_expired(const std::vector<AnswerItem>& items) = 0;
  /// A valid reply to an SRV question.
  virtual void services_seen(uint32_t request, AnswerSet& answers) = 0;
  /// A valid reply. `updater` = who is named as the source of a new address. True = the address changed.
  virtual bool addresses_seen(ServerRef server, AnswerSet& answers, const std::string& updater) = 0;
  /// A resolution failed for good, the last valid reply came at `last_valid`. True = what is known still holds.
  virtual bool resolution_failed(const NameRequester& requester, NameStatus status, Mono last_valid,
                                 AnswerSet& answers) = 0;
};

}  // namespace holdfast::proxy
