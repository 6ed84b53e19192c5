#include "server/propagate.h"

#include "codec/resp/encode.h"

namespace holdfast::server {

void Propagator::add(int db, std::span<const std::string_view> words) {
  const size_t begin = bytes_.size();
  codec::append_request(bytes_, words);
  items_.push_back({db, begin, bytes_.size()});
}

void Propagator::add(int db, std::span<const std::string> words) {
  const size_t begin = bytes_.size();
  codec::append_request(bytes_, words);
  items_.push_back({db, begin, bytes_.size()});
}

void Propagator::select(int db, std::string& out) {
  if (db == selected_db_) return;
  codec::append_request(out, {"SELECT", std::to_string(db)});
  selected_db_ = db;
}

void Propagator::finish(std::string& out) {
  if (items_.empty()) return;
  const bool transaction = items_.size() > 1;
  select(items_[0].db, out);
  if (transaction) codec::append_request(out, {"MULTI"});
  for (const Item& item : items_) {
    select(item.db, out);
    out.append(bytes_, item.begin, item.end - item.begin);
  }
  if (transaction) codec::append_request(out, {"EXEC"});
  drop();
}

void Propagator::drop() {
  items_.clear();
  bytes_.clear();
}

}  // namespace holdfast::server
