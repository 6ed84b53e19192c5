#include "persist/value_builder.h"

#include "base/assert.h"
#include "store/type/hash.h"
#include "store/type/list.h"
#include "store/type/set.h"
#include "store/type/sorted_set.h"

namespace holdfast::persist {

using codec::rdb::Container;
using codec::rdb::Event;
using store::Type;

namespace {

Type type_of(Container container) {
  switch (container) {
    case Container::kString:
      return Type::kString;
    case Container::kList:
      return Type::kList;
    case Container::kSet:
      return Type::kSet;
    case Container::kZset:
      return Type::kSortedSet;
    case Container::kHash:
      return Type::kHash;
    case Container::kStream:
      return Type::kStream;
  }
  HF_UNREACHABLE();
}

}  // namespace

void ValueBuilder::begin(store::Keyspace& db, std::string_view key, Container container) {
  db_ = &db;
  name_ = key;
  type_ = type_of(container);
  entry_ = nullptr;
}

std::optional<std::string_view> ValueBuilder::add(const Event& event) {
  if (entry_ == nullptr) {
    if (type_ == Type::kString) {
      entry_ = &db_->set_string(key(), event.first);
      return std::nullopt;
    }
    entry_ = &db_->create(key(), type_);
    if (type_ == Type::kStream) stream_.begin(entry_->stream());
  }
  switch (type_) {
    case Type::kList:
      entry_->list().push_back(event.first);
      return std::nullopt;
    case Type::kSet:
      if (!entry_->set().add(event.first)) return "Duplicate set members detected";
      return std::nullopt;
    case Type::kHash:
      if (!entry_->hash().set(event.first, event.second)) return "Duplicate hash fields detected";
      return std::nullopt;
    case Type::kSortedSet:
      if (entry_->sorted_set().add(event.first, event.score) != store::SortedSet::Outcome::kAdded) {
        return "Duplicate zset fields detected";
      }
      return std::nullopt;
    case Type::kStream:
      return stream_.add(event);
    case Type::kString:
      break;
  }
  HF_UNREACHABLE();
}

store::Entry* ValueBuilder::finish(int64_t expires_at_ms) {
  if (entry_ != nullptr && expires_at_ms != store::kNoExpiry) entry_ = db_->set_expiry(key(), expires_at_ms);
  return entry_;
}

std::optional<std::string_view> ValueBuilder::check_end() const {
  return entry_ != nullptr && type_ == Type::kStream ? stream_.finish() : std::nullopt;
}

void ValueBuilder::abandon() {
  if (entry_ != nullptr) db_->erase(key());
  entry_ = nullptr;
}

}  // namespace holdfast::persist
