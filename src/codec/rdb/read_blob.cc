// RdbReader: compact values, one blob or several nodes each.
#include <cmath>

#include "codec/rdb/read.h"
#include "codec/rdb/score.h"

namespace holdfast::codec::rdb {

Reader::Step Reader::read_blob() {
  if (state_ == State::kNodeKind) {
    if (const Step step = take_plain_length(number_); step != Step::kContinue) return step;
    if (number_ != kNodePlain && number_ != kNodePacked) return fail("Quicklist integrity check failed.");
    state_ = State::kNodeBlob;
    return Step::kContinue;
  }
  std::string_view text;
  if (const Step step = take_string(text, owned_); step != Step::kContinue) return step;
  blob_ = text;
  packed_ = PackedReader(packed_kind_, blob_);
  // A plain node is one large element.
  const bool plain = state_ == State::kNodeBlob && packed_kind_ == PackedKind::kListpack && number_ == kNodePlain;
  plain_node_ = plain;
  state_ = State::kPacked;
  return Step::kContinue;
}

Reader::Step Reader::packed_done() {
  if (left_ > 0) --left_;
  if (left_ == 0) {
    state_ = State::kKeyEnd;
  } else {
    state_ = packed_kind_ == PackedKind::kListpack ? State::kNodeKind : State::kNodeBlob;
  }
  return Step::kContinue;
}

Reader::Step Reader::read_packed(Event& event) {
  if (plain_node_) {
    plain_node_ = false;
    event.kind = Event::Kind::kElement;
    event.first = blob_;
    ++elements_;
    packed_done();
    return Step::kEvent;
  }
  switch (packed_.next(one_)) {
    case PackedReader::Step::kBroken:
      return broken_blob();
    case PackedReader::Step::kEnd:
      return packed_done();
    case PackedReader::Step::kElement:
      break;
  }
  ++elements_;
  event.first = one_.text();
  if (container_ == Container::kList || container_ == Container::kSet) {
    event.kind = Event::Kind::kElement;
    return Step::kEvent;
  }
  if (packed_.next(two_) != PackedReader::Step::kElement) return broken_blob();
  if (container_ == Container::kHash) {
    event.kind = Event::Kind::kPair;
    event.second = two_.text();
    return Step::kEvent;
  }
  event.kind = Event::Kind::kScored;
  if (const auto number = two_.number()) {
    event.score = static_cast<double>(*number);
  } else if (!parse_score(two_.text(), event.score)) {
    return broken_blob();
  }
  if (std::isnan(event.score)) return fail("Zset with NAN score detected");
  return Step::kEvent;
}

}  // namespace holdfast::codec::rdb
