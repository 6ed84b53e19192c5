#include "family/scan.h"

#include <charconv>

#include "base/text.h"

namespace holdfast::family {

bool ScanOptions::matches(std::string_view name) const { return match.empty() || glob_match(match, name); }

std::optional<uint64_t> read_cursor(Context& context, std::string_view text) {
  uint64_t cursor = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cursor);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    context.reply.error("ERR invalid cursor");
    return std::nullopt;
  }
  return cursor;
}

std::optional<ScanOptions> read_scan_options(Context& context, size_t cursor_at, bool with_type) {
  ScanOptions options;
  const auto cursor = read_cursor(context, context.argv[cursor_at]);
  if (!cursor) return std::nullopt;
  options.cursor = *cursor;
  command::Args args = context.args(cursor_at + 1);
  while (args.more()) {
    if (args.left() >= 2 && args.take("count")) {
      options.count = args.integer();
      if (options.count < 1) args.fail(command::kSyntaxError);
    } else if (args.left() >= 2 && args.take("match")) {
      options.match = args.next();
      if (options.match == "*") options.match = {};
    } else if (with_type && args.left() >= 2 && args.take("type")) {
      options.type = args.next();
    } else {
      args.fail(command::kSyntaxError);
    }
  }
  if (args.failed()) {
    context.reply.error(args.error());
    return std::nullopt;
  }
  return options;
}

}  // namespace holdfast::family
