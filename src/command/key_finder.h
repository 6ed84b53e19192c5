// Where the keys of a request are: the catalogue's key specs applied to its words.
//
// Source: Redis documentation, "Command key specifications". Positions count from the command's own name (0).
// Callers: COMMAND GETKEYS; whatever routes or checks requests by key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "command/spec.h"

namespace holdfast::command {

struct KeyAt {
  size_t position = 0;
  uint16_t flags = 0;  // KeyFlag bits
};

/// All keys in the order of the specs; nullopt: the words contradict the spec (a count that is no number, or larger
/// than what follows). `words` must satisfy the command's arity.
std::optional<std::vector<KeyAt>> find_keys(const Spec& spec, std::span<const std::string_view> words);

}  // namespace holdfast::command
