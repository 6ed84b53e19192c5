// PFDEBUG and PFSELFTEST: looking into sketches.
#include <fmt/format.h>

#include <cmath>

#include "base/text.h"
#include "family/bindings.h"
#include "family/hll_sketch.h"
#include "family/lookup.h"

namespace holdfast::family {
namespace {

using store::Key;
using store::NumberBuffer;

constexpr std::string_view kCorrupted = "INVALIDOBJ Corrupted HLL object detected";

bool is_sparse(std::string_view bytes) { return bytes[4] == 1; }

/// The runs of a sparse sketch as text: zeros `z:` and `Z:`, values `v:value,times`.
std::string decode_runs(std::string_view runs) {
  std::string out;
  for (size_t i = 0; i < runs.size(); ++i) {
    const auto byte = static_cast<uint8_t>(runs[i]);
    if (!out.empty()) out += ' ';
    if ((byte & 0x80) != 0) {
      out += fmt::format("v:{},{}", (byte >> 2 & 0x1f) + 1, (byte & 3) + 1);
    } else if ((byte & 0x40) == 0) {
      out += fmt::format("z:{}", (byte & 0x3f) + 1);
    } else if (++i < runs.size()) {
      out += fmt::format("Z:{}", ((byte & 0x3f) << 8 | static_cast<uint8_t>(runs[i])) + 1);
    }
  }
  return out;
}

/// Turns a sparse sketch into a dense one. False: it was dense, or is corrupted (the error is written).
bool make_dense(Context& c, const Key& key, std::string_view bytes, bool& corrupted) {
  corrupted = false;
  if (!is_sparse(bytes)) return false;
  HllSketch sketch;
  corrupted = !sketch.merge(bytes);
  if (corrupted) {
    c.reply.error(kCorrupted);
    return false;
  }
  sketch.make_dense();
  c.db().set_string_keep_expiry(key, sketch.bytes());
  ++c.dirty;
  return true;
}

void reply_registers(Context& c, const Key& key) {
  NumberBuffer buffer;
  bool corrupted = false;
  make_dense(c, key, c.db().find(key)->string(buffer), corrupted);
  if (corrupted) return;
  HllSketch sketch;
  sketch.merge(c.db().find(key)->string(buffer));
  c.reply.array(HllSketch::kRegisters);
  for (size_t i = 0; i < HllSketch::kRegisters; ++i) c.reply.integer(sketch.register_at(i));
}

void pfdebug_command(Context& c) {
  const std::string_view what = c.argv[1];
  const Key key = c.key(c.argv[2]);
  const store::Entry* const entry = lookup_write(c, key);
  if (entry == nullptr) return c.reply.error("ERR The specified key does not exist");
  if (entry->type() != store::Type::kString) return c.reply.error(command::kWrongType);
  NumberBuffer buffer;
  const std::string bytes(entry->string(buffer));
  if (!hll_is_sketch(bytes)) return c.reply.error("WRONGTYPE Key is not a valid HyperLogLog string value.");
  const auto is = [&](std::string_view name) { return equal_ignoring_case(what, name); };
  const bool known = is("getreg") || is("decode") || is("encoding") || is("todense");
  if (!known) return c.reply.error(fmt::format("ERR Unknown PFDEBUG subcommand '{}'", what));
  if (is("getreg")) return reply_registers(c, key);
  if (is("encoding")) return c.reply.simple(is_sparse(bytes) ? "sparse" : "dense");
  if (is("todense")) {
    bool corrupted = false;
    const bool converted = make_dense(c, key, bytes, corrupted);
    if (!corrupted) c.reply.integer(converted ? 1 : 0);
    return;
  }
  if (!is_sparse(bytes)) return c.reply.error("ERR HLL encoding is not sparse");
  c.reply.bulk(decode_runs(std::string_view(bytes).substr(kHllHeaderBytes)));
}

/// Whether estimates stay within six standard errors, and survive the way through bytes, sparse and dense.
void pfselftest_command(Context& c) {
  constexpr int kElements = 100'000;
  const double bound = 1.04 / std::sqrt(static_cast<double>(HllSketch::kRegisters)) * 6;
  HllSketch sketch;
  for (int i = 1, check = 1; i <= kElements; ++i) {
    sketch.add(fmt::format("selftest:{}:{}", i, i * 2654435761LL));
    if (i != check) continue;
    check *= 10;
    HllSketch copy;
    if (!copy.merge(sketch.bytes()) || copy.estimate() != sketch.estimate()) {
      return c.reply.error(fmt::format("TESTFAILED Registers differ after a round trip. card:{}", i));
    }
    const auto estimate = static_cast<double>(sketch.estimate());
    // Few elements are estimated all but exactly; one off is allowed.
    if (std::abs(estimate - i) > std::max(bound * i, 1.0)) {
      return c.reply.error(fmt::format("TESTFAILED Too big error. card:{} abserr:{}", i, std::abs(estimate - i)));
    }
  }
  c.reply.ok();
}

constexpr Binding kBindings[] = {
    {"pfdebug", pfdebug_command},
    {"pfselftest", pfselftest_command},
};

}  // namespace

std::span<const Binding> hyperloglog_debug_bindings() { return kBindings; }

}  // namespace holdfast::family
