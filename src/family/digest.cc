#include "family/digest.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "codec/sha.h"
#include "command/reply.h"
#include "store/type/hash.h"
#include "store/type/list.h"
#include "store/type/set.h"
#include "store/type/sorted_set.h"
#include "store/type/stream.h"

namespace holdfast::family {
namespace {

using codec::Sha1;
using store::Entry;
using store::Type;

/// Order does not matter.
void add(Sha1& digest, std::string_view part) {
  const Sha1 other = codec::sha1(part);
  for (size_t i = 0; i < digest.size(); ++i) digest[i] ^= other[i];
}
std::string_view bytes(const Sha1& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

/// Order matters.
void chain(Sha1& digest, std::string_view part) {
  add(digest, part);
  digest = codec::sha1(bytes(digest));
}

void chain_number(Sha1& digest, uint32_t number) {
  const char big_endian[4] = {static_cast<char>(number >> 24), static_cast<char>(number >> 16),
                              static_cast<char>(number >> 8), static_cast<char>(number)};
  chain(digest, {big_endian, sizeof(big_endian)});
}

void add_pair(Sha1& digest, std::string_view first, std::string_view second) {
  Sha1 pair{};
  chain(pair, first);
  chain(pair, second);
  add(digest, bytes(pair));
}

void chain_stream(Sha1& digest, const store::Stream& stream) {
  stream.for_each(store::kStreamIdMin, store::kStreamIdMax, [&](const store::StreamEntry& entry) {
    chain(digest, fmt::format("{}.{}", entry.id.ms, entry.id.sequence));
    entry.for_each([&](std::string_view field, std::string_view value) {
      chain(digest, field);
      chain(digest, value);
    });
    return true;
  });
}

void chain_value(Sha1& digest, const Entry& entry) {
  chain_number(digest, static_cast<uint32_t>(entry.type()) == 5 ? 6 : static_cast<uint32_t>(entry.type()));
  switch (entry.type()) {
    case Type::kString: {
      store::NumberBuffer buffer;
      chain(digest, entry.string(buffer));
      break;
    }
    case Type::kList:
      entry.list().for_each([&](std::string_view element) { return chain(digest, element), true; });
      break;
    case Type::kSet:
      entry.set().for_each([&](std::string_view member) { return add(digest, member), true; });
      break;
    case Type::kHash:
      entry.hash().for_each([&](std::string_view f, std::string_view v) { return add_pair(digest, f, v), true; });
      break;
    case Type::kSortedSet:
      entry.sorted_set().for_each([&](std::string_view member, double score) {
        add_pair(digest, member, command::format_double(score));
        return true;
      });
      break;
    case Type::kStream:
      chain_stream(digest, entry.stream());
      break;
  }
  if (entry.has_expiry()) add(digest, "!!expire!!");
}

std::string hexadecimal(const Sha1& digest) {
  std::string out;
  for (const uint8_t byte : digest) out += fmt::format("{:02x}", byte);
  return out;
}

}  // namespace

std::string value_digest(const Entry& entry) {
  Sha1 digest{};
  chain_value(digest, entry);
  return hexadecimal(digest);
}

std::string dataset_digest(const store::Dataset& data) {
  Sha1 all{};
  for (size_t i = 0; i < data.databases(); ++i) {
    if (data.db(i).size() == 0) continue;
    chain_number(all, static_cast<uint32_t>(i));
    data.db(i).for_each([&](const Entry& entry) {
      Sha1 one{};
      chain(one, entry.key());
      chain_value(one, entry);
      add(all, bytes(one));
      return true;
    });
  }
  return hexadecimal(all);
}

}  // namespace holdfast::family
