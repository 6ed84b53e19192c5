#include "codec/rdb/read.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <utility>

#include "base/assert.h"

namespace holdfast::codec::rdb {

namespace {

constexpr size_t kMagicBytes = 9;
constexpr size_t kCompactAt = 64 * 1024;

/// How the value of a type is laid out.
enum class Layout : uint8_t {
  kString,
  kElements,
  kPairs,
  kScoredText,
  kScoredBinary,
  kBlob,
  kZiplistNodes,
  kNodes,
  kStream
};

struct TypeRow {
  ValueType type;
  Container container;
  Layout layout;
  PackedKind packed;       // for kBlob
  std::string_view error;  // of a broken blob
};

constexpr TypeRow kTypes[] = {
    {ValueType::kString, Container::kString, Layout::kString, {}, {}},
    {ValueType::kList, Container::kList, Layout::kElements, {}, {}},
    {ValueType::kSet, Container::kSet, Layout::kElements, {}, {}},
    {ValueType::kZset, Container::kZset, Layout::kScoredText, {}, {}},
    {ValueType::kHash, Container::kHash, Layout::kPairs, {}, {}},
    {ValueType::kZset2, Container::kZset, Layout::kScoredBinary, {}, {}},
    {ValueType::kHashZipmap, Container::kHash, Layout::kBlob, PackedKind::kZipmap, "Zipmap integrity check failed."},
    {ValueType::kListZiplist, Container::kList, Layout::kBlob, PackedKind::kZiplist,
     "List ziplist integrity check failed."},
    {ValueType::kSetIntset, Container::kSet, Layout::kBlob, PackedKind::kIntset, "Intset integrity check failed."},
    {ValueType::kZsetZiplist, Container::kZset, Layout::kBlob, PackedKind::kZiplist,
     "Zset ziplist integrity check failed."},
    {ValueType::kHashZiplist, Container::kHash, Layout::kBlob, PackedKind::kZiplist,
     "Hash ziplist integrity check failed."},
    {ValueType::kListQuicklist, Container::kList, Layout::kZiplistNodes, PackedKind::kZiplist,
     "Ziplist integrity check failed."},
    {ValueType::kHashListpack, Container::kHash, Layout::kBlob, PackedKind::kListpack,
     "Hash listpack integrity check failed."},
    {ValueType::kZsetListpack, Container::kZset, Layout::kBlob, PackedKind::kListpack,
     "Zset listpack integrity check failed."},
    {ValueType::kListQuicklist2, Container::kList, Layout::kNodes, PackedKind::kListpack,
     "Listpack integrity check failed."},
    {ValueType::kSetListpack, Container::kSet, Layout::kBlob, PackedKind::kListpack,
     "Set listpack integrity check failed."},
    {ValueType::kStreamListpacks, Container::kStream, Layout::kStream, {}, {}},
    {ValueType::kStreamListpacks2, Container::kStream, Layout::kStream, {}, {}},
    {ValueType::kStreamListpacks3, Container::kStream, Layout::kStream, {}, {}},
};

const TypeRow* find_type(uint8_t type) {
  for (const TypeRow& row : kTypes) {
    if (static_cast<uint8_t>(row.type) == type) return &row;
  }
  return nullptr;
}

}  // namespace

Reader::Reader(Source source, const ReadLimits& limits)
    : limits_(limits), source_(source), state_(source == Source::kFile ? State::kMagic : State::kValueType) {}

void Reader::feed(std::string_view bytes) {
  if (at_ > kCompactAt && at_ > buffer_.size() / 2) {
    buffer_.erase(0, at_);
    consumed_ += at_;
    at_ = 0;
  }
  buffer_ += bytes;
}

Reader::Status Reader::next(Event& event) {
  while (true) {
    if (state_ == State::kEnd) return Status::kEnd;
    if (state_ == State::kError) return Status::kError;
    event = Event{};
    switch (advance(event)) {
      case Step::kEvent:
        return event.kind == Event::Kind::kEnd ? Status::kEnd : Status::kEvent;
      case Step::kContinue:
        break;
      case Step::kNeedMore:
        return Status::kNeedMore;
      case Step::kError:
        return Status::kError;
    }
  }
}

Reader::Step Reader::advance(Event& event) {
  switch (state_) {
    case State::kMagic:
      return read_magic();
    case State::kOpcode:
    case State::kValueType:
      return read_opcode();
    case State::kExpireSeconds:
    case State::kExpireMs:
    case State::kIdle:
    case State::kFrequency:
      return read_attribute();
    case State::kAuxName:
    case State::kAuxValue:
    case State::kFunction:
      return read_aux(event);
    case State::kSelectDb:
    case State::kResizeKeys:
    case State::kResizeExpires:
      return read_database(event);
    case State::kKeyName:
      return read_key(event);
    case State::kCount:
      return read_count();
    case State::kStringValue:
    case State::kElement:
      return read_element(event);
    case State::kSecond:
      return read_second(event);
    case State::kBlob:
    case State::kNodeKind:
    case State::kNodeBlob:
      return read_blob();
    case State::kPacked:
      return read_packed(event);
    case State::kStream:
      return read_stream(event);
    case State::kKeyEnd:
      return read_key_end(event);
    case State::kChecksum:
      return read_checksum(event);
    case State::kValueEnd:
      event.kind = Event::Kind::kEnd;
      state_ = State::kEnd;
      return Step::kEvent;
    case State::kEnd:
    case State::kError:
      break;
  }
  HF_UNREACHABLE();
}

Reader::Step Reader::fail(std::string text) {
  error_ = std::move(text);
  state_ = State::kError;
  return Step::kError;
}

Reader::Step Reader::read_magic() {
  std::string_view view;
  if (!peek(kMagicBytes, view)) {
    // A wrong beginning is wrong at its first wrong byte.
    const std::string_view so_far = std::string_view(buffer_).substr(at_, 5);
    if (so_far != std::string_view("REDIS").substr(0, so_far.size())) {
      return fail("Wrong signature trying to load DB from file");
    }
    return Step::kNeedMore;
  }
  if (!view.starts_with("REDIS")) return fail("Wrong signature trying to load DB from file");
  int version = 0;
  for (const char digit : view.substr(5)) {
    if (digit < '0' || digit > '9') return fail("Wrong signature trying to load DB from file");
    version = version * 10 + (digit - '0');
  }
  if (version < kVersionMin || version > kVersionMax) {
    return fail(fmt::format("Can't handle RDB format version {}", version));
  }
  version_ = version;
  consume(kMagicBytes);
  state_ = State::kOpcode;
  return Step::kContinue;
}

Reader::Step Reader::read_opcode() {
  std::string_view view;
  if (!peek(1, view)) return Step::kNeedMore;
  const auto byte = static_cast<uint8_t>(view[0]);
  if (source_ == Source::kValue || byte < static_cast<uint8_t>(Opcode::kFunction2)) return start_value(byte);
  consume(1);
  switch (static_cast<Opcode>(byte)) {
    case Opcode::kExpireTime:
      state_ = State::kExpireSeconds;
      break;
    case Opcode::kExpireTimeMs:
      state_ = State::kExpireMs;
      break;
    case Opcode::kIdle:
      state_ = State::kIdle;
      break;
    case Opcode::kFreq:
      state_ = State::kFrequency;
      break;
    case Opcode::kAux:
      state_ = State::kAuxName;
      break;
    case Opcode::kSelectDb:
      state_ = State::kSelectDb;
      break;
    case Opcode::kResizeDb:
      state_ = State::kResizeKeys;
      break;
    case Opcode::kFunction2:
      state_ = State::kFunction;
      break;
    case Opcode::kFunctionPreGa:
      return fail("Pre-release function format not supported.");
    case Opcode::kModuleAux:
      return fail("The RDB file contains AUX module data I can't load: no matching module");
    case Opcode::kEof:
      state_ = State::kChecksum;
      break;
  }
  return Step::kContinue;
}

Reader::Step Reader::start_value(uint8_t type) {
  const TypeRow* const row = find_type(type);
  if (row == nullptr) {
    if (type == static_cast<uint8_t>(ValueType::kModulePreGa)) return fail("Pre-release module format not supported");
    if (type == static_cast<uint8_t>(ValueType::kModule2)) {
      return fail("The RDB file contains module data I can't load: no matching module type");
    }
    return fail(fmt::format("Unknown RDB encoding type {}", type));
  }
  consume(1);
  type_ = type;
  container_ = row->container;
  elements_ = 0;
  state_ = State::kKeyName;
  return Step::kContinue;
}

Reader::Step Reader::read_attribute() {
  std::string_view view;
  switch (state_) {
    case State::kExpireSeconds:
      if (!peek(4, view)) return Step::kNeedMore;
      expires_at_ms_ = int64_t{static_cast<int32_t>(little_endian(view))} * 1000;
      consume(4);
      break;
    case State::kExpireMs:
      if (!peek(8, view)) return Step::kNeedMore;
      expires_at_ms_ = static_cast<int64_t>(little_endian(view));
      consume(8);
      break;
    case State::kFrequency:
      if (!peek(1, view)) return Step::kNeedMore;
      frequency_ = static_cast<uint8_t>(view[0]);
      consume(1);
      break;
    default: {
      uint64_t idle = 0;
      if (const Step step = take_plain_length(idle); step != Step::kContinue) return step;
      idle_seconds_ = idle;
    }
  }
  state_ = State::kOpcode;
  return Step::kContinue;
}

Reader::Step Reader::read_aux(Event& event) {
  std::string_view text;
  if (const Step step = take_string(text, owned_); step != Step::kContinue) return step;
  if (state_ == State::kAuxName) {
    first_ = text;
    state_ = State::kAuxValue;
    return Step::kContinue;
  }
  if (state_ == State::kFunction) {
    event.kind = Event::Kind::kFunction;
    event.first = text;
  } else {
    event.kind = Event::Kind::kAux;
    event.first = first_;
    event.second = text;
  }
  state_ = State::kOpcode;
  return Step::kEvent;
}

Reader::Step Reader::read_database(Event& event) {
  uint64_t number = 0;
  if (const Step step = take_plain_length(number); step != Step::kContinue) return step;
  if (state_ == State::kResizeKeys) {
    number_ = number;
    state_ = State::kResizeExpires;
    return Step::kContinue;
  }
  if (state_ == State::kSelectDb) {
    event.kind = Event::Kind::kSelectDb;
    event.number = number;
  } else {
    event.kind = Event::Kind::kResizeDb;
    event.number = number_;
    event.number2 = number;
  }
  state_ = State::kOpcode;
  return Step::kEvent;
}

Reader::Step Reader::read_checksum(Event& event) {
  event.kind = Event::Kind::kEnd;
  if (version_ >= kChecksumSince) {
    std::string_view view;
    if (!peek(8, view)) return Step::kNeedMore;
    const uint64_t told = little_endian(view);
    checksum_absent_ = told == 0;
    if (limits_.verify_checksum && told != 0 && told != crc_) {
      // COMPAT: the computed one is called expected, the one in the file is what was got.
      return fail(fmt::format("Wrong RDB checksum expected: ({:x}) but got ({:x}). Aborting now.", crc_, told));
    }
    at_ += 8;
  }
  state_ = State::kEnd;
  return Step::kEvent;
}

Reader::Step Reader::read_key(Event& event) {
  if (source_ == Source::kFile) {
    std::string_view text;
    if (const Step step = take_string(text, owned_); step != Step::kContinue) return step;
    event.first = text;
  }
  event.kind = Event::Kind::kKey;
  event.container = container_;
  event.expires_at_ms = std::exchange(expires_at_ms_, std::nullopt);
  event.idle_seconds = std::exchange(idle_seconds_, std::nullopt);
  event.frequency = std::exchange(frequency_, std::nullopt);
  const TypeRow& row = *find_type(type_);
  packed_kind_ = row.packed;
  blob_error_ = row.error;
  left_ = 0;
  switch (row.layout) {
    case Layout::kString:
      state_ = State::kStringValue;
      break;
    case Layout::kBlob:
      state_ = State::kBlob;
      break;
    case Layout::kStream:
      state_ = State::kStream;
      stream_state_ = StreamState::kNodes;
      break;
    case Layout::kElements:
    case Layout::kPairs:
    case Layout::kScoredText:
    case Layout::kScoredBinary:
    case Layout::kZiplistNodes:
    case Layout::kNodes:
      state_ = State::kCount;
      break;
  }
  return Step::kEvent;
}

Reader::Step Reader::read_count() {
  if (const Step step = take_plain_length(left_); step != Step::kContinue) return step;
  const Layout layout = find_type(type_)->layout;
  if (left_ == 0) {
    state_ = State::kKeyEnd;
  } else if (layout == Layout::kNodes) {
    state_ = State::kNodeKind;
  } else {
    state_ = layout == Layout::kZiplistNodes ? State::kNodeBlob : State::kElement;
  }
  return Step::kContinue;
}

Reader::Step Reader::element_done() {
  ++elements_;
  state_ = --left_ == 0 ? State::kKeyEnd : State::kElement;
  return Step::kEvent;
}

Reader::Step Reader::read_element(Event& event) {
  std::string_view text;
  if (const Step step = take_string(text, owned_); step != Step::kContinue) return step;
  if (state_ == State::kStringValue) {
    event.kind = Event::Kind::kString;
    event.first = text;
    elements_ = 1;
    state_ = State::kKeyEnd;
    return Step::kEvent;
  }
  if (find_type(type_)->layout == Layout::kElements) {
    event.kind = Event::Kind::kElement;
    event.first = text;
    return element_done();
  }
  first_ = text;
  state_ = State::kSecond;
  return Step::kContinue;
}

Reader::Step Reader::read_second(Event& event) {
  const Layout layout = find_type(type_)->layout;
  event.first = first_;
  if (layout == Layout::kPairs) {
    if (const Step step = take_string(event.second, owned_); step != Step::kContinue) return step;
    event.kind = Event::Kind::kPair;
    return element_done();
  }
  if (layout == Layout::kScoredText) {
    if (const Step step = take_ascii_double(event.score); step != Step::kContinue) return step;
  } else {
    std::string_view view;
    if (!peek(8, view)) return Step::kNeedMore;
    event.score = std::bit_cast<double>(little_endian(view));
    consume(8);
  }
  if (std::isnan(event.score)) return fail("Zset with NAN score detected");
  event.kind = Event::Kind::kScored;
  return element_done();
}

Reader::Step Reader::read_key_end(Event& event) {
  event.kind = Event::Kind::kKeyEnd;
  event.number = elements_;
  blob_.clear();
  state_ = State::kOpcode;
  if (source_ == Source::kValue) state_ = State::kValueEnd;
  return Step::kEvent;
}

}  // namespace holdfast::codec::rdb
