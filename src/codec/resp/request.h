// Requests as clients send them: RESP arrays of bulk strings, or inline lines with quoting.
//
// Source of the rules: Redis protocol specification (sections "Sending commands to a Redis server" and "Inline
// commands"); error texts and limits as answered by redis-server 7.2 to broken input.
// Invariant: the parser holds offsets only; the bytes stay with the caller (RequestStream keeps them for a connection).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::codec {

struct RequestLimits {
  int64_t multibulk_max = INT32_MAX;
  int64_t bulk_max = 512LL * 1024 * 1024;  // proto-max-bulk-len
  size_t inline_max = 64 * 1024;
  bool authenticated = true;  // false: at most 10 arguments of at most 16 KiB
};

class RequestParser {
 public:
  enum class Status : uint8_t {
    kNeedMore,  // call again with the same bytes and more behind them
    kRequest,   // args() and consumed() are set; args() may be empty (an empty line or `*0`): nothing to execute
    kError,     // error() is set; the connection cannot be used any further
  };

  /// Parses one request at the start of `buffer`.
  Status parse(std::string_view buffer, const RequestLimits& limits);

  /// Views into the buffer handed to parse() (into the parser itself for inline requests).
  const std::vector<std::string_view>& args() const { return args_; }
  size_t consumed() const { return position_; }
  /// Without the leading `ERR `; begins with `Protocol error: `.
  const std::string& error() const { return error_; }
  /// Bytes still missing for the bulk string being read, 0 if unknown: a hint for buffer growth.
  size_t missing_hint(size_t have) const;
  /// Forgets progress; called after a request was consumed.
  void reset();

 private:
  struct Piece {
    size_t begin;
    size_t length;
  };
  Status parse_array(std::string_view buffer, const RequestLimits& limits);
  Status parse_inline(std::string_view buffer, const RequestLimits& limits);
  Status parse_bulk_header(std::string_view buffer, const RequestLimits& limits);
  Status fail(std::string text);

  std::vector<Piece> pieces_;
  std::vector<std::string_view> args_;
  std::vector<std::string> inline_args_;
  std::string error_;
  size_t position_ = 0;       // bytes of the buffer that are parsed
  int64_t remaining_ = -1;    // bulk strings still to come, -1 = header not read
  int64_t bulk_length_ = -1;  // of the bulk string whose header was read, -1 = none
};

/// The input side of one connection: joins chunks, hands out requests, keeps what is incomplete.
/// Use: feed(); then next() until it is not kRequest; then finish().
class RequestStream {
 public:
  /// Offers a chunk, which must stay valid until finish().
  void feed(std::string_view chunk);
  RequestParser::Status next(const RequestLimits& limits);
  /// Keeps unparsed bytes for the next feed(). The last request's args() die here.
  void finish();

  const std::vector<std::string_view>& args() const { return parser_.args(); }
  const std::string& error() const { return parser_.error(); }
  /// Bytes held between chunks (the "query buffer").
  size_t held() const { return pending_.size(); }
  /// Those of them that are not read yet; between feed() and finish() all that is not carried out.
  size_t unparsed() const { return feeding_ ? current_.size() - begin_ : pending_.size() - parser_.consumed(); }
  /// Memory held for bytes to come.
  size_t room() const { return pending_.empty() ? 0 : pending_.capacity() - pending_.size(); }
  /// What came behind the request last returned by next().
  std::string_view ahead() const { return delivered_ ? current_.substr(begin_ + parser_.consumed()) : ""; }
  /// The bytes of the request last returned by next(), as they came.
  std::string_view raw() const { return current_.substr(begin_, parser_.consumed()); }
  /// Takes the request last returned back: the next feed() offers it again.
  void postpone();
  /// No chunk is being worked off.
  bool idle() const { return !feeding_; }

 private:
  RequestParser parser_;
  std::string pending_;
  std::string_view current_;
  size_t begin_ = 0;        // start of the request being parsed
  bool delivered_ = false;  // the request at begin_ was handed out
  bool feeding_ = false;    // between feed() and finish()
};

}  // namespace holdfast::codec
