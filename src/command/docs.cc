#include "command/docs.h"

#include <algorithm>

#include "base/assert.h"

namespace holdfast::command {
namespace {

std::vector<const Docs*> join() {
  std::vector<const Docs*> out(all_specs().size(), nullptr);
  for (const auto rows : {bitmap_docs(), cluster_docs(), connection_docs(), generic_docs(), geo_docs(), hash_docs(),
                          hyperloglog_docs(), list_docs(), pubsub_docs(), scripting_docs(), server_docs(), set_docs(),
                          sorted_set_docs(), stream_docs(), string_docs(), transactions_docs()}) {
    for (const Docs& row : rows) {
      const size_t bar = row.name.find('|');
      SpecIndex index = find_command(row.name.substr(0, bar));
      if (bar != std::string_view::npos) index = find_subcommand(index, row.name.substr(bar + 1));
      HF_ASSERT(index != kNoSpec && out[index] == nullptr);
      out[index] = &row;
    }
  }
  return out;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool read_list(std::vector<DocsArgument>& out, int depth) {
    constexpr int kDeepest = 8;
    if (depth > kDeepest) return false;
    while (at_ < text_.size() && text_[at_] != '}') {
      if (!read_one(out.emplace_back(), depth)) return false;
      if (at_ < text_.size() && text_[at_] == ' ') ++at_;
    }
    return true;
  }
  bool at_end() const { return at_ == text_.size(); }

 private:
  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  /// Up to one of the signs of the notation.
  std::string_view word(std::string_view ends) {
    const size_t end = std::min(text_.find_first_of(ends, at_), text_.size());
    const std::string_view out = text_.substr(at_, end - at_);
    at_ = end;
    return out;
  }
  bool read_one(DocsArgument& out, int depth) {
    out.optional = take('?');
    out.multiple = take('*');
    out.multiple_token = take('+');
    out.shown = out.name = word("=: ");
    if (take('=')) out.shown = word(": ");
    if (!take(':')) return false;
    constexpr std::string_view kEnds = "@/^!{} ";
    out.type = word(kEnds);
    if (take('@')) out.key_spec = word(kEnds);
    out.has_token = take('/');
    if (out.has_token) out.token = word("^!{} ");
    if (take('^')) out.since = word(kEnds);
    if (take('!')) out.deprecated_since = word(kEnds);
    if (take('{') && !(read_list(out.arguments, depth + 1) && take('}'))) return false;
    return !out.name.empty() && !out.type.empty() && out.holds_others() == !out.arguments.empty();
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

const Docs* docs_of(SpecIndex index) {
  static const std::vector<const Docs*> rows = join();
  return rows[index];
}

bool read_arguments(std::string_view text, std::vector<DocsArgument>& out) {
  out.clear();
  Reader reader(text);
  return reader.read_list(out, 0) && reader.at_end();
}

}  // namespace holdfast::command
