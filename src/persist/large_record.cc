#include "persist/large_record.h"

#include <utility>

#include "base/assert.h"
#include "codec/rdb/write.h"
#include "codec/resp/encode.h"
#include "persist/aof_save.h"
#include "persist/stream_save.h"
#include "store/type/stream.h"

namespace holdfast::persist {

namespace rdb = codec::rdb;
using store::Type;

namespace {

constexpr size_t kCostPerItem = 16;

std::string_view command_name(Type type) {
  switch (type) {
    case Type::kList:
      return "RPUSH";
    case Type::kSet:
      return "SADD";
    case Type::kSortedSet:
      return "ZADD";
    case Type::kHash:
      return "HMSET";
    case Type::kStream:
    case Type::kString:
      return {};
  }
  HF_UNREACHABLE();
}

}  // namespace

LargeRecord::LargeRecord(store::Context& context, const store::Entry& entry, const SaveOptions& options, size_t db)
    : options_(options), db_(db), key_(entry.key()), walk_(context, entry, *this) {
  put_parts(entry);
}

/// All but the elements, as it is now.
void LargeRecord::put_parts(const store::Entry& entry) {
  const bool stream = entry.type() == Type::kStream;
  total_ = stream ? entry.stream().nodes() : entry.length();
  if (options_.as_commands) {
    name_ = command_name(entry.type());
    words_per_item_ = entry.type() == Type::kHash || entry.type() == Type::kSortedSet ? 2 : 1;
    if (stream) put_stream_rest_commands(tail_, key_, entry.stream());
    return put_expiry_command(tail_, entry);
  }
  put_entry_head(head_, entry, options_);
  rdb::put_length(head_, total_);
  if (stream) put_stream_rest(tail_, entry.stream(), options_.compress, options_.newest);
}

bool LargeRecord::write(std::string& out, size_t cost) {
  cost_ = 0;
  out += std::exchange(head_, {});
  bool more = true;
  while (more && cost_ < cost) more = walk_.step();
  end_command();
  // What was encoded ahead, by writes since the last time, is here too.
  out += text_;
  text_.clear();
  if (more) return false;
  HF_ASSERT(shown_ == total_);
  out += std::exchange(tail_, {});
  return true;
}

void LargeRecord::put(std::string_view text) {
  cost_ += text.size();
  options_.as_commands ? codec::append_bulk(items_, text) : rdb::put_string(text_, text, options_.compress);
}

void LargeRecord::end_item(size_t count) {
  shown_ += count;
  cost_ += kCostPerItem;
  if (options_.as_commands && ++item_count_ == kItemsPerCommand) end_command();
}

void LargeRecord::end_command() {
  if (item_count_ == 0) return;
  codec::append_number_line(text_, '*', static_cast<int64_t>(2 + item_count_ * words_per_item_));
  codec::append_bulk(text_, name_);
  codec::append_bulk(text_, key_);
  text_ += items_;
  items_.clear();
  item_count_ = 0;
}

void LargeRecord::pair(std::string_view field, std::string_view value) {
  put(field);
  put(value);
  end_item();
}

void LargeRecord::member(std::string_view member) {
  put(member);
  end_item();
}

void LargeRecord::scored(std::string_view member, double score) {
  if (options_.as_commands) put(score_text(score));
  put(member);
  if (!options_.as_commands) rdb::put_double(text_, score);
  end_item();
}

void LargeRecord::element(std::string_view element) {
  put(element);
  end_item();
}

void LargeRecord::node(const store::StreamNode& node) {
  ++shown_;
  cost_ += node.memory();
  if (!options_.as_commands) return put_stream_node(text_, node, options_.compress);
  store::StreamEntry entry;
  while (node.next(entry)) {
    if (!entry.deleted) put_stream_entry_command(text_, key_, entry);
  }
}

}  // namespace holdfast::persist
