#include "proxy/saved_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "conf/haproxy_value.h"

namespace holdfast::proxy {
namespace {

constexpr size_t kFieldsLeast = 20;
constexpr size_t kFieldsMost = 25;
constexpr size_t kNameFields = 4;
constexpr int64_t kWeightMax = 256;
constexpr int64_t kCheckBits = 0x1f;

struct Field {
  std::string_view name;
  size_t at;
  int64_t least, most;
};
constexpr Field kOperation = {"srv_op_state", 1, 0, 3};
constexpr Field kAdmin = {"srv_admin_state", 2, 0, 255};
constexpr Field kWeight = {"srv_uweight", 3, 0, kWeightMax};
constexpr Field kInitialWeight = {"srv_iweight", 4, 0, kWeightMax};
constexpr Field kAge = {"srv_last_time_change", 5, INT64_MIN, INT64_MAX};
constexpr Field kStatus = {"srv_check_status", 6, INT16_MIN, 21};
constexpr Field kResult = {"srv_check_result", 7, 0, 4};
constexpr Field kHealth = {"srv_check_health", 8, INT32_MIN, INT32_MAX};
constexpr Field kCheckState = {"srv_check_state", 9, 0, kCheckBits};
constexpr Field kAgentState = {"srv_agent_state", 10, 0, kCheckBits};
constexpr Field kBackendForced = {"bk_f_forced_id", 11, 0, 1};
constexpr Field kServerForced = {"srv_f_forced_id", 12, 0, 1};

/// Admin states that a file may bring back: what is inherited or resolved is found out anew.
bool known_admin(int64_t admin) {
  constexpr int64_t kForcedMaint = 0x01, kConfigMaint = 0x04, kForcedDrain = 0x08;
  return admin == 0 || admin == kForcedMaint || admin == kConfigMaint || admin == (kConfigMaint | kForcedMaint) ||
         admin == (kConfigMaint | kForcedDrain) || admin == kForcedDrain;
}

}  // namespace

std::expected<StateFileLines, int> read_state_file(std::string_view text) {
  StateFileLines out;
  int number = 0;
  bool first = true;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (first) {
      if (end == std::string_view::npos || line != "1") return std::unexpected(0);
      first = false;
      continue;
    }
    ++number;
    if (end == std::string_view::npos) return std::unexpected(number);
    std::vector<std::string> words;
    for (const std::string_view word : split(line, ' ')) {
      if (!word.empty() && words.size() < kFieldsMost) words.emplace_back(word);
    }
    if (words.empty() || words[0].starts_with('#')) continue;
    if (words.size() < kFieldsLeast) return std::unexpected(number);
    StateLine made{words[0], words[1], words[3], {words.begin() + kNameFields, words.end()}};
    out.try_emplace({words[1], words[3]}, std::move(made));
  }
  if (first) return std::unexpected(0);
  return out;
}

std::expected<SavedState, std::string> parse_saved_state(const std::vector<std::string>& fields) {
  std::string complaints;
  auto number = [&](const Field& field) -> int64_t {
    const auto value = conf::whole_integer(fields[field.at]);
    if (value && *value >= field.least && *value <= field.most) return *value;
    complaints += fmt::format(", invalid {} value '{}'", field.name, fields[field.at]);
    return 0;
  };
  SavedState out;
  out.operation = static_cast<SavedState::Operation>(number(kOperation));
  constexpr int64_t kFoundOutAnew = 0x02 | 0x10 | 0x20 | 0x40;
  const int64_t admin = number(kAdmin) & ~kFoundOutAnew;
  if (!known_admin(admin)) complaints += fmt::format(", invalid srv_admin_state value '{}'", fields[kAdmin.at]);
  out.admin = static_cast<uint8_t>(admin);
  out.weight = static_cast<int>(number(kWeight));
  out.initial_weight = static_cast<int>(number(kInitialWeight));
  out.age_seconds = number(kAge);
  out.check_status = static_cast<int>(number(kStatus));
  number(kResult);
  out.health = static_cast<int>(number(kHealth));
  out.check_bits = static_cast<int>(number(kCheckState));
  out.agent_bits = static_cast<int>(number(kAgentState));
  number(kBackendForced);
  number(kServerForced);
  if (fields[0] != "-") out.address = fields[0];
  if (!fields[13].starts_with('-')) out.host_name = fields[13];
  const auto port = conf::whole_integer(fields[14]);
  out.port_known = port && *port >= 0 && *port <= 65535;
  if (out.port_known) {
    out.port = static_cast<uint16_t>(*port);
  } else {
    complaints += fmt::format(", invalid srv_port value '{}'", fields[14]);
  }
  if (fields.size() > 17) {
    const int64_t check_port = conf::leading_integer(fields[17]);
    out.check_port = check_port > 0 && check_port <= 65535 ? static_cast<uint16_t>(check_port) : 0;
  }
  if (fields.size() > 18 && fields[18] != "-") out.check_address = fields[18];
  if (!complaints.empty()) return std::unexpected(complaints);
  return out;
}

}  // namespace holdfast::proxy
