// Reports of latency spikes for people: LATENCY GRAPH and LATENCY DOCTOR.
//
// Source: the form of both as redis-server 7.2 answers them; what the doctor advises is in our words and about our
// ways.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "family/state.h"

namespace holdfast::family {

/// A column for each sample, scaled between the lowest and the highest, with its age below.
std::string latency_graph(std::string_view event, const LatencyHistory& history, int64_t now_unix_s);
std::string latency_doctor(const State& state, int64_t now_unix_s);

}  // namespace holdfast::family
