// Any bytes as a ziplist, listpack, intset or zipmap: the reader ends, and never tells more than it was given.
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "codec/rdb/packed.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using holdfast::codec::rdb::PackedElement;
  using holdfast::codec::rdb::PackedKind;
  using holdfast::codec::rdb::PackedReader;
  const std::string_view blob(reinterpret_cast<const char*>(data), size);
  for (const PackedKind kind :
       {PackedKind::kZiplist, PackedKind::kListpack, PackedKind::kIntset, PackedKind::kZipmap}) {
    PackedReader reader(kind, blob);
    PackedElement element;
    size_t elements = 0;
    while (reader.next(element) == PackedReader::Step::kElement) {
      HF_ASSERT(++elements <= size);
      HF_ASSERT(element.number() || element.text().size() <= size);
    }
  }
  return 0;
}
