// For tests: an engine with one client, driven by hand; what it asks its host for is answered with "there is no such
// file". No listeners, no saves. Time stands still unless the test moves it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/engine.h"

namespace holdfast::server {

class EngineTest : public testing::Test {
 protected:
  static EngineOptions quiet_options() {
    EngineOptions options;
    options.settings.save.clear();
    options.settings.port = 0;
    options.settings.protected_mode = false;
    options.seed = 5;
    return options;
  }
  explicit EngineTest(EngineOptions options = quiet_options()) : engine(std::make_unique<Engine>(std::move(options))) {
    engine->start(now);
    act();
    conn = engine->accepted({}, now);
  }

  /// Carries out what the engine asked for so far.
  void act() {
    Action action;
    while (engine->poll_action(action)) {
      if (const auto* read = std::get_if<action::ReadFile>(&action)) engine->job_done(read->job, ENOENT, now);
      if (const auto* close = std::get_if<action::Close>(&action)) closed.push_back(close->conn);
    }
  }
  static std::string request(const std::vector<std::string>& words) {
    std::string out = fmt::format("*{}\r\n", words.size());
    for (const std::string& word : words) out += fmt::format("${}\r\n{}\r\n", word.size(), word);
    return out;
  }
  /// What the client is answered.
  std::string call(const std::vector<std::string>& words) {
    engine->receive(conn, request(words), now);
    std::string reply = engine->output(conn).to_string();
    engine->output(conn).clear();
    engine->drained(conn, now);
    act();
    return reply;
  }
  bool is_closed(ConnId id) const { return std::find(closed.begin(), closed.end(), id) != closed.end(); }

  Now now{Mono(std::chrono::hours(1)), Wall(std::chrono::hours(24 * 365 * 50))};
  std::unique_ptr<Engine> engine;
  std::vector<ConnId> closed;
  ConnId conn;
};

}  // namespace holdfast::server
