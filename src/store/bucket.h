// The chain of buckets behind one home of a Table: how its items are found. For the table's own sources.
#pragma once

#include <bit>
#include <cstdint>

#include "store/table.h"

namespace holdfast::store {

inline bool has_overflow(const Bucket& bucket) { return (bucket.present & Bucket::kOverflow) != 0; }
inline Bucket* overflow_of(const Bucket& bucket) {
  return has_overflow(bucket) ? static_cast<Bucket*>(bucket.slots[Bucket::kSlots - 1]) : nullptr;
}
inline uint8_t item_bits(const Bucket& bucket) { return bucket.present & 0x7f; }

template <typename Visit>
void visit_chain(const Bucket& home, Visit visit) {
  for (const Bucket* bucket = &home; bucket != nullptr; bucket = overflow_of(*bucket)) {
    for (uint32_t bits = item_bits(*bucket); bits != 0; bits &= bits - 1) visit(bucket->slots[std::countr_zero(bits)]);
  }
}

}  // namespace holdfast::store
