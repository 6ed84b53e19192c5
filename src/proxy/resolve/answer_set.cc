#include "proxy/resolve/answer_set.h"

#include <fmt/format.h>

#include <algorithm>

#include "codec/xxh32.h"
#include "proxy/sample/network.h"

namespace holdfast::proxy {
namespace {

/// The longest run of zero groups, two or more: `::` stands for it.
std::pair<size_t, size_t> zero_run(const std::vector<unsigned>& groups) {
  size_t best_at = 0;
  size_t best = 0;
  for (size_t i = 0; i < groups.size();) {
    size_t end = i;
    while (end < groups.size() && groups[end] == 0) ++end;
    if (end - i > best) {
      best = end - i;
      best_at = i;
    }
    i = std::max(end, i + 1);
  }
  return {best_at, best < 2 ? 0 : best};
}

bool preferred_network(const ServerResolve& options, std::string_view address) {
  return std::ranges::any_of(options.networks,
                             [&](const std::string& network) { return in_network(address, network); });
}

}  // namespace

std::string address_text(std::string_view bytes) {
  auto byte = [&](size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(bytes[i])); };
  if (bytes.size() == 4) return fmt::format("{}.{}.{}.{}", byte(0), byte(1), byte(2), byte(3));
  std::vector<unsigned> groups;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) groups.push_back(byte(i) << 8 | byte(i + 1));
  const auto [at, length] = zero_run(groups);
  std::string out;
  for (size_t i = 0; i < groups.size();) {
    if (length > 0 && i == at) {
      out += "::";
      i += length;
      continue;
    }
    if (!out.empty() && !out.ends_with(':')) out.push_back(':');
    out += fmt::format("{:x}", groups[i++]);
  }
  return out;
}

void AnswerSet::add(const codec::DnsRecord& record, Mono now) {
  const bool srv = record.type == codec::DnsType::kSrv;
  for (AnswerItem& item : items_) {
    if (item.type != record.type || item.data != record.data || (srv && item.port != record.port)) continue;
    item.weight = record.weight;
    item.last_seen = now;
    return;
  }
  AnswerItem item;
  item.type = record.type;
  item.data = record.data;
  item.weight = record.weight;
  item.port = record.port;
  item.key = codec::xxh32(record.data, static_cast<uint32_t>(record.type));
  item.last_seen = now;
  const auto at = std::ranges::upper_bound(items_, item.key, {}, &AnswerItem::key);
  items_.insert(at, std::move(item));
}

void AnswerSet::add_extra(const codec::DnsRecord& record, Mono now) {
  for (AnswerItem& item : items_) {
    if (item.type != codec::DnsType::kSrv || item.data != record.owner || !item.extra) continue;
    if (item.extra->type != record.type || item.extra->data != record.data || item.extra->last_seen == now) continue;
    item.extra->last_seen = now;
    return;
  }
  for (AnswerItem& item : items_) {
    if (item.type != codec::DnsType::kSrv || item.data != record.owner || item.extra) continue;
    item.extra = AnswerItem::Extra{record.type, record.data, now};
    return;
  }
}

void AnswerSet::merge(const codec::DnsReply& reply, Mono now) {
  for (const codec::DnsRecord& record : reply.answers) {
    if (record.type != codec::DnsType::kCname) add(record, now);
  }
  for (const codec::DnsRecord& record : reply.additional) add_extra(record, now);
}

std::vector<AnswerItem> AnswerSet::expire(Duration obsolete, Mono now) {
  std::vector<AnswerItem> gone;
  std::vector<AnswerItem> kept;
  for (AnswerItem& item : items_) {
    if (item.extra && item.extra->last_seen + obsolete < now) item.extra.reset();
    (item.last_seen + obsolete < now ? gone : kept).push_back(std::move(item));
  }
  items_ = std::move(kept);
  return gone;
}

void AnswerSet::release(ServerRef server) {
  for (AnswerItem& item : items_) std::erase(item.servers, server);
}

const AnswerItem* AnswerSet::taken_by(ServerRef server) const {
  for (const AnswerItem& item : items_) {
    if (item.is_address() && std::ranges::find(item.servers, server) != item.servers.end()) return &item;
  }
  return nullptr;
}

const AnswerItem* AnswerSet::choose(ServerRef server, const ServerResolve& options, std::string_view current) {
  constexpr int kFamily = 8;
  constexpr int kNetwork = 4;
  constexpr int kFree = 2;
  constexpr int kCurrent = 1;
  AnswerItem* best = nullptr;
  int best_score = -1;
  for (AnswerItem& item : items_) {
    if (!item.is_address()) continue;
    const std::string text = address_text(item.data);
    const bool used = std::ranges::any_of(
        item.servers, [&](const ServerRef& other) { return other != server && other.backend == server.backend; });
    if (used && !options.allow_duplicates) continue;
    int score = used ? 0 : kFree;
    if ((item.type == codec::DnsType::kA) == options.prefer_ipv4) score += kFamily;
    if (preferred_network(options, text)) score += kNetwork;
    if (text == current) score += kCurrent;
    if (score <= best_score) continue;
    best = &item;
    best_score = score;
  }
  if (best == nullptr) return nullptr;
  release(server);
  best->servers.push_back(server);
  return best;
}

}  // namespace holdfast::proxy
