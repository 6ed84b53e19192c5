#include "family/latency_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace holdfast::family {
namespace {

constexpr size_t kColumns = 80;
constexpr int kRows = 4;
constexpr std::string_view kSteps = "_o#";  // what a column ends in, low to high
constexpr int kStepsPerRow = 3;

std::string age(int64_t seconds) {
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m", seconds / 60);
  if (seconds < 86400) return fmt::format("{}h", seconds / 3600);
  return fmt::format("{}d", seconds / 86400);
}

struct Column {
  int height = 0;  // steps, 0 the lowest
  std::string label;
};

char cell(const Column& column, int row_from_bottom) {
  const int step = column.height - row_from_bottom * kStepsPerRow;
  if (step < 0) return ' ';
  return step < kStepsPerRow ? kSteps[static_cast<size_t>(step)] : '|';
}

std::string draw(std::span<const Column> columns) {
  std::string out;
  for (int row = kRows - 1; row >= 0; --row) {
    for (const Column& column : columns) out += cell(column, row);
    out += '\n';
  }
  out += std::string(columns.size(), ' ') + '\n';
  size_t longest = 0;
  for (const Column& column : columns) longest = std::max(longest, column.label.size());
  for (size_t i = 0; i < longest; ++i) {
    for (const Column& column : columns) out += i < column.label.size() ? column.label[i] : ' ';
    out += '\n';
  }
  return out;
}

struct Analysis {
  size_t samples = 0;
  int64_t average_ms = 0;
  int64_t deviation_ms = 0;  // mean distance from the average
  int64_t period_s = 0;      // since the oldest sample
};

Analysis analyse(const LatencyHistory& history, int64_t now_unix_s) {
  Analysis out{.samples = history.samples.size()};
  const auto count = static_cast<int64_t>(out.samples);
  for (const LatencySample& sample : history.samples) out.average_ms += sample.ms;
  out.average_ms /= count;
  for (const LatencySample& sample : history.samples) out.deviation_ms += std::abs(sample.ms - out.average_ms);
  out.deviation_ms /= count;
  out.period_s = std::max<int64_t>(1, now_unix_s - history.samples.front().at_unix_s);
  return out;
}

enum class Advice : uint8_t { kEnableSlowLog, kTuneSlowLog, kReadSlowLog, kScheduler, kLargeValues, kEviction };

std::string advice_text(const State& state, Advice advice) {
  const int64_t threshold_us = state.settings.latency_monitor_threshold_ms * 1000;
  switch (advice) {
    case Advice::kEnableSlowLog:
      return fmt::format(
          "Some commands are slow and the slow log, which would name them, is off. Switch it on with 'CONFIG SET "
          "slowlog-log-slower-than {}'.",
          threshold_us);
    case Advice::kTuneSlowLog:
      return fmt::format(
          "The slow log leaves out commands that the latency monitor counts. 'CONFIG SET slowlog-log-slower-than {}' "
          "makes both look at the same ones.",
          threshold_us);
    case Advice::kReadSlowLog:
      return "Look at SLOWLOG GET for the commands that took long.";
    case Advice::kScheduler:
      return "Commands that do next to nothing took long: this process did not get the processor. Lower the load of "
             "the machine, give this server cores of its own, look for neighbours on the same host, and measure with "
             "'redis-cli --intrinsic-latency 100'.";
    case Advice::kLargeValues:
      return "Work on large values takes as long as they are large. Split values that are often read, written or "
             "deleted as a whole.";
    case Advice::kEviction:
      return "Many keys had to go at once: maxmemory was lowered, or a command brought in much at once. Leave more "
             "room below the limit.";
  }
  return {};
}

void collect(const State& state, std::string_view event, std::set<Advice>& out) {
  if (event == "command") {
    const int64_t slow_from_us = state.settings.slowlog_log_slower_than_us;
    if (slow_from_us < 0) out.insert(Advice::kEnableSlowLog);
    if (slow_from_us / 1000 > state.settings.latency_monitor_threshold_ms) out.insert(Advice::kTuneSlowLog);
    out.insert({Advice::kReadSlowLog, Advice::kLargeValues});
  }
  if (event == "fast-command") out.insert(Advice::kScheduler);
  if (event == "expire-cycle" || event == "eviction-del") out.insert(Advice::kLargeValues);
  if (event == "eviction-cycle") out.insert(Advice::kEviction);
}

}  // namespace

std::string latency_graph(std::string_view event, const LatencyHistory& history, int64_t now_unix_s) {
  const auto [low, high] = std::minmax_element(history.samples.begin(), history.samples.end(),
                                               [](const auto& a, const auto& b) { return a.ms < b.ms; });
  const int64_t range = std::max<int64_t>(1, high->ms - low->ms);
  constexpr int kSteps = kRows * kStepsPerRow;
  std::vector<Column> columns;
  for (const LatencySample& sample : history.samples) {
    const auto height = static_cast<int>((sample.ms - low->ms) * kSteps / range);
    columns.push_back({std::min(height, kSteps - 1), age(now_unix_s - sample.at_unix_s)});
  }
  std::string out = fmt::format("{} - high {} ms, low {} ms (all time high {} ms)\n{}\n", event, high->ms, low->ms,
                                history.worst_ms, std::string(kColumns, '-'));
  for (size_t first = 0; first < columns.size(); first += kColumns) {
    if (first != 0) out += '\n';
    out += draw(std::span(columns).subspan(first, std::min(kColumns, columns.size() - first)));
  }
  return out;
}

std::string latency_doctor(const State& state, int64_t now_unix_s) {
  const auto& events = state.latency_events.all();
  if (events.empty() && state.settings.latency_monitor_threshold_ms == 0) {
    return "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this instance: 'CONFIG SET "
           "latency-monitor-threshold <milliseconds>' enables it.\n";
  }
  if (events.empty()) {
    return "Dave, no latency spike was observed during the lifetime of this instance, not in the slightest bit.\n";
  }
  std::string out =
      "Dave, I have observed latency spikes in this instance. You don't mind talking about it, do you?\n\n";
  std::set<Advice> advice;
  size_t number = 0;
  for (const auto& [event, history] : events) {
    const Analysis found = analyse(history, now_unix_s);
    out += fmt::format(
        "{}. {}: {} latency spikes (average {}ms, mean deviation {}ms, period {:.2f} sec). Worst all time event "
        "{}ms.\n",
        ++number, event, found.samples, found.average_ms, found.deviation_ms,
        static_cast<double>(found.period_s) / static_cast<double>(found.samples), history.worst_ms);
    collect(state, event, advice);
  }
  if (advice.empty()) return out + "\nThere are spikes, but there is nothing easy to advise about them.\n";
  out += "\nI have a few advices for you:\n\n";
  for (const Advice one : advice) out += "- " + advice_text(state, one) + '\n';
  return out;
}

}  // namespace holdfast::family
