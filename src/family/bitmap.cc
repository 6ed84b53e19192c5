// Commands on strings as arrays of bits.
#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "base/text.h"
#include "family/bindings.h"
#include "family/bit_offset.h"
#include "family/lookup.h"

namespace holdfast::family {

using store::Entry;
using store::Key;
using store::NumberBuffer;
using store::Type;

std::optional<uint64_t> read_bit_offset(Context& c, std::string_view text, int width) {
  const bool counts_fields = width > 0 && text.starts_with('#');
  const auto parsed = parse_int64(counts_fields ? text.substr(1) : text);
  int64_t offset = parsed.value_or(-1);
  const bool overflow = counts_fields && __builtin_mul_overflow(offset, static_cast<int64_t>(width), &offset);
  if (!parsed || overflow || offset < 0 || offset / 8 >= c.state.settings.proto_max_bulk_len) {
    c.reply.error("ERR bit offset is not an integer or out of range");
    return std::nullopt;
  }
  return static_cast<uint64_t>(offset);
}

namespace {

bool bit_of(std::string_view bytes, uint64_t bit) {
  return (static_cast<uint8_t>(bytes[bit / 8]) >> (7 - bit % 8) & 1) != 0;
}

void setbit_command(Context& c) {
  const auto offset = read_bit_offset(c, c.argv[2]);
  if (!offset) return;
  if (c.argv[3] != "0" && c.argv[3] != "1") return c.reply.error("ERR bit is not an integer or out of range");
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  const Entry* entry = lookup_write(c, key, Type::kString, wrong);
  if (wrong) return;
  const size_t old_size = entry == nullptr ? 0 : entry->string_size();
  const size_t size = std::max<size_t>(old_size, *offset / 8 + 1);
  const std::span<char> bytes = c.db().edit_string(key, size);
  const bool before = bit_of({bytes.data(), bytes.size()}, *offset);
  const bool wanted = c.argv[3] == "1";
  if (before != wanted || size != old_size) {
    char& byte = bytes[*offset / 8];
    if (before != wanted) byte = static_cast<char>(byte ^ 0x80 >> *offset % 8);
    c.modified(key.bytes);
    c.notify(kNotifyString, "setbit", key.bytes);
    ++c.dirty;
  }
  c.reply.integer(before ? 1 : 0);
}

void getbit_command(Context& c) {
  const auto offset = read_bit_offset(c, c.argv[2]);
  if (!offset) return;
  bool wrong = false;
  const Entry* entry = lookup_read(c, c.key(c.argv[1]), Type::kString, wrong);
  if (wrong) return;
  NumberBuffer buffer;
  const std::string_view bytes = entry == nullptr ? std::string_view() : entry->string(buffer);
  c.reply.integer(*offset / 8 < bytes.size() && bit_of(bytes, *offset) ? 1 : 0);
}

// Ranges.

/// Bits [first, end).
struct BitRange {
  uint64_t first = 0;
  uint64_t end = 0;
};

/// A range with both ends included and negative ones counted from the end, in bits or bytes of a string of `size`
/// bytes.
BitRange to_bits(int64_t first, int64_t last, size_t size, bool in_bits) {
  const int64_t total = static_cast<int64_t>(size) * (in_bits ? 8 : 1);
  if (first < 0) first = std::max<int64_t>(first + total, 0);
  if (last < 0) last = std::max<int64_t>(last + total, 0);
  last = std::min(last, total - 1);
  if (first > last) return {};
  const uint64_t unit = in_bits ? 1 : 8;
  return {static_cast<uint64_t>(first) * unit, static_cast<uint64_t>(last + 1) * unit};
}

/// Whether a range's unit is BIT; nullopt: neither BIT nor BYTE.
std::optional<bool> is_bit_unit(std::string_view word) {
  if (equal_ignoring_case(word, "bit")) return true;
  if (equal_ignoring_case(word, "byte")) return false;
  return std::nullopt;
}

uint64_t count_ones(std::string_view bytes, BitRange range) {
  uint64_t count = 0;
  uint64_t bit = range.first;
  for (; bit < range.end && bit % 8 != 0; ++bit) count += bit_of(bytes, bit) ? 1 : 0;
  for (; bit + 64 <= range.end; bit += 64) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + bit / 8, sizeof(word));
    count += static_cast<uint64_t>(std::popcount(word));
  }
  for (; bit < range.end; ++bit) count += bit_of(bytes, bit) ? 1 : 0;
  return count;
}

void bitcount_command(Context& c) {
  bool wrong = false;
  const Entry* entry = lookup_read(c, c.key(c.argv[1]), Type::kString, wrong);
  if (wrong) return;
  if (entry == nullptr) return c.reply.integer(0);  // COMPAT: whatever follows the key
  NumberBuffer buffer;
  const std::string_view bytes = entry->string(buffer);
  const size_t words = c.argv.size();
  if (words == 2) return c.reply.integer(static_cast<int64_t>(count_ones(bytes, {0, bytes.size() * 8})));
  if (words != 4 && words != 5) return c.reply.error(command::kSyntaxError);
  const auto first = parse_int64(c.argv[2]);
  const auto last = parse_int64(c.argv[3]);
  if (!first || !last) return c.reply.error(command::kNotAnInteger);
  if (*first < 0 && *last < 0 && *first > *last) return c.reply.integer(0);
  const auto in_bits = words == 5 ? is_bit_unit(c.argv[4]) : std::optional<bool>(false);
  if (!in_bits) return c.reply.error(command::kSyntaxError);
  c.reply.integer(static_cast<int64_t>(count_ones(bytes, to_bits(*first, *last, bytes.size(), *in_bits))));
}

/// The first bit of `range` that equals `wanted`; range.end if there is none.
uint64_t find_bit(std::string_view bytes, BitRange range, bool wanted) {
  const char dull = wanted ? '\0' : '\xff';
  uint64_t bit = range.first;
  while (bit < range.end) {
    if (bit % 8 == 0 && bit + 8 <= range.end && bytes[bit / 8] == dull) {
      bit += 8;
    } else if (bit_of(bytes, bit) == wanted) {
      return bit;
    } else {
      ++bit;
    }
  }
  return range.end;
}

void bitpos_command(Context& c) {
  const auto bit = parse_int64(c.argv[2]);
  if (!bit) return c.reply.error(command::kNotAnInteger);
  if (*bit != 0 && *bit != 1) return c.reply.error("ERR The bit argument must be 1 or 0.");
  bool wrong = false;
  const Entry* entry = lookup_read(c, c.key(c.argv[1]), Type::kString, wrong);
  if (wrong) return;
  // COMPAT: a missing key is an endless row of zeros, whatever range follows.
  if (entry == nullptr) return c.reply.integer(*bit == 1 ? -1 : 0);
  NumberBuffer buffer;
  const std::string_view bytes = entry->string(buffer);
  const size_t words = c.argv.size();
  if (words > 6) return c.reply.error(command::kSyntaxError);
  const auto first = words > 3 ? parse_int64(c.argv[3]) : std::optional<int64_t>(0);
  if (!first) return c.reply.error(command::kNotAnInteger);
  const auto in_bits = words == 6 ? is_bit_unit(c.argv[5]) : std::optional<bool>(false);
  if (!in_bits) return c.reply.error(command::kSyntaxError);
  const auto last = words > 4 ? parse_int64(c.argv[4]) : std::optional<int64_t>(static_cast<int64_t>(bytes.size()) - 1);
  if (!last) return c.reply.error(command::kNotAnInteger);
  if (bytes.empty()) return c.reply.integer(-1);
  const BitRange range = to_bits(*first, *last, bytes.size(), *in_bits);
  if (range.first == range.end) return c.reply.integer(-1);
  const uint64_t found = find_bit(bytes, range, *bit == 1);
  // Without an end, zeros follow the string; with one, they do not.
  const bool none = found == range.end && (*bit == 1 || words > 4);
  c.reply.integer(none ? -1 : static_cast<int64_t>(found));
}

// BITOP.

enum class BitOperation : uint8_t { kAnd, kOr, kXor, kNot };

std::optional<BitOperation> read_operation(std::string_view word) {
  if (equal_ignoring_case(word, "and")) return BitOperation::kAnd;
  if (equal_ignoring_case(word, "or")) return BitOperation::kOr;
  if (equal_ignoring_case(word, "xor")) return BitOperation::kXor;
  if (equal_ignoring_case(word, "not")) return BitOperation::kNot;
  return std::nullopt;
}

/// Shorter operands are continued with zeros.
std::string combine(BitOperation operation, const std::vector<std::string_view>& operands) {
  size_t size = 0;
  for (const std::string_view operand : operands) size = std::max(size, operand.size());
  std::string out(size, '\0');
  operands[0].copy(out.data(), operands[0].size());
  if (operation == BitOperation::kNot) {
    for (char& byte : out) byte = static_cast<char>(~byte);
    return out;
  }
  for (size_t n = 1; n < operands.size(); ++n) {
    for (size_t i = 0; i < size; ++i) {
      const char other = i < operands[n].size() ? operands[n][i] : '\0';
      out[i] = static_cast<char>(operation == BitOperation::kAnd  ? out[i] & other
                                 : operation == BitOperation::kOr ? out[i] | other
                                                                  : out[i] ^ other);
    }
  }
  return out;
}

void bitop_command(Context& c) {
  const auto operation = read_operation(c.argv[1]);
  if (!operation) return c.reply.error(command::kSyntaxError);
  if (*operation == BitOperation::kNot && c.argv.size() != 4) {
    return c.reply.error("ERR BITOP NOT must be called with a single source key.");
  }
  const std::span<const std::string_view> names = c.argv.subspan(3);
  std::vector<NumberBuffer> buffers(names.size());
  std::vector<std::string_view> operands;
  for (size_t i = 0; i < names.size(); ++i) {
    bool wrong = false;
    const Entry* entry = lookup_read(c, c.key(names[i]), Type::kString, wrong);
    if (wrong) return;
    operands.push_back(entry == nullptr ? std::string_view() : entry->string(buffers[i]));
  }
  const std::string result = combine(*operation, operands);
  const Key target = c.key(c.argv[2]);
  c.reply.integer(static_cast<int64_t>(result.size()));
  if (result.empty()) {
    if (delete_key(c, target)) ++c.dirty;
    return;
  }
  if (lookup_write(c, target) != nullptr) c.db().erase(target);
  // COMPAT: the result is held raw, digits or not.
  std::ranges::copy(result, c.db().edit_string(target, result.size()).begin());
  c.modified(target.bytes);
  c.notify(kNotifyString, "set", target.bytes);
  ++c.dirty;
}

constexpr Binding kBindings[] = {
    {"bitcount", bitcount_command}, {"bitop", bitop_command},   {"bitpos", bitpos_command},
    {"getbit", getbit_command},     {"setbit", setbit_command},
};

}  // namespace

std::span<const Binding> bitmap_bindings() { return kBindings; }

}  // namespace holdfast::family
