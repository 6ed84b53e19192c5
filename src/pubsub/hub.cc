#include "pubsub/hub.h"

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"

namespace holdfast::pubsub {
namespace {

bool erase_one(std::vector<SubscriberId>& from, SubscriberId who) {
  const auto at = std::find(from.begin(), from.end(), who);
  if (at == from.end()) return false;
  from.erase(at);
  return true;
}

}  // namespace

bool Hub::subscribe(SubscriberId who, std::string_view channel) {
  if (!subscribers_[who].channels.emplace(channel, true).second) return false;
  auto at = channels_.find(channel);
  if (at == channels_.end()) at = channels_.emplace(std::string(channel), std::vector<SubscriberId>()).first;
  at->second.push_back(who);
  return true;
}

bool Hub::unsubscribe(SubscriberId who, std::string_view channel) {
  const auto subscriber = subscribers_.find(who);
  if (subscriber == subscribers_.end()) return false;
  const auto mine = subscriber->second.channels.find(channel);
  if (mine == subscriber->second.channels.end()) return false;
  const auto at = channels_.find(channel);
  HF_ASSERT(at != channels_.end() && erase_one(at->second, who));
  if (at->second.empty()) channels_.erase(at);
  subscriber->second.channels.erase(mine);
  drop_if_idle(who);
  return true;
}

bool Hub::subscribe_pattern(SubscriberId who, std::string_view pattern) {
  if (!subscribers_[who].patterns.emplace(pattern, true).second) return false;
  const auto at = std::find_if(patterns_.begin(), patterns_.end(), [&](const Pattern& p) { return p.text == pattern; });
  if (at == patterns_.end()) {
    patterns_.push_back({std::string(pattern), {who}});
  } else {
    at->subscribers.push_back(who);
  }
  return true;
}

bool Hub::unsubscribe_pattern(SubscriberId who, std::string_view pattern) {
  const auto subscriber = subscribers_.find(who);
  if (subscriber == subscribers_.end()) return false;
  const auto mine = subscriber->second.patterns.find(pattern);
  if (mine == subscriber->second.patterns.end()) return false;
  const auto at = std::find_if(patterns_.begin(), patterns_.end(), [&](const Pattern& p) { return p.text == pattern; });
  HF_ASSERT(at != patterns_.end() && erase_one(at->subscribers, who));
  if (at->subscribers.empty()) patterns_.erase(at);
  subscriber->second.patterns.erase(mine);
  drop_if_idle(who);
  return true;
}

void Hub::drop_if_idle(SubscriberId who) {
  const auto at = subscribers_.find(who);
  if (at != subscribers_.end() && at->second.channels.empty() && at->second.patterns.empty()) subscribers_.erase(at);
}

void Hub::forget(SubscriberId who) {
  for (const std::string& channel : channels_of(who)) unsubscribe(who, channel);
  for (const std::string& pattern : patterns_of(who)) unsubscribe_pattern(who, pattern);
}

void Hub::route(std::string_view channel, std::vector<Delivery>& out) const {
  out.clear();
  if (const auto at = channels_.find(channel); at != channels_.end()) {
    for (const SubscriberId who : at->second) out.push_back({who, {}, false});
  }
  for (const Pattern& pattern : patterns_) {
    if (!glob_match(pattern.text, channel)) continue;
    for (const SubscriberId who : pattern.subscribers) out.push_back({who, pattern.text, true});
  }
}

std::vector<std::string> Hub::channels_of(SubscriberId who) const {
  std::vector<std::string> out;
  if (const auto at = subscribers_.find(who); at != subscribers_.end()) {
    for (const auto& [name, _] : at->second.channels) out.push_back(name);
  }
  return out;
}

std::vector<std::string> Hub::patterns_of(SubscriberId who) const {
  std::vector<std::string> out;
  if (const auto at = subscribers_.find(who); at != subscribers_.end()) {
    for (const auto& [name, _] : at->second.patterns) out.push_back(name);
  }
  return out;
}

size_t Hub::channel_count_of(SubscriberId who) const {
  const auto at = subscribers_.find(who);
  return at == subscribers_.end() ? 0 : at->second.channels.size();
}

size_t Hub::pattern_count_of(SubscriberId who) const {
  const auto at = subscribers_.find(who);
  return at == subscribers_.end() ? 0 : at->second.patterns.size();
}

size_t Hub::count_of(SubscriberId who) const { return channel_count_of(who) + pattern_count_of(who); }

std::vector<std::string_view> Hub::channels(std::string_view pattern) const {
  std::vector<std::string_view> out;
  for (const auto& [name, _] : channels_) {
    if (pattern.empty() || glob_match(pattern, name)) out.push_back(name);
  }
  return out;
}

size_t Hub::subscribers(std::string_view channel) const {
  const auto at = channels_.find(channel);
  return at == channels_.end() ? 0 : at->second.size();
}

void Hub::check_invariants() const {
  size_t exact = 0;
  size_t by_pattern = 0;
  for (const auto& [who, subscriber] : subscribers_) {
    HF_ASSERT(!subscriber.channels.empty() || !subscriber.patterns.empty());
    exact += subscriber.channels.size();
    by_pattern += subscriber.patterns.size();
  }
  for (const auto& [name, who] : channels_) {
    HF_ASSERT(!who.empty());
    exact -= who.size();
  }
  for (const Pattern& pattern : patterns_) {
    HF_ASSERT(!pattern.subscribers.empty());
    by_pattern -= pattern.subscribers.size();
  }
  HF_ASSERT(exact == 0 && by_pattern == 0);
}

}  // namespace holdfast::pubsub
