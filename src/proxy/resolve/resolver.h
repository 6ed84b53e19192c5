// Resolver: asks nameservers for names, again and again, and tells a listener what came of it.
//
// Source: HAProxy configuration manual 5.3; counters and order of fallbacks compared with 2.6.12: the preferred type
// first, the other one when every nameserver has answered without success, `resolve_retries` tries with `timeout retry`
// between them, the next resolution `timeout resolve` after the end of this one.
// Every question has a socket and a random id of its own: a reply is believed when both fit.
// Invariants: a resolution that runs has at least one try behind it; one without requesters is not kept; at most
// kQuestionsMax sockets per resolution.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/machine.h"
#include "codec/dns.h"
#include "proxy/resolve/name_listener.h"
#include "proxy/runtime.h"

namespace holdfast::proxy {

/// What `show resolvers` prints of a nameserver.
struct NameserverCounters {
  int64_t sent = 0, send_errors = 0, valid = 0, updates = 0, alias_errors = 0, empty = 0, no_such_name = 0, refused = 0,
          other = 0, invalid = 0, too_big = 0, truncated = 0, outdated = 0;
};

class Resolver {
 public:
  static constexpr size_t kQuestionsMax = 32;

  explicit Resolver(Runtime& runtime);

  void set_listener(NameListener* listener) { listener_ = listener; }
  /// Adds a requester to the resolution of a name (labels), which begins at once if it is new. Returns its handle.
  uint32_t join(uint32_t section, const std::string& labels, codec::DnsType preferred, const NameRequester& requester);
  /// Takes a requester away; the last one ends the resolution.
  void leave(uint32_t resolution, const NameRequester& requester);
  AnswerSet& answers(uint32_t resolution) { return resolutions_[resolution].answers; }
  NameStatus status(uint32_t resolution) const { return resolutions_[resolution].status; }
  /// Ends all asking (soft stop).
  void stop();

  void connected(ConnSlot slot);
  void receive(ConnSlot slot, std::string_view bytes);
  void eof(ConnSlot slot);
  void closed(ConnSlot slot, const Closed& why);
  void timer(uint32_t resolution, uint32_t generation);
  OutQueue& output(ConnSlot slot) { return questions_[slot.owner].out; }

  const std::vector<std::vector<NameserverCounters>>& counters() const { return counters_; }

 private:
  struct Question {
    ConnId conn;
    OutQueue out;
    std::string input;  // over TCP: what has come of the reply
    uint32_t resolution = 0;
    uint32_t generation = 0;  // of the resolution
    uint32_t nameserver = 0;
    uint16_t id = 0;
  };
  struct Resolution {
    uint32_t generation = 0;
    bool used = false;
    bool running = false;
    uint32_t section = 0;
    std::string labels;
    codec::DnsType preferred = codec::DnsType::kA;
    codec::DnsType type = codec::DnsType::kA;
    uint16_t id = 0;
    int tries = 0;  // left
    NameStatus status = NameStatus::kNone;
    Mono last_query{};
    std::optional<Mono> ended;
    Mono last_valid{};
    int asked = 0;
    int answered = 0;
    AnswerSet answers;
    std::vector<NameRequester> requesters;
    std::vector<uint32_t> questions;
    Mono queued_until = kNever;
  };

  const ResolversConfig& section_of(const Resolution& resolution) const;
  Mono due(const Resolution& resolution) const;
  void arm(uint32_t index);
  void begin(uint32_t index);
  void send(uint32_t index);
  void ask(uint32_t index, uint32_t nameserver);
  void retry(uint32_t index);
  void message(uint32_t question, std::string_view bytes);
  void conclude(uint32_t index, uint32_t nameserver, const codec::DnsReply& reply);
  void succeed(uint32_t index, uint32_t nameserver, const codec::DnsReply& reply);
  void fail(uint32_t index);
  void finish(uint32_t index);
  void drop_question(uint32_t question);
  void drop_questions(uint32_t index);
  void forget(uint32_t question);
  static bool fall_back(Resolution& resolution);

  Runtime& runtime_;
  NameListener* listener_ = nullptr;
  std::deque<Resolution> resolutions_;
  std::vector<uint32_t> free_;
  std::deque<Question> questions_;
  std::vector<uint32_t> free_questions_;
  std::vector<std::vector<NameserverCounters>> counters_;  // by section, nameserver
};

}  // namespace holdfast::proxy
