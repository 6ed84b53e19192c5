// HttpResponder: listeners in `mode http` that answer by themselves. HTTP/1 with keep-alive; nothing is proxied.
//
// Order of a request: monitor-uri, http-request rules, statistics, else 503.
// Invariants: an input buffer holds at most one head and one small body; a client that is slow with its request is
// closed after timeout client (or http-request).
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/machine.h"
#include "codec/http/http1.h"
#include "proxy/http/http_config.h"
#include "proxy/runtime.h"
#include "proxy/server_state.h"
#include "proxy/session.h"

namespace holdfast::proxy {

class HttpResponder {
 public:
  static constexpr size_t kBodyMax = 16384;
  static constexpr Duration kIdleMax = 30s;  // where no timeout is configured

  HttpResponder(Runtime& runtime, Sessions& sessions, ServerStates& states)
      : runtime_(runtime), sessions_(sessions), states_(states) {}

  ConnId accept(uint32_t listener, const Accepted& from);
  void receive(ConnSlot slot, std::string_view bytes);
  void eof(ConnSlot slot);
  void closed(ConnSlot slot);
  void timer(uint32_t index, uint32_t generation);
  OutQueue& output(ConnSlot slot) { return clients_[slot.owner].out; }
  size_t count() const { return clients_.size() - free_.size(); }

 private:
  struct Client {
    uint32_t generation = 0;
    ConnId conn;
    OutQueue out;
    std::string input;
    uint32_t frontend = kNoIndex;
    Address source;
    Address destination;
    Mono deadline = kNever;
    Mono queued_until = kNever;
  };
  struct Reply {
    int status = 200;
    std::string content_type = "text/html";
    std::string body;
    std::vector<std::pair<std::string, std::string>> fields;
    bool no_cache = true;
  };

  /// False: nothing whole is there yet. `*done` = the connection ends with this answer.
  bool answer_one(Client& client, bool* done);
  Reply answer(const Client& client, const codec::HttpHead& head, std::string_view body);
  std::optional<Reply> run_rules(const Client& client, const HttpConfig& config, const codec::HttpHead& head);
  Reply statistics(const Client& client, const HttpConfig& config, const codec::HttpHead& head, std::string_view body);
  Reply apply_post(std::string_view body);
  void send(Client& client, const Reply& reply, const codec::HttpHead* head, bool close);
  void finish(uint32_t index, action::CloseMode mode);
  void arm(uint32_t index);

  Runtime& runtime_;
  Sessions& sessions_;
  ServerStates& states_;
  std::deque<Client> clients_;
  std::vector<uint32_t> free_;
};

}  // namespace holdfast::proxy
