// The catalogue: all rows, joined by hand from one table per group, and how to find a row by name.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "command/spec.h"

namespace holdfast::command {

// One table per group, in catalogue/<group>.cc.
std::span<const Spec> bitmap_rows();
std::span<const Spec> cluster_rows();
std::span<const Spec> connection_rows();
std::span<const Spec> generic_rows();
std::span<const Spec> geo_rows();
std::span<const Spec> hash_rows();
std::span<const Spec> hyperloglog_rows();
std::span<const Spec> list_rows();
std::span<const Spec> pubsub_rows();
std::span<const Spec> scripting_rows();
std::span<const Spec> sentinel_rows();
std::span<const Spec> server_rows();
std::span<const Spec> set_rows();
std::span<const Spec> sorted_set_rows();
std::span<const Spec> stream_rows();
std::span<const Spec> string_rows();
std::span<const Spec> transactions_rows();

/// A row's place in the catalogue; dense from 0, stable within a build.
using SpecIndex = uint16_t;
inline constexpr SpecIndex kNoSpec = UINT16_MAX;

/// All rows, top-level commands and subcommands.
std::span<const Spec* const> all_specs();
const Spec& spec_at(SpecIndex index);
/// A top-level command by name in any case; kNoSpec if there is none.
SpecIndex find_command(std::string_view name);
/// A subcommand of `parent` by name in any case; kNoSpec if there is none.
SpecIndex find_subcommand(SpecIndex parent, std::string_view name);
bool has_subcommands(SpecIndex parent);
/// `get` or `config|get`.
std::string full_name(const Spec& spec);

}  // namespace holdfast::command
