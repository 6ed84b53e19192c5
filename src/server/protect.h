// Protect: whether a primary that would send a full copy of its data has lost what we hold.
//
// A pure decision over what the primary's INFO says and what we know of our own history. It is asked only when nobody
// ordered the copy: at a reconnect, or after a restart of ours (docs/decisions/0029). No evidence means no objection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"

namespace holdfast::server {

/// What of a primary's INFO matters here.
struct PrimaryFacts {
  bool known = false;  // false: it would not tell (its ACL), or the text is no INFO
  bool is_replica = false;
  std::string id;
  std::string id2;
  int64_t offset = 0;
  int64_t second_offset = -1;
  Duration uptime{};
  bool empty = true;  // no key in any database
};
PrimaryFacts parse_facts(std::string_view info);

/// Where we stand.
struct OwnHistory {
  std::string_view id;
  int64_t next_offset = 0;   // the next byte wanted
  bool has_data = false;     // a key in any database
  Duration since_contact{};  // since the primary was last known to have this history
};

enum class Objection : uint8_t {
  kNone,
  kGone,   // it restarted and holds nothing
  kOlder,  // it restarted with an earlier state of the history we hold
};
Objection objection_to(const PrimaryFacts& primary, const OwnHistory& own);
/// For the log and INFO.
std::string_view objection_text(Objection objection);

}  // namespace holdfast::server
