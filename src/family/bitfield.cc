// BITFIELD and BITFIELD_RO: integers of 1 to 64 bits anywhere inside a string, most significant bit first.
#include <algorithm>
#include <optional>
#include <vector>

#include "base/text.h"
#include "family/bindings.h"
#include "family/bit_offset.h"
#include "family/lookup.h"

namespace holdfast::family {
namespace {

using store::Entry;
using store::Key;
using store::NumberBuffer;
using store::Type;

/// Holds the sum of any two fields.
__extension__ typedef __int128 Wide;

enum class Overflow : uint8_t { kWrap, kSaturate, kFail };

struct FieldType {
  bool is_signed = false;
  int bits = 0;  // 1..64, unsigned up to 63

  Wide max() const { return (static_cast<Wide>(1) << (is_signed ? bits - 1 : bits)) - 1; }
  Wide min() const { return is_signed ? -max() - 1 : 0; }
};

struct Step {
  enum class Kind : uint8_t { kGet, kSet, kIncrement };
  Kind kind = Kind::kGet;
  FieldType type;
  uint64_t offset = 0;
  int64_t value = 0;
  Overflow overflow = Overflow::kWrap;
};

/// The field as 64 bits with zeros above; bytes behind the end read as zero.
uint64_t read_bits(std::string_view bytes, uint64_t offset, int bits) {
  uint64_t value = 0;
  for (uint64_t bit = offset; bit < offset + static_cast<uint64_t>(bits); ++bit) {
    const uint64_t byte = bit / 8 < bytes.size() ? static_cast<uint8_t>(bytes[bit / 8]) : 0;
    value = value << 1 | (byte >> (7 - bit % 8) & 1);
  }
  return value;
}

void write_bits(std::span<char> bytes, uint64_t offset, int bits, uint64_t value) {
  for (int i = bits - 1; i >= 0; --i, value >>= 1) {
    const uint64_t bit = offset + static_cast<uint64_t>(i);
    const int mask = 0x80 >> bit % 8;
    char& byte = bytes[bit / 8];
    byte = static_cast<char>((value & 1) != 0 ? byte | mask : byte & ~mask);
  }
}

/// The number that the lowest bits of `raw` stand for.
Wide meaning(FieldType type, uint64_t raw) {
  const auto value = static_cast<Wide>(raw);
  return type.is_signed && value > type.max() ? value - (static_cast<Wide>(1) << type.bits) : value;
}

/// `value` brought into the type's range; nullopt: it does not fit and is not to be stored.
std::optional<Wide> fitted(FieldType type, Wide value, Overflow overflow) {
  if (value >= type.min() && value <= type.max()) return value;
  switch (overflow) {
    case Overflow::kFail:
      return std::nullopt;
    case Overflow::kSaturate:
      return value > type.max() ? type.max() : type.min();
    case Overflow::kWrap: {
      const Wide mask = (static_cast<Wide>(1) << type.bits) - 1;
      return meaning(type, static_cast<uint64_t>(value & mask));
    }
  }
  return std::nullopt;
}

std::optional<FieldType> read_type(std::string_view text) {
  FieldType type;
  if (!text.starts_with('i') && !text.starts_with('u')) return std::nullopt;
  type.is_signed = text[0] == 'i';
  const auto bits = parse_int64(text.substr(1));
  if (!bits || *bits < 1 || *bits > (type.is_signed ? 64 : 63)) return std::nullopt;
  type.bits = static_cast<int>(*bits);
  return type;
}

std::optional<Overflow> read_overflow(std::string_view word) {
  if (equal_ignoring_case(word, "wrap")) return Overflow::kWrap;
  if (equal_ignoring_case(word, "sat")) return Overflow::kSaturate;
  if (equal_ignoring_case(word, "fail")) return Overflow::kFail;
  return std::nullopt;
}

/// Type, offset and, for writes, value of one step; false: the error is written.
bool read_step(Context& c, command::Args& args, Step& step) {
  const auto type = read_type(args.next());
  if (!type) {
    c.reply.error("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.");
    return false;
  }
  step.type = *type;
  const auto offset = read_bit_offset(c, args.next(), type->bits);
  if (!offset) return false;
  step.offset = *offset;
  if (step.kind == Step::Kind::kGet) return true;
  step.value = args.integer();
  if (args.failed()) c.reply.error(args.error());
  return !args.failed();
}

/// nullopt: the error is written.
std::optional<std::vector<Step>> read_steps(Context& c) {
  std::vector<Step> steps;
  Overflow overflow = Overflow::kWrap;
  command::Args args = c.args(2);
  while (args.more()) {
    Step step;
    if (args.left() >= 2 && args.take("overflow")) {
      const auto wanted = read_overflow(args.next());
      if (!wanted) {
        c.reply.error("ERR Invalid OVERFLOW type specified");
        return std::nullopt;
      }
      overflow = *wanted;
      continue;
    }
    if (args.left() >= 3 && args.take("get")) {
      step.kind = Step::Kind::kGet;
    } else if (args.left() >= 4 && args.take("set")) {
      step.kind = Step::Kind::kSet;
    } else if (args.left() >= 4 && args.take("incrby")) {
      step.kind = Step::Kind::kIncrement;
    } else {
      c.reply.error(command::kSyntaxError);
      return std::nullopt;
    }
    step.overflow = overflow;
    if (!read_step(c, args, step)) return std::nullopt;
    steps.push_back(step);
  }
  return steps;
}

void run_reads(Context& c, const std::vector<Step>& steps) {
  bool wrong = false;
  const Entry* entry = lookup_read(c, c.key(c.argv[1]), Type::kString, wrong);
  if (wrong) return;
  NumberBuffer buffer;
  const std::string_view bytes = entry == nullptr ? std::string_view() : entry->string(buffer);
  c.reply.array(steps.size());
  for (const Step& step : steps) {
    c.reply.integer(static_cast<int64_t>(meaning(step.type, read_bits(bytes, step.offset, step.type.bits))));
  }
}

/// Runs one step on `bytes`, which cover every field written; replies. True if the field changed.
bool run_step(Context& c, const Step& step, std::span<char> bytes) {
  const uint64_t raw = read_bits({bytes.data(), bytes.size()}, step.offset, step.type.bits);
  const Wide old = meaning(step.type, raw);
  if (step.kind == Step::Kind::kGet) {
    c.reply.integer(static_cast<int64_t>(old));
    return false;
  }
  Wide wanted = step.value;
  if (step.kind == Step::Kind::kIncrement) {
    wanted += old;
  } else if (!step.type.is_signed) {
    wanted = static_cast<Wide>(static_cast<uint64_t>(step.value));  // COMPAT: a negative value is a huge one
  }
  auto stored = fitted(step.type, wanted, step.overflow);
  if (step.kind == Step::Kind::kSet && step.overflow == Overflow::kSaturate && step.type.is_signed &&
      step.type.bits < 64 && step.type.max() - wanted > INT64_MAX) {
    // COMPAT: near the lowest int64 the original's own subtraction overflows and it saturates at the wrong end.
    stored = step.type.max();
  }
  if (!stored) {
    c.reply.null();
    return false;
  }
  c.reply.integer(static_cast<int64_t>(step.kind == Step::Kind::kSet ? old : *stored));
  write_bits(bytes, step.offset, step.type.bits, static_cast<uint64_t>(*stored));
  return *stored != old;
}

void run_writes(Context& c, const std::vector<Step>& steps) {
  const Key key = c.key(c.argv[1]);
  bool wrong = false;
  const Entry* entry = lookup_write(c, key, Type::kString, wrong);
  if (wrong) return;
  const size_t old_size = entry == nullptr ? 0 : entry->string_size();
  size_t size = old_size;
  for (const Step& step : steps) {
    if (step.kind == Step::Kind::kGet) continue;
    size = std::max<size_t>(size, (step.offset + static_cast<uint64_t>(step.type.bits) + 7) / 8);
  }
  const std::span<char> bytes = c.db().edit_string(key, size);
  c.reply.array(steps.size());
  uint64_t changes = 0;
  for (const Step& step : steps) changes += run_step(c, step, bytes) ? 1 : 0;
  if (size != old_size) changes = std::max<uint64_t>(changes, 1);
  if (changes == 0) return;
  c.modified(key.bytes);
  c.notify(kNotifyString, "setbit", key.bytes);
  c.dirty += changes;
}

void bitfield_generic(Context& c, bool may_write) {
  const auto steps = read_steps(c);
  if (!steps) return;
  const bool writes =
      std::any_of(steps->begin(), steps->end(), [](const Step& step) { return step.kind != Step::Kind::kGet; });
  if (!writes) return run_reads(c, *steps);
  if (!may_write) return c.reply.error("ERR BITFIELD_RO only supports the GET subcommand");
  run_writes(c, *steps);
}
void bitfield_command(Context& c) { bitfield_generic(c, true); }
void bitfield_ro_command(Context& c) { bitfield_generic(c, false); }

constexpr Binding kBindings[] = {{"bitfield", bitfield_command}, {"bitfield_ro", bitfield_ro_command}};

}  // namespace

std::span<const Binding> bitfield_bindings() { return kBindings; }

}  // namespace holdfast::family
