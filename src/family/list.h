// Lists: what list.cc and list_blocking.cc share.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "family/context.h"
#include "store/type/list.h"

namespace holdfast::family {

enum class End : uint8_t { kLeft, kRight };

/// LEFT or RIGHT.
std::optional<End> read_end(std::string_view word);
/// A present list for changing it in place; null if absent or of another type (then the error is written).
store::List* list_for_writing(Context& c, const store::Key& key, bool& wrong);
/// Takes `count` elements off one end, in order of taking; each is replied as a bulk string.
void pop_elements(Context& c, const store::Key& key, store::List& list, End end, size_t count);
/// LMOVE from argument 1 to argument 2: replies the element, null or an error.
void move_element(Context& c, End from, End to);

/// What follows LMPOP: numkeys, keys, LEFT or RIGHT, COUNT.
struct ListPop {
  std::span<const std::string_view> keys;
  End end = End::kLeft;
  size_t count = 1;
};
/// From argument `at` on; nullopt: the error is written.
std::optional<ListPop> read_list_pop(Context& c, size_t at);
/// Pops from the first list that is there: replies, replaces the effect. False: none is there, nothing is replied.
bool pop_first_list(Context& c, const ListPop& pop);

}  // namespace holdfast::family
