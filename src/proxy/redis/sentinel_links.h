// SentinelLinks: the connections to the Sentinels of every `sentinels` section, two to each: one subscribed to
// +switch-master, one that asks SENTINEL MASTER for every name in use, each second and whenever told to.
// Source: Redis Sentinel documentation, "Sentinel Pub/Sub messages" and "SENTINEL MASTER".
// Invariants: at most one set of questions is on the way per connection; what a Sentinel sends is bounded by kReplyMax.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/machine.h"
#include "codec/resp/reply.h"
#include "proxy/redis/primary_choice.h"
#include "proxy/runtime.h"

namespace holdfast::proxy {

/// Who is told what Sentinels say.
class SentinelListener {
 public:
  virtual ~SentinelListener() = default;
  /// An answer to SENTINEL MASTER; nullopt: it does not know the name, or its connection was lost.
  virtual void master_reported(uint32_t section, uint32_t member, std::string_view name,
                               const std::optional<PrimaryReport>& report) = 0;
  /// +switch-master: carries no epoch, so it is only a reason to ask. `to` is where the primary is said to be.
  virtual void switch_announced(uint32_t section, uint32_t member, std::string_view name, const Address& to) = 0;
};

class SentinelLinks {
 public:
  static constexpr size_t kReplyMax = 64 * 1024;
  static constexpr Duration kAskEvery = 1s;
  static constexpr Duration kAnswerMax = 2s;  // then the connection is given up
  static constexpr Duration kReconnect = 100ms;

  SentinelLinks(Runtime& runtime, SentinelListener& listener) : runtime_(runtime), listener_(listener) {}

  void start();
  void stop();
  /// Asks every Sentinel of the section now.
  void ask(uint32_t section);
  bool reachable(uint32_t section, uint32_t member) const;

  void connected(ConnSlot slot);
  void receive(ConnSlot slot, std::string_view bytes);
  void eof(ConnSlot slot);
  void closed(ConnSlot slot);
  void timer(uint32_t index, uint32_t generation);
  OutQueue& output(ConnSlot slot) { return links_[slot.owner].out; }

 private:
  enum class Question : uint8_t { kAuth, kSubscribe, kMaster };
  enum class Phase : uint8_t { kDown, kConnecting, kUp };
  struct Link {
    uint32_t section = 0;
    uint32_t member = 0;
    bool subscriber = false;
    Phase phase = Phase::kDown;
    ConnId conn;
    OutQueue out;
    codec::ReplyReader reader{kReplyMax};
    struct Asked {
      Question question;
      uint32_t name;  // index into names_ of the section
    };
    std::deque<Asked> asked;
    bool again = false;       // ask once more when these are answered
    bool complained = false;  // about its password
    Mono deadline = kNever;
    Mono queued_until = kNever;
  };

  void open(uint32_t index);
  void give_up(uint32_t index);
  void lost(Link& link);
  void silence(uint32_t index);
  void send(Link& link, Question question, std::vector<std::string> words, uint32_t name = 0);
  void ask_masters(Link& link);
  void answered(Link& link, const codec::Reply& reply);
  void published(Link& link, const codec::Reply& reply);
  void arm(uint32_t index);

  Runtime& runtime_;
  SentinelListener& listener_;
  std::vector<std::vector<std::string>> names_;  // by section
  std::deque<Link> links_;
};

}  // namespace holdfast::proxy
