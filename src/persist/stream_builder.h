// StreamBuilder: a stream with its consumer groups out of the events of an RDB reader.
#pragma once

#include <optional>
#include <string_view>

#include "codec/rdb/read.h"
#include "store/type/stream.h"

namespace holdfast::persist {

class StreamBuilder {
 public:
  /// `stream` is fresh.
  void begin(store::Stream& stream);
  /// Null, or what is wrong, in the original's words.
  std::optional<std::string_view> add(const codec::rdb::Event& event);
  /// After the last event: what was told by counts must have come.
  std::optional<std::string_view> finish() const;

 private:
  std::optional<std::string_view> set_marks(const codec::rdb::Event& event);

  store::Stream* stream_ = nullptr;
  store::ConsumerGroup* group_ = nullptr;
  store::StreamConsumer* consumer_ = nullptr;
};

}  // namespace holdfast::persist
