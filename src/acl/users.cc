#include "acl/users.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"

namespace holdfast::acl {
namespace {

constexpr std::string_view kDefaultName = "default";

std::vector<std::string> to_strings(std::span<const std::string_view> words) { return {words.begin(), words.end()}; }

}  // namespace

Users::Users(Defaults defaults) : defaults_(defaults) {
  const UserId id = add(User::unrestricted(std::string(kDefaultName), defaults));
  HF_ASSERT(id == kDefaultUser);
}

UserId Users::add(User user) {
  const auto free = std::find(places_.begin(), places_.end(), std::nullopt);
  const auto id = static_cast<UserId>(free - places_.begin());
  if (free == places_.end()) places_.emplace_back();
  by_name_[user.name()] = id;
  places_[id] = std::move(user);
  return id;
}

const User& Users::at(UserId id) const {
  HF_ASSERT(id < places_.size() && places_[id].has_value());
  return *places_[id];
}

std::optional<UserId> Users::find(std::string_view name) const {
  const auto at = by_name_.find(name);
  if (at == by_name_.end()) return std::nullopt;
  return at->second;
}

std::vector<UserId> Users::all() const {
  std::vector<UserId> out;
  for (const auto& [name, id] : by_name_) out.push_back(id);
  return out;
}

std::optional<UserId> Users::authenticate(std::string_view name, std::string_view password) const {
  const auto id = find(name);
  if (!id || !at(*id).accepts(password)) return std::nullopt;
  return id;
}

void Users::set_default_password(std::string_view password) { places_[kDefaultUser]->set_only_password(password); }

std::expected<void, RuleError> Users::apply(User& user, std::string_view rule) {
  if (Selector::is_first_argument_rule(rule)) {
    warnings_.push_back(
        fmt::format("Deprecation warning: Allowing a first arg of an otherwise blocked command is a misuse of ACL and "
                    "may get disabled in the future (offender: +{})",
                    rule.substr(1)));
  }
  return user.apply(rule, defaults_);
}

std::expected<std::optional<User>, std::string> Users::set(std::string_view name, std::span<const std::string> rules) {
  const auto merged = merge_selectors(rules);
  if (!merged) {
    return std::unexpected(fmt::format("Unmatched parenthesis in acl selector starting at '{}'.", merged.error()));
  }
  const auto id = find(name);
  User changed = id ? at(*id) : User(std::string(name), defaults_);
  for (const std::string& rule : *merged) {
    if (const auto applied = apply(changed, rule); !applied) {
      return std::unexpected(fmt::format("Error in ACL SETUSER modifier '{}': {}", rule, describe(applied.error())));
    }
  }
  if (!id) {
    add(std::move(changed));
    return std::optional<User>();
  }
  return std::exchange(places_[*id], std::move(changed));
}

std::optional<UserId> Users::remove(std::string_view name) {
  HF_ASSERT(name != kDefaultName);
  const auto at = by_name_.find(name);
  if (at == by_name_.end()) return std::nullopt;
  const UserId id = at->second;
  by_name_.erase(at);
  places_[id].reset();
  return id;
}

// Files.

std::expected<UserLine, std::string> read_user_line(std::span<const std::string> words,
                                                    std::span<const UserLine> earlier) {
  const auto refuse = [](std::string_view word, RuleError error) {
    return std::unexpected(fmt::format("Error in user declaration '{}': {}", word, describe(error)));
  };
  if (words.empty()) return refuse("user", RuleError::kSyntax);
  for (const UserLine& line : earlier) {
    if (line.name == words[0]) return refuse(words[0], RuleError::kDuplicateUser);
  }
  auto merged = merge_selectors(words.subspan(1));
  if (!merged) return refuse(merged.error(), RuleError::kSyntax);
  User trial(words[0], {});
  for (const std::string& rule : *merged) {
    const auto applied = trial.apply(rule, {});
    if (!applied && applied.error() != RuleError::kUnknownCommand) return refuse(rule, applied.error());
  }
  return UserLine{words[0], std::move(*merged)};
}

std::expected<void, std::string> Users::apply_lines(std::span<const UserLine> lines) {
  for (const UserLine& line : lines) {
    if (has_spaces(line.name)) return std::unexpected("Spaces not allowed in ACL usernames");
    auto id = find(line.name);
    if (!id) id = add(User(line.name, defaults_));
    User user(line.name, defaults_);
    for (const std::string& rule : line.rules) {
      if (const auto applied = apply(user, rule); !applied) {
        return std::unexpected(fmt::format("Error loading ACL rule '{}' for the user named '{}': {}", rule, line.name,
                                           describe(applied.error())));
      }
    }
    if (!user.enabled()) {
      warnings_.push_back(fmt::format(
          "The user '{}' is disabled (there is no 'on' modifier in the user description). Make sure this is not a "
          "configuration error.",
          line.name));
    }
    places_[*id] = std::move(user);
  }
  return {};
}

void Users::load_line(std::string_view line, std::string_view place, Users& fresh, std::string& errors) {
  const std::vector<std::string> words = to_strings(split(line, ' '));
  if (words[0] != "user" || words.size() < 2) {
    errors += fmt::format("{} should start with user keyword followed by the username. ", place);
    return;
  }
  const std::string& name = words[1];
  if (has_spaces(name)) {
    errors += fmt::format("'{}: username '{}' contains invalid characters. ", place, name);
    return;
  }
  if (fresh.find(name)) {
    errors += fmt::format("WARNING: Duplicate user '{}' found on line {}. ", name, place.substr(place.rfind(':') + 1));
    return;
  }
  User user(name, defaults_);
  const auto merged = merge_selectors(std::span(words).subspan(2));
  if (!merged) errors += fmt::format("{}: Unmatched parenthesis in selector definition.", place);
  bool told = false;
  for (const std::string& word : merged ? *merged : std::vector<std::string>()) {
    const std::string_view rule = trim(word, "\t\r\n");
    const auto applied = apply(user, rule);
    if (applied) continue;
    if (applied.error() == RuleError::kUnknownCommand) {
      errors += fmt::format("{}: Error in applying operation '{}': {}. ", place, rule, describe(applied.error()));
    } else if (!told) {
      errors += fmt::format("{}: {}. ", place, describe(applied.error()));
      told = true;
    }
  }
  fresh.add(std::move(user));
}

std::expected<void, std::string> Users::load(std::string_view content, std::string_view filename) {
  Users fresh(defaults_);
  fresh.by_name_.clear();
  std::string errors;
  size_t number = 0;
  for (const std::string_view raw : split(content, '\n')) {
    ++number;
    const std::string_view line = trim(raw);
    if (!line.empty()) load_line(line, fmt::format("{}:{}", filename, number), fresh, errors);
  }
  if (!errors.empty()) {
    return std::unexpected(errors +
                           "WARNING: ACL errors detected, no change to the previously active ACL rules was performed");
  }
  // `default` keeps its place: either as the file says, or as it is without any.
  if (const auto id = fresh.find(kDefaultName)) {
    fresh.places_[kDefaultUser] = std::move(fresh.places_[*id]);
    if (*id != kDefaultUser) fresh.places_[*id].reset();
  }
  fresh.by_name_[std::string(kDefaultName)] = kDefaultUser;
  places_ = std::move(fresh.places_);
  by_name_ = std::move(fresh.by_name_);
  return {};
}

std::vector<std::string> Users::lines() const {
  std::vector<std::string> out;
  for (const auto& [name, id] : by_name_) out.push_back(fmt::format("user {} {}", name, at(id).describe()));
  return out;
}

std::string Users::save() const {
  std::string out;
  for (const std::string& line : lines()) out += line + "\n";
  return out;
}

void Users::check_invariants() const {
  HF_ASSERT(find(kDefaultName) == kDefaultUser);
  size_t taken = 0;
  for (size_t id = 0; id < places_.size(); ++id) {
    if (!places_[id]) continue;
    ++taken;
    HF_ASSERT(find(places_[id]->name()) == static_cast<UserId>(id));
    HF_ASSERT(!places_[id]->selectors().empty());
  }
  HF_ASSERT(taken == by_name_.size());
}

}  // namespace holdfast::acl
