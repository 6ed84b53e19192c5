// Any bytes as an RDB file, fed in two pieces cut by the first byte: an error or a sound dataset that saves and loads
// again with the same keys.
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "base/assert.h"
#include "base/prng.h"
#include "codec/crc64.h"
#include "persist/rdb_load.h"
#include "persist/rdb_save.h"
#include "store/dataset.h"

namespace {

using holdfast::persist::LoadOptions;
using holdfast::persist::RdbLoader;
using holdfast::store::Dataset;

constexpr size_t kDatabases = 4;

std::unique_ptr<Dataset> fresh() {
  holdfast::Prng prng(1);
  return std::make_unique<Dataset>(kDatabases, holdfast::store::HashSeed::from(prng));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  LoadOptions options;
  options.skip_expired = (data[0] & 1) != 0;
  options.allow_duplicates = (data[0] & 2) != 0;
  options.now_ms = 1'000'000;
  options.limits.verify_checksum = false;
  RdbLoader loader(fresh(), options);
  const size_t cut = input.empty() ? 0 : data[0] % input.size();
  loader.feed(input.substr(0, cut));
  loader.feed(input.substr(cut));
  if (loader.finish() != RdbLoader::Status::kDone) {
    HF_ASSERT(!loader.error().empty());
    return 0;
  }
  const std::unique_ptr<Dataset> loaded = loader.take();
  loaded->check_invariants();
  LoadOptions again;
  again.skip_expired = false;
  RdbLoader second(fresh(), again);
  HF_ASSERT(second.feed(holdfast::persist::save(*loaded, {})) == RdbLoader::Status::kDone);
  HF_ASSERT(second.take()->size() == loaded->size());
  return 0;
}
