// Connections: every connection of the Sentinel with its output queue and what it is for.
//
// Invariant: Flush is asked for exactly when an established connection's queue goes from empty to non-empty.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "base/machine.h"
#include "sentinel/instance.h"

namespace holdfast::sentinel {

enum class Use : uint8_t { kFree, kClient, kCommands, kPubsub };

struct Connection {
  ConnId id;
  Use use = Use::kFree;
  LinkId link = LinkId::kNone;  // kCommands, kPubsub
  bool established = false;
  OutQueue out;
};

class Connections {
 public:
  explicit Connections(std::vector<Action>& actions) : actions_(actions) {}

  ConnId open(Use use, LinkId link, bool established);
  /// nullptr: dead.
  Connection* find(ConnId id);
  void established(ConnId id);
  void send(ConnId id, std::string_view bytes);
  /// Ends a connection from our side.
  void close(ConnId id, action::CloseMode mode);
  /// Forgets a connection that the host closed.
  void forget(ConnId id);
  OutQueue& output(ConnId id);
  /// Called at the start of an input: what the last one closed has been carried out.
  void reap();
  size_t count(Use use) const;

 private:
  std::vector<Action>& actions_;  // of Core
  SlotIds ids_;
  std::vector<std::unique_ptr<Connection>> slots_;  // by index
  std::vector<ConnId> closing_;                     // closed by us in this turn; the host may still take their output
};

}  // namespace holdfast::sentinel
