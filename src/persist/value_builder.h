// ValueBuilder: one key of a keyspace out of the events of an RDB reader.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "codec/rdb/read.h"
#include "persist/stream_builder.h"
#include "store/entry.h"
#include "store/keyspace.h"

namespace holdfast::persist {

class ValueBuilder {
 public:
  /// Starts a key that must be absent in `db`. Nothing is stored before the first element, so an empty value leaves
  /// no key; but a stream is one without entries too.
  void begin(store::Keyspace& db, std::string_view key, codec::rdb::Container container);
  /// A value event (kString to kStreamOwned). Null, or what is wrong with it in the original's words.
  std::optional<std::string_view> add(const codec::rdb::Event& event);
  /// Sets the expiry (kNoExpiry = none) and returns the entry; null if the value was empty.
  store::Entry* finish(int64_t expires_at_ms);
  /// Whether a value that has come to its end is whole: null, or what is wrong.
  std::optional<std::string_view> check_end() const;
  /// Takes a half-built key back.
  void abandon();

 private:
  store::Key key() const { return db_->key(name_); }

  store::Keyspace* db_ = nullptr;
  std::string name_;
  store::Type type_ = store::Type::kString;
  store::Entry* entry_ = nullptr;
  StreamBuilder stream_;
};

}  // namespace holdfast::persist
