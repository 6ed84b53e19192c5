#include "acl/selector.h"

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"
#include "command/wire_names.h"

namespace holdfast::acl {
namespace {

using command::all_specs;
using command::kNoSpec;
using command::Spec;
using command::spec_at;
using Applied = std::expected<void, RuleError>;

uint8_t permissions_for(uint16_t key_flags) {
  uint8_t out = 0;
  if ((key_flags & command::kKeyAccess) != 0) out |= kReadKeys;
  if ((key_flags & (command::kKeyInsert | command::kKeyDelete | command::kKeyUpdate)) != 0) out |= kWriteKeys;
  return out;
}

/// Channels in a request, by command; unsubscribing needs no permission.
struct ChannelCommand {
  std::string_view name;
  bool pattern;
  bool all_words;
};
constexpr ChannelCommand kChannelCommands[] = {
    {"subscribe", false, true}, {"ssubscribe", false, true}, {"psubscribe", true, true},
    {"publish", false, false},  {"spublish", false, false},
};

}  // namespace

const std::vector<command::KeyAt>& RequestKeys::keys() {
  // Words that contradict the key specs have no keys: the handler answers its own error.
  if (!keys_) keys_ = command::find_keys(spec_, words_).value_or(std::vector<command::KeyAt>{});
  return *keys_;
}

std::string KeyPattern::describe() const {
  if (permissions == (kReadKeys | kWriteKeys)) return "~" + glob;
  return (permissions == kReadKeys ? "%R~" : "%W~") + glob;
}

uint32_t category_bit(std::string_view name) {
  for (uint32_t bit = 1; bit != 0; bit <<= 1) {
    const auto names = command::category_names(bit);
    if (!names.empty() && equal_ignoring_case(names.front(), name)) return bit;
  }
  return 0;
}

std::vector<std::string_view> category_names() { return command::category_names(UINT32_MAX); }

Selector::Selector(Defaults defaults)
    : program_(defaults.program), all_channels_(defaults.all_channels), allowed_(all_specs().size(), false) {}

bool has_command(Program program, const Spec& spec) {
  if (program == Program::kServer) return !spec.is(command::kOnlySentinel);
  return spec.is(command::kSentinelToo | command::kOnlySentinel);
}

SpecIndex Selector::find(std::string_view name) const {
  const size_t bar = name.find('|');
  SpecIndex index = command::find_command(name.substr(0, bar));
  if (index != kNoSpec && bar != std::string_view::npos) index = command::find_subcommand(index, name.substr(bar + 1));
  return index != kNoSpec && has_command(program_, spec_at(index)) ? index : kNoSpec;
}

// Rules.

Applied Selector::apply(std::string_view rule) {
  const auto is = [&](std::string_view word) { return equal_ignoring_case(rule, word); };
  if (is("allkeys") || is("~*") || is("resetkeys")) {
    all_keys_ = !is("resetkeys");
    patterns_.clear();
  } else if (is("allchannels") || is("&*") || is("resetchannels")) {
    all_channels_ = !is("resetchannels");
    channels_.clear();
  } else if (is("allcommands") || is("+@all") || is("nocommands") || is("-@all")) {
    set_all_commands(is("allcommands") || is("+@all"));
  } else if (rule.starts_with('~') || rule.starts_with('%')) {
    return apply_key_pattern(rule);
  } else if (rule.starts_with('&')) {
    return apply_channel_pattern(rule.substr(1));
  } else if (rule.starts_with("+@") || rule.starts_with("-@")) {
    return apply_category(rule.substr(1), rule[0] == '+');
  } else if (rule.starts_with('+') || rule.starts_with('-')) {
    const bool allow = rule[0] == '+';
    if (allow && rule.find('|') != std::string_view::npos) return allow_with_argument(rule.substr(1));
    return apply_command(rule.substr(1), allow);
  } else {
    return std::unexpected(RuleError::kSyntax);
  }
  return {};
}

Applied Selector::apply_key_pattern(std::string_view rule) {
  if (all_keys_) return std::unexpected(RuleError::kKeysAlreadyAll);
  uint8_t permissions = 0;
  size_t at = 1;
  if (rule[0] == '~') {
    permissions = kReadKeys | kWriteKeys;
  } else {
    for (; at < rule.size() && rule[at] != '~'; ++at) {
      const uint8_t bit = to_lower(rule[at]) == 'r' ? kReadKeys : to_lower(rule[at]) == 'w' ? kWriteKeys : 0;
      if (bit == 0 || (permissions & bit) != 0) return std::unexpected(RuleError::kSyntax);
      permissions |= bit;
    }
    if (at < rule.size() && permissions == 0) return std::unexpected(RuleError::kSyntax);
    // COMPAT: `%R` without a pattern is taken as one for the empty key.
    at = std::min(at + 1, rule.size());
  }
  const std::string_view glob = rule.substr(at);
  if (has_spaces(glob)) return std::unexpected(RuleError::kSyntax);
  const auto same =
      std::find_if(patterns_.begin(), patterns_.end(), [&](const KeyPattern& p) { return p.glob == glob; });
  if (same == patterns_.end()) {
    patterns_.push_back({std::string(glob), permissions});
  } else {
    same->permissions |= permissions;
  }
  return {};
}

Applied Selector::apply_channel_pattern(std::string_view pattern) {
  if (all_channels_) return std::unexpected(RuleError::kChannelsAlreadyAll);
  if (has_spaces(pattern)) return std::unexpected(RuleError::kSyntax);
  if (std::find(channels_.begin(), channels_.end(), pattern) == channels_.end()) channels_.emplace_back(pattern);
  return {};
}

void Selector::set_all_commands(bool allow) {
  all_commands_ = allow;
  allowed_.assign(allowed_.size(), allow);
  first_arguments_.clear();
  rules_.clear();
}

void Selector::set_command(SpecIndex index, bool allow) {
  allowed_[index] = allow;
  first_arguments_.erase(index);
  const Spec& changed = spec_at(index);
  if (!changed.parent.empty()) return;
  for (size_t i = 0; i < all_specs().size(); ++i) {
    if (all_specs()[i]->parent == changed.name) allowed_[i] = allow;
  }
}

/// A newer rule about the same thing, or about the whole command, takes the place of older ones.
void Selector::remember_rule(std::string_view rule, bool allow) {
  const std::string lower = to_lower(rule);
  std::erase_if(rules_, [&](const std::string& kept) {
    const std::string_view what = std::string_view(kept).substr(1);
    return what == lower || (what.starts_with(lower) && what[lower.size()] == '|');
  });
  rules_.push_back((allow ? "+" : "-") + lower);
}

Applied Selector::apply_command(std::string_view name, bool allow) {
  const SpecIndex index = find(name);
  if (index == kNoSpec) return std::unexpected(RuleError::kUnknownCommand);
  set_command(index, allow);
  remember_rule(command::full_name(spec_at(index)), allow);
  return {};
}

bool Selector::is_first_argument_rule(std::string_view rule) {
  if (!rule.starts_with('+') || rule.starts_with("+@")) return false;
  const size_t bar = rule.find('|');
  if (bar == std::string_view::npos) return false;
  const SpecIndex index = command::find_command(rule.substr(1, bar - 1));
  return index != kNoSpec && !command::has_subcommands(index);
}

Applied Selector::allow_with_argument(std::string_view name) {
  const size_t bar = name.rfind('|');
  const SpecIndex index = find(name.substr(0, bar));
  if (index == kNoSpec) return std::unexpected(RuleError::kUnknownCommand);
  if (!spec_at(index).parent.empty()) return std::unexpected(RuleError::kFirstArgOfSubcommand);
  const std::string_view argument = name.substr(bar + 1);
  if (argument.empty()) return std::unexpected(RuleError::kSyntax);
  if (command::has_subcommands(index)) {
    const SpecIndex subcommand = find(name);
    if (subcommand == kNoSpec) return std::unexpected(RuleError::kUnknownCommand);
    set_command(subcommand, true);
  } else {
    auto& arguments = first_arguments_[index];
    const bool known = std::any_of(arguments.begin(), arguments.end(),
                                   [&](const std::string& a) { return equal_ignoring_case(a, argument); });
    if (!known) arguments.emplace_back(argument);
  }
  remember_rule(name, true);
  return {};
}

Applied Selector::apply_category(std::string_view category, bool allow) {
  const uint32_t bit = category_bit(category.substr(1));
  if (bit == 0) return std::unexpected(RuleError::kUnknownCommand);
  remember_rule(category, allow);
  for (size_t i = 0; i < all_specs().size(); ++i) {
    const Spec& spec = *all_specs()[i];
    if (has_command(program_, spec) && (command::categories_of(spec) & bit) != 0)
      set_command(static_cast<SpecIndex>(i), allow);
  }
  return {};
}

// Checks.

bool Selector::allows_command(SpecIndex index, Words words) const {
  if (allowed_[index]) return true;
  const auto arguments = first_arguments_.find(index);
  if (words.size() < 2 || arguments == first_arguments_.end()) return false;
  return std::any_of(arguments->second.begin(), arguments->second.end(),
                     [&](const std::string& a) { return equal_ignoring_case(a, words[1]); });
}

Verdict Selector::check(SpecIndex index, Words words, RequestKeys& keys) const {
  const Spec& spec = spec_at(index);
  HF_ASSERT(index < allowed_.size());
  if (!spec.is(command::kNoAuth) && !allows_command(index, words)) return {Denied::kCommand, 0};
  if (!all_keys_ && !spec.keys.empty()) {
    for (const command::KeyAt& key : keys.keys()) {
      if (!allows_key(words[key.position], key.flags)) return {Denied::kKey, key.position};
    }
  }
  if (all_channels_ || !spec.parent.empty()) return {};
  for (const ChannelCommand& with_channels : kChannelCommands) {
    if (with_channels.name != spec.name) continue;
    const size_t end = with_channels.all_words ? words.size() : 2;
    for (size_t i = 1; i < end; ++i) {
      if (!allows_channel(words[i], with_channels.pattern)) return {Denied::kChannel, i};
    }
  }
  return {};
}

bool Selector::allows_key(std::string_view key, uint16_t key_flags) const {
  const uint8_t wanted = permissions_for(key_flags);
  return all_keys_ || std::any_of(patterns_.begin(), patterns_.end(), [&](const KeyPattern& pattern) {
           return (pattern.permissions & wanted) == wanted && glob_match(pattern.glob, key);
         });
}

bool Selector::allows_all_keys(uint16_t key_flags) const {
  const uint8_t wanted = permissions_for(key_flags);
  return all_keys_ || std::any_of(patterns_.begin(), patterns_.end(), [&](const KeyPattern& pattern) {
           return (pattern.permissions & wanted) == wanted && pattern.glob == "*";
         });
}

bool Selector::allows_channel(std::string_view channel, bool is_pattern) const {
  return all_channels_ || std::any_of(channels_.begin(), channels_.end(), [&](const std::string& allowed) {
           return is_pattern ? allowed == channel : glob_match(allowed, channel);
         });
}

// Descriptions.

std::string Selector::describe_commands() const {
  std::string out = all_commands_ ? "+@all" : "-@all";
  for (const std::string& rule : rules_) out += " " + rule;
  return out;
}

std::string Selector::describe_keys() const {
  if (all_keys_) return "~*";
  std::string out;
  for (const KeyPattern& pattern : patterns_) out += (out.empty() ? "" : " ") + pattern.describe();
  return out;
}

std::string Selector::describe_channels() const {
  if (all_channels_) return "&*";
  std::string out;
  for (const std::string& channel : channels_) out += (out.empty() ? "&" : " &") + channel;
  return out;
}

std::string Selector::describe() const {
  std::string out = describe_keys();
  if (!out.empty()) out += ' ';
  out += all_channels_ ? "&* " : "resetchannels ";
  if (!all_channels_ && !channels_.empty()) out += describe_channels() + ' ';
  return out + describe_commands();
}

}  // namespace holdfast::acl
