// Selector: one set of permissions - commands, key patterns, channel patterns - that must allow a request as a whole.
//
// A user has a root selector and any number of further ones; a request passes if one of them allows it.
// Commands are bits over the catalogue, changed by rules in order; the rules are kept as text, so that a description
// sets the same bits again. Source: ACL of Redis 7.2.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "acl/rule.h"
#include "command/catalogue.h"
#include "command/key_finder.h"

namespace holdfast::acl {

using command::SpecIndex;
using Words = std::span<const std::string_view>;

/// Why a request is refused; a larger value is the more telling reason.
enum class Denied : uint8_t { kNo, kCommand, kKey, kAuth, kChannel };

struct Verdict {
  Denied denied = Denied::kNo;
  size_t position = 0;  // of the word that is refused: the key or channel, else 0
};

/// A request's keys, found once for all selectors.
class RequestKeys {
 public:
  RequestKeys(const command::Spec& spec, Words words) : spec_(spec), words_(words) {}
  const std::vector<command::KeyAt>& keys();

 private:
  const command::Spec& spec_;
  Words words_;
  std::optional<std::vector<command::KeyAt>> keys_;
};

enum KeyPermission : uint8_t { kReadKeys = 1u << 0, kWriteKeys = 1u << 1 };

struct KeyPattern {
  std::string glob;
  uint8_t permissions = kReadKeys | kWriteKeys;
  /// `~glob`, `%R~glob`, `%W~glob`.
  std::string describe() const;
};

/// What new users, new selectors and `reset` start from.
struct Defaults {
  Program program = Program::kServer;
  bool all_channels = false;  // acl-pubsub-default allchannels
};

class Selector {
 public:
  explicit Selector(Defaults defaults);

  /// One rule: +get -@all ~key* %R~x &channel allkeys ... Nothing changes when it is refused.
  std::expected<void, RuleError> apply(std::string_view rule);
  /// `+command|argument`: allowing a first argument only, which the original warns about.
  static bool is_first_argument_rule(std::string_view rule);

  /// `words` satisfy the arity of `spec`.
  Verdict check(SpecIndex spec, Words words, RequestKeys& keys) const;
  bool allows_key(std::string_view key, uint16_t key_flags) const;
  /// Every key there may be, in the ways `key_flags` say.
  bool allows_all_keys(uint16_t key_flags) const;
  bool allows_channel(std::string_view channel, bool is_pattern) const;
  bool unrestricted() const { return all_keys_ && all_channels_ && all_commands_ && rules_.empty(); }

  bool all_channels() const { return all_channels_; }
  const std::vector<std::string>& channels() const { return channels_; }

  /// As ACL GETUSER shows its parts, and as ACL LIST shows it whole.
  std::string describe_commands() const;
  std::string describe_keys() const;
  std::string describe_channels() const;
  std::string describe() const;

 private:
  std::expected<void, RuleError> apply_key_pattern(std::string_view rule);
  std::expected<void, RuleError> apply_channel_pattern(std::string_view pattern);
  std::expected<void, RuleError> apply_command(std::string_view name, bool allow);
  std::expected<void, RuleError> allow_with_argument(std::string_view name);
  std::expected<void, RuleError> apply_category(std::string_view category, bool allow);
  void set_all_commands(bool allow);
  void set_command(SpecIndex spec, bool allow);
  void remember_rule(std::string_view rule, bool allow);
  bool allows_command(SpecIndex spec, Words words) const;
  /// By `name` or `name|subcommand`; kNoSpec if this program has no such command.
  SpecIndex find(std::string_view name) const;

  Program program_;
  bool all_keys_ = false;
  bool all_channels_ = false;
  bool all_commands_ = false;  // commands of the future too
  std::vector<bool> allowed_;  // by SpecIndex
  std::map<SpecIndex, std::vector<std::string>> first_arguments_;
  std::vector<std::string> rules_;  // `+get`, `-@dangerous`: after +@all or -@all, in order
  std::vector<KeyPattern> patterns_;
  std::vector<std::string> channels_;
};

/// True if `program` offers the command.
bool has_command(Program program, const command::Spec& spec);
/// `read` -> its bit; 0 if there is no such category.
uint32_t category_bit(std::string_view name);
/// All names in the original's order.
std::vector<std::string_view> category_names();

}  // namespace holdfast::acl
