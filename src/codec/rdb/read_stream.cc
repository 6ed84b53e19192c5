// RdbReader: stream values.
//
// Layout: nodes (id 16 bytes as a string, listpack), length, last id, [first id, highest deleted id, entries added],
// groups: name, last id, [entries read], pending entries (id 16 bytes, time 8, deliveries), consumers: name, seen time,
// [active time], ids owned. The brackets came with type 19, the active time with type 21.
#include "codec/rdb/read.h"

namespace holdfast::codec::rdb {

namespace {

constexpr size_t kIdBytes = 16;
constexpr size_t kTimeBytes = 8;

uint64_t big_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

bool knows_counters(uint8_t type) { return type >= static_cast<uint8_t>(ValueType::kStreamListpacks2); }
bool knows_active_times(uint8_t type) { return type >= static_cast<uint8_t>(ValueType::kStreamListpacks3); }

}  // namespace

Reader::Step Reader::read_stream(Event& event) {
  switch (stream_state_) {
    case StreamState::kNodes:
      return take_stream_count(left_, StreamState::kNodeId, StreamState::kMarks);
    case StreamState::kNodeId:
    case StreamState::kNodeBytes:
      return read_stream_node(event);
    case StreamState::kMarks: {
      const bool counters = knows_counters(type_);
      if (const Step step = take_numbers(counters ? 8 : 3); step != Step::kContinue) return step;
      event.kind = Event::Kind::kStreamMarks;
      event.numbers = numbers_;
      event.number = counters ? 1 : 0;
      stream_state_ = StreamState::kGroups;
      return Step::kEvent;
    }
    case StreamState::kGroups:
      if (const Step step = take_plain_length(groups_left_); step != Step::kContinue) return step;
      consumers_left_ = 0;
      next_in_stream();
      return Step::kContinue;
    case StreamState::kGroupName:
    case StreamState::kGroupMarks:
      return read_stream_group(event);
    case StreamState::kPendings:
      return take_stream_count(left_, StreamState::kPending, StreamState::kConsumers);
    case StreamState::kPending:
    case StreamState::kDeliveries:
      return read_stream_pending(event);
    case StreamState::kConsumers:
      if (const Step step = take_plain_length(consumers_left_); step != Step::kContinue) return step;
      next_in_stream();
      return Step::kContinue;
    case StreamState::kConsumerName:
    case StreamState::kConsumerTimes:
    case StreamState::kOwneds:
    case StreamState::kOwned:
      break;
  }
  return read_stream_consumer(event);
}

void Reader::next_in_stream() {
  if (consumers_left_ > 0) {
    --consumers_left_;
    stream_state_ = StreamState::kConsumerName;
  } else if (groups_left_ > 0) {
    --groups_left_;
    stream_state_ = StreamState::kGroupName;
  } else {
    state_ = State::kKeyEnd;
  }
}

Reader::Step Reader::take_stream_count(uint64_t& count, StreamState some, StreamState none) {
  const Step step = take_plain_length(count);
  if (step == Step::kContinue) stream_state_ = count > 0 ? some : none;
  return step;
}

Reader::Step Reader::take_numbers(size_t count) {
  while (numbers_taken_ < count) {
    if (const Step step = take_plain_length(numbers_[numbers_taken_]); step != Step::kContinue) return step;
    ++numbers_taken_;
  }
  numbers_taken_ = 0;
  return Step::kContinue;
}

Reader::Step Reader::read_stream_node(Event& event) {
  std::string_view text;
  if (const Step step = take_string(text, owned_); step != Step::kContinue) return step;
  if (stream_state_ == StreamState::kNodeId) {
    if (text.size() != kIdBytes) return fail("Stream node key entry is not the size of a stream ID");
    first_ = text;
    stream_state_ = StreamState::kNodeBytes;
    return Step::kContinue;
  }
  event.kind = Event::Kind::kStreamNode;
  event.first = first_;
  event.second = text;
  stream_state_ = --left_ > 0 ? StreamState::kNodeId : StreamState::kMarks;
  return Step::kEvent;
}

Reader::Step Reader::read_stream_group(Event& event) {
  if (stream_state_ == StreamState::kGroupName) {
    std::string_view text;
    if (const Step step = take_string(text, owned_); step != Step::kContinue) return step;
    first_ = text;
    stream_state_ = StreamState::kGroupMarks;
    return Step::kContinue;
  }
  const bool counters = knows_counters(type_);
  if (const Step step = take_numbers(counters ? 3 : 2); step != Step::kContinue) return step;
  event.kind = Event::Kind::kStreamGroup;
  event.first = first_;
  event.numbers = numbers_;
  event.number = counters ? 1 : 0;
  stream_state_ = StreamState::kPendings;
  return Step::kEvent;
}

Reader::Step Reader::read_stream_pending(Event& event) {
  if (stream_state_ == StreamState::kPending) {
    std::string_view view;
    if (!peek(kIdBytes + kTimeBytes, view)) return Step::kNeedMore;
    numbers_[0] = big_endian(view.substr(0, 8));
    numbers_[1] = big_endian(view.substr(8, 8));
    numbers_[2] = little_endian(view.substr(kIdBytes));
    consume(view.size());
    stream_state_ = StreamState::kDeliveries;
    return Step::kContinue;
  }
  if (const Step step = take_plain_length(numbers_[3]); step != Step::kContinue) return step;
  event.kind = Event::Kind::kStreamPending;
  event.numbers = numbers_;
  stream_state_ = --left_ > 0 ? StreamState::kPending : StreamState::kConsumers;
  return Step::kEvent;
}

Reader::Step Reader::read_stream_consumer(Event& event) {
  std::string_view view;
  if (stream_state_ == StreamState::kConsumerName) {
    if (const Step step = take_string(view, owned_); step != Step::kContinue) return step;
    first_ = view;
    stream_state_ = StreamState::kConsumerTimes;
    return Step::kContinue;
  }
  if (stream_state_ == StreamState::kConsumerTimes) {
    const bool active = knows_active_times(type_);
    if (!peek(active ? 2 * kTimeBytes : kTimeBytes, view)) return Step::kNeedMore;
    event.kind = Event::Kind::kStreamConsumer;
    event.first = first_;
    event.numbers[0] = little_endian(view.substr(0, kTimeBytes));
    // Older servers know one time only: the last attempt is the best guess.
    event.numbers[1] = active ? little_endian(view.substr(kTimeBytes)) : event.numbers[0];
    consume(view.size());
    stream_state_ = StreamState::kOwneds;
    return Step::kEvent;
  }
  if (stream_state_ == StreamState::kOwneds) {
    if (const Step step = take_plain_length(left_); step != Step::kContinue) return step;
    left_ > 0 ? static_cast<void>(stream_state_ = StreamState::kOwned) : next_in_stream();
    return Step::kContinue;
  }
  if (!peek(kIdBytes, view)) return Step::kNeedMore;
  event.kind = Event::Kind::kStreamOwned;
  event.numbers[0] = big_endian(view.substr(0, 8));
  event.numbers[1] = big_endian(view.substr(8));
  consume(view.size());
  if (--left_ == 0) next_in_stream();
  return Step::kEvent;
}

}  // namespace holdfast::codec::rdb
