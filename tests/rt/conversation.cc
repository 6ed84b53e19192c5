#include "conversation.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "base/text.h"
#include "codec/resp/encode.h"
#include "notation.h"

namespace holdfast::rt {
namespace {

class Run {
 public:
  Run(const std::string& name, Server& server) : name_(name), server_(server) {}

  Outcome whole(std::string_view text) {
    for (const std::string_view raw : split(text, '\n')) {
      ++line_;
      const std::string_view line = trim(raw);
      if (line.empty() || line[0] == '#') continue;
      if (line == "requires in-process") {
        if (!server_.advance(0)) return std::move(outcome_);
        continue;
      }
      if (!one(line)) break;
    }
    if (pending_ != nullptr) fail("a request without its reply");
    return std::move(outcome_);
  }

 private:
  void fail(std::string_view what) { outcome_.failures.push_back(fmt::format("{}:{}: {}", name_, line_, what)); }

  Talker* talker(const std::string& name) {
    auto& slot = talkers_[name];
    if (!slot) slot = server_.connect();
    return slot.get();
  }

  /// False: the file cannot go on.
  bool one(std::string_view line) {
    if (pending_ != nullptr) {
      Talker* const from = std::exchange(pending_, nullptr);
      return compare(*from, line, std::exchange(skip_, false));
    }
    if (line.starts_with("advance ")) {
      if (server_.advance(parse_int64(line.substr(8)).value_or(0))) return true;
      fail("this server's clock cannot be moved");
      return false;
    }
    if (line.starts_with("[7.2] ")) {
      skip_ = server_.is_oracle();
      line.remove_prefix(6);
    }
    const size_t mark = line.find_first_of("<>");
    if (mark == std::string_view::npos) {
      fail(fmt::format("neither a request nor a message: {}", line));
      return false;
    }
    const std::string name(trim(line.substr(0, mark)));
    const std::string_view rest = trim(line.substr(mark + 1));
    if (line[mark] == '<') return compare(*talker(name), rest, false);
    std::vector<std::string> words;
    if (!split_quoted(rest, words)) {
      fail("unbalanced quotes");
      return false;
    }
    std::string bytes;
    codec::append_request(bytes, std::span<const std::string>(words));
    pending_ = talker(name);
    pending_->send(bytes);
    return true;
  }

  bool compare(Talker& from, std::string_view expected, bool skip) {
    const auto reply = from.next();
    ++outcome_.compared;
    if (!reply) {
      if (expected == "closed" || expected == "waits") return true;
      fail(fmt::format("expected {}, got no reply", expected));
      return false;
    }
    if (expected == "~" || skip) return true;
    const bool unordered = expected.starts_with("sorted ");
    if (unordered) expected.remove_prefix(7);
    const std::string printed = unordered ? print_sorted(*reply) : print(*reply);
    const std::string_view got = trim(printed);
    if (got != expected) fail(fmt::format("expected {}\n    got {}", expected, got));
    return true;
  }

  const std::string name_;
  Server& server_;
  int line_ = 0;
  std::map<std::string, std::unique_ptr<Talker>> talkers_;
  Talker* pending_ = nullptr;
  bool skip_ = false;
  Outcome outcome_;
};

}  // namespace

Outcome run_conversation(const std::string& name, std::string_view text, Server& server) {
  return Run(name, server).whole(text);
}

}  // namespace holdfast::rt
