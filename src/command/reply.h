// Reply: what a handler answers with, in the client's protocol version.
//
// Source: Redis protocol specification, RESP2 and RESP3. Every aggregate announces its size first and is followed by
// exactly that many values. Error texts lose CR and LF, so that no input can inject protocol into an error line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/out_queue.h"
#include "codec/resp/encode.h"

namespace holdfast::command {

class Reply {
 public:
  /// `version` 2 or 3. A muted reply (CLIENT REPLY OFF, the stream from a primary) accepts everything and sends
  /// nothing.
  Reply(OutQueue& out, int version, bool muted = false) : out_(&out), version_(version), muted_(muted) {}

  int version() const { return version_; }
  void set_version(int version) { version_ = version; }
  bool muted() const { return muted_; }
  /// The same place for what is pushed: CLIENT REPLY OFF and SKIP hold back answers only.
  Reply pushing() const { return {*out_, version_}; }

  void ok() { raw("+OK\r\n"); }
  void simple(std::string_view text);
  /// `text` with its code: `ERR syntax error`, `WRONGTYPE ...`.
  void error(std::string_view text);
  void integer(int64_t value) {
    if (value == 0) return raw(":0\r\n");
    if (value == 1) return raw(":1\r\n");
    number_line(':', value);
  }
  void bulk(std::string_view bytes) {
    if (!muted_) codec::append_bulk(*out_, bytes);
  }
  /// Decimal digits as a bulk string.
  void bulk_integer(int64_t value);
  void null() { raw(version_ == 2 ? "$-1\r\n" : "_\r\n"); }
  void null_array() { raw(version_ == 2 ? "*-1\r\n" : "_\r\n"); }
  void boolean(bool value);
  /// RESP3 big number, RESP2 bulk string.
  void big_number(std::string_view digits);
  /// RESP3 double, RESP2 bulk string; 17 significant digits at most, as short as round-trips allow.
  void number(double value);
  /// RESP3 verbatim string (`format` of three letters), RESP2 bulk string.
  void verbatim(std::string_view format, std::string_view text);

  void array(size_t items) { number_line('*', static_cast<int64_t>(items)); }
  void map(size_t pairs) {
    number_line(version_ == 2 ? '*' : '%', static_cast<int64_t>(pairs * (version_ == 2 ? 2 : 1)));
  }
  void set(size_t items) { number_line(version_ == 2 ? '*' : '~', static_cast<int64_t>(items)); }
  void push(size_t items) { number_line(version_ == 2 ? '*' : '>', static_cast<int64_t>(items)); }

  /// Bytes that are protocol already.
  void raw(std::string_view bytes) {
    if (!muted_) out_->append(bytes);
  }

  /// Errors written so far; `last_error` is the newest one's text.
  uint64_t errors() const { return errors_; }
  const std::string& last_error() const { return last_error_; }

 private:
  void number_line(char prefix, int64_t value) {
    if (!muted_) codec::append_number_line(*out_, prefix, value);
  }

  OutQueue* out_;
  int version_;
  bool muted_;
  uint64_t errors_ = 0;
  std::string last_error_;
};

/// The shortest text that reads back as `value`; `inf`, `-inf`, `nan` as the wire spells them.
std::string format_double(double value);
/// A double as INCRBYFLOAT prints a long double: fixed point, 17 decimals at most, trailing zeros removed.
std::string format_long_double(long double value);

}  // namespace holdfast::command
