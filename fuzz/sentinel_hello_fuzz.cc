// Any bytes as hello messages, INFO replies, and as bytes on a Sentinel's port.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sentinel/hello.h"
#include "sentinel/info.h"
#include "sentinel/sentinel.h"

namespace {

using namespace holdfast;

constexpr const char* kConfig =
    "sentinel myid aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nsentinel monitor m 10.0.0.1 6379 2\n";

void drain(sentinel::Sentinel& machine, Now now, bool start) {
  Action action;
  while (machine.poll_action(action)) {
    if (auto* read = std::get_if<action::ReadFile>(&action)) {
      machine.file_data(read->job, kConfig, now);
      machine.job_done(read->job, 0, now);
    }
    if (auto* write = std::get_if<action::WriteFile>(&action)) machine.job_done(write->job, 0, now);
    if (auto* listen = std::get_if<action::Listen>(&action); start && listen != nullptr) {
      machine.listening(listen->listener, listen->address, 0, now);
    }
  }
  machine.check_invariants();
}

/// A client that sends `bytes` in two pieces.
void talk(std::string_view bytes) {
  sentinel::Options options;
  options.conf = conf::parse_redis_conf(kConfig, "s.conf");
  options.config_path = "s.conf";
  sentinel::Sentinel machine(std::move(options));
  Now now;
  now.mono += std::chrono::seconds(1);
  machine.start(now);
  drain(machine, now, true);
  const ConnId conn = machine.accepted({}, now);
  const size_t half = bytes.size() / 2;
  machine.receive(conn, bytes.substr(0, half), now);
  drain(machine, now, false);
  machine.receive(conn, bytes.substr(half), now);
  drain(machine, now, false);
  now.mono += std::chrono::milliseconds(1500);
  machine.tick(now);
  drain(machine, now, false);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto hello = sentinel::parse_hello(bytes)) {
    // What is read can be written, and reads back as itself.
    const auto again = sentinel::parse_hello(sentinel::print_hello(*hello));
    if (!again || again->runid != hello->runid || again->config_epoch != hello->config_epoch) std::abort();
    std::string publish = "*3\r\n$7\r\nPUBLISH\r\n$18\r\n__sentinel__:hello\r\n$" + std::to_string(size) + "\r\n";
    talk(publish.append(bytes).append("\r\n"));
  }
  sentinel::parse_info(bytes);
  talk(bytes);
  return 0;
}
