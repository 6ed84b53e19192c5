#include "proxy/cli/master_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "proxy/cli/cli.h"
#include "proxy/cli/help.h"
#include "proxy/version.h"

namespace holdfast::proxy {
namespace {

constexpr CliHelpRow kHelp[] = {
    {"@!<pid>", "@!<pid>", "send a command to the <pid> process"},
    {"@<relative", "@<relative pid>", "send a command to the <relative pid> process"},
    {"@master", "@master", "send a command to the master process"},
    {"@@<[!]pid>", "@@<[!]pid> [commands]", "hand the whole session to the <pid> process"},
    {"expert-mode", "expert-mode [on|off]", "shown in the prompt"},
    {"experimental-mode", "experimental-mode [on|off]", "shown in the prompt"},
    {"hard-reload", "hard-reload", "reload haproxy, sessions of the old process end"},
    {"operator", "operator", "lower the level of the current CLI session to operator"},
    {"reload", "reload", "reload haproxy"},
    {"show cli level", "show cli level", "display the level of the current CLI session"},
    {"show cli sockets", "show cli sockets", "dump list of cli sockets"},
    {"show proc", "show proc", "show processes status"},
    {"show startup-logs", "show startup-logs", "messages of the latest start of a worker"},
    {"show version", "show version", "show version of the current process"},
    {"user", "user", "lower the level of the current CLI session to user"},
};

std::string uptime(Duration up) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(up).count();
  return fmt::format("{}d{:02}h{:02}m{:02}s", seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
}

std::string process_row(int64_t pid, std::string_view type, const std::string& reloads, Duration up) {
  return fmt::format("{:<15} {:<15} {:<15} {:<15} {:<15}\n", pid, type, reloads, uptime(up), kVersion);
}

std::string process_table(const MasterStatus& status) {
  std::string out =
      fmt::format("{:<15} {:<15} {:<15} {:<15} {:<15}\n", "#<PID>", "<type>", "<reloads>", "<uptime>", "<version>");
  out += process_row(status.pid, "master", fmt::format("{} [failed: {}]", status.reloads, status.failed_reloads),
                     status.up);
  const auto add = [&](bool leaving) {
    for (const MasterWorker& worker : status.workers) {
      if (worker.leaving == leaving) {
        out += process_row(worker.pid, "worker", std::to_string(worker.reloads), worker.up);
      }
    }
  };
  out += "# workers\n";
  add(false);
  if (std::ranges::any_of(status.workers, &MasterWorker::leaving)) out += "# old workers\n";
  add(true);
  return out;
}

std::string_view level_word(CliLevel level) {
  return level == CliLevel::kAdmin ? "admin" : level == CliLevel::kOperator ? "operator" : "user";
}

/// Commands of a line: separated by `;`, a backslash keeps the next character.
std::deque<std::string> split_commands(std::string_view line) {
  std::deque<std::string> out;
  for (size_t begin = 0; begin <= line.size();) {
    size_t end = begin;
    while (end < line.size() && line[end] != ';') end += line[end] == '\\' ? 2 : 1;
    end = std::min(end, line.size());
    const std::string_view command = trim(line.substr(begin, end - begin));
    if (!command.empty()) out.emplace_back(command);
    begin = end + 1;
  }
  return out;
}

}  // namespace

bool MasterSession::receive(std::string_view bytes) {
  input_.append(bytes);
  return input_.size() <= kLineMax + kPayloadMax;
}

void MasterSession::end_of_input() { ended_ = true; }

std::string MasterSession::take_input() { return std::exchange(input_, {}); }

/// A line with its payload, if it has one; without the line feed.
bool MasterSession::take_line(std::string* line) {
  const size_t end = input_.find('\n');
  if (end == std::string::npos) {
    if (input_.size() > kLineMax) finishing_ = true;
    // COMPAT: of a last line without a line feed only what a `;` ended is carried out, unlike at a worker.
    const size_t last = ended_ ? input_.rfind(';') : std::string::npos;
    if (last == std::string::npos || finishing_) return false;
    *line = input_.substr(0, last);
    input_.clear();
    return true;
  }
  const std::string_view first = trim(std::string_view(input_).substr(0, end));
  if (!first.ends_with("<<") || first.starts_with("@@")) {
    *line = first;
    input_.erase(0, end + 1);
    return true;
  }
  // The payload goes up to an empty line.
  size_t at = end + 1;
  while (true) {
    const size_t stop = input_.find('\n', at);
    if (stop == std::string::npos) {
      finishing_ = ended_;  // half a payload is none
      return false;
    }
    const bool empty = stop == at || (stop == at + 1 && input_[at] == '\r');
    if (empty) {
      *line = first;
      payload_ = input_.substr(end + 1, at - end - 1);
      has_payload_ = true;
      input_.erase(0, stop + 1);
      return true;
    }
    at = stop + 1;
  }
}

void MasterSession::begin_line(std::string line) {
  in_line_ = true;
  commands_ = split_commands(line);
  if (trim(line).empty()) {
    // COMPAT: an empty line is an unknown command.
    say(list_commands({std::begin(kHelp), std::end(kHelp)}, {}, CliListing::kUnknown) + "\n");
  }
  if (line.starts_with("@@")) commands_ = {std::move(line)};  // whole to the worker
}

MasterStep MasterSession::next(const MasterStatus& status) {
  while (steps_.empty()) {
    if (finishing_) return {.kind = MasterStep::Kind::kEnd};
    if (!in_line_) {
      std::string line;
      if (take_line(&line)) {
        begin_line(std::move(line));
        continue;
      }
      if (finishing_ || ended_) return {.kind = MasterStep::Kind::kEnd};
      return {};
    }
    if (commands_.empty()) {
      end_line();
      continue;
    }
    const std::string command = std::move(commands_.front());
    commands_.pop_front();
    run(command, status);
  }
  MasterStep step = std::move(steps_.front());
  steps_.pop_front();
  return step;
}

void MasterSession::end_line() {
  in_line_ = false;
  payload_.clear();
  has_payload_ = false;
  // COMPAT: further lines that came with this one are still answered; then the connection ends.
  if (!interactive_ && input_.find('\n') == std::string::npos) finishing_ = true;
}

void MasterSession::say(std::string_view text) {
  steps_.push_back({.kind = MasterStep::Kind::kAnswer, .text = std::string(text)});
}

std::string MasterSession::prompt(const MasterStatus& status) const {
  std::string out = target_.master ? "master" : std::to_string(target_.pid);
  if (target_.master && status.last_reload_failed) out += "[ReloadFailed]";
  if (expert_ || experimental_) out += fmt::format("({}{})", experimental_ ? "x" : "", expert_ ? "e" : "");
  return out + "> ";
}

void MasterSession::command_over(const MasterStatus& status) {
  if (interactive_ && !finishing_) say(prompt(status));
}

std::optional<MasterSession::Target> MasterSession::find_target(std::string_view prefix,
                                                                const MasterStatus& status) const {
  prefix.remove_prefix(1);
  if (prefix.empty() || prefix == "master") return Target{};
  const bool by_pid = prefix.starts_with('!');
  if (by_pid) prefix.remove_prefix(1);
  const std::optional<int64_t> number = parse_int64(prefix);
  if (!number) return std::nullopt;
  if (!by_pid && *number == 0) return Target{};
  for (const MasterWorker& worker : status.workers) {
    // There is one current worker, number 1.
    if (by_pid ? worker.pid == *number : (*number == 1 && !worker.leaving)) return Target{false, worker.pid};
  }
  return std::nullopt;
}

void MasterSession::run(std::string_view command, const MasterStatus& status) {
  Target target = target_;
  if (command.starts_with('@')) {
    const bool whole = command.starts_with("@@");
    const std::string_view prefix = command.substr(whole ? 1 : 0, command.find_first_of(" \t") - (whole ? 1 : 0));
    const std::optional<Target> found = find_target(prefix, status);
    if (!found || (whole && found->master)) {
      // COMPAT: that ends the session.
      say(fmt::format("Can't find the target PID matching the prefix '{}'\n", prefix));
      finishing_ = true;
      return;
    }
    const size_t space = command.find_first_of(" \t");
    command = space == std::string_view::npos ? std::string_view() : trim(command.substr(space));
    if (whole) {
      const std::string first = command.empty() ? (interactive_ ? "prompt\n" : "") : fmt::format("{}\n", command);
      steps_.push_back({.kind = MasterStep::Kind::kRelay, .text = first, .pid = found->pid});
      finishing_ = true;
      return;
    }
    if (command.empty()) {
      target_ = *found;
      return command_over(status);
    }
    target = *found;
  }
  const std::vector<std::string> words = split_cli_words(command);
  if (words.empty()) return;
  // These concern the session, whatever process it is on.
  if (words[0] == "quit") {
    if (interactive_) say(prompt(status));  // COMPAT: once more
    finishing_ = true;
    return;
  }
  if (words[0] == "prompt") {
    interactive_ = !interactive_;
    return command_over(status);
  }
  if (set_mode(words)) return command_over(status);
  if (words[0] == "operator" || words[0] == "user") {
    if (set_level(words[0] == "user" ? CliLevel::kUser : CliLevel::kOperator)) return command_over(status);
    say("Permission denied!\n");
    finishing_ = true;
    return;
  }
  if (!target.master) return forward(target.pid, command);
  run_master(words, status);
}

/// A session can only go down.
bool MasterSession::set_level(CliLevel wanted) {
  if (wanted > level_) return false;
  level_ = wanted;
  return true;
}

bool MasterSession::set_mode(const std::vector<std::string>& words) {
  bool* const mode = words[0] == "expert-mode" ? &expert_ : words[0] == "experimental-mode" ? &experimental_ : nullptr;
  if (mode == nullptr) return false;
  if (words.size() > 1) *mode = words[1] == "on";
  return true;
}

void MasterSession::forward(int64_t pid, std::string_view command) {
  std::string text;
  if (level_ != CliLevel::kAdmin) text = fmt::format("{} -;", level_word(level_));
  text += command;
  text += '\n';
  if (has_payload_ && commands_.empty()) text += std::exchange(payload_, {}) + "\n";
  steps_.push_back({.kind = MasterStep::Kind::kForward, .text = std::move(text), .pid = pid});
}

void MasterSession::forwarded(const MasterStatus& status, bool reached) {
  if (!reached) say("Can't connect to the target CLI!\n");
  command_over(status);
}

void MasterSession::reloaded(bool worked, std::string_view startup_logs) {
  // The newest messages if there are many.
  say(fmt::format("Success={}\n--\n{}\n", worked ? 1 : 0, startup_logs));
  finishing_ = true;
}

void MasterSession::run_master(const std::vector<std::string>& words, const MasterStatus& status) {
  const auto is = [&](std::string_view name) {
    return shared_cli_words(name, words) == static_cast<int>(split(name, ' ').size());
  };
  if (is("reload") || is("hard-reload")) {
    if (level_ == CliLevel::kUser) {
      say("Permission denied\n\n");
      return command_over(status);
    }
    steps_.push_back({.kind = MasterStep::Kind::kReload, .hard = words[0] == "hard-reload"});
    commands_.clear();
    return;
  }
  const std::vector<CliHelpRow> rows(std::begin(kHelp), std::end(kHelp));
  if (is("help")) {
    const std::vector<std::string> rest(words.begin() + 1, words.end());
    say(list_commands(rows, rest, rest.empty() ? CliListing::kAll : CliListing::kMatching) + "\n");
  } else if (is("show proc")) {
    say(process_table(status) + "\n");
  } else if (is("show version")) {
    say(fmt::format("{}\n\n", kVersion));
  } else if (is("show cli level")) {
    say(fmt::format("{}\n\n", level_word(level_)));
  } else if (is("show cli sockets")) {
    say("\n");  // COMPAT: the master's own are not listed
  } else if (is("show startup-logs")) {
    say(fmt::format("{}\n", status.startup_logs));
  } else {
    say(list_commands(rows, words, CliListing::kUnknown) + "\n");
  }
  command_over(status);
}

}  // namespace holdfast::proxy
