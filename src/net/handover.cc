#include "net/handover.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/socket.h"

namespace holdfast::net {
namespace {

constexpr size_t kBatch = 252;
constexpr size_t kPerSocket = 6;  // two empty names and four zero bytes
constexpr int kSocketsMax = 65536;

void limit_waiting(int fd) {
  const timeval second{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
}

int send_batch(int fd, std::span<const int> batch) {
  std::string payload(batch.size() * kPerSocket, '\0');
  iovec data{payload.data(), payload.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kBatch)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(sizeof(int) * batch.size());
  cmsghdr* rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int) * batch.size());
  std::memcpy(CMSG_DATA(rights), batch.data(), batch.size_bytes());
  return sendmsg(fd, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(payload.size()) ? 0 : errno == 0 ? EIO : errno;
}

/// One message; its descriptors are appended. Errno, or 0.
int receive_batch(int fd, std::vector<int>* out) {
  char payload[kBatch * kPerSocket];
  iovec data{payload, sizeof payload};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kBatch)];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  if (got < 0) return errno;
  if (got == 0) return ECONNRESET;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    const size_t before = out->size();
    out->resize(before + count);
    std::memcpy(out->data() + before, CMSG_DATA(part), count * sizeof(int));
  }
  // The sender may wait for this before its next message; after the last one it may be gone already.
  const int acknowledged = static_cast<int>(out->size());
  [[maybe_unused]] const ssize_t sent = send(fd, &acknowledged, sizeof acknowledged, MSG_NOSIGNAL);
  return 0;
}

}  // namespace

int send_descriptors(int fd, std::span<const int> descriptors) {
  set_nonblocking(fd, false);
  limit_waiting(fd);
  const int count = static_cast<int>(descriptors.size());
  int error = send(fd, &count, sizeof count, MSG_NOSIGNAL) == sizeof count ? 0 : errno;
  while (error == 0 && !descriptors.empty()) {
    const size_t batch = std::min(descriptors.size(), kBatch);
    error = send_batch(fd, descriptors.first(batch));
    descriptors = descriptors.subspan(batch);
  }
  set_nonblocking(fd, true);
  return error;
}

std::expected<std::vector<int>, int> take_descriptors(const std::string& path) {
  const auto where = to_sockaddr({.host = {}, .port = 0, .unix_path = path});
  if (!where) return std::unexpected(where.error());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::unexpected(errno);
  limit_waiting(fd);
  std::vector<int> out;
  int error = ::connect(fd, &where->base, where->length) == 0 ? 0 : errno;
  constexpr std::string_view kQuestion = "_getsocks\n";
  if (error == 0 && send(fd, kQuestion.data(), kQuestion.size(), MSG_NOSIGNAL) < 0) error = errno;
  int count = 0;
  if (error == 0 && recv(fd, &count, sizeof count, MSG_WAITALL) != sizeof count) error = errno == 0 ? EPROTO : errno;
  if (error == 0 && (count < 0 || count > kSocketsMax)) error = EPROTO;
  while (error == 0 && out.size() < static_cast<size_t>(count)) error = receive_batch(fd, &out);
  ::close(fd);
  if (error == 0) return out;
  for (const int descriptor : out) ::close(descriptor);
  return std::unexpected(error);
}

}  // namespace holdfast::net
