// Cli: the runtime API on `stats socket`: one line of commands separated by `;`, each answer ended by an empty line,
// the connection closed after it unless `prompt` made it interactive. Source: HAProxy management manual 9.3 "Unix
// Socket commands"; replies compared with 2.6.12. Invariants: an input line is at most kLineMax bytes; output is
// bounded by what one line of commands can print.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/machine.h"
#include "proxy/check/agent.h"
#include "proxy/check/runner.h"
#include "proxy/cli/help.h"
#include "proxy/resolve/resolver.h"
#include "proxy/resolve/server_names.h"
#include "proxy/runtime.h"
#include "proxy/server_state.h"
#include "proxy/session.h"

namespace holdfast::proxy {

/// What a command may ask of the machine around it.
class CliHost {
 public:
  virtual ~CliHost() = default;
  virtual void set_frontend_listening(uint32_t frontend, bool on) = 0;
};

struct CliConnection {
  uint32_t generation = 0;
  ConnId conn;
  OutQueue out;
  std::string input;
  std::string payload_line;  // a command that ended with `<<`: lines up to an empty one are its payload
  std::string payload;
  uint32_t listener = 0;
  CliLevel level = CliLevel::kOperator;
  bool prompt = false;
  bool ended = false;  // the client finished sending
  Mono accepted{};
  Mono last{};
  Mono queued_until = kNever;
  Duration timeout{};
};

/// What commands work on.
struct CliEngines {
  Runtime& runtime;
  Sessions& sessions;
  ServerStates& states;
  CheckRunner& checks;
  AgentRunner& agents;
  Resolver& resolver;
  ServerNames& names;
  CliHost& host;
};

/// One command being carried out.
struct CliContext : CliEngines {
  CliConnection& connection;
  const std::vector<std::string>& words;
  std::string_view payload;
  std::string out;  // the answer; the empty line after it is added by the caller
  bool close = false;
  bool silent = false;  // not even the empty line follows

  std::string_view word(size_t i) const { return i < words.size() ? std::string_view(words[i]) : ""; }
  /// True when the connection may do what needs `level`; else the answer says it may not.
  bool allowed(CliLevel level);
};

struct CliCommand {
  std::string_view name;  // words, separated by one space
  CliLevel level;         // below it the command is refused
  void (*run)(CliContext&);
  std::string_view usage;  // as `help` prints it: `show backend`
  std::string_view help;
};
std::span<const CliCommand> show_commands();
std::span<const CliCommand> server_commands();
std::span<const CliCommand> session_commands();
std::span<const CliCommand> explain_commands();
std::span<const CliCommand> table_commands();
std::span<const CliCommand> resolver_commands();
std::span<const CliCommand> tls_commands();

class Cli {
 public:
  static constexpr size_t kLineMax = 16384;
  static constexpr size_t kPayloadMax = 1024 * 1024;

  explicit Cli(const CliEngines& engines) : engines_(engines), runtime_(engines.runtime) {}

  ConnId accept(uint32_t listener, const Accepted& from);
  void receive(ConnSlot slot, std::string_view bytes);
  void eof(ConnSlot slot);
  void closed(ConnSlot slot);
  void drained(ConnSlot slot);
  void timer(uint32_t index, uint32_t generation);
  OutQueue& output(ConnSlot slot);

 private:
  void run_line(uint32_t index, std::string_view line);
  void run_command(CliConnection& connection, std::string_view text, std::string_view payload, bool* close);
  void say(CliConnection& connection, std::string_view text);
  void finish(uint32_t index);
  void arm(uint32_t index);

  CliEngines engines_;
  Runtime& runtime_;
  std::deque<CliConnection> connections_;
  std::vector<uint32_t> free_;
};

/// Words of one command: separated by spaces, a backslash keeps the next character.
std::vector<std::string> split_cli_words(std::string_view command);
/// `show info`: one `Name: value` per line.
std::string info_text(Runtime& runtime, size_t sessions);
/// The commands a connection of `level` may give, as `help` and unknown commands list them.
std::string cli_help(const std::vector<std::string>& words, CliLevel level, CliListing listing);

}  // namespace holdfast::proxy
