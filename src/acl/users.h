// Users: all users by name, how they are changed as a whole, and the two files that hold them.
//
// `default` always exists and cannot be removed. Changes are all or nothing. Source: ACL of Redis 7.2.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "acl/user.h"

namespace holdfast::acl {

/// A user's place in the table. Valid until the user is removed; whoever holds one of a removed user (a connection)
/// must be ended in the same turn, as places are taken again.
using UserId = uint32_t;
inline constexpr UserId kDefaultUser = 0;

/// `user <name> <rules...>` of a configuration file.
struct UserLine {
  std::string name;
  std::vector<std::string> rules;  // selectors already merged
};
/// Reads the words after `user`; unknown commands are found when the line is applied. The error is a whole sentence.
std::expected<UserLine, std::string> read_user_line(std::span<const std::string> words,
                                                    std::span<const UserLine> earlier);

class Users {
 public:
  explicit Users(Defaults defaults = {});

  void set_defaults(Defaults defaults) { defaults_ = defaults; }
  const User& at(UserId id) const;
  std::optional<UserId> find(std::string_view name) const;
  /// Sorted by name.
  std::vector<UserId> all() const;
  /// `default` needs no AUTH: what connections start with.
  bool default_is_open() const { return at(kDefaultUser).no_password() && at(kDefaultUser).enabled(); }
  std::optional<UserId> authenticate(std::string_view name, std::string_view password) const;
  void set_default_password(std::string_view password);

  /// ACL SETUSER: creates or changes a user, or leaves everything as it was and answers why. On success, the user as
  /// it was before, if there was one.
  std::expected<std::optional<User>, std::string> set(std::string_view name, std::span<const std::string> rules);
  /// Not for `default`.
  std::optional<UserId> remove(std::string_view name);

  /// Lines of a configuration file, at start. The error is the original's log line.
  std::expected<void, std::string> apply_lines(std::span<const UserLine> lines);
  /// ACL LOAD: replaces everybody by the content of the file, or nobody. All ids but kDefaultUser are invalid then.
  std::expected<void, std::string> load(std::string_view content, std::string_view filename);
  /// `user <name> <description>` per line.
  std::string save() const;
  std::vector<std::string> lines() const;

  /// Log lines about what was accepted but should not be used. Emptied by reading.
  std::vector<std::string> take_warnings() { return std::exchange(warnings_, {}); }
  void check_invariants() const;

 private:
  UserId add(User user);
  std::expected<void, RuleError> apply(User& user, std::string_view rule);
  void load_line(std::string_view line, std::string_view place, Users& fresh, std::string& errors);

  Defaults defaults_;
  std::vector<std::optional<User>> places_;
  std::map<std::string, UserId, std::less<>> by_name_;
  std::vector<std::string> warnings_;
};

}  // namespace holdfast::acl
