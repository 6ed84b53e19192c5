#include "family/redaction.h"

#include "base/text.h"

namespace holdfast::family {
namespace {

using Words = std::span<const std::string_view>;

class Hidden {
 public:
  Hidden(Words words, std::vector<std::string_view>& storage) : words_(words), storage_(storage) {}
  void hide(size_t position) {
    if (position >= words_.size()) return;
    if (storage_.empty()) storage_.assign(words_.begin(), words_.end());
    storage_[position] = "(redacted)";
  }
  void hide_from(size_t position) {
    for (; position < words_.size(); ++position) hide(position);
  }
  Words shown() const { return storage_.empty() ? words_ : Words(storage_); }

 private:
  Words words_;
  std::vector<std::string_view>& storage_;
};

void hide_in_hello(Words words, Hidden& hidden) {
  for (size_t i = 2; i < words.size(); ++i) {
    if (equal_ignoring_case(words[i], "auth") && i + 2 < words.size()) {
      hidden.hide(i + 1);
      hidden.hide(i + 2);
      i += 2;
    } else if (equal_ignoring_case(words[i], "setname")) {
      ++i;
    }
  }
}

void hide_in_config_set(Words words, Hidden& hidden) {
  static constexpr std::string_view kSecret[] = {"masterauth", "masteruser", "requirepass", "tls-key-file-pass",
                                                 "tls-client-key-file-pass"};
  for (size_t i = 2; i + 1 < words.size(); i += 2) {
    for (const std::string_view name : kSecret) {
      if (equal_ignoring_case(words[i], name)) hidden.hide(i + 1);
    }
  }
}

void hide_in_migrate(Words words, Hidden& hidden) {
  for (size_t i = 6; i < words.size(); ++i) {
    if (equal_ignoring_case(words[i], "keys")) return;
    if (equal_ignoring_case(words[i], "auth")) {
      hidden.hide(++i);
    } else if (equal_ignoring_case(words[i], "auth2")) {
      hidden.hide(i + 1);
      hidden.hide(i + 2);
      i += 2;
    }
  }
}

}  // namespace

Words shown_words(const command::Spec& spec, Words words, std::vector<std::string_view>& storage) {
  storage.clear();
  Hidden hidden(words, storage);
  if (spec.parent.empty()) {
    if (spec.name == "auth" && words.size() <= 3) hidden.hide_from(1);
    if (spec.name == "hello") hide_in_hello(words, hidden);
    if (spec.name == "migrate") hide_in_migrate(words, hidden);
  } else if (spec.parent == "acl" && spec.name == "setuser") {
    hidden.hide_from(2);
  } else if (spec.parent == "config" && spec.name == "set") {
    hide_in_config_set(words, hidden);
  }
  return hidden.shown();
}

}  // namespace holdfast::family
