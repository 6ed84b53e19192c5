// What the commands that run scripts and functions share, and what their flags mean for the gate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "family/context.h"

namespace holdfast::family {

/// The number of keys, argument 2 of EVAL and FCALL; nullopt: the error is written.
std::optional<size_t> read_key_count(Context& c, std::string_view not_a_number);

/// EVAL, EVALSHA, FCALL and their read-only forms.
bool runs_script(const command::Spec& spec);
/// The command's flags, corrected by what the script or function it runs has declared.
uint32_t flags_of_request(const State& state, const command::Spec& spec, std::span<const std::string_view> argv);

}  // namespace holdfast::family
