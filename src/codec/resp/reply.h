// Replies as a client reads them: RESP2 and RESP3, framed first, decoded when complete.
//
// Source: Redis protocol specification, RESP2 and RESP3. Invariants: no recursion deeper than kReplyDepthMax, no
// allocation larger than the bytes that arrived justify, a reply larger than the reader's limit is an error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::codec {

inline constexpr int kReplyDepthMax = 32;

struct Reply {
  enum class Type : uint8_t {
    kSimple,
    kError,
    kInteger,
    kBulk,
    kNull,  // RESP3 `_`, RESP2 `$-1` and `*-1`
    kArray,
    kMap,  // items: key, value, key, value, ...
    kSet,
    kPush,
    kDouble,  // text holds the digits
    kBoolean,
    kBigNumber,
    kVerbatim,  // text without the `txt:` prefix
  };
  Type type = Type::kNull;
  std::string text;
  int64_t integer = 0;
  std::vector<Reply> items;

  bool is_error() const { return type == Type::kError; }
  bool is_null() const { return type == Type::kNull; }
  bool is_string() const { return type == Type::kBulk || type == Type::kSimple || type == Type::kVerbatim; }
  bool is_aggregate() const {
    return type == Type::kArray || type == Type::kMap || type == Type::kSet || type == Type::kPush;
  }
};

/// Finds where the first reply in a buffer ends, without decoding it. Keeps progress between calls.
class ReplyFramer {
 public:
  enum class Status : uint8_t { kNeedMore, kComplete, kError };
  /// `buffer` starts at the reply and only grows between calls. On kComplete length() is its size in bytes.
  Status scan(std::string_view buffer);
  size_t length() const { return position_; }
  void reset();

 private:
  size_t position_ = 0;
  uint64_t remaining_ = 1;  // values still to come
};

/// Decodes one complete reply; nullopt: malformed or nested too deep.
std::optional<Reply> decode_reply(std::string_view bytes);

/// The reading half of a client connection.
class ReplyReader {
 public:
  explicit ReplyReader(size_t limit = 64 * 1024 * 1024) : limit_(limit) {}
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  /// The next complete reply. nullopt: none yet, or failed() is true.
  std::optional<Reply> next();
  bool failed() const { return failed_; }
  /// Bytes after the last complete reply: what follows when the stream changes protocol.
  std::string_view rest() const { return std::string_view(buffer_).substr(begin_); }
  void clear();

 private:
  std::string buffer_;
  size_t begin_ = 0;
  ReplyFramer framer_;
  size_t limit_;
  bool failed_ = false;
};

}  // namespace holdfast::codec
