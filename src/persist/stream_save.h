// Streams as RDB values.
#pragma once

#include <string>

#include "store/type/stream.h"

namespace holdfast::persist {

/// Appends the value behind its type byte: that of type 21 with `active_times`, else that of type 19.
void put_stream(std::string& out, const store::Stream& stream, bool compress, bool active_times);

/// The parts of it.
void put_stream_node(std::string& out, const store::StreamNode& node, bool compress);
void put_stream_rest(std::string& out, const store::Stream& stream, bool compress, bool active_times);

}  // namespace holdfast::persist
