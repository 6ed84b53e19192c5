#include "server/lookahead.h"

#include <array>
#include <cstdint>
#include <optional>

namespace holdfast::server {
namespace {

// Longer ones cost more to read than the miss.
constexpr size_t kArgumentsMost = 64;
constexpr size_t kKeyMost = 256;

/// Reads requests off the front of a text. What is not plainly one ends it.
class Skimmer {
 public:
  explicit Skimmer(std::string_view text) : text_(text) {}

  /// The first argument of the next request, empty if it has none.
  std::optional<std::string_view> next() {
    const std::optional<size_t> arguments = number('*');
    if (!arguments || *arguments == 0 || *arguments > kArgumentsMost) return std::nullopt;
    std::string_view key;
    for (size_t i = 0; i < *arguments; ++i) {
      const std::optional<size_t> length = number('$');
      if (!length || text_.size() < *length + 2) return std::nullopt;
      if (i == 1) key = text_.substr(0, *length);
      text_.remove_prefix(*length + 2);
    }
    return key;
  }

 private:
  /// `<mark><digits>\r\n`
  std::optional<size_t> number(char mark) {
    constexpr size_t kDigitsMost = 9;
    if (text_.size() < 4 || text_[0] != mark) return std::nullopt;
    size_t value = 0;
    size_t at = 1;
    for (; at < text_.size() && at <= kDigitsMost && text_[at] >= '0' && text_[at] <= '9'; ++at) {
      value = value * 10 + static_cast<size_t>(text_[at] - '0');
    }
    if (at == 1 || text_.size() < at + 2 || text_[at] != '\r') return std::nullopt;
    text_.remove_prefix(at + 2);
    return value;
  }

  std::string_view text_;
};

}  // namespace

size_t look_ahead(std::string_view bytes, const store::Keyspace& db) {
  Skimmer skimmer(bytes);
  std::array<uint64_t, kLookaheadMost> hashes;
  size_t requests = 0;
  size_t keys = 0;
  for (; requests < kLookaheadMost; ++requests) {
    const std::optional<std::string_view> key = skimmer.next();
    if (!key) break;
    if (key->empty() || key->size() > kKeyMost) continue;
    hashes[keys] = db.key(*key).hash;
    db.prefetch(hashes[keys++]);
  }
  for (size_t i = 0; i < keys; ++i) db.prefetch_entry(hashes[i]);
  return requests;
}

}  // namespace holdfast::server
