// Migration: MIGRATE - keys go to another server by RESTORE over a connection of our own, and leave this one when it
// has said that it has them.
//
// The original stands still meanwhile. Here only writes do, by a pause that ends with the migration: nobody can change
// or lose what is on its way, and reads go on. One migration at a time follows from that: MIGRATE is a write.
// Source: redis-server 7.2 (options, texts, what is sent). Units: milliseconds for timeouts, which start anew with
// every answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/machine.h"
#include "family/context.h"

namespace holdfast::server {

class Engine;

class Migration {
 public:
  explicit Migration(Engine& engine) : engine_(engine) {}

  void command(family::Context& context);
  bool running() const { return run_.has_value(); }
  // The connection to the target.
  void connected(family::Session& link, Now now);
  void received(family::Session& link, std::string_view bytes, Now now);
  void closed(const family::Session& link, Closed why, Now now);
  /// False: not an answer to a question of ours.
  bool resolved(JobId job, const std::vector<std::string>& addresses, Now now);
  void work(Now now);
  Mono next_deadline() const { return run_ ? run_->deadline : kNever; }

 private:
  struct Request {
    std::string host;
    uint16_t port = 0;
    int64_t db = 0;
    Duration timeout{};
    bool copy = false;
    bool replace = false;
    std::vector<std::string_view> login;  // AUTH's words
    std::vector<std::string_view> keys;
  };
  struct Run {
    family::ClientId client = 0;
    ConnId link;
    std::optional<JobId> lookup;
    Address target;
    Duration timeout{};
    Mono deadline{};
    int db = 0;  // here
    bool copy = false;
    bool connected = false;
    std::string commands;  // until they are queued
    std::string partial;   // of the target's next line
    size_t answers_before_keys = 0;
    std::string error;         // the first the target answered
    bool turned_away = false;  // AUTH or SELECT failed
    std::vector<std::string> keys;
    size_t answered = 0;  // of the keys
    std::vector<std::string> taken;
  };

  static bool parse(family::Context& context, Request& out);
  bool encode(family::Context& context, const Request& request, Run& run) const;
  void connect(const std::string& address, Now now);
  /// One line of the target's. False: that was the last.
  bool answer(std::string_view line);
  void wait_on(Now now);
  void finish(std::string_view error, Now now);
  void delete_taken(Run& run, Now now);

  Engine& engine_;
  std::optional<Run> run_;
};

}  // namespace holdfast::server
