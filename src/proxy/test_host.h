// A made-up host for tests of the whole machine: accepts, bytes, refusals and time go in, actions are kept.
// Only tests include it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/config_parse.h"
#include "proxy/proxy.h"

namespace holdfast::proxy {

class Host {
 public:
  explicit Host(const std::string& text, const ParseOptions& options = {}) {
    const ParseOutcome outcome = parse_config({{"t.cfg", text}}, options);
    EXPECT_EQ(outcome.exit_code, 0);
    for (const auto& item : outcome.diagnostics.items()) diagnostics += item.text + "\n";
    proxy =
        std::make_unique<Proxy>(outcome.config, ProxyOptions{.seed = 3, .pid = 42, .node = "n", .tls = options.tls});
    now.mono = Mono(1000s);
    now.wall = wall_from_ms(1'795'346'826'000);
    proxy->start(now);
    drain();
  }

  void drain() {
    Action action;
    while (proxy->poll_action(action)) std::visit([this](auto& a) { carry_out(a); }, action);
    proxy->check_invariants();
  }
  ConnId accept(uint32_t listener = 0) {
    const ConnId conn = proxy->accepted(
        {ListenerId{listener}, {"10.0.0.9", 5555, ""}, {"127.0.0.1", static_cast<uint16_t>(6378 + listener), ""}}, now);
    drain();
    return conn;
  }
  void connected(ConnId conn) {
    proxy->connected(conn, {}, {}, now);
    drain();
  }
  void secured(ConnId conn, const TlsFacts& facts = {}) {
    proxy->secured(conn, facts, now);
    drain();
  }
  void handshake_broken(ConnId conn) {
    proxy->closed(conn, {CloseReason::kTls, 0, "words"}, now);
    drain();
  }
  void refuse(ConnId conn) {
    proxy->closed(conn, {CloseReason::kRefused, 111}, now);
    drain();
  }
  void receive(ConnId conn, std::string_view bytes) {
    proxy->receive(conn, bytes, now);
    drain();
  }
  void eof(ConnId conn) {
    proxy->eof(conn, now);
    drain();
  }
  std::string take(ConnId conn) {
    OutQueue& out = proxy->output(conn);
    std::string bytes = out.to_string();
    out.clear();
    proxy->drained(conn, now);
    drain();
    return bytes;
  }
  void advance(Duration by) {
    const Mono until = now.mono + by;
    while (proxy->next_deadline() <= until) {
      now.wall += proxy->next_deadline() - now.mono;
      now.mono = proxy->next_deadline();
      proxy->tick(now);
      drain();
    }
    now.wall += until - now.mono;
    now.mono = until;
  }
  /// One command on the runtime API, as an unprompted connection.
  std::string cli(const std::string& line, uint32_t listener) {
    const ConnId conn = accept(listener);
    flushed_.clear();
    receive(conn, line + "\n");
    return flushed_;
  }

  std::unique_ptr<Proxy> proxy;
  Now now;
  std::string diagnostics;
  std::vector<std::string> logs;
  std::vector<action::Connect> connects;  // not yet taken by the test
  std::vector<std::pair<ConnId, action::CloseMode>> closes;
  std::map<ConnId, bool> paused;
  std::vector<ConnId> shutdowns;
  std::vector<action::StartTls> handshakes;
  std::optional<int> exit_code;

  ConnId next_connect(const std::string& to = "") {
    EXPECT_FALSE(connects.empty());
    if (connects.empty()) return {};
    const action::Connect connect = connects.front();
    connects.erase(connects.begin());
    if (!to.empty()) {
      EXPECT_EQ(to_string(connect.to), to);
    }
    return connect.conn;
  }
  /// What was on its way out of the connection that was closed last.
  const std::string& flushed() const { return flushed_; }
  bool is_closed(ConnId conn) const {
    return std::ranges::any_of(closes, [conn](const auto& close) { return close.first == conn; });
  }

 private:
  void carry_out(action::Listen& a) { proxy->listening(a.listener, a.address, 0, now); }
  void carry_out(action::Connect& a) { connects.push_back(a); }
  void carry_out(action::Close& a) {
    if (a.mode == action::CloseMode::kFlush) flushed_ = proxy->output(a.conn).to_string();
    closes.emplace_back(a.conn, a.mode);
  }
  void carry_out(action::StartTls& a) { handshakes.push_back(a); }
  void carry_out(action::PauseReading& a) { paused[a.conn] = a.paused; }
  void carry_out(action::ShutdownWrite& a) { shutdowns.push_back(a.conn); }
  void carry_out(action::Log& a) {
    proxy->next_log_channel();
    logs.push_back(a.text);
  }
  void carry_out(action::Exit& a) { exit_code = a.code; }
  template <typename A>
  void carry_out(A&) {}
  std::string flushed_;
};

}  // namespace holdfast::proxy
