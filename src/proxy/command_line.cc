#include "proxy/command_line.h"

#include <fmt/format.h>

#include "conf/haproxy_value.h"
#include "proxy/version.h"

namespace holdfast::proxy {
namespace {

constexpr std::string_view kUsage =
    "Usage : haproxy [-f <cfgfile|cfgdir>]* [ -vdVD ] [ -n <maxconn> ] [ -N <maxpconn> ]\n"
    "        [ -p <pidfile> ] [ -m <max megs> ] [ -C <dir> ] [-- <cfgfile>*]\n"
    "        -f reads a configuration file, or the *.cfg of a directory; may be repeated\n"
    "        -v shows the version, -vv the build options too\n"
    "        -c checks the configuration and exits: 0 valid, 1 errors, 2 nothing to listen on\n"
    "        -cc <condition> evaluates a condition and exits: 0 true, 1 false, 2 error\n"
    "        -D runs in the background, -db stays in the foreground, -d does so and talks\n"
    "        -W runs a master and a worker, -Ws does so and notifies systemd\n"
    "        -q says nothing but errors, -V says more\n"
    "        -C changes to a directory before reading files\n"
    "        -p writes the pid to a file\n"
    "        -n, -N and -m limit connections, connections per proxy, and memory (MB)\n"
    "        -L names the local peer (the host name by default)\n"
    "        -dr starts although a server's name does not resolve\n"
    "        -dW turns warnings into errors, -dD warns about suspicious statements\n"
    "        -sf/-st [pid]* finish/terminate these processes once listening\n"
    "        -x takes listeners over from the process behind a UNIX socket\n"
    "        -S <bind> opens the master's runtime API\n";

std::string usage_text() { return version_text("") + std::string(kUsage); }

/// `-d…` switches without an argument of their own; the value is what they do.
enum class DebugSwitch : uint8_t { kForeground, kIgnored, kResolve, kWarning, kDiagnostic };
struct DebugRow {
  std::string_view name;
  DebugSwitch what;
  bool prefix;  // more letters may follow
};
constexpr DebugRow kDebugRows[] = {
    {"-db", DebugSwitch::kForeground, false}, {"-dr", DebugSwitch::kResolve, false},
    {"-dW", DebugSwitch::kWarning, false},    {"-dD", DebugSwitch::kDiagnostic, false},
    {"-dM", DebugSwitch::kIgnored, true},     {"-dI", DebugSwitch::kIgnored, true},
    {"-dK", DebugSwitch::kIgnored, true},     {"-dC", DebugSwitch::kIgnored, true},
    {"-dL", DebugSwitch::kIgnored, false},    {"-dR", DebugSwitch::kIgnored, false},
    {"-dS", DebugSwitch::kIgnored, false},    {"-dG", DebugSwitch::kIgnored, false},
    {"-dV", DebugSwitch::kIgnored, false},    {"-de", DebugSwitch::kIgnored, false},
    {"-dp", DebugSwitch::kIgnored, false},    {"-dk", DebugSwitch::kIgnored, false},
    {"-dF", DebugSwitch::kIgnored, false},    {"-dZ", DebugSwitch::kIgnored, false},
    {"-dT", DebugSwitch::kIgnored, true},     {"-dA", DebugSwitch::kIgnored, true},
    {"-dc", DebugSwitch::kIgnored, false},    {"-dt", DebugSwitch::kIgnored, true},
};

class Parser {
 public:
  explicit Parser(const std::vector<std::string>& argv) : argv_(argv) {}

  CommandLineResult run() {
    while (at_ < argv_.size() && !result_.answer) argument();
    if (!result_.answer && line_.config_paths.empty() && !line_.condition) result_.answer = bad_usage();
    result_.command_line = line_;
    return std::move(result_);
  }

 private:
  static CommandLineAnswer bad_usage() { return {"", usage_text(), 1}; }
  static CommandLineAnswer show(std::string text) { return {std::move(text), "", 0}; }

  void argument() {
    const std::string& word = argv_[at_++];
    if (word == "--") {
      while (at_ < argv_.size()) line_.config_paths.push_back(argv_[at_++]);
      return;
    }
    if (word.size() < 2 || word[0] != '-') {
      result_.answer = bad_usage();
      return;
    }
    if (plain(word) || pids(word) || debug(word) || valued(word)) return;
    if (!result_.answer) result_.answer = bad_usage();
  }

  bool plain(const std::string& word) {
    if (word == "-v") {
      result_.answer = show(version_text(""));
    } else if (word == "-vv") {
      result_.answer = show(build_options_text(""));
    } else if (word == "-vq") {
      result_.answer = show(std::string(kVersion) + "\n");
    } else if (word == "-vqb") {
      result_.answer = show(std::string(kVersionBranch) + "\n");
    } else if (word == "-vqs") {
      result_.answer = show(std::string(kVersion.substr(0, kVersion.find('-'))) + "\n");
    } else if (word == "-c") {
      line_.check_only = true;
    } else if (word == "-D") {
      line_.daemon = true;
    } else if (word == "-V") {
      line_.verbose = true;
    } else if (word == "-q") {
      line_.quiet = true;
    } else if (word == "-W" || word == "-Ws") {
      line_.master_worker = true;
      line_.notify_systemd = word == "-Ws";
    } else if (word == "-4") {
      // accepted: IPv4 is preferred where names have both
    } else {
      return false;
    }
    return true;
  }

  bool pids(const std::string& word) {
    if (word != "-sf" && word != "-st") return false;
    std::vector<int64_t>& target = word == "-sf" ? line_.finish_pids : line_.terminate_pids;
    while (at_ < argv_.size() && !argv_[at_].starts_with('-')) {
      const auto pid = conf::whole_integer(argv_[at_]);
      if (!pid || *pid <= 0) {
        result_.answer = {"", fmt::format("-st/-sf: invalid pid '{}'\n", argv_[at_]), 1};
        return true;
      }
      target.push_back(*pid);
      ++at_;
    }
    return true;
  }

  bool debug(const std::string& word) {
    if (word == "-d") {
      line_.debug = line_.foreground = true;
      return true;
    }
    for (const DebugRow& row : kDebugRows) {
      if (row.prefix ? !word.starts_with(row.name) : word != row.name) continue;
      switch (row.what) {
        case DebugSwitch::kForeground:
          line_.foreground = true;
          break;
        case DebugSwitch::kResolve:
          line_.ignore_resolve_failures = true;
          break;
        case DebugSwitch::kWarning:
          line_.zero_warning = true;
          break;
        case DebugSwitch::kDiagnostic:
          line_.diagnostic_mode = true;
          break;
        case DebugSwitch::kIgnored:
          break;
      }
      return true;
    }
    return false;
  }

  bool valued(const std::string& word) {
    if (word != "-f" && word != "-C" && word != "-p" && word != "-L" && word != "-n" && word != "-N" && word != "-m" &&
        word != "-x" && word != "-S" && word != "-cc") {
      return false;
    }
    if (at_ >= argv_.size()) {
      result_.answer = bad_usage();
      return true;
    }
    const std::string& value = argv_[at_++];
    if (word == "-f") {
      line_.config_paths.push_back(value);
    } else if (word == "-C") {
      line_.directory = value;
    } else if (word == "-p") {
      line_.pidfile = value;
    } else if (word == "-L") {
      line_.localpeer = value;
    } else if (word == "-n") {
      line_.maxconn = conf::leading_integer(value);
    } else if (word == "-N") {
      line_.proxy_maxconn = conf::leading_integer(value);
    } else if (word == "-m") {
      line_.memory_mb = conf::leading_integer(value);
    } else if (word == "-x") {
      line_.inherit_socket = value;
    } else if (word == "-S") {
      line_.master_socket = value;
    } else {
      line_.condition = value;
    }
    return true;
  }

  const std::vector<std::string>& argv_;
  size_t at_ = 0;
  CommandLine line_;
  CommandLineResult result_;
};

}  // namespace

CommandLineResult parse_command_line(const std::vector<std::string>& argv) { return Parser(argv).run(); }

std::string version_text(const std::string& kernel) {
  std::string text = fmt::format("HAProxy version {} {} - Holdfast proxy, behaves as HAProxy {} in TCP mode\n",
                                 kVersion, kReleaseDate, kVersionBranch);
  text += "Status: drop-in for TCP mode, no HTTP processing.\n";
  if (!kernel.empty()) text += fmt::format("Running on: {}\n", kernel);
  return text;
}

std::string build_options_text(const std::string& kernel) {
  std::string text = version_text(kernel);
  text += "Build options :\n  TARGET  = linux-glibc\n\nFeature list :";
  for (std::string_view feature : kFeatures) text += fmt::format(" {}", feature);
  text +=
      "\n\nDefault settings :\n  bufsize = 16384, maxrewrite = 1024, maxpollevents = 200\n\n"
      "Available polling systems :\n      epoll : pref=300,  test result OK\nTotal: 1 (1 usable), will use epoll.\n\n"
      "Available multiplexer protocols :\n"
      "(protocols marked as <default> cannot be specified using 'proto' keyword)\n"
      "  <default> : mode=TCP   side=FE|BE  mux=PASS  flags=\n"
      "       none : mode=TCP   side=FE|BE  mux=PASS  flags=NO_UPG\n\n"
      "Available services : none\nAvailable filters :\n";
  return text;
}

}  // namespace holdfast::proxy
