#include "app/proxy_worker.h"

#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "app/proxy_master.h"

namespace holdfast::app {
namespace {

/// The descriptor in a variable of the environment, -1 = none. It is the process's own from then on.
int take_descriptor(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? -1 : std::atoi(text);
}

int& messages() {
  static int fd = take_descriptor(kWorkerMessages);
  return fd;
}

}  // namespace

bool is_worker() { return std::getenv(kWorkerSocket) != nullptr; }

void add_worker_socket(proxy::Config& config) {
  const char* path = std::getenv(kWorkerSocket);
  if (path == nullptr) return;
  proxy::BindConfig bind;
  bind.address.unix_path = path;
  bind.unix_mode = 0600;
  bind.level = proxy::CliLevel::kAdmin;
  bind.expose_listeners = true;
  bind.masters_own = true;
  bind.text = path;
  config.global.stats_sockets.push_back(std::move(bind));
}

void copy_to_master(std::string_view line) {
  if (messages() < 0 || line.empty()) return;
  [[maybe_unused]] const ssize_t n = ::write(messages(), line.data(), line.size());
}

void tell_master() {
  if (messages() >= 0) ::close(std::exchange(messages(), -1));
  const int fd = take_descriptor(kWorkerReady);
  if (fd < 0) return;
  const char fine = 0;
  [[maybe_unused]] const ssize_t n = ::write(fd, &fine, 1);
  ::close(fd);
}

}  // namespace holdfast::app
