// Handover of listening sockets from a running process to the one that replaces it, over a UNIX stream socket.
//
// The wire is HAProxy's (`_getsocks`): the number of sockets as an int, then messages of at most kBatch descriptors
// (SCM_RIGHTS) with, per descriptor, two empty names and four zero bytes. Either end may be HAProxy.
// Both calls block, for a second at most per message.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <vector>

namespace holdfast::net {

/// Writes the descriptors to `fd`, a connected UNIX socket. Returns 0 or errno.
int send_descriptors(int fd, std::span<const int> descriptors);
/// Connects to the runtime API at `path` and asks for its listeners. Descriptors come close-on-exec. Errno on failure.
std::expected<std::vector<int>, int> take_descriptors(const std::string& path);

}  // namespace holdfast::net
