// The directives of what an operator and caching clients watch: slow commands, latencies, tracking.
#include "server/config_values.h"

#include "command/args.h"

namespace holdfast::server {
namespace {

std::string parse_percentiles(const ConfigRow&, Settings& settings, Values values) {
  std::vector<std::string> words;
  for (const std::string& value : values) {
    if (!split_quoted(value, words)) return "Invalid latency-tracking-info-percentiles parameters";
  }
  std::vector<double> percentiles;
  for (const std::string& word : words) {
    const auto value = command::parse_double(word);
    if (!value) return "Invalid latency-tracking-info-percentiles parameters";
    if (!(*value >= 0 && *value <= 100)) {
      return "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
    }
    percentiles.push_back(*value);
  }
  settings.latency_percentiles = std::move(percentiles);
  return {};
}

std::string print_percentiles(const ConfigRow&, const Settings& settings) {
  std::string out;
  for (const double value : settings.latency_percentiles) {
    if (!out.empty()) out += ' ';
    out += trimmed_decimal(value);
  }
  return out;
}

std::string parse_client_memory(const ConfigRow&, Settings& settings, Values values) {
  if (values.size() != 1) return std::string(kWrongCount);
  std::string_view text = values[0];
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  const auto value = percent ? parse_int64(text) : parse_memory(text);
  if (!value || *value < 0) return "argument must be a memory or percent value";
  if (percent && *value > 100) return "percentage argument must be less or equal to 100";
  settings.maxmemory_clients = percent ? -*value : *value;
  return {};
}
std::string print_client_memory(const ConfigRow&, const Settings& settings) {
  const int64_t value = settings.maxmemory_clients;
  return value < 0 ? fmt::format("{}%", -value) : std::to_string(value);
}

constexpr ConfigRow kRows[] = {
    HF_INTEGER("latency-monitor-threshold", "", 0, latency_monitor_threshold_ms, 0, kLongMax,
               "milliseconds from which an event is a latency spike, 0 for none"),
    HF_BOOL("latency-tracking", "", 0, latency_tracking, "keep a histogram of each command's times"),
    ConfigRow{"latency-tracking-info-percentiles", "", kConfigWords, parse_percentiles, print_percentiles,
              "percentiles that INFO latencystats shows"},
    ConfigRow{"maxmemory-clients", "", 0, parse_client_memory, print_client_memory,
              "bytes of all clients, or percent of maxmemory"},
    HF_INTEGER("slowlog-log-slower-than", "", 0, slowlog_log_slower_than_us, -1, kLongMax,
               "microseconds from which a command is slow"),
    HF_INTEGER("slowlog-max-len", "", 0, slowlog_max_len, 0, kLongMax, "slow commands remembered"),
    HF_INTEGER("tracking-table-max-keys", "", 0, tracking_table_max_keys, 0, kLongMax,
               "keys remembered for clients that cache, 0 for no bound"),
};

}  // namespace

std::string trimmed_decimal(double value) {
  std::string out = fmt::format("{:f}", value);
  out.erase(out.find_last_not_of('0') + 1);
  if (out.ends_with('.')) out.pop_back();
  return out;
}

std::span<const ConfigRow> watching_rows() { return kRows; }

}  // namespace holdfast::server
