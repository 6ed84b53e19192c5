// Where log lines go: one `log` directive as a value. The machine says text and level; how a line is framed and sent is
// the host's business (app/log_format).
//
// Source: HAProxy configuration manual 4.2 `log`: address [len][format][sample] facility [max level [min level]].
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"

namespace holdfast::proxy {

struct LogTarget {
  enum class Sink : uint8_t { kUdp, kUnixDatagram, kStdout, kStderr, kFd, kRing };
  /// kDefault: kLocal, or kRfc3164 where the frame names a host.
  enum class Format : uint8_t { kDefault, kRfc3164, kRfc5424, kShort, kRaw, kTimed, kIso, kLocal, kPriority };

  Sink sink = Sink::kUdp;
  Address address;   // kUdp (host numeric, port 514 by default) and kUnixDatagram (unix_path)
  int fd = -1;       // kFd
  std::string ring;  // kRing
  Format format = Format::kDefault;
  uint32_t length_max = 1024;  // bytes of one line, longer ones are cut
  uint32_t sample_low = 0;     // of every `sample_of` lines those numbered low..high (from 1) are sent; 0 = all
  uint32_t sample_high = 0;
  uint32_t sample_of = 0;
  uint8_t facility = 0;   // 0 kern .. 23 local7
  uint8_t level_max = 7;  // lines less important than this are not sent
  uint8_t level_min = 0;  // lines more important than this are sent as this
  bool operator==(const LogTarget&) const = default;
};

/// The targets of one origin of lines, with what the frame needs. `Proxy::next_log_channel` gives one per Log action.
struct LogChannel {
  std::vector<LogTarget> targets;
  std::string tag = "haproxy";
  bool standard_error = false;  // server events: also a line on standard error while in the foreground
  std::string hostname;         // empty = none in the RFC 3164 header (log-send-hostname)
};

}  // namespace holdfast::proxy
