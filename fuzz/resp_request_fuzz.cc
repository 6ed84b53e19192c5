// Any bytes as requests: the parser never crashes, and gives the same requests in one chunk and in many.
#include <cstdint>
#include <string>
#include <vector>

#include "base/assert.h"
#include "codec/resp/request.h"

namespace {

std::vector<std::string> parse(std::string_view bytes, size_t chunk) {
  holdfast::codec::RequestStream stream;
  std::vector<std::string> out;
  for (size_t at = 0; at < bytes.size(); at += chunk) {
    stream.feed(bytes.substr(at, chunk));
    auto status = stream.next({});
    for (; status == holdfast::codec::RequestParser::Status::kRequest; status = stream.next({})) {
      for (const std::string_view arg : stream.args()) out.emplace_back(arg);
      out.emplace_back("|");
    }
    if (status == holdfast::codec::RequestParser::Status::kError) {
      out.push_back(stream.error());
      return out;
    }
    stream.finish();
    HF_ASSERT(stream.held() <= bytes.size());
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  HF_ASSERT(parse(bytes, bytes.size()) == parse(bytes, 1 + data[0] % 16));
  return 0;
}
