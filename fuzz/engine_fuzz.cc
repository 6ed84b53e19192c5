// Any bytes from a client against the whole data server, in process.
#include <cstdint>
#include <string_view>

#include "in_process.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace holdfast;
  server::EngineOptions options;
  options.settings.databases = 2;
  rt::InProcess world(std::move(options));
  const auto talker = world.connect();
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  while (!bytes.empty() && !world.exited()) {
    const size_t chunk = std::min<size_t>(bytes.size(), 257);
    talker->send(bytes.substr(0, chunk));
    bytes.remove_prefix(chunk);
  }
  return 0;
}
