#include "proxy/redis/sentinel_links.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"

namespace holdfast::proxy {
namespace {

std::string request(const std::vector<std::string>& words) {
  std::string out = fmt::format("*{}\r\n", words.size());
  for (const std::string& word : words) out += fmt::format("${}\r\n{}\r\n", word.size(), word);
  return out;
}

/// The field of a flat array or a map of name and value.
std::string_view field(const codec::Reply& reply, std::string_view name) {
  for (size_t i = 0; i + 1 < reply.items.size(); i += 2) {
    if (reply.items[i].is_string() && reply.items[i].text == name && reply.items[i + 1].is_string()) {
      return reply.items[i + 1].text;
    }
  }
  return "";
}

std::optional<Address> address_of(std::string_view host, std::string_view port) {
  const auto number = parse_uint64(port);
  if (host.empty() || !number || *number == 0 || *number > 65535) return std::nullopt;
  return Address{.host = std::string(host), .port = static_cast<uint16_t>(*number), .unix_path = {}};
}

std::optional<PrimaryReport> report_of(const codec::Reply& reply) {
  if (!reply.is_aggregate()) return std::nullopt;
  const auto address = address_of(field(reply, "ip"), field(reply, "port"));
  const auto epoch = parse_int64(field(reply, "config-epoch"));
  if (!address || !epoch || *epoch < 0) return std::nullopt;
  return PrimaryReport{*address, *epoch, parse_int64(field(reply, "quorum")).value_or(0)};
}

}  // namespace

void SentinelLinks::start() {
  const auto& sections = runtime_.config.sentinels;
  names_.resize(sections.size());
  for (const BackendState& backend : runtime_.backends) {
    if (!backend.primary.watched) continue;
    auto& names = names_[backend.primary.sentinels];
    const std::string& name = backend.config->redis_primary.name;
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  for (uint32_t section = 0; section < sections.size(); ++section) {
    if (names_[section].empty()) continue;
    for (uint32_t member = 0; member < sections[section].members.size(); ++member) {
      for (const bool subscriber : {true, false}) {
        links_.emplace_back();
        links_.back().section = section;
        links_.back().member = member;
        links_.back().subscriber = subscriber;
        open(static_cast<uint32_t>(links_.size() - 1));
      }
    }
  }
}

void SentinelLinks::stop() {
  for (uint32_t i = 0; i < links_.size(); ++i) {
    give_up(i);
    links_[i].deadline = kNever;
  }
}

void SentinelLinks::arm(uint32_t index) {
  Link& link = links_[index];
  runtime_.timers.arm(TimerKind::kSentinel, index, 0, link.deadline, &link.queued_until);
}

void SentinelLinks::open(uint32_t index) {
  Link& link = links_[index];
  HF_ASSERT(link.phase == Phase::kDown && !link.conn);
  link.phase = Phase::kConnecting;
  link.conn = runtime_.open(ConnKind::kSentinel, index);
  link.deadline = runtime_.now.mono + kAnswerMax;
  runtime_.act(
      action::Connect{link.conn, runtime_.config.sentinels[link.section].members[link.member].address, {}, true});
  arm(index);
}

void SentinelLinks::lost(Link& link) {
  link.conn = {};
  link.phase = Phase::kDown;
  link.out.clear();
  link.reader.clear();
  link.asked.clear();
  link.again = false;
  link.deadline = runtime_.now.mono + kReconnect;
}

void SentinelLinks::give_up(uint32_t index) {
  Link& link = links_[index];
  if (link.conn) runtime_.close(link.conn, action::CloseMode::kNow, std::move(link.out));
  lost(link);
  arm(index);
}

void SentinelLinks::eof(ConnSlot slot) {
  give_up(slot.owner);
  silence(slot.owner);
}

void SentinelLinks::closed(ConnSlot slot) {
  Link& link = links_[slot.owner];
  runtime_.forget(link.conn);
  lost(link);
  arm(slot.owner);
  silence(slot.owner);
}

/// What it said last may be out of date: it has no voice until it is back.
void SentinelLinks::silence(uint32_t index) {
  const Link& link = links_[index];
  if (link.subscriber) return;
  for (const std::string& name : names_[link.section]) {
    listener_.master_reported(link.section, link.member, name, std::nullopt);
  }
}

void SentinelLinks::send(Link& link, Question question, std::vector<std::string> words, uint32_t name) {
  const bool was_empty = link.out.empty();
  link.out.append(request(words));
  if (was_empty) runtime_.act(action::Flush{link.conn});
  link.asked.push_back({question, name});
}

void SentinelLinks::connected(ConnSlot slot) {
  Link& link = links_[slot.owner];
  link.phase = Phase::kUp;
  const RedisAuth& auth = runtime_.config.sentinels[link.section].auth;
  if (auth.set() && auth.user.empty()) send(link, Question::kAuth, {"AUTH", auth.password});
  if (auth.set() && !auth.user.empty()) send(link, Question::kAuth, {"AUTH", auth.user, auth.password});
  if (link.subscriber) {
    send(link, Question::kSubscribe, {"SUBSCRIBE", "+switch-master"});
  } else {
    ask_masters(link);
  }
  link.deadline = runtime_.now.mono + kAnswerMax;
  arm(slot.owner);
}

void SentinelLinks::ask_masters(Link& link) {
  const auto& names = names_[link.section];
  for (uint32_t i = 0; i < names.size(); ++i) send(link, Question::kMaster, {"SENTINEL", "MASTER", names[i]}, i);
}

void SentinelLinks::ask(uint32_t section) {
  for (uint32_t i = 0; i < links_.size(); ++i) {
    Link& link = links_[i];
    if (link.section != section || link.subscriber || link.phase != Phase::kUp) continue;
    if (!link.asked.empty()) {
      link.again = true;
      continue;
    }
    ask_masters(link);
    link.deadline = runtime_.now.mono + kAnswerMax;
    arm(i);
  }
}

bool SentinelLinks::reachable(uint32_t section, uint32_t member) const {
  return std::ranges::any_of(links_, [&](const Link& link) {
    return link.section == section && link.member == member && !link.subscriber && link.phase == Phase::kUp;
  });
}

void SentinelLinks::receive(ConnSlot slot, std::string_view bytes) {
  const uint32_t index = slot.owner;
  Link& link = links_[index];
  link.reader.feed(bytes);
  while (auto reply = link.reader.next()) {
    if (link.subscriber && link.asked.empty()) {
      published(link, *reply);
    } else if (link.asked.empty()) {
      return give_up(index);  // an answer to nothing
    } else {
      answered(link, *reply);
    }
    if (link.phase != Phase::kUp) return;
  }
  if (link.reader.failed()) return give_up(index);
  if (!link.asked.empty()) return;
  if (link.again) {
    link.again = false;
    ask_masters(link);
    link.deadline = runtime_.now.mono + kAnswerMax;
  } else {
    // A quiet subscription is no sign of anything; the asking connection finds out whether the Sentinel lives.
    link.deadline = link.subscriber ? kNever : runtime_.now.mono + kAskEvery;
  }
  arm(index);
}

void SentinelLinks::answered(Link& link, const codec::Reply& reply) {
  const Link::Asked asked = link.asked.front();
  link.asked.pop_front();
  switch (asked.question) {
    case Question::kAuth:
      if (reply.is_error() && !link.complained) {
        link.complained = true;
        const SentinelsConfig& section = runtime_.config.sentinels[link.section];
        runtime_.log(LogLevel::kProxyWarning, kNoIndex, true,
                     fmt::format("Sentinel {}/{} refuses our password: {}", section.name,
                                 section.members[link.member].name, reply.text));
      }
      return;
    case Question::kSubscribe:
      return;
    case Question::kMaster:
      return listener_.master_reported(link.section, link.member, names_[link.section][asked.name], report_of(reply));
  }
}

void SentinelLinks::published(Link& link, const codec::Reply& reply) {
  if (!reply.is_aggregate() || reply.items.size() != 3 || reply.items[0].text != "message") return;
  // <name> <old ip> <old port> <new ip> <new port>
  const auto words = split(reply.items[2].text, ' ');
  if (words.size() != 5) return;
  const auto& names = names_[link.section];
  if (std::ranges::find(names, words[0]) == names.end()) return;
  const auto to = address_of(words[3], words[4]);
  if (!to) return;
  listener_.switch_announced(link.section, link.member, words[0], *to);
}

void SentinelLinks::timer(uint32_t index, uint32_t) {
  Link& link = links_[index];
  link.queued_until = kNever;
  if (link.deadline > runtime_.now.mono) return arm(index);
  if (runtime_.stopping) return;
  switch (link.phase) {
    case Phase::kDown:
      return open(index);
    case Phase::kConnecting:
      return give_up(index);
    case Phase::kUp:
      if (!link.asked.empty()) {
        give_up(index);
        return silence(index);
      }
      ask_masters(link);
      link.deadline = runtime_.now.mono + kAnswerMax;
      return arm(index);
  }
}

}  // namespace holdfast::proxy
