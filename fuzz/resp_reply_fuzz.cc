// Any bytes as replies.
#include <cstdint>
#include <string_view>

#include "codec/resp/reply.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  holdfast::codec::ReplyReader reader(1 << 20);
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (size_t at = 0; at < size; at += 5) {
    reader.feed(bytes.substr(at, 5));
    while (reader.next()) {
    }
  }
  return 0;
}
