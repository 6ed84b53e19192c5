// Hub: subscriptions to channels and to patterns.
//
// Subscribers are client ids (never reused). Delivery order: exact subscribers in the order they subscribed, then
// patterns in the order they were first used, subscribers of each in the order they subscribed. Bound: what callers
// add.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::pubsub {

using SubscriberId = uint64_t;

class Hub {
 public:
  /// Each answers false if nothing changed.
  bool subscribe(SubscriberId who, std::string_view channel);
  bool unsubscribe(SubscriberId who, std::string_view channel);
  bool subscribe_pattern(SubscriberId who, std::string_view pattern);
  bool unsubscribe_pattern(SubscriberId who, std::string_view pattern);
  /// A subscriber that is gone.
  void forget(SubscriberId who);

  struct Delivery {
    SubscriberId who;
    std::string_view pattern;  // empty: an exact subscription
    bool by_pattern;
  };
  /// Who gets a message on `channel`. Views are valid until the next change.
  void route(std::string_view channel, std::vector<Delivery>& out) const;

  /// What one subscriber listens to, sorted by name.
  std::vector<std::string> channels_of(SubscriberId who) const;
  std::vector<std::string> patterns_of(SubscriberId who) const;
  size_t count_of(SubscriberId who) const;
  size_t channel_count_of(SubscriberId who) const;
  size_t pattern_count_of(SubscriberId who) const;

  /// PUBSUB CHANNELS [pattern], NUMSUB, NUMPAT.
  std::vector<std::string_view> channels(std::string_view pattern) const;
  size_t subscribers(std::string_view channel) const;
  size_t patterns() const { return patterns_.size(); }
  size_t channel_count() const { return channels_.size(); }
  size_t subscriber_count() const { return subscribers_.size(); }

  void check_invariants() const;

 private:
  struct Pattern {
    std::string text;
    std::vector<SubscriberId> subscribers;
  };
  struct Subscriber {
    std::map<std::string, bool, std::less<>> channels;
    std::map<std::string, bool, std::less<>> patterns;
  };
  void drop_if_idle(SubscriberId who);

  std::map<std::string, std::vector<SubscriberId>, std::less<>> channels_;
  std::vector<Pattern> patterns_;
  std::map<SubscriberId, Subscriber> subscribers_;
};

}  // namespace holdfast::pubsub
