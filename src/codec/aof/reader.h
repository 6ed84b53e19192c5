// AofReader: the commands of an append-only file, fed in any chunking.
//
// Source: redis-server 7.2's loader: `*<words>`, then `$<length>`, bytes, CR LF for each; lines that begin with `#` are
// annotations. As lenient as it: a number ends where its digits end, the two bytes behind a word are not looked at.
// Invariant: memory held is bounded by the bytes fed, whatever lengths the file claims.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::codec::aof {

class Reader {
 public:
  enum class Status : uint8_t {
    kNeedMore,
    kCommand,      // words() until the next call
    kAnnotation,   // line() until the next call, with its end
    kFormatError,  // nothing more is taken
  };
  explicit Reader(uint64_t offset = 0) : offset_(offset) {}

  /// Offers bytes, valid until kNeedMore was returned.
  void feed(std::string_view bytes);
  Status next();
  enum class End : uint8_t { kWhole, kShort, kBroken };
  /// No more bytes come: does the file end behind a command, in the middle of one, or with what is none?
  End finish();

  const std::vector<std::string_view>& words() const { return words_; }
  std::string_view line() const { return line_; }
  /// Where in the file the last item ended: everything before is whole.
  uint64_t consumed() const { return offset_; }

 private:
  static constexpr size_t kLineMax = 1023;  // longer ones are read in pieces
  struct Word {
    size_t begin;
    size_t length;
  };
  Status next_word();
  Status deliver(size_t end);
  /// The end of the line that starts at scan_, 0 if it is not here yet.
  size_t line_end() const;

  std::string held_;  // the beginning of an item
  std::string_view bytes_;
  bool reading_held_ = false;
  bool failed_ = false;
  bool finishing_ = false;
  size_t begin_ = 0;     // of the item being read, in bytes_
  size_t scan_ = 0;      // how far it is understood
  int64_t missing_ = 0;  // words of the command still to come, 0 = its first line was not read
  std::vector<Word> found_;
  std::vector<std::string_view> words_;
  std::string_view line_;
  uint64_t offset_;
};

}  // namespace holdfast::codec::aof
