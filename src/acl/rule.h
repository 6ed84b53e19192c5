// RuleError: why a word of ACL SETUSER, an ACL file or a `user` line is refused, in the original's words.
//
// Source: ACL of Redis 7.2 (ACL SETUSER's error texts).
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::acl {

enum class RuleError : uint8_t {
  kSyntax,
  kUnknownCommand,      // or category
  kKeysAlreadyAll,      // a key pattern after ~*
  kChannelsAlreadyAll,  // a channel pattern after &*
  kNoSuchPassword,
  kBadHash,
  kFirstArgOfSubcommand,
  kDuplicateUser,
};

std::string_view describe(RuleError error);

/// True if `text` may not be a user's name or a pattern: it holds white space or a NUL, which would end it in a file.
bool has_spaces(std::string_view text);

/// Which program's commands exist: a Sentinel knows only its own.
enum class Program : uint8_t { kServer, kSentinel };

}  // namespace holdfast::acl
