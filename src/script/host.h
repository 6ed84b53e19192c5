// Host: all a script may do outside its sandbox.
//
// Implemented by the server for the length of one run; a fake serves unit tests.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/log.h"

namespace holdfast::script {

using Words = std::span<const std::string_view>;

/// What redis.call came to: a reply, or a refusal before the command ran.
struct Called {
  std::string_view reply;  // RESP, valid until the next call
  std::string refusal;     // non-empty: the error's text, with or without `-CODE`
};

enum Replicate : unsigned { kReplicateToFile = 1, kReplicateToReplicas = 2, kReplicateAll = 3 };

class Host {
 public:
  virtual ~Host() = default;
  /// Runs a command; its reply in RESP version `resp`.
  virtual Called call(Words words, int resp) = 0;
  /// redis.acl_check_cmd; nullopt: there is no such command.
  virtual std::optional<bool> may_call(Words words) = 0;
  virtual void log(LogLevel level, std::string text) = 0;
  /// redis.set_repl: `Replicate` bits.
  virtual void set_replication(unsigned targets) = 0;
  /// Asked every kInstructionsPerCheck instructions. False: the script was killed.
  virtual bool go_on() = 0;
};

inline constexpr int kInstructionsPerCheck = 10'000;

/// Flags of a script's or function's declaration.
enum Flag : unsigned {
  kNoWrites = 1u << 0,
  kAllowOom = 1u << 1,
  kAllowStale = 1u << 2,
  kNoCluster = 1u << 3,
  kAllowCrossSlotKeys = 1u << 4,
  kUndeclared = 1u << 5,  // a script without `#!`: what it may do is found out as it goes
};
struct FlagName {
  unsigned flag;
  std::string_view name;
};
inline constexpr FlagName kFlagNames[] = {
    {kNoWrites, "no-writes"},
    {kAllowOom, "allow-oom"},
    {kAllowStale, "allow-stale"},
    {kNoCluster, "no-cluster"},
    {kAllowCrossSlotKeys, "allow-cross-slot-keys"},
};

}  // namespace holdfast::script
