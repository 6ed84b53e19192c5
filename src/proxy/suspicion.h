// Suspicion: a session's experience is reason to doubt what health checks said of a server.
//
// Reported: a connection that was refused, timed out, reset or ended by the server, and a reply that begins with
// -READONLY. Rule: a suspicion never changes a state by itself, it only makes somebody ask (TCP mode does not frame
// replies, so a value that looks like an error must do no harm).
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::proxy {

class SuspicionSink {
 public:
  virtual ~SuspicionSink() = default;
  virtual void suspect(uint32_t backend, uint32_t server) = 0;
};

/// The first bytes of a received piece are a replica's refusal to write.
inline bool says_readonly(std::string_view bytes) {
  return !bytes.empty() && bytes.front() == '-' && bytes.starts_with("-READONLY ");
}

}  // namespace holdfast::proxy
