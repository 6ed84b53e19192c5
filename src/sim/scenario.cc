#include "sim/scenario.h"

#include <fmt/format.h>

#include <vector>

#include "base/text.h"
#include "sentinel/sentinel.h"
#include "sim/programs.h"

namespace holdfast::sim {
namespace {

using Words = std::vector<std::string>;

std::optional<Duration> parse_time(std::string_view text) {
  const bool ms = text.ends_with("ms");
  if (!ms && !text.ends_with("s")) return std::nullopt;
  text.remove_suffix(ms ? 2 : 1);
  const std::optional<int64_t> value = parse_int64(text);
  if (!value || *value < 0) return std::nullopt;
  return ms ? from_ms(*value) : from_ms(*value * 1000);
}

/// A line of a Sentinel's log that tells of its decisions.
bool is_event(const LogLine& line) {
  if (line.level < LogLevel::kNotice) return false;
  return line.text.starts_with('+') || line.text.starts_with('-');
}

class Runner {
 public:
  Runner(std::string_view text, std::string file) : file_(std::move(file)) {
    for (const std::string_view line : split(text, '\n')) lines_.emplace_back(trim(line));
  }

  ScenarioResult run() {
    for (at_ = 0; at_ < lines_.size() && error_.empty(); ++at_) {
      Words words;
      if (lines_[at_].empty() || lines_[at_][0] == '#') continue;
      if (!split_quoted(lines_[at_], words)) {
        fail("unbalanced quotes");
      } else {
        statement(words);
      }
    }
    if (error_.empty()) return {true, ""};
    return {false, error_ + "\n" + log_text()};
  }

 private:
  void fail(const std::string& what) {
    if (error_.empty()) error_ = fmt::format("{}:{}: {}", file_, at_ + 1, what);
  }

  std::string log_text() const {
    std::string out;
    if (world_ == nullptr) return out;
    for (const LogLine& line : world_->log()) {
      out += fmt::format("  {:>10.3f} {} {}\n", static_cast<double>(line.at.count()) / 1e6, line.node, line.text);
    }
    return out;
  }

  World& world() {
    if (world_ == nullptr) world_ = std::make_unique<World>(seed_);
    return *world_;
  }

  /// The lines up to `end`.
  std::string block() {
    std::string out;
    for (++at_; at_ < lines_.size() && lines_[at_] != "end"; ++at_) {
      if (!lines_[at_].empty() && lines_[at_][0] != '#') out += lines_[at_] + "\n";
    }
    if (at_ >= lines_.size()) fail("a block without `end`");
    return out;
  }

  void statement(const Words& words) {
    const std::string& verb = words[0];
    if (picture(verb, words) || process(verb, words) || network(verb, words) || expectation(verb, words)) return;
    fail(fmt::format("cannot read '{}'", lines_[at_]));
  }

  bool picture(const std::string& verb, const Words& words) {
    if (verb == "seed" && words.size() == 2) {
      seed_ = parse_uint64(words[1]).value_or(0);
    } else if (verb == "host" && words.size() == 3) {
      world().add_host(words[1], words[2]);
    } else if (verb == "name" && words.size() == 3) {
      world().add_name(words[1], words[2]);
    } else if ((verb == "server" || verb == "sentinel" || verb == "proxy") && words.size() == 4 && words[2] == "on") {
      const std::string config = block();
      world().add_node(words[1], words[3],
                       verb == "server"     ? server_boot(config)
                       : verb == "sentinel" ? sentinel_boot(config)
                                            : proxy_boot(config));
      nodes_.push_back(words[1]);
    } else {
      return false;
    }
    return true;
  }

  bool known(const std::string& node) {
    for (const std::string& name : nodes_) {
      if (name == node) return true;
    }
    fail(fmt::format("no node '{}'", node));
    return false;
  }

  bool process(const std::string& verb, const Words& words) {
    static constexpr std::string_view kVerbs[] = {"start", "kill", "power-off", "pause", "resume", "term", "mark"};
    bool mine = false;
    for (const std::string_view name : kVerbs) mine |= name == verb;
    if (!mine) return false;
    for (size_t i = 1; i < words.size(); ++i) {
      if (!known(words[i])) return true;
      if (verb == "start") world().start(words[i]);
      if (verb == "kill") world().kill(words[i]);
      if (verb == "power-off") world().power_off(words[i]);
      if (verb == "pause") world().pause(words[i]);
      if (verb == "resume") world().resume(words[i]);
      if (verb == "term") world().signal(words[i], 15);
      if (verb == "mark") marks_[words[i]] = world().log().size();
    }
    return true;
  }

  bool network(const std::string& verb, const Words& words) {
    if (verb == "wait" && words.size() == 2 && parse_time(words[1])) {
      world().run_for(*parse_time(words[1]));
    } else if (verb == "cut" && words.size() == 3) {
      world().cut(words[1], words[2]);
      world().cut(words[2], words[1]);
    } else if (verb == "cut-oneway" && words.size() == 3) {
      world().cut(words[1], words[2]);
    } else if (verb == "heal" && words.size() == 3) {
      world().heal(words[1], words[2]);
      world().heal(words[2], words[1]);
    } else if (verb == "heal-all" && words.size() == 1) {
      world().heal_all();
    } else if (verb == "fail-disk" && words.size() == 3 && known(words[1])) {
      world().fail_disk(words[1], static_cast<int>(parse_int64(words[2]).value_or(5)));
    } else {
      return false;
    }
    return true;
  }

  bool said(const std::string& node, const std::string& text) {
    const std::vector<LogLine>& log = world().log();
    for (size_t i = marks_[node]; i < log.size(); ++i) {
      if (log[i].node == node && log[i].text.find(text) != std::string::npos) return true;
    }
    return false;
  }

  void until(const Words& words, Duration patience) {
    const Duration limit = world().elapsed() + patience;
    const std::string text = with_ids(words[2]);
    while (!said(words[1], text)) {
      if (!world().step(limit)) {
        return fail(fmt::format("{} did not say '{}' within {}", words[1], text, words[4]));
      }
    }
  }

  bool expectation(const std::string& verb, const Words& words) {
    if (words.size() > 1 &&
        (verb == "until" || verb == "never" || verb == "ask" || verb == "tell" || verb == "expect" ||
         verb == "config") &&
        !known(words[1])) {
      return true;
    }
    if (verb == "until" && words.size() == 5 && words[3] == "within" && parse_time(words[4])) {
      until(words, *parse_time(words[4]));
    } else if (verb == "never" && words.size() == 3) {
      const std::string text = with_ids(words[2]);
      if (said(words[1], text)) fail(fmt::format("{} said '{}'", words[1], text));
    } else if (verb == "ask" && words.size() == 5) {
      ask(words);
    } else if (verb == "spawned" && words.size() == 3 && known(words[1])) {
      bool found = false;
      for (const std::string& line : world().spawned(words[1])) found |= line == words[2];
      if (!found) fail(fmt::format("{} did not run '{}'", words[1], words[2]));
    } else if (verb == "tell" && words.size() == 4) {
      world().ask(words[1], static_cast<uint16_t>(parse_int64(words[2]).value_or(0)), words[3] + "\r\n", 1ms);
    } else if (verb == "expect" && words.size() == 2) {
      expect(words[1]);
    } else if (verb == "config" && words.size() == 3) {
      const std::string& file = world().disk(words[1])[kSentinelConf];
      if (file.find(with_ids(words[2])) == std::string::npos) fail("the file is\n" + file);
    } else {
      return false;
    }
    return true;
  }

  void ask(const Words& words) {
    const auto port = static_cast<uint16_t>(parse_int64(words[2]).value_or(0));
    const std::optional<std::string> answer = world().ask(words[1], port, words[3] + "\r\n", 50ms);
    if (!answer) return fail(fmt::format("{} did not answer", words[1]));
    if (answer->find(with_ids(words[4])) == std::string::npos) fail(fmt::format("the answer is {}", quoted(*answer)));
  }

  std::string with_ids(std::string text) {
    for (const std::string& node : nodes_) {
      const std::string hole = "<" + node + ">";
      const auto* machine = dynamic_cast<const sentinel::Sentinel*>(world().machine(node));
      for (size_t at = text.find(hole); machine != nullptr && at != std::string::npos; at = text.find(hole)) {
        text.replace(at, hole.size(), machine->myid());
      }
    }
    return text;
  }

  void expect(const std::string& node) {
    const size_t statement_line = at_;
    const std::string wanted = with_ids(block());
    std::string got;
    const std::vector<LogLine>& log = world().log();
    for (size_t i = marks_[node]; i < log.size(); ++i) {
      if (log[i].node == node && is_event(log[i])) got += log[i].text + "\n";
    }
    marks_[node] = log.size();
    if (got == wanted) return;
    at_ = statement_line;
    fail(fmt::format("{} said\n{}instead of\n{}", node, got, wanted));
  }

  std::string file_;
  std::vector<std::string> lines_;
  size_t at_ = 0;
  std::string error_;
  uint64_t seed_ = 1;
  std::unique_ptr<World> world_;
  std::vector<std::string> nodes_;
  std::map<std::string, size_t> marks_;
};

}  // namespace

ScenarioResult run_scenario(std::string_view text, const std::string& file) { return Runner(text, file).run(); }

}  // namespace holdfast::sim
