#include "acl/user.h"

#include <algorithm>

#include "base/assert.h"
#include "base/text.h"
#include "codec/sha.h"

namespace holdfast::acl {
namespace {

using Applied = std::expected<void, RuleError>;

constexpr size_t kHashLength = 64;

bool is_hash(std::string_view text) {
  return text.size() == kHashLength &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// Compares two hashes in time that does not depend on where they differ.
bool same_hash(std::string_view a, std::string_view b) {
  HF_ASSERT(a.size() == kHashLength && b.size() == kHashLength);
  unsigned difference = 0;
  for (size_t i = 0; i < kHashLength; ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace

User::User(std::string name, Defaults defaults) : name_(std::move(name)) { selectors_.emplace_back(defaults); }

User User::unrestricted(std::string name, Defaults defaults) {
  User user(std::move(name), defaults);
  for (const std::string_view rule : {"+@all", "~*", "&*", "on", "nopass"}) {
    const Applied applied = user.apply(rule, defaults);
    HF_ASSERT(applied.has_value());
  }
  return user;
}

Applied User::apply(std::string_view rule, Defaults defaults) {
  const auto is = [&](std::string_view word) { return equal_ignoring_case(rule, word); };
  if (rule.empty()) return {};
  if (is("on") || is("off")) {
    enabled_ = is("on");
  } else if (is("skip-sanitize-payload") || is("sanitize-payload")) {
    sanitize_payload_ = is("sanitize-payload");
  } else if (is("nopass") || is("resetpass")) {
    no_password_ = is("nopass");
    passwords_.clear();
  } else if (rule[0] == '>' || rule[0] == '#' || rule[0] == '<' || rule[0] == '!') {
    return apply_password(rule);
  } else if (rule[0] == '(' && rule.back() == ')') {
    std::vector<std::string> words;
    Selector selector(defaults);
    if (rule.size() > 2 && !split_quoted(rule.substr(1, rule.size() - 2), words)) {
      return std::unexpected(RuleError::kSyntax);
    }
    for (const std::string& word : words) {
      if (Applied applied = selector.apply(word); !applied) return applied;
    }
    selectors_.push_back(std::move(selector));
  } else if (is("clearselectors")) {
    selectors_.erase(selectors_.begin() + 1, selectors_.end());
  } else if (is("reset")) {
    *this = User(std::move(name_), defaults);
  } else {
    return selectors_.front().apply(rule);
  }
  return {};
}

Applied User::apply_password(std::string_view rule) {
  const bool clear_text = rule[0] == '>' || rule[0] == '<';
  const std::string_view value = rule.substr(1);
  if (!clear_text && !is_hash(value)) return std::unexpected(RuleError::kBadHash);
  const std::string hash = clear_text ? codec::sha256_hex(value) : std::string(value);
  const auto at = std::find(passwords_.begin(), passwords_.end(), hash);
  if (rule[0] == '>' || rule[0] == '#') {
    if (at == passwords_.end()) passwords_.push_back(hash);
    no_password_ = false;
    return {};
  }
  if (at == passwords_.end()) return std::unexpected(RuleError::kNoSuchPassword);
  passwords_.erase(at);
  return {};
}

void User::set_only_password(std::string_view password) {
  passwords_.clear();
  no_password_ = password.empty();
  if (!password.empty()) passwords_.push_back(codec::sha256_hex(password));
}

bool User::accepts(std::string_view password) const {
  if (!enabled_) return false;
  if (no_password_) return true;
  const std::string hash = codec::sha256_hex(password);
  return std::any_of(passwords_.begin(), passwords_.end(),
                     [&](const std::string& known) { return same_hash(known, hash); });
}

Verdict User::check(SpecIndex spec, Words words) const {
  if (unrestricted()) return {};
  RequestKeys keys(command::spec_at(spec), words);
  Verdict worst{Denied::kCommand, 0};
  for (const Selector& selector : selectors_) {
    const Verdict verdict = selector.check(spec, words, keys);
    if (verdict.denied == Denied::kNo) return verdict;
    const bool more_telling = verdict.denied > worst.denied;
    if (more_telling || (verdict.denied == worst.denied && verdict.position > worst.position)) worst = verdict;
  }
  return worst;
}

bool User::allows_with_all_keys(SpecIndex spec, Words words, uint16_t key_flags) const {
  RequestKeys keys(command::spec_at(spec), words);
  return std::any_of(selectors_.begin(), selectors_.end(), [&](const Selector& selector) {
    return selector.check(spec, words, keys).denied == Denied::kNo && selector.allows_all_keys(key_flags);
  });
}

bool User::allows_channels(std::span<const std::string> names, bool patterns) const {
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return std::any_of(selectors_.begin(), selectors_.end(),
                       [&](const Selector& selector) { return selector.allows_channel(name, patterns); });
  });
}

bool User::allows_key(std::string_view key, uint16_t key_flags) const {
  return std::any_of(selectors_.begin(), selectors_.end(),
                     [&](const Selector& selector) { return selector.allows_key(key, key_flags); });
}

std::vector<std::string_view> User::flags() const {
  std::vector<std::string_view> out = {enabled_ ? "on" : "off"};
  if (no_password_) out.push_back("nopass");
  out.push_back(sanitize_payload_ ? "sanitize-payload" : "skip-sanitize-payload");
  return out;
}

std::string User::describe() const {
  std::string out;
  for (const std::string_view flag : flags()) out += std::string(flag) + ' ';
  for (const std::string& hash : passwords_) out += '#' + hash + ' ';
  out += selectors_.front().describe();
  for (size_t i = 1; i < selectors_.size(); ++i) out += " (" + selectors_[i].describe() + ")";
  return out;
}

std::expected<std::vector<std::string>, std::string> merge_selectors(std::span<const std::string> words) {
  std::vector<std::string> out;
  bool open = false;
  std::string opened_at;
  for (const std::string& word : words) {
    const bool closes = word.ends_with(')');
    if (open) {
      out.back() += ' ' + word;
      open = !closes;
    } else {
      out.push_back(word);
      open = word.starts_with('(') && !closes;
      if (open) opened_at = word;
    }
  }
  if (open) return std::unexpected(opened_at);
  return out;
}

}  // namespace holdfast::acl
