#include "persist/stream_builder.h"

#include "base/assert.h"

namespace holdfast::persist {

using codec::rdb::Event;
using store::ConsumerGroup;
using store::StreamId;

namespace {

constexpr std::string_view kBadNode = "Stream listpack integrity check failed.";
constexpr std::string_view kBadLength = "Stream length inconsistent with rax entries";

StreamId id_of(std::string_view bytes) {
  StreamId id;
  for (const char c : bytes.substr(0, 8)) id.ms = id.ms << 8 | static_cast<uint8_t>(c);
  for (const char c : bytes.substr(8)) id.sequence = id.sequence << 8 | static_cast<uint8_t>(c);
  return id;
}

}  // namespace

void StreamBuilder::begin(store::Stream& stream) {
  stream_ = &stream;
  group_ = nullptr;
  consumer_ = nullptr;
}

std::optional<std::string_view> StreamBuilder::set_marks(const Event& event) {
  const auto& numbers = event.numbers;
  store::Stream::Marks marks;
  marks.last_id = {numbers[1], numbers[2]};
  if (numbers[0] != stream_->size()) return kBadLength;
  // Appending relies on it.
  if (const auto top = stream_->highest_held_id(); top && *top > marks.last_id) return kBadNode;
  if (event.number == 1) {
    marks.first_id = {numbers[3], numbers[4]};
    marks.max_deleted_id = {numbers[5], numbers[6]};
    marks.entries_added = numbers[7];
  } else {
    marks.entries_added = numbers[0];
    stream_->for_each(store::kStreamIdMin, store::kStreamIdMax, [&](const store::StreamEntry& entry) {
      marks.first_id = entry.id;
      return false;
    });
  }
  stream_->set_marks(marks);
  return std::nullopt;
}

std::optional<std::string_view> StreamBuilder::add(const Event& event) {
  const auto& numbers = event.numbers;
  const StreamId id{numbers[0], numbers[1]};
  switch (event.kind) {
    case Event::Kind::kStreamNode:
      if (!stream_->load_node(id_of(event.first), event.second)) return kBadNode;
      return std::nullopt;
    case Event::Kind::kStreamMarks:
      return set_marks(event);
    case Event::Kind::kStreamGroup: {
      if (group_ != nullptr && !group_->is_whole()) return "Stream CG PEL entry without consumer";
      const int64_t read = event.number == 1 ? static_cast<int64_t>(numbers[2]) : stream_->added_until(id);
      group_ = stream_->create_group(event.first, id, read);
      if (group_ == nullptr) return "Duplicated consumer group name";
      return std::nullopt;
    }
    case Event::Kind::kStreamPending:
      if (!group_->load_pending({id, static_cast<int64_t>(numbers[2]), numbers[3], nullptr})) {
        return "Duplicated global PEL entry loading stream consumer group";
      }
      return std::nullopt;
    case Event::Kind::kStreamConsumer:
      if (group_->consumer(event.first) != nullptr) return "Duplicate stream consumer detected.";
      consumer_ = &group_->create_consumer(event.first, static_cast<int64_t>(numbers[0]));
      consumer_->active_ms = static_cast<int64_t>(numbers[1]);
      return std::nullopt;
    case Event::Kind::kStreamOwned:
      if (!group_->load_owned(*consumer_, id)) return "Consumer entry not found in group global PEL";
      return std::nullopt;
    default:
      break;
  }
  HF_UNREACHABLE();
}

std::optional<std::string_view> StreamBuilder::finish() const {
  if (group_ != nullptr && !group_->is_whole()) return "Stream CG PEL entry without consumer";
  return std::nullopt;
}

}  // namespace holdfast::persist
