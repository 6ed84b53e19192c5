#include "proxy/cli/cli.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "base/text.h"

namespace holdfast::proxy {
namespace {

std::array<std::span<const CliCommand>, 7> tables() {
  return {show_commands(),  server_commands(),   session_commands(), explain_commands(),
          table_commands(), resolver_commands(), tls_commands()};
}

const CliCommand* find_command(const std::vector<std::string>& words) {
  for (const auto& table : tables()) {
    for (const CliCommand& command : table) {
      const auto parts = split(command.name, ' ');
      if (parts.size() <= words.size() && shared_cli_words(command.name, words) == static_cast<int>(parts.size())) {
        return &command;
      }
    }
  }
  return nullptr;
}

}  // namespace

bool CliContext::allowed(CliLevel level) {
  if (connection.level >= level) return true;
  out = "Permission denied\n";
  return false;
}

std::vector<std::string> split_cli_words(std::string_view command) {
  std::vector<std::string> words;
  bool in_word = false;
  for (size_t i = 0; i < command.size(); ++i) {
    char c = command[i];
    if (c == ' ' || c == '\t' || c == '\r') {
      in_word = false;
      continue;
    }
    if (c == '\\' && i + 1 < command.size()) c = command[++i];
    if (!in_word) words.emplace_back();
    in_word = true;
    words.back().push_back(c);
  }
  return words;
}

std::string cli_help(const std::vector<std::string>& words, CliLevel level, CliListing listing) {
  std::vector<CliHelpRow> rows;
  for (const auto& table : tables()) {
    for (const CliCommand& command : table) {
      if (command.level <= level && !command.usage.empty()) rows.push_back({command.name, command.usage, command.help});
    }
  }
  return list_commands(std::move(rows), words, listing);
}

ConnId Cli::accept(uint32_t listener, const Accepted&) {
  if (free_.empty()) {
    connections_.emplace_back();
    free_.push_back(static_cast<uint32_t>(connections_.size() - 1));
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  CliConnection& connection = connections_[index];
  const uint32_t generation = connection.generation + 1;
  connection = CliConnection{};
  connection.generation = generation;
  connection.listener = listener;
  connection.level = runtime_.listeners[listener].config->level;
  connection.timeout = runtime_.config.global.stats_timeout;
  connection.accepted = connection.last = runtime_.now.mono;
  connection.conn = runtime_.open(ConnKind::kCli, index);
  ++runtime_.connections_total;
  const ConnId conn = connection.conn;
  const auto open = static_cast<int64_t>(connections_.size() - free_.size());
  if (open > runtime_.config.global.stats_maxconn) {
    // Too many operators: the newest one has to come back later.
    finish(index);
    return conn;
  }
  arm(index);
  return conn;
}

void Cli::say(CliConnection& connection, std::string_view text) {
  if (text.empty()) return;
  const bool was_empty = connection.out.empty();
  connection.out.append(text);
  if (was_empty) runtime_.act(action::Flush{connection.conn});
}

void Cli::receive(ConnSlot slot, std::string_view bytes) {
  const uint32_t index = slot.owner;
  CliConnection& connection = connections_[index];
  const uint32_t generation = connection.generation;
  connection.last = runtime_.now.mono;
  connection.input.append(bytes);
  while (connection.generation == generation && connection.conn) {
    const size_t end = connection.input.find('\n');
    if (end == std::string::npos) break;
    std::string line = connection.input.substr(0, end);
    connection.input.erase(0, end + 1);
    if (!connection.payload_line.empty()) {
      if (line.ends_with('\r')) line.pop_back();
      if (!line.empty()) {
        connection.payload += line + "\n";
        if (connection.payload.size() > kPayloadMax) return finish(index);
        continue;
      }
      run_line(index, std::exchange(connection.payload_line, {}));
      connection.payload.clear();
      continue;
    }
    if (trim(line).ends_with("<<")) {
      connection.payload_line = trim(line).substr(0, trim(line).size() - 2);
      continue;
    }
    run_line(index, line);
  }
  if (connection.generation == generation && connection.conn && connection.input.size() > kLineMax) finish(index);
}

void Cli::run_line(uint32_t index, std::string_view line) {
  CliConnection& connection = connections_[index];
  bool close = false;
  if (trim(line).empty()) {
    // COMPAT: an empty line is an unknown command.
    say(connection, cli_help({}, connection.level, CliListing::kUnknown) + "\n");
  }
  const bool was_interactive = connection.prompt;
  size_t begin = 0;
  while (begin <= line.size() && !close) {
    size_t end = begin;
    while (end < line.size() && line[end] != ';') end += line[end] == '\\' ? 2 : 1;
    end = std::min(end, line.size());
    run_command(connection, line.substr(begin, end - begin), connection.payload, &close);
    begin = end + 1;
  }
  if (connection.prompt && !close) return say(connection, was_interactive ? "> " : "\n> ");
  // COMPAT: further lines that came with this one are still answered; then the connection ends.
  if (!close && connection.input.find('\n') != std::string::npos) return;
  finish(index);
}

void Cli::run_command(CliConnection& connection, std::string_view text, std::string_view payload, bool* close) {
  const std::vector<std::string> words = split_cli_words(text);
  if (words.empty()) return;
  if (words[0] == "quit") {
    *close = true;
    return;
  }
  if (words[0] == "prompt") {
    connection.prompt = !connection.prompt;
    return;
  }
  if (words[0] == "help") {
    const std::vector<std::string> rest(words.begin() + 1, words.end());
    return say(connection,
               cli_help(rest, connection.level, rest.empty() ? CliListing::kAll : CliListing::kMatching) + "\n");
  }
  const CliCommand* command = find_command(words);
  if (command == nullptr) return say(connection, cli_help(words, connection.level, CliListing::kUnknown) + "\n");
  CliContext context{engines_, connection, words, payload, {}, false};
  if (context.allowed(command->level)) command->run(context);
  if (!context.silent) say(connection, context.out + "\n");
  *close = context.close;
}

/// Sends what is queued and hangs up. The machine forgets the connection at once, the host delivers the rest.
void Cli::finish(uint32_t index) {
  CliConnection& connection = connections_[index];
  HF_ASSERT(static_cast<bool>(connection.conn));
  runtime_.close(connection.conn, action::CloseMode::kFlush, std::move(connection.out));
  connection.conn = {};
  connection.out.clear();
  connection.input.clear();
  ++connection.generation;
  free_.push_back(index);
}

void Cli::eof(ConnSlot slot) {
  CliConnection& connection = connections_[slot.owner];
  connection.ended = true;
  // COMPAT: a last line without a line feed is a command too.
  if (!trim(connection.input).empty()) {
    const std::string line = std::move(connection.input);
    connection.input.clear();
    const uint32_t generation = connection.generation;
    run_line(slot.owner, line);
    if (connection.generation != generation) return;
  }
  finish(slot.owner);
}

void Cli::closed(ConnSlot slot) {
  CliConnection& connection = connections_[slot.owner];
  runtime_.forget(connection.conn);
  connection.conn = {};
  connection.out.clear();
  ++connection.generation;
  free_.push_back(slot.owner);
}

void Cli::drained(ConnSlot slot) { connections_[slot.owner].last = runtime_.now.mono; }

void Cli::arm(uint32_t index) {
  CliConnection& connection = connections_[index];
  if (connection.timeout <= Duration{}) return;
  runtime_.timers.arm(TimerKind::kCli, index, connection.generation, connection.last + connection.timeout,
                      &connection.queued_until);
}

void Cli::timer(uint32_t index, uint32_t generation) {
  CliConnection& connection = connections_[index];
  if (connection.generation != generation || !connection.conn) return;
  connection.queued_until = kNever;
  if (connection.last + connection.timeout > runtime_.now.mono) return arm(index);
  finish(index);
}

OutQueue& Cli::output(ConnSlot slot) { return connections_[slot.owner].out; }

}  // namespace holdfast::proxy
