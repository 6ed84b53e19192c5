// The gate: the ordered table of checks a command passes before its handler runs.
//
// Source: the order and texts of redis-server 7.2. Each check looks at values only, but for the one that
// makes room first where memory is bounded; the first one that refuses wins.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "command/catalogue.h"
#include "family/session.h"
#include "family/state.h"

namespace holdfast::server {

class Evictor;

struct GateInput {
  const family::State& state;
  const family::Session& session;
  const command::Spec& spec;
  command::SpecIndex index;
  std::span<const std::string_view> words;
  bool subscribed = false;
  size_t good_replicas = 0;
  Evictor* evictor = nullptr;
  Now now{};
};

struct Refusal {
  std::string error;
  acl::Verdict verdict;  // of a refused permission
};
/// What to answer, or nullopt to go on.
std::optional<Refusal> refuse(const GateInput& input);

}  // namespace holdfast::server
