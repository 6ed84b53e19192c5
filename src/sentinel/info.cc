#include "sentinel/info.h"

#include <charconv>

#include "base/text.h"
#include "sentinel/hello.h"

namespace holdfast::sentinel {
namespace {

constexpr size_t kRunidSize = 40;

/// The number a text begins with; 0 if none, clamped by falling back to 0 when it does not fit.
template <typename Int>
Int leading_number(std::string_view text) {
  Int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string_view field(std::string_view line, std::string_view key) {
  const size_t at = line.find(key);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = line.substr(at + key.size());
  return rest.substr(0, rest.find(','));
}

void read_listed_replica(std::string_view line, InfoReport& out) {
  std::string_view host = field(line, "ip=");
  std::string_view port = field(line, "port=");
  if (line.find("ip=") == std::string_view::npos) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const std::vector<std::string_view> pieces = split(line.substr(colon + 1), ',');
    if (pieces.size() < 3) return;
    host = pieces[0];
    port = pieces[1];
  }
  const auto number = leading_number<int64_t>(port);
  if (number < 1 || number > 65535 || !is_plain_word(host)) return;
  if (out.replicas.size() < kListedReplicasMax) {
    out.replicas.push_back({std::string(host), static_cast<uint16_t>(number)});
  }
}

void read_replica_field(std::string_view key, std::string_view value, InfoReport& out) {
  if (key == "master_host") {
    out.primary_host = value;
  } else if (key == "master_port") {
    out.primary_port = leading_number<int64_t>(value);
  } else if (key == "master_link_status") {
    out.primary_link_up = equal_ignoring_case(value, "up");
  } else if (key == "slave_priority") {
    out.priority = leading_number<int64_t>(value);
  } else if (key == "slave_repl_offset") {
    out.offset = leading_number<uint64_t>(value);
  } else if (key == "replica_announced") {
    out.announced = leading_number<int64_t>(value) != 0;
  } else if (key == "master_sync_in_progress") {
    out.sync_in_progress = leading_number<int64_t>(value) != 0;
  }
}

void read_lineage_field(std::string_view key, std::string_view value, InfoReport& out) {
  const bool is_id = value.size() == kRunidSize && is_plain_word(value);
  if (key == "master_replid" && is_id) {
    out.lineage.replid = value;
  } else if (key == "master_replid2" && is_id && value.find_first_not_of('0') != std::string_view::npos) {
    out.lineage.replid2 = value;
  } else if (key == "master_repl_offset") {
    out.primary_offset = leading_number<uint64_t>(value);
  }
}

}  // namespace

InfoReport parse_info(std::string_view text) {
  InfoReport out;
  for (std::string_view line : split(text, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, colon);
    const std::string_view value = line.substr(colon + 1);
    if (key == "run_id" && value.size() >= kRunidSize) {
      out.runid = value.substr(0, kRunidSize);
    } else if (key == "role") {
      if (value.starts_with("master")) out.role = Role::kPrimary;
      if (value.starts_with("slave")) out.role = Role::kReplica;
    } else if (key == "master_link_down_since_seconds") {
      out.link_down_seconds = leading_number<int64_t>(value);
      out.ever_linked = out.link_down_seconds >= 0;
    } else if (key == "loading") {
      out.loading = value.starts_with('1');
    } else if (key.starts_with("master_repl")) {
      read_lineage_field(key, value, out);
    } else if (key.size() > 2 && key.starts_with("db") && key[2] >= '0' && key[2] <= '9') {
      out.keys += leading_number<uint64_t>(field(value, "keys="));
    } else if (key == "second_repl_offset") {
      out.lineage.second_offset = leading_number<int64_t>(value);
    } else if (key.size() > 5 && key.starts_with("slave") && key[5] >= '0' && key[5] <= '9') {
      read_listed_replica(line, out);
    } else if (out.role == Role::kReplica) {
      read_replica_field(key, value, out);
    }
  }
  return out;
}

}  // namespace holdfast::sentinel
