// RdbReader: an RDB file, or one DUMP value, as a stream of events; fed in any chunking.
//
// Source: the format of Redis 2.x-7.2 (versions 1-11), reference/server.md 1.2. Compact blobs of every vintage arrive
// as the same element events as plain ones. Memory: what was fed and not consumed, one string, never more than a small
// factor of what has arrived; every length is checked against Limits first.
// After an error the reader stays in it. Views in an event are valid until the next call of next() or feed().
// Refused: module values and module data, pre-release functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "codec/rdb/format.h"
#include "codec/rdb/packed.h"

namespace holdfast::codec::rdb {

struct ReadLimits {
  uint64_t string_bytes_max = 512ULL << 20;
  /// CRC trailers are compared (rdbchecksum yes).
  bool verify_checksum = true;
};

enum class Container : uint8_t { kString, kList, kSet, kZset, kHash, kStream };

struct Event {
  enum class Kind : uint8_t {
    kAux,       // first = name, second = value
    kSelectDb,  // number = database
    kResizeDb,  // number = keys, number2 = keys with expiry: hints
    kFunction,  // first = source of a library
    kKey,       // first = key; container, expires_at_ms, idle_seconds, frequency
    kString,    // first = value
    kElement,   // first = list element or set member
    kPair,      // first = field, second = value
    kScored,    // first = member, score
    // Streams: nodes, marks, then each group with its pending entries, then its consumers each with what it owns.
    kStreamNode,      // first = id (16 bytes, big-endian), second = listpack, unchecked
    kStreamMarks,     // numbers = length, last id; if number: first id, highest deleted id, entries added
    kStreamGroup,     // first = name, numbers = last id; if number: entries read
    kStreamPending,   // numbers = id, delivery time, deliveries
    kStreamConsumer,  // first = name, numbers = seen time, active time
    kStreamOwned,     // numbers = id
    kKeyEnd,          // the value is complete; number = its elements
    kEnd,             // the file is complete and its checksum right (or absent)
  };
  Kind kind = Kind::kEnd;
  std::string_view first;
  std::string_view second;
  uint64_t number = 0;
  uint64_t number2 = 0;
  double score = 0;
  std::array<uint64_t, 8> numbers{};
  Container container = Container::kString;
  std::optional<int64_t> expires_at_ms;
  std::optional<uint64_t> idle_seconds;
  std::optional<uint8_t> frequency;
};

class Reader {
 public:
  enum class Status : uint8_t { kEvent, kNeedMore, kEnd, kError };
  enum class Source : uint8_t {
    kFile,   // from the magic to the checksum
    kValue,  // a type byte and a value: kKey without a name, events, kKeyEnd, kEnd
  };

  explicit Reader(Source source = Source::kFile, const ReadLimits& limits = ReadLimits());

  void feed(std::string_view bytes);
  /// kEnd comes once, with Event::Kind::kEnd.
  Status next(Event& event);
  /// After kError: the original's words where it has them.
  const std::string& error() const { return error_; }
  /// What kError says when the input ends while the reader still answers kNeedMore.
  static std::string_view short_read() { return "Short read or OOM loading DB. Unrecoverable error, aborting now."; }
  /// After kEnd: bytes fed but not part of the file (a replication stream, an AOF tail).
  std::string_view rest() const { return std::string_view(buffer_).substr(at_); }
  int version() const { return version_; }
  /// True if the file ended with a checksum of zero: none was written.
  bool checksum_absent() const { return checksum_absent_; }
  uint64_t consumed() const { return consumed_ + at_; }

 private:
  enum class State : uint8_t {
    kMagic,
    kOpcode,
    kExpireSeconds,
    kExpireMs,
    kIdle,
    kFrequency,
    kAuxName,
    kAuxValue,
    kSelectDb,
    kResizeKeys,
    kResizeExpires,
    kFunction,
    kValueType,
    kKeyName,
    kStringValue,
    kCount,
    kElement,
    kSecond,
    kBlob,
    kNodeKind,
    kNodeBlob,
    kPacked,
    kStream,
    kKeyEnd,
    kValueEnd,
    kChecksum,
    kEnd,
    kError
  };
  /// Where a stream value is; source: Redis' rdb.c, types 15, 19 and 21.
  enum class StreamState : uint8_t {
    kNodes,
    kNodeId,
    kNodeBytes,
    kMarks,
    kGroups,
    kGroupName,
    kGroupMarks,
    kPendings,
    kPending,
    kDeliveries,
    kConsumers,
    kConsumerName,
    kConsumerTimes,
    kOwneds,
    kOwned
  };
  /// One step: an event, a change of state only, or not enough bytes.
  enum class Step : uint8_t { kEvent, kContinue, kNeedMore, kError };
  struct Length {
    uint64_t value = 0;
    bool special = false;
  };

  Step advance(Event& event);
  Step read_magic();
  Step read_opcode();
  Step read_attribute();
  Step read_aux(Event& event);
  Step read_database(Event& event);
  Step read_key(Event& event);
  Step read_count();
  Step read_element(Event& event);
  Step read_second(Event& event);
  Step read_blob();
  Step read_packed(Event& event);
  Step read_stream(Event& event);
  Step read_stream_node(Event& event);
  Step read_stream_group(Event& event);
  Step read_stream_pending(Event& event);
  Step read_stream_consumer(Event& event);
  /// `count` lengths into numbers_; continues where it stopped.
  Step take_numbers(size_t count);
  /// A count that decides between two states.
  Step take_stream_count(uint64_t& count, StreamState some, StreamState none);
  /// What follows a consumer, or a whole group.
  void next_in_stream();
  Step read_key_end(Event& event);
  Step read_checksum(Event& event);
  Step start_value(uint8_t type);
  Step packed_done();
  Step element_done();

  Step fail(std::string text);
  Step broken_blob() { return fail(std::string(blob_error_)); }
  /// Primitives: consume nothing unless whole.
  Step take_length(Length& length);
  Step take_plain_length(uint64_t& length);
  Step take_string(std::string_view& text, std::string& owned);
  Step take_special(uint64_t encoding, size_t at, std::string_view& text, std::string& owned);
  Step take_ascii_double(double& value);
  bool peek(size_t bytes, std::string_view& view) const;
  uint64_t little_endian(std::string_view bytes) const;
  void consume(size_t bytes);

  ReadLimits limits_;
  Source source_;
  State state_;
  std::string error_;
  std::string buffer_;
  size_t at_ = 0;          // consumed bytes of buffer_
  uint64_t consumed_ = 0;  // bytes of the file before buffer_
  uint64_t crc_ = 0;
  int version_ = 0;
  bool checksum_absent_ = false;

  // The key in hand.
  uint8_t type_ = 0;
  Container container_ = Container::kString;
  std::optional<int64_t> expires_at_ms_;
  std::optional<uint64_t> idle_seconds_;
  std::optional<uint8_t> frequency_;
  uint64_t left_ = 0;      // elements or nodes still to come
  uint64_t elements_ = 0;  // told so far
  uint64_t number_ = 0;    // first of two lengths
  std::string first_;      // copy of a name while its value is awaited
  std::string owned_;      // decompressed string
  PackedReader packed_;
  PackedKind packed_kind_ = PackedKind::kListpack;
  PackedElement one_;
  PackedElement two_;
  bool plain_node_ = false;  // the blob is one element
  StreamState stream_state_ = StreamState::kNodes;
  std::array<uint64_t, 8> numbers_{};
  size_t numbers_taken_ = 0;
  uint64_t groups_left_ = 0;
  uint64_t consumers_left_ = 0;
  std::string blob_;  // the packed value being read
  std::string_view blob_error_;
};

}  // namespace holdfast::codec::rdb
