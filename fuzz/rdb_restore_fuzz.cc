// Any bytes as the body of a DUMP payload: an error without a trace, or a value that dumps and restores again.
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "base/prng.h"
#include "codec/crc64.h"
#include "codec/rdb/write.h"
#include "persist/dump.h"
#include "store/dataset.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  holdfast::Prng prng(1);
  holdfast::store::Dataset dataset(1, holdfast::store::HashSeed::from(prng));
  std::string payload(reinterpret_cast<const char*>(data), size);
  holdfast::codec::rdb::put_byte(payload, holdfast::codec::rdb::kVersionWritten);
  holdfast::codec::rdb::put_byte(payload, 0);
  holdfast::codec::rdb::put_uint64(payload, holdfast::codec::crc64(0, payload));
  holdfast::store::Keyspace& db = dataset.db(0);
  const holdfast::store::Key key = db.key("key");
  const holdfast::store::Key copy = db.key("copy");
  if (!holdfast::persist::restore(payload, db, key, holdfast::store::kNoExpiry)) {
    HF_ASSERT(db.size() == 0);
    return 0;
  }
  dataset.check_invariants();
  HF_ASSERT(holdfast::persist::restore(holdfast::persist::dump(*db.find(key)), db, copy, 5).has_value());
  HF_ASSERT(db.find(copy)->length() == db.find(key)->length());
  return 0;
}
