#include "server/protect.h"

#include "base/assert.h"
#include "base/text.h"

namespace holdfast::server {
namespace {

/// INFO counts whole seconds; clocks of two hosts are not compared.
constexpr Duration kUptimeMargin = 2s;

}  // namespace

PrimaryFacts parse_facts(std::string_view info) {
  PrimaryFacts facts;
  bool has_role = false;
  bool has_uptime = false;
  for (std::string_view line : split(info, '\n')) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = line.substr(colon + 1);
    if (name == "role") {
      has_role = true;
      facts.is_replica = value == "slave";
    } else if (name == "master_replid") {
      facts.id = value;
    } else if (name == "master_replid2") {
      facts.id2 = value;
    } else if (name == "master_repl_offset") {
      facts.offset = parse_int64(value).value_or(0);
    } else if (name == "second_repl_offset") {
      facts.second_offset = parse_int64(value).value_or(-1);
    } else if (name == "uptime_in_seconds") {
      const auto seconds = parse_int64(value);
      has_uptime = seconds && *seconds >= 0 && *seconds <= 100LL * 365 * 24 * 3600;
      if (has_uptime) facts.uptime = std::chrono::seconds(*seconds);
    } else if (name.starts_with("db") && parse_int64(name.substr(2)) && value.starts_with("keys=")) {
      facts.empty = false;
    }
  }
  facts.known = has_role && has_uptime && facts.id.size() == 40;
  return facts;
}

Objection objection_to(const PrimaryFacts& primary, const OwnHistory& own) {
  if (!primary.known || !own.has_data) return Objection::kNone;
  // What stands behind another replica follows it: that one decided already.
  if (primary.is_replica) return Objection::kNone;
  // The same process as before: it may have been emptied, but nothing was lost.
  if (primary.uptime > own.since_contact + kUptimeMargin) return Objection::kNone;
  if (primary.id == own.id) return own.next_offset - 1 > primary.offset ? Objection::kOlder : Objection::kNone;
  if (primary.id2 == own.id) {
    return own.next_offset > primary.second_offset ? Objection::kOlder : Objection::kNone;
  }
  // A history with another name may be complete all the same: an append-only file does not keep the name.
  return primary.empty ? Objection::kGone : Objection::kNone;
}

std::string_view objection_text(Objection objection) {
  switch (objection) {
    case Objection::kNone:
      return "";
    case Objection::kGone:
      return "the primary restarted without its data";
    case Objection::kOlder:
      return "the primary restarted with data older than ours";
  }
  HF_UNREACHABLE();
}

}  // namespace holdfast::server
