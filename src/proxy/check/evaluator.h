// CheckEvaluator: one run of a check program, fed with what happens on its connections. No I/O, no clock.
//
// Every send drops what was received before it; expects in a row look at the same bytes. An expect that does not match
// waits for more bytes until the peer ends, the buffer is full or the check times out; with min-recv 0 it is conclusive
// at once. Source: HAProxy configuration manual `tcp-check expect`; texts compared with 2.6.12.
// Invariants: received bytes never exceed kBufferMax; nothing is asked for after kDone.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/check/program.h"
#include "proxy/check/regex.h"

namespace holdfast::proxy {

/// A program with its regexes compiled; shared by all runs.
class CompiledCheck {
 public:
  explicit CompiledCheck(CheckProgram program);
  const CheckProgram& program() const { return program_; }
  const Regex* regex(size_t rule) const { return regexes_[rule].get(); }
  const Regex* name_regex(size_t rule) const { return name_regexes_[rule].get(); }

 private:
  CheckProgram program_;
  std::vector<std::unique_ptr<Regex>> regexes_;
  std::vector<std::unique_ptr<Regex>> name_regexes_;  // of header names
};

struct CheckOutcome {
  CheckStatus status = CheckStatus::kUnknown;
  int code = 0;             // of the protocol, where it has codes
  std::string info;         // the text of `last_chk` and of `info: "…"`
  bool other_role = false;  // a Redis server said, in a whole reply, that it has another role than the wanted one
};

struct CheckStep {
  enum class Want : uint8_t {
    kConnect,  // to the rule's address and port; a connection that is open is closed first
    kSend,     // rule->data, then ask again with sent()
    kReceive,  // wait for received() or ended()
    kDone,     // outcome is set
  };
  Want want = Want::kDone;
  const CheckRule* rule = nullptr;
  CheckOutcome outcome;
};

class CheckEvaluator {
 public:
  static constexpr size_t kBufferMax = 16384;

  /// `server_up`: a 404 may stop it softly (disable-on-404).
  explicit CheckEvaluator(const CompiledCheck& check, bool server_up = false) : check_(&check), server_up_(server_up) {}

  CheckStep start();
  /// `secure`: and a handshake is over.
  CheckStep connected(bool secure = false) {
    secure_ = secure;
    return next();
  }
  CheckStep sent() { return next(); }
  CheckStep received(std::string_view bytes);
  /// The peer finished sending.
  CheckStep ended();
  /// The connection failed with the system's words for why; before connected() or after.
  CheckStep failed(std::string_view error, bool was_connected);
  CheckStep timed_out(bool was_connected);
  /// The same in a TLS handshake.
  CheckStep handshake_failed();
  CheckStep handshake_timed_out();

 private:
  CheckStep next();
  CheckStep evaluate();
  bool matches(const CheckRule& rule) const;
  CheckStep finish_ok() const;
  CheckStep done(CheckStatus status, std::string info) const;
  CheckStep mismatch(const CheckRule& rule) const;
  CheckStep evaluate_protocol(const CheckRule& rule, bool last);
  std::string payload_from(int offset) const;
  std::string place() const;

  const CompiledCheck* check_;
  bool server_up_;
  int code_ = 0;
  CheckStatus protocol_status_ = CheckStatus::kUnknown;
  size_t at_ = 0;  // the rule being executed
  bool started_ = false;
  bool secure_ = false;
  bool last_read_ = false;
  bool awaits_reply_ = false;  // what was sent last is a Redis command and the program concludes on its reply
  bool asked_role_ = false;    // and that command asks for the server's role
  std::string buffer_;
};

}  // namespace holdfast::proxy
