// LATENCY: spikes and their history, histograms of commands' times.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "family/bindings.h"
#include "family/help.h"
#include "family/latency_report.h"

namespace holdfast::family {
namespace {

void latest_command(Context& c) {
  const auto& events = c.state.latency_events.all();
  c.reply.array(events.size());
  for (const auto& [name, history] : events) {
    c.reply.array(4);
    c.reply.bulk(name);
    c.reply.integer(history.samples.back().at_unix_s);
    c.reply.integer(history.samples.back().ms);
    c.reply.integer(history.worst_ms);
  }
}

void history_command(Context& c) {
  const LatencyHistory* history = c.state.latency_events.find(c.argv[2]);
  if (history == nullptr) return c.reply.array(0);
  c.reply.array(history->samples.size());
  for (const LatencySample& sample : history->samples) {
    c.reply.array(2);
    c.reply.integer(sample.at_unix_s);
    c.reply.integer(sample.ms);
  }
}

void reset_command(Context& c) {
  size_t count = 0;
  if (c.argv.size() == 2) count = c.state.latency_events.reset_all();
  for (const std::string_view event : c.argv.subspan(2)) count += c.state.latency_events.reset(event);
  c.reply.integer(static_cast<int64_t>(count));
}

void graph_command(Context& c) {
  const LatencyHistory* history = c.state.latency_events.find(c.argv[2]);
  if (history == nullptr) {
    return c.reply.error(fmt::format("ERR No samples available for event '{}'", c.argv[2]));
  }
  c.reply.verbatim("txt", latency_graph(c.argv[2], *history, unix_seconds(c.now.wall)));
}

void doctor_command(Context& c) { c.reply.verbatim("txt", latency_doctor(c.state, unix_seconds(c.now.wall))); }

void reply_histogram(Context& c, const LatencyHistogram& histogram) {
  c.reply.map(2);
  c.reply.bulk("calls");
  c.reply.integer(static_cast<int64_t>(histogram.total()));
  c.reply.bulk("histogram_usec");
  std::vector<std::pair<int64_t, uint64_t>> levels;
  histogram.visit_levels([&](int64_t us, uint64_t count) { levels.emplace_back(us, count); });
  c.reply.map(levels.size());
  for (const auto& [us, count] : levels) {
    c.reply.integer(us);
    c.reply.integer(static_cast<int64_t>(count));
  }
}

/// The rows a word of LATENCY HISTOGRAM names: a command with its subcommands, or `container|subcommand`.
bool names(std::string_view word, const command::Spec& spec) {
  return equal_ignoring_case(word, command::full_name(spec)) || equal_ignoring_case(word, spec.parent);
}

void histogram_command(Context& c) {
  const auto specs = command::all_specs();
  std::vector<size_t> shown;
  const auto add = [&](std::string_view word, bool all) {
    for (size_t i = 0; i < specs.size(); ++i) {
      if (c.state.stats.commands_by_spec[i].latencies && (all || names(word, *specs[i]))) shown.push_back(i);
    }
  };
  if (c.argv.size() == 2) add({}, true);
  for (const std::string_view word : c.argv.subspan(2)) add(word, false);
  c.reply.map(shown.size());
  for (const size_t index : shown) {
    c.reply.bulk(command::full_name(*specs[index]));
    reply_histogram(c, *c.state.stats.commands_by_spec[index].latencies);
  }
}

void help_command(Context& c) {
  static constexpr std::string_view kLines[] = {
      "DOCTOR",
      "    Return a human readable latency analysis report.",
      "GRAPH <event>",
      "    Return an ASCII latency graph for the <event> class.",
      "HISTORY <event>",
      "    Return time-latency samples for the <event> class.",
      "LATEST",
      "    Return the latest latency samples for all events.",
      "RESET [<event> ...]",
      "    Reset latency data of one or more <event> classes.",
      "    (default: reset all data for all event classes)",
      "HISTOGRAM [COMMAND ...]",
      "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
      "    If no commands are specified then all histograms are replied.",
  };
  reply_help(c, kLines);
}

constexpr Binding kBindings[] = {
    {"latency|doctor", doctor_command},       {"latency|graph", graph_command},     {"latency|help", help_command},
    {"latency|histogram", histogram_command}, {"latency|history", history_command}, {"latency|latest", latest_command},
    {"latency|reset", reset_command},
};

}  // namespace

std::span<const Binding> latency_bindings() { return kBindings; }

}  // namespace holdfast::family
