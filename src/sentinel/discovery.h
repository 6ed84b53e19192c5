// Discovery: what a hello message changes: new Sentinels, moved Sentinels, newer epochs, newer configurations.
//
// Source: redis-sentinel 7.2. A Sentinel is one run id; a known id at a new address replaces the old entry, a new id at
// a known address removes the old id everywhere. The newest config epoch wins, whoever says so.
#pragma once

#include <string_view>

#include "sentinel/hello.h"
#include "sentinel/links.h"

namespace holdfast::sentinel {

/// Sentinels known per primary; further ones are ignored.
inline constexpr size_t kSentinelsMax = 1024;

class Discovery {
 public:
  Discovery(Core& core, Links& links) : core_(core), links_(links) {}

  /// A reply or push on a pub/sub connection.
  void message(Instance& instance, const codec::Reply& reply);
  /// A hello's text, from a channel or from another Sentinel's PUBLISH. Anything else is ignored.
  void hello(std::string_view text);

 private:
  Instance* find(Primary& primary, const Hello& hello, const NodeAddress& address);
  Instance* meet(Primary& primary, const Hello& hello, const NodeAddress& address);
  void forget_everywhere(const std::string& runid);
  void update_address_everywhere(Instance& sentinel);
  void adopt_configuration(Primary& primary, const Instance& from, const Hello& hello);

  Core& core_;
  Links& links_;
};

}  // namespace holdfast::sentinel
