// ReplicaLink: the replica's end of a replication link - handshake, PSYNC, the payload, then the stream.
//
// A machine fed with the primary's bytes. Source: the handshake of redis-server 7.2 (PING, AUTH, REPLCONF
// listening-port, ip-address, capa, PSYNC) and its two payload framings: `$<length>` and `$EOF:<40 bytes>` ... the same
// 40 bytes. Invariant: bytes after the payload are stream, untouched, in order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/out_queue.h"

namespace holdfast::repl {

/// What a replica says that was told to follow, and does not only come back.
inline constexpr std::string_view kOrderedCapa = "holdfast-ordered";

struct ReplicaLinkOptions {
  std::string user;  // empty: AUTH with the password only
  std::string password;
  int64_t announced_port = 0;
  std::string announced_ip;  // empty: not sent
  std::string replication_id = "?";
  int64_t offset = -1;     // the next byte wanted; -1 with id "?"
  bool failover = false;   // PSYNC asks the other side to become the primary
  bool ordered = false;    // somebody ordered this copy: a primary of ours is told so
  bool ask_facts = false;  // INFO comes before PSYNC; the owner says with synchronize() that the link may go on
};

class ReplicaLink {
 public:
  enum class State : uint8_t {
    kPing,
    kAuth,
    kPort,
    kIp,
    kCapa,
    kFacts,
    kPsync,
    kPayloadHeader,
    kPayload,
    kStream,
    kFailed,
  };

  struct Step {
    enum class Kind : uint8_t {
      kNeedMore,
      kFacts,       // text: the primary's INFO, empty if it would not tell
      kFullResync,  // id and offset are set
      kContinue,    // id is set if the primary's changed, else empty
      kPayload,     // bytes
      kPayloadFinished,
      kStream,      // bytes
      kNotice,      // text for the log; the link goes on
      kRetryLater,  // text; close and try again (NOMASTERLINK, LOADING)
      kFailed,      // text; close
    };
    Kind kind = Kind::kNeedMore;
    std::string text;
    std::string id;
    int64_t offset = 0;
    std::string_view bytes;  // valid until the next next() or feed()
  };

  explicit ReplicaLink(ReplicaLinkOptions options) : options_(std::move(options)) {}

  /// The connection stands: sends the first word.
  void connected(OutQueue& out);
  /// Offers bytes (valid until the steps are drained), then call next() until kNeedMore.
  void feed(std::string_view bytes);
  Step next(OutQueue& out);
  /// After kFacts: PSYNC goes out.
  void synchronize(OutQueue& out) { send_psync(out); }
  State state() const { return state_; }
  /// Bytes of the payload still to come; -1 if the framing does not tell.
  int64_t payload_left() const { return payload_left_; }
  int64_t payload_size() const { return payload_size_; }

 private:
  std::optional<std::string_view> take_line();
  void keep_rest();
  Step on_handshake_line(std::string_view line, OutQueue& out);
  Step take_facts();
  Step on_psync_line(std::string_view line);
  Step on_payload_header(std::string_view line);
  Step take_payload();
  Step take_marked_payload();
  Step fail(std::string text);
  void send_next(OutQueue& out);
  void send_psync(OutQueue& out);

  ReplicaLinkOptions options_;
  State state_ = State::kPing;
  std::string held_;          // incomplete lines, and the possible start of an end mark
  std::string_view current_;  // what next() reads
  bool current_is_held_ = false;
  std::string mark_;  // of `$EOF:`
  int64_t payload_left_ = -1;
  int64_t payload_size_ = -1;
};

}  // namespace holdfast::repl
