// LCS: the longest common subsequence of two strings.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "family/bindings.h"
#include "family/lookup.h"

namespace holdfast::family {
namespace {

using store::Entry;
using store::NumberBuffer;
using store::Type;

/// Lengths of the subsequences of all pairs of prefixes.
class LcsTable {
 public:
  LcsTable(std::string_view a, std::string_view b) : columns_(b.size() + 1), cells_((a.size() + 1) * columns_, 0) {
    for (size_t i = 1; i <= a.size(); ++i) {
      for (size_t j = 1; j <= b.size(); ++j) {
        cells_[i * columns_ + j] = a[i - 1] == b[j - 1] ? at(i - 1, j - 1) + 1 : std::max(at(i - 1, j), at(i, j - 1));
      }
    }
  }
  uint32_t at(size_t i, size_t j) const { return cells_[i * columns_ + j]; }

 private:
  size_t columns_;
  std::vector<uint32_t> cells_;
};

struct Match {
  size_t a_first;
  size_t b_first;
  size_t length;
};

struct Lcs {
  std::string text;
  std::vector<Match> matches;  // from the end of the strings to their beginning
};

/// COMPAT: walks from the end and prefers to shorten `b`, which decides among several longest ones; a stretch of equal
/// bytes is told as one match unless it was interrupted, and one that reaches the start of a string ends there.
Lcs walk(const LcsTable& table, std::string_view a, std::string_view b) {
  Lcs out;
  out.text.resize(table.at(a.size(), b.size()));
  size_t index = out.text.size();
  size_t i = a.size();
  size_t j = b.size();
  Match open{0, 0, 0};
  const auto emit = [&] {
    if (open.length > 0) out.matches.push_back(open);
    open.length = 0;
  };
  while (i > 0 && j > 0) {
    if (a[i - 1] != b[j - 1]) {
      emit();
      table.at(i - 1, j) > table.at(i, j - 1) ? --i : --j;
      continue;
    }
    --i;
    --j;
    out.text[--index] = a[i];
    open = {i, j, open.length + 1};
  }
  emit();
  return out;
}

struct LcsOptions {
  bool indexes = false;
  bool length = false;
  bool with_match_length = false;
  int64_t min_match = 0;
};

std::string read_lcs_options(Context& c, LcsOptions& options) {
  command::Args args = c.args(3);
  while (args.more()) {
    if (args.take("idx")) {
      options.indexes = true;
    } else if (args.take("len")) {
      options.length = true;
    } else if (args.take("withmatchlen")) {
      options.with_match_length = true;
    } else if (args.left() >= 2 && args.take("minmatchlen")) {
      options.min_match = args.integer();
    } else {
      args.fail(command::kSyntaxError);
    }
  }
  if (!args.failed() && options.length && options.indexes) {
    args.fail("ERR If you want both the length and indexes, please just use IDX.");
  }
  return args.error();
}

void reply_matches(Context& c, const Lcs& lcs, const LcsOptions& options) {
  std::vector<Match> wanted;
  for (const Match& match : lcs.matches) {
    if (options.min_match <= 0 || match.length >= static_cast<uint64_t>(options.min_match)) wanted.push_back(match);
  }
  const auto range = [&](size_t first, size_t length) {
    c.reply.array(2);
    c.reply.integer(static_cast<int64_t>(first));
    c.reply.integer(static_cast<int64_t>(first + length - 1));
  };
  c.reply.map(2);
  c.reply.bulk("matches");
  c.reply.array(wanted.size());
  for (const Match& match : wanted) {
    c.reply.array(options.with_match_length ? 3 : 2);
    range(match.a_first, match.length);
    range(match.b_first, match.length);
    if (options.with_match_length) c.reply.integer(static_cast<int64_t>(match.length));
  }
  c.reply.bulk("len");
  c.reply.integer(static_cast<int64_t>(lcs.text.size()));
}

void lcs_command(Context& c) {
  const Entry* first = lookup_read(c, c.key(c.argv[1]));
  const Entry* second = lookup_read(c, c.key(c.argv[2]));
  for (const Entry* entry : {first, second}) {
    if (entry != nullptr && entry->type() != Type::kString) {
      return c.reply.error("ERR The specified keys must contain string values");
    }
  }
  LcsOptions options;
  const std::string error = read_lcs_options(c, options);
  if (!error.empty()) return c.reply.error(error);
  NumberBuffer buffers[2];
  const std::string_view a = first == nullptr ? std::string_view() : first->string(buffers[0]);
  const std::string_view b = second == nullptr ? std::string_view() : second->string(buffers[1]);
  if (a.size() >= UINT32_MAX - 1 || b.size() >= UINT32_MAX - 1) return c.reply.error("ERR String too long for LCS");
  const auto cells_max = static_cast<uint64_t>(c.state.settings.proto_max_bulk_len) / sizeof(uint32_t);
  if ((a.size() + 1) > cells_max / (b.size() + 1)) {
    return c.reply.error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  const LcsTable table(a, b);
  if (options.length) return c.reply.integer(table.at(a.size(), b.size()));
  const Lcs lcs = walk(table, a, b);
  options.indexes ? reply_matches(c, lcs, options) : c.reply.bulk(lcs.text);
}

constexpr Binding kBindings[] = {{"lcs", lcs_command}};

}  // namespace

std::span<const Binding> lcs_bindings() { return kBindings; }

}  // namespace holdfast::family
