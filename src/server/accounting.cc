#include "server/accounting.h"

#include <utility>

#include "family/redaction.h"

namespace holdfast::server {

using family::Session;
using family::State;

namespace {

void note_slow(State& state, const Session& session, const command::Spec& spec, std::span<const std::string_view> words,
               int64_t spent_us, Now now) {
  std::vector<std::string_view> storage;
  state.slow_log.add({.at_unix_s = unix_seconds(now.wall),
                      .duration_us = spent_us,
                      .words = {},
                      .peer = family::peer_name(session),
                      .client_name = session.in_script ? std::string() : session.name},
                     family::shown_words(spec, words, storage), static_cast<size_t>(state.settings.slowlog_max_len));
}

}  // namespace

void count_run(State& state, Session& session, command::SpecIndex index, std::span<const std::string_view> words,
               bool failed, Now now) {
  const int64_t spent_ns = std::exchange(session.spent_ns, 0);
  ++state.stats.commands;
  family::CommandStats& stats = state.stats.commands_by_spec[index];
  ++stats.calls;
  stats.failed += failed ? 1 : 0;
  stats.nanoseconds += static_cast<uint64_t>(spent_ns);
  if (state.settings.latency_tracking) {
    if (!stats.latencies) stats.latencies = std::make_unique<family::LatencyHistogram>();
    stats.latencies->record(spent_ns);
  }
  // -1 switches the log off: no time reaches it.
  const auto slow_from_us = static_cast<uint64_t>(state.settings.slowlog_log_slower_than_us);
  const int64_t spent_us = spent_ns / 1000;
  if (static_cast<uint64_t>(spent_us) < slow_from_us) [[likely]]
    return;
  const command::Spec& spec = command::spec_at(index);
  if (!spec.is(command::kSkipSlowlog)) note_slow(state, session, spec, words, spent_us, now);
}

void note_spike(State& state, std::string_view event, int64_t spent_ns, Now now) {
  const int64_t threshold_ms = state.settings.latency_monitor_threshold_ms;
  const int64_t spent_ms = spent_ns / 1'000'000;
  if (threshold_ms > 0 && spent_ms >= threshold_ms) state.latency_events.add(event, spent_ms, unix_seconds(now.wall));
}

SpikeScope::SpikeScope(State& state, std::string_view event, Now now) : state_(state), event_(event), now_(now) {
  if (state_.settings.latency_monitor_threshold_ms > 0) began_ns_ = clock_ns(state_);
}
SpikeScope::~SpikeScope() {
  if (state_.settings.latency_monitor_threshold_ms > 0) {
    note_spike(state_, event_, clock_ns(state_) - began_ns_, now_);
  }
}

}  // namespace holdfast::server
