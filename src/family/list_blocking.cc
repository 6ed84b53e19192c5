// Commands that take from lists and wait for one if there is none.
#include "base/text.h"
#include "family/bindings.h"
#include "family/blocking.h"
#include "family/list.h"
#include "family/lookup.h"

namespace holdfast::family {
namespace {

using store::Key;
using store::List;
using store::Type;

void wait_or_null_array(Context& c, std::span<const std::string_view> keys, int64_t timeout_ms) {
  if (!wait_for_keys(c, Type::kList, keys, timeout_ms)) c.reply.null_array();
}

void blocking_pop(Context& c, End end) {
  const auto timeout = read_timeout(c, c.argv.back());
  if (!timeout) return;
  const std::span<const std::string_view> keys = c.argv.subspan(1, c.argv.size() - 2);
  for (const std::string_view name : keys) {
    const Key key = c.key(name);
    bool wrong = false;
    List* list = list_for_writing(c, key, wrong);
    if (wrong) return;
    if (list == nullptr) continue;
    c.reply.array(2);
    c.reply.bulk(name);
    pop_elements(c, key, *list, end, 1);
    return c.replace_effect({end == End::kLeft ? "LPOP" : "RPOP", name});
  }
  wait_or_null_array(c, keys, *timeout);
}
void blpop_command(Context& c) { blocking_pop(c, End::kLeft); }
void brpop_command(Context& c) { blocking_pop(c, End::kRight); }

void blmpop_command(Context& c) {
  const auto pop = read_list_pop(c, 2);
  if (!pop) return;
  const auto timeout = read_timeout(c, c.argv[1]);
  if (!timeout) return;
  const uint64_t errors = c.reply.errors();
  if (pop_first_list(c, *pop) || c.reply.errors() > errors) return;
  wait_or_null_array(c, pop->keys, *timeout);
}

/// BLMOVE, BRPOPLPUSH. The effect is the command that does not wait.
void blocking_move(Context& c, End from, End to, int64_t timeout_ms, std::vector<std::string> effect) {
  bool wrong = false;
  const bool there = list_for_writing(c, c.key(c.argv[1]), wrong) != nullptr;
  if (wrong) return;
  if (!there) {
    if (!wait_for_keys(c, Type::kList, c.argv.subspan(1, 1), timeout_ms)) c.reply.null();
    return;
  }
  move_element(c, from, to);
  if (c.dirty > 0) c.replace_effect(std::move(effect));
}

void blmove_command(Context& c) {
  const auto from = read_end(c.argv[3]);
  const auto to = read_end(c.argv[4]);
  if (!from || !to) return c.reply.error(command::kSyntaxError);
  const auto timeout = read_timeout(c, c.argv[5]);
  if (!timeout) return;
  std::vector<std::string> effect = {"LMOVE"};
  for (const std::string_view word : c.argv.subspan(1, 4)) effect.emplace_back(word);
  blocking_move(c, *from, *to, *timeout, std::move(effect));
}

void brpoplpush_command(Context& c) {
  const auto timeout = read_timeout(c, c.argv[3]);
  if (!timeout) return;
  blocking_move(c, End::kRight, End::kLeft, *timeout, {"RPOPLPUSH", std::string(c.argv[1]), std::string(c.argv[2])});
}

constexpr Binding kBindings[] = {
    {"blmove", blmove_command}, {"blmpop", blmpop_command},         {"blpop", blpop_command},
    {"brpop", brpop_command},   {"brpoplpush", brpoplpush_command},
};

}  // namespace

std::span<const Binding> list_blocking_bindings() { return kBindings; }

}  // namespace holdfast::family
