#include "app/check_rdb.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "base/version.h"
#include "codec/crc64.h"
#include "codec/lzf.h"
#include "codec/rdb/format.h"
#include "net/clock.h"
#include "net/file.h"
#include "persist/dump.h"
#include "store/dataset.h"

namespace holdfast::app {
namespace {

namespace rdb = codec::rdb;
using rdb::Opcode;
using rdb::ValueType;

constexpr std::string_view kTypeNames[] = {"string",
                                           "list-linked",
                                           "set-hashtable",
                                           "zset-v1",
                                           "hash-hashtable",
                                           "zset-v2",
                                           "module-pre-release",
                                           "module-value",
                                           "",
                                           "hash-zipmap",
                                           "list-ziplist",
                                           "set-intset",
                                           "zset-ziplist",
                                           "hash-ziplist",
                                           "quicklist",
                                           "stream",
                                           "hash-listpack",
                                           "zset-listpack",
                                           "quicklist-v2",
                                           "stream-v2",
                                           "set-listpack",
                                           "stream-v3"};
constexpr size_t kVersionAt = 5;
constexpr size_t kMagicSize = 9;
constexpr int kNewestVersion = 11;

class Checker {
 public:
  Checker(std::string_view bytes, std::string_view name, int64_t now_ms) : bytes_(bytes), now_ms_(now_ms) {
    info(fmt::format("Checking RDB file {}", name));
  }
  RdbVerdict run() {
    const bool good = check();
    if (good) {
      info("\\o/ RDB looks OK! \\o/");
      totals();
    }
    return {good, at_, std::move(out_)};
  }

 private:
  /// Nothing is consumed unless there is all of it.
  bool read(size_t count, std::string_view& out) {
    if (count > bytes_.size() - at_) return false;
    out = bytes_.substr(at_, count);
    at_ += count;
    return true;
  }
  bool skip(uint64_t count) {
    if (count > bytes_.size() - at_) return false;
    at_ += static_cast<size_t>(count);
    return true;
  }
  bool byte(uint8_t& out) {
    std::string_view one;
    if (!read(1, one)) return false;
    out = static_cast<uint8_t>(one[0]);
    return true;
  }
  bool big_endian(size_t count, uint64_t& out) {
    std::string_view text;
    if (!read(count, text)) return false;
    out = 0;
    for (const char c : text) out = out << 8 | static_cast<uint8_t>(c);
    return true;
  }
  bool little_endian(size_t count, uint64_t& out) {
    std::string_view text;
    if (!read(count, text)) return false;
    out = 0;
    for (size_t i = count; i-- > 0;) out = out << 8 | static_cast<uint8_t>(text[i]);
    return true;
  }
  bool length(uint64_t& out, bool* special = nullptr);
  bool string(std::string* out = nullptr);
  bool strings(uint64_t count) {
    for (; count > 0; --count) {
      if (!string()) return false;
    }
    return true;
  }
  bool counted_strings(uint64_t each) {
    uint64_t count = 0;
    if (!length(count)) return false;
    for (; count > 0; --count) {
      if (!strings(each)) return false;
    }
    return true;
  }
  bool ascii_score();
  bool scored(bool binary);
  bool quicklist(bool with_kind);
  bool stream(int version);
  bool stream_group(int version);
  bool value(uint8_t type);
  bool value_is_sane(size_t begin);

  bool check();
  std::optional<bool> attribute(uint8_t opcode);
  bool key_and_value(uint8_t type);
  bool checksum();
  bool fail(std::string_view text);
  bool end_of_file() { return broken_.empty() ? fail("Unexpected EOF reading RDB file") : fail(broken_); }
  bool corrupt(std::string_view why) {
    broken_ = fmt::format("Internal error in RDB reading offset 0, function at rdb.c -> {}", why);
    return false;
  }
  void info(std::string_view text) { out_ += fmt::format("[offset {}] {}\n", at_, text); }
  void totals() {
    out_ +=
        fmt::format("[info] {} keys read\n[info] {} expires\n[info] {} already expired\n", keys_, expires_, expired_);
  }

  std::string_view bytes_;
  int64_t now_ms_;
  size_t at_ = 0;
  std::string out_;
  std::string_view doing_ = "start";
  std::optional<std::string> key_;
  int type_ = 0;  // COMPAT: a string before the first key, none (-1) behind each
  uint64_t keys_ = 0;
  uint64_t expires_ = 0;
  uint64_t expired_ = 0;
  int version_ = 0;
  std::optional<int64_t> expires_at_;
  store::Dataset scratch_{1, store::HashSeed{}};
  std::string broken_;  // why the content, rather than its size, is wrong
};

bool Checker::fail(std::string_view text) {
  out_ += "--- RDB ERROR DETECTED ---\n";
  info(text);
  out_ += fmt::format("[additional info] While doing: {}\n", doing_);
  if (key_) out_ += fmt::format("[additional info] Reading key '{}'\n", key_->c_str());
  if (type_ != -1) {
    const bool known = static_cast<size_t>(type_) < std::size(kTypeNames);
    out_ += fmt::format("[additional info] Reading type {} ({})\n", type_,
                        known ? kTypeNames[static_cast<size_t>(type_)] : "unknown");
  }
  totals();
  return false;
}

bool Checker::length(uint64_t& out, bool* special) {
  uint8_t first = 0;
  if (!byte(first)) return false;
  switch (first >> 6) {
    case rdb::kLength6:
      out = first & 0x3f;
      return true;
    case rdb::kLength14: {
      uint8_t second = 0;
      if (!byte(second)) return false;
      out = static_cast<uint64_t>(first & 0x3f) << 8 | second;
      return true;
    }
    case rdb::kLengthSpecial:
      out = first & 0x3f;
      if (special == nullptr) return true;  // COMPAT: read as a number where none is expected
      *special = true;
      return true;
    default:
      break;
  }
  if (first == rdb::kLength32Byte) return big_endian(4, out);
  if (first == rdb::kLength64Byte) return big_endian(8, out);
  return corrupt(fmt::format("Unknown length encoding {} in rdbLoadLen()", first));
}

bool Checker::string(std::string* out) {
  uint64_t count = 0;
  bool special = false;
  if (!length(count, &special)) return false;
  std::string_view text;
  if (!special) {
    if (count > bytes_.size() - at_ || !read(static_cast<size_t>(count), text)) return false;
    if (out != nullptr) out->assign(text);
    return true;
  }
  if (count < 3) {  // 8, 16 or 32 bits
    const size_t size = size_t{1} << count;
    uint64_t number = 0;
    if (!little_endian(size, number)) return false;
    const int shift = 64 - static_cast<int>(size) * 8;
    if (out != nullptr) *out = std::to_string(static_cast<int64_t>(number << shift) >> shift);
    return true;
  }
  if (count != static_cast<uint64_t>(rdb::StringEncoding::kLzf)) {
    return corrupt(fmt::format("Unknown RDB string encoding type {}", count));
  }
  uint64_t packed = 0;
  uint64_t size = 0;
  if (!length(packed) || !length(size)) return false;
  if (packed > bytes_.size() - at_ || !read(static_cast<size_t>(packed), text)) return false;
  constexpr uint64_t kExpansionMax = 300;  // LZF makes at most 264 bytes of 3
  std::string plain;
  const bool possible = size > 0 && size / kExpansionMax <= packed;
  if (!possible || !codec::lzf_decompress(text, static_cast<size_t>(size), plain)) {
    return corrupt("Invalid LZF compressed string");
  }
  if (out != nullptr) *out = std::move(plain);
  return true;
}

/// COMPAT: what begins like a number is one: the original reads it with sscanf.
bool Checker::ascii_score() {
  constexpr uint8_t kFirstName = 253;  // nan, inf, -inf
  uint8_t size = 0;
  std::string_view digits;
  if (!byte(size)) return false;
  if (size >= kFirstName) return true;
  double score = 0;
  return read(size, digits) && std::sscanf(std::string(digits).c_str(), "%lg", &score) == 1;
}

bool Checker::scored(bool binary) {
  uint64_t count = 0;
  if (!length(count)) return false;
  for (; count > 0; --count) {
    if (!string() || !(binary ? skip(8) : ascii_score())) return false;
  }
  return true;
}

bool Checker::quicklist(bool with_kind) {
  uint64_t nodes = 0;
  if (!length(nodes)) return false;
  for (; nodes > 0; --nodes) {
    uint64_t kind = rdb::kNodePacked;
    if (with_kind && !length(kind)) return false;
    if (kind != rdb::kNodePacked && kind != rdb::kNodePlain) return corrupt("Quicklist integrity check failed.");
    if (!string()) return false;
  }
  return true;
}

bool Checker::stream_group(int version) {
  uint64_t number = 0;
  if (!string() || !length(number) || !length(number)) return false;
  if (version >= 2 && !length(number)) return false;
  uint64_t pending = 0;
  if (!length(pending)) return false;
  for (; pending > 0; --pending) {
    if (!skip(16) || !skip(8) || !length(number)) return false;
  }
  uint64_t consumers = 0;
  if (!length(consumers)) return false;
  for (; consumers > 0; --consumers) {
    if (!string() || !skip(8) || (version >= 3 && !skip(8)) || !length(pending)) return false;
    for (; pending > 0; --pending) {
      if (!skip(16)) return false;
    }
  }
  return true;
}

bool Checker::stream(int version) {
  if (!counted_strings(2)) return false;
  uint64_t number = 0;
  for (int i = 0; i < (version >= 2 ? 8 : 3); ++i) {
    if (!length(number)) return false;
  }
  uint64_t groups = 0;
  if (!length(groups)) return false;
  for (; groups > 0; --groups) {
    if (!stream_group(version)) return false;
  }
  return true;
}

/// From its first byte to its last; what is in it is judged by value_is_sane.
bool Checker::value(uint8_t type) {
  switch (static_cast<ValueType>(type)) {
    case ValueType::kString:
    case ValueType::kHashZipmap:
    case ValueType::kListZiplist:
    case ValueType::kSetIntset:
    case ValueType::kZsetZiplist:
    case ValueType::kHashZiplist:
    case ValueType::kHashListpack:
    case ValueType::kZsetListpack:
    case ValueType::kSetListpack:
      return string();
    case ValueType::kList:
    case ValueType::kSet:
      return counted_strings(1);
    case ValueType::kHash:
      return counted_strings(2);
    case ValueType::kZset:
      return scored(false);
    case ValueType::kZset2:
      return scored(true);
    case ValueType::kListQuicklist:
      return quicklist(false);
    case ValueType::kListQuicklist2:
      return quicklist(true);
    case ValueType::kStreamListpacks:
      return stream(1);
    case ValueType::kStreamListpacks2:
      return stream(2);
    case ValueType::kStreamListpacks3:
      return stream(3);
    case ValueType::kModulePreGa:
    case ValueType::kModule2:
      break;
  }
  return corrupt("The RDB file contains module data, which cannot be checked");
}

/// Loads the value for a moment: broken encodings, duplicates, orders.
bool Checker::value_is_sane(size_t begin) {
  std::string payload(1, static_cast<char>(type_));
  payload.append(bytes_.substr(begin, at_ - begin));
  payload.push_back(static_cast<char>(kNewestVersion));
  payload.push_back('\0');
  const uint64_t crc = codec::crc64(0, payload);
  for (int i = 0; i < 8; ++i) payload.push_back(static_cast<char>(crc >> (8 * i)));
  const store::Key key = scratch_.key("k");
  const auto loaded = persist::restore(payload, scratch_.db(0), key, store::kNoExpiry);
  if (loaded) scratch_.db(0).erase(key);
  return loaded || corrupt(fmt::format("Bad data format of type {}", type_));
}

bool Checker::key_and_value(uint8_t type) {
  const bool known = type <= 5 || type == 7 || (type >= 9 && type <= 21);
  if (!known) return fail(fmt::format("Invalid object type: {}", type));
  type_ = type;
  doing_ = "read-key";
  std::string key;
  if (!string(&key)) return end_of_file();
  key_ = std::move(key);
  ++keys_;
  doing_ = "read-object-value";
  const size_t begin = at_;
  const bool plain = type == static_cast<uint8_t>(ValueType::kString);
  if (!value(type) || !(plain || value_is_sane(begin))) return end_of_file();
  if (expires_at_ && *expires_at_ < now_ms_) ++expired_;
  if (expires_at_) ++expires_;
  expires_at_.reset();
  key_.reset();
  type_ = -1;
  return true;
}

/// What stands between keys. Nullopt: it is a key.
std::optional<bool> Checker::attribute(uint8_t opcode) {
  uint64_t number = 0;
  std::string_view text;
  switch (static_cast<Opcode>(opcode)) {
    case Opcode::kExpireTime:
    case Opcode::kExpireTimeMs: {
      doing_ = "read-expire";
      const bool seconds = static_cast<Opcode>(opcode) == Opcode::kExpireTime;
      if (!little_endian(seconds ? 4 : 8, number)) return end_of_file();
      const int64_t at =
          seconds ? static_cast<int64_t>(static_cast<int32_t>(number)) * 1000 : static_cast<int64_t>(number);
      expires_at_ = at == -1 ? std::nullopt : std::optional(at);
      return true;
    }
    case Opcode::kFreq:
      return read(1, text) || end_of_file();
    case Opcode::kIdle:
      return length(number) || end_of_file();
    case Opcode::kSelectDb:
      doing_ = "read-len";
      if (!length(number)) return end_of_file();
      info(fmt::format("Selecting DB ID {}", number));
      return true;
    case Opcode::kResizeDb:
      doing_ = "read-len";
      return (length(number) && length(number)) || end_of_file();
    case Opcode::kAux: {
      doing_ = "read-aux";
      std::string name;
      std::string value;
      if (!string(&name) || !string(&value)) return end_of_file();
      info(fmt::format("AUX FIELD {} = '{}'", name.c_str(), value.c_str()));
      return true;
    }
    case Opcode::kModuleAux:
      doing_ = "read-module-aux";
      return fail("The RDB file contains module data, which cannot be checked");
    case Opcode::kFunctionPreGa:
      return fail(fmt::format("Pre-release function format not supported {}", version_));
    case Opcode::kFunction2:
      doing_ = "read-functions";
      return string() || end_of_file();
    case Opcode::kEof:
      break;
  }
  return std::nullopt;
}

bool Checker::check() {
  std::string_view magic;
  if (!read(kMagicSize, magic)) return end_of_file();
  if (!magic.starts_with("REDIS")) return fail("Wrong signature trying to load DB from file");
  version_ = std::atoi(std::string(magic.substr(kVersionAt)).c_str());
  if (version_ < 1 || version_ > kNewestVersion) {
    return fail(fmt::format("Can't handle RDB format version {}", version_));
  }
  while (true) {
    doing_ = "read-type";
    uint8_t type = 0;
    if (!byte(type)) return end_of_file();
    if (type == static_cast<uint8_t>(Opcode::kEof)) return version_ < rdb::kChecksumSince || checksum();
    const std::optional<bool> done = attribute(type);
    if (done.has_value() ? !*done : !key_and_value(type)) return false;
  }
}

bool Checker::checksum() {
  const uint64_t expected = codec::crc64(0, bytes_.substr(0, at_));
  doing_ = "check-sum";
  uint64_t found = 0;
  if (!little_endian(8, found)) return end_of_file();
  if (found == 0) {
    info("RDB file was saved with checksum disabled: no check performed.");
  } else if (found != expected) {
    return fail("RDB CRC error");
  } else {
    info("Checksum OK");
  }
  return true;
}

}  // namespace

RdbVerdict check_rdb(std::string_view bytes, std::string_view name, int64_t now_ms) {
  return Checker(bytes, name, now_ms).run();
}

int run_check_rdb(const std::string& program, const std::vector<std::string>& arguments) {
  if (arguments.size() != 1) {
    std::fputs(fmt::format("Usage: {} <rdb-file-name>\n", program).c_str(), stderr);
    return 1;
  }
  if (arguments[0] == "-v" || arguments[0] == "--version") {
    std::fputs(fmt::format("redis-check-rdb {}\n", kRedisVersion).c_str(), stdout);
    return 0;
  }
  const auto bytes = net::read_whole_file(arguments[0]);
  if (!bytes) {
    std::fputs(fmt::format("[offset 0] Checking RDB file {}\n", arguments[0]).c_str(), stdout);
    return 1;
  }
  const RdbVerdict verdict = check_rdb(*bytes, arguments[0], unix_ms(net::read_clock().wall));
  std::fwrite(verdict.report.data(), 1, verdict.report.size(), stdout);
  return verdict.good ? 0 : 1;
}

}  // namespace holdfast::app
