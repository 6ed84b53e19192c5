// SampleContext: what a sample may be taken of: the runtime, a session, the bytes that arrived, an HTTP request.
#pragma once

#include <string_view>

#include "codec/http/http1.h"
#include "proxy/runtime.h"

namespace holdfast::proxy {

struct Session;

class SampleContext {
 public:
  explicit SampleContext(const Runtime& world) : runtime(world) {}
  const Runtime& runtime;
  const Session* session = nullptr;
  uint32_t frontend = kNoIndex;
  uint32_t backend = kNoIndex;
  std::string_view request;   // what the client sent so far and nobody took
  std::string_view response;  // likewise of the server
  bool final = true;          // no more bytes will come, or nobody waits for them
  const codec::HttpHead* http = nullptr;
};

}  // namespace holdfast::proxy
