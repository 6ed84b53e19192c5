// Conversation: a parsed .rt file and its run against anything that can be talked to.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/resp/reply.h"

namespace holdfast::rt {

/// One client's connection to the server under test.
class Talker {
 public:
  virtual ~Talker() = default;
  virtual void send(std::string_view bytes) = 0;
  /// The next reply; nullopt if none comes (bounded wait) or the connection has ended.
  virtual std::optional<codec::Reply> next() = 0;
};

class Server {
 public:
  virtual ~Server() = default;
  virtual std::unique_ptr<Talker> connect() = 0;
  /// Milliseconds pass; false if this server cannot do that.
  virtual bool advance(int64_t ms) = 0;
  /// The oracle answers as 7.0: lines marked [7.2] are sent but not compared.
  virtual bool is_oracle() const = 0;
};

struct Outcome {
  std::vector<std::string> failures;  // `file:line: expected ... got ...`
  size_t compared = 0;
};

/// Runs a whole file; every failure is reported, not only the first.
Outcome run_conversation(const std::string& name, std::string_view text, Server& server);

}  // namespace holdfast::rt
