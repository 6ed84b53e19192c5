// User: a name, its passwords and what it may do.
//
// Passwords are kept as SHA-256 in hexadecimal only. A new user is off, has no password and may do nothing (but see
// acl-pubsub-default). Source: ACL of Redis 7.2.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "acl/rule.h"
#include "acl/selector.h"

namespace holdfast::acl {

class User {
 public:
  User(std::string name, Defaults defaults);
  /// `default` before anything is configured: everything is allowed, without a password.
  static User unrestricted(std::string name, Defaults defaults);

  const std::string& name() const { return name_; }
  bool enabled() const { return enabled_; }
  bool no_password() const { return no_password_; }
  bool sanitizes_payloads() const { return sanitize_payload_; }
  const std::vector<std::string>& passwords() const { return passwords_; }
  /// The root first.
  const std::vector<Selector>& selectors() const { return selectors_; }

  /// One word of ACL SETUSER. A selector in parentheses is one word: see merge_selectors().
  std::expected<void, RuleError> apply(std::string_view rule, Defaults defaults);
  /// requirepass: the only password; empty: none is needed.
  void set_only_password(std::string_view password);

  bool accepts(std::string_view password) const;
  Verdict check(SpecIndex spec, Words words) const;
  /// The command, by a selector that allows every key in the ways `key_flags` say.
  bool allows_with_all_keys(SpecIndex spec, Words words, uint16_t key_flags) const;
  bool allows_key(std::string_view key, uint16_t key_flags) const;
  /// Every one of `names`: what a subscription needs to go on.
  bool allows_channels(std::span<const std::string> names, bool patterns) const;
  bool unrestricted() const { return selectors_.front().unrestricted(); }

  /// `on`, `nopass`, ...: ACL GETUSER's flags.
  std::vector<std::string_view> flags() const;
  /// The words after the name in ACL LIST and in files.
  std::string describe() const;

 private:
  std::expected<void, RuleError> apply_password(std::string_view rule);

  std::string name_;
  bool enabled_ = false;
  bool no_password_ = false;
  bool sanitize_payload_ = true;
  std::vector<std::string> passwords_;
  std::vector<Selector> selectors_;
};

/// Puts selectors that spread over several words together again. The error is the word where an unmatched parenthesis
/// opens.
std::expected<std::vector<std::string>, std::string> merge_selectors(std::span<const std::string> words);

}  // namespace holdfast::acl
