#include "notation.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace holdfast::rt {
namespace {

using codec::Reply;

std::string join(const std::vector<std::string>& items, std::string_view open, std::string_view close) {
  return fmt::format("{}{}{}", open, fmt::join(items, ", "), close);
}

std::vector<std::string> print_items(const Reply& reply) {
  std::vector<std::string> out;
  if (reply.type == Reply::Type::kMap) {
    for (size_t i = 0; i + 1 < reply.items.size(); i += 2) {
      out.push_back(print(reply.items[i]) + ": " + print(reply.items[i + 1]));
    }
    return out;
  }
  for (const Reply& item : reply.items) out.push_back(print(item));
  return out;
}

std::string wrap(const Reply& reply, const std::vector<std::string>& items) {
  switch (reply.type) {
    case Reply::Type::kMap:
      return join(items, "{", "}");
    case Reply::Type::kSet:
      return join(items, "<", ">");
    case Reply::Type::kPush:
      return join(items, ">[", "]");
    default:
      return join(items, "[", "]");
  }
}

}  // namespace

std::string print(const Reply& reply) {
  switch (reply.type) {
    case Reply::Type::kSimple:
      return "+" + reply.text;
    case Reply::Type::kError:
      return "-" + reply.text;
    case Reply::Type::kInteger:
      return fmt::format(":{}", reply.integer);
    case Reply::Type::kBulk:
      return quoted(reply.text);
    case Reply::Type::kNull:
      return "nil";
    case Reply::Type::kDouble:
      return "," + reply.text;
    case Reply::Type::kBoolean:
      return "#" + reply.text;
    case Reply::Type::kBigNumber:
      return "(" + reply.text;
    case Reply::Type::kVerbatim:
      return "=" + quoted(reply.text);
    case Reply::Type::kArray:
    case Reply::Type::kMap:
    case Reply::Type::kSet:
    case Reply::Type::kPush:
      return wrap(reply, print_items(reply));
  }
  return "?";
}

std::string print_sorted(const Reply& reply) {
  if (!reply.is_aggregate()) return print(reply);
  std::vector<std::string> items = print_items(reply);
  std::sort(items.begin(), items.end());
  return wrap(reply, items);
}

}  // namespace holdfast::rt
