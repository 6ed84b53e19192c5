#include "server/propagate.h"

#include "codec/resp/encode.h"

namespace holdfast::server {

void Propagator::add(int db, std::span<const std::string_view> words) {
  const size_t begin = bytes_.size();
  codec::append_request(bytes_, words);
  remember(db, begin, false);
}

void Propagator::add(int db, std::span<const std::string> words, bool stream_only) {
  const size_t begin = bytes_.size();
  codec::append_request(bytes_, words);
  remember(db, begin, stream_only);
}

void Propagator::remember(int db, size_t begin, bool stream_only) {
  const Item item{db, begin, bytes_.size(), to_stream_, to_log_ && !stream_only};
  stream_items_ += item.to_stream ? 1 : 0;
  log_items_ += item.to_log ? 1 : 0;
  items_.push_back(item);
}

void Propagator::encode(std::string& out, int& selected, bool for_log) const {
  const size_t count = for_log ? log_items_ : stream_items_;
  const auto select = [&](int db) {
    if (db == selected) return;
    codec::append_request(out, {"SELECT", std::to_string(db)});
    selected = db;
  };
  bool begun = false;
  for (const Item& item : items_) {
    if (for_log ? !item.to_log : !item.to_stream) continue;
    select(item.db);
    if (!begun && count > 1 && !separate_) codec::append_request(out, {"MULTI"});
    begun = true;
    out.append(bytes_, item.begin, item.end - item.begin);
  }
  if (count > 1 && !separate_) codec::append_request(out, {"EXEC"});
}

void Propagator::finish(std::string* stream, std::string* log) {
  if (items_.empty()) return;
  const bool all = stream_items_ == items_.size() && log_items_ == items_.size();
  const bool same = stream != nullptr && log != nullptr && selected_db_ == log_db_ && all;
  const size_t begin = stream == nullptr ? 0 : stream->size();
  if (stream != nullptr) encode(*stream, selected_db_, false);
  if (same) {
    log->append(*stream, begin);
    log_db_ = selected_db_;
  } else if (log != nullptr) {
    encode(*log, log_db_, true);
  }
  drop();
}

void Propagator::drop() {
  items_.clear();
  bytes_.clear();
  stream_items_ = log_items_ = 0;
  separate_ = false;
}

}  // namespace holdfast::server
