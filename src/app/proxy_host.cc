#include "app/proxy_host.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <expected>
#include <string_view>

#include "app/machine_host.h"
#include "app/master_sockets.h"
#include "app/process.h"
#include "app/proxy_log.h"
#include "app/proxy_master.h"
#include "app/proxy_worker.h"
#include "app/redis_log.h"
#include "net/clock.h"
#include "net/file.h"
#include "net/handover.h"
#include "net/socket.h"
#include "proxy/command_line.h"
#include "proxy/config_parse.h"
#include "proxy/proxy.h"

namespace holdfast::app {
namespace {

constexpr int64_t kReservedDescriptors = 100;  // listeners, checks, logs, the loop itself
constexpr int64_t kMaxconnMost = 1'000'000;

class SystemNames final : public proxy::NameLookup {
 public:
  std::vector<std::string> lookup(const std::string& host) override { return net::look_up_blocking(host); }
};

class SystemFiles final : public proxy::FileLookup {
 public:
  std::expected<std::string, std::string> read(const std::string& path) override {
    auto text = net::read_whole_file(path);
    if (!text) return std::unexpected(std::string(std::strerror(text.error())));
    return std::move(*text);
  }
  std::optional<std::vector<std::string>> list(const std::string& path) override {
    DIR* directory = opendir(path.c_str());
    if (directory == nullptr) return std::nullopt;
    std::vector<std::string> names;
    while (const dirent* entry = readdir(directory)) {
      const std::string name = entry->d_name;
      struct stat st{};
      if (stat((path + '/' + name).c_str(), &st) == 0 && S_ISREG(st.st_mode)) names.push_back(name);
    }
    closedir(directory);
    std::sort(names.begin(), names.end());
    return names;
  }
};

std::string host_name() {
  std::array<char, 256> out{};
  return gethostname(out.data(), out.size() - 1) == 0 ? std::string(out.data()) : std::string("localhost");
}

void print(const std::string& output, const std::string& error) {
  std::fwrite(output.data(), 1, output.size(), stdout);
  std::fflush(stdout);
  std::fwrite(error.data(), 1, error.size(), stderr);
  copy_to_master(error);
}

void alert(const std::string& text) { print("", conf::diagnostic_line(conf::Severity::kAlert, text, getpid())); }

/// A directory stands for its visible *.cfg files in bytewise order.
std::vector<std::string> expand(const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    struct stat st{};
    if (stat(path.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) {
      out.push_back(path);
      continue;
    }
    std::vector<std::string> names;
    if (DIR* directory = opendir(path.c_str())) {
      while (const dirent* entry = readdir(directory)) {
        const std::string name = entry->d_name;
        if (!name.starts_with('.') && name.ends_with(".cfg") && name.size() > 4) names.push_back(path + '/' + name);
      }
      closedir(directory);
    }
    std::sort(names.begin(), names.end());
    out.insert(out.end(), names.begin(), names.end());
  }
  return out;
}

std::expected<std::vector<proxy::ConfigFile>, std::string> read_files(const std::vector<std::string>& paths) {
  std::vector<proxy::ConfigFile> out;
  for (const std::string& path : expand(paths)) {
    auto text = path == "-" ? net::read_whole_file("/dev/stdin") : net::read_whole_file(path);
    if (!text) {
      return std::unexpected(
          fmt::format("config : Cannot open configuration file/directory {} : {}", path, std::strerror(text.error())));
    }
    out.push_back({path, std::move(*text)});
  }
  return out;
}

void signal_old(const std::vector<int64_t>& pids, int number) {
  for (const int64_t pid : pids) {
    if (pid > 1) ::kill(static_cast<pid_t>(pid), number);
  }
}

proxy::ParseOptions parse_options(const proxy::CommandLine& line, SystemNames& names, SystemFiles& files,
                                  net::TlsContexts& contexts) {
  proxy::ParseOptions out;
  out.tls = &contexts;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view entry = *at;
    const size_t equals = entry.find('=');
    if (equals != std::string_view::npos) out.environment.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  out.names = &names;
  out.files = &files;
  out.ignore_resolve_failures = line.ignore_resolve_failures;
  out.zero_warning = line.zero_warning;
  out.diagnostic_mode = line.diagnostic_mode;
  out.hostname = host_name();
  out.localpeer = line.localpeer;
  return out;
}

/// `-x`: the listening sockets of the process to replace. False = it must not start without them.
bool inherit_listeners(const proxy::CommandLine& line, HostOptions* options) {
  if (line.inherit_socket.empty()) return true;
  auto taken = net::take_descriptors(line.inherit_socket);
  if (taken) {
    options->inherited = std::move(*taken);
    return true;
  }
  print("", conf::diagnostic_line(conf::Severity::kWarning,
                                  fmt::format("Failed to connect to the old process socket '{}'", line.inherit_socket),
                                  getpid()));
  alert("Failed to get the sockets from the old process!");
  return is_worker();
}

/// The background process lets go of the terminal and tells the one in front that all is well.
void detach(int word) {
  if (const int null = ::open("/dev/null", O_RDWR); null >= 0) {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, fd);
    if (null > STDERR_FILENO) ::close(null);
  }
  const char fine = 0;
  [[maybe_unused]] const ssize_t n = ::write(word, &fine, 1);
  ::close(word);
}

/// COMPAT: a signal that ends the process is seen by its parent as such, not as an exit code of 128 and more.
int end_by_signal(int code) {
  if (code <= 128) return code;
  const int number = code - 128;
  ::signal(number, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
  ::raise(number);
  return code;
}

int serve(const proxy::CommandLine& line, proxy::Config config, net::TlsContexts& contexts, std::string startup_logs) {
  add_worker_socket(config);
  const bool background = (line.daemon || config.global.daemon) && !line.foreground;
  const std::string pidfile = !line.pidfile.empty() ? line.pidfile : config.global.pidfile;
  const int64_t sockets = raise_descriptor_limit();
  proxy::ProxyOptions options;
  options.seed = random_seed();
  options.node = host_name();
  options.utc_offset_seconds = utc_offset_at(unix_seconds(net::read_clock().wall)).count() / 1'000'000;
  options.maxconn =
      line.maxconn > 0 ? line.maxconn : std::clamp<int64_t>((sockets - kReservedDescriptors) / 2, 10, kMaxconnMost);
  options.max_sockets = sockets;
  options.quiet = line.quiet || config.global.quiet;
  options.startup_logs = std::move(startup_logs);
  options.tls = &contexts;

  // HAProxy binds before it goes to the background so that a busy port is an exit code; a fork after the loop's threads
  // and rings exist is not possible, so the child binds and the parent waits for its word.
  int word[2] = {-1, -1};
  if (background) {
    if (pipe(word) != 0) return 1;
    if (const pid_t child = fork(); child != 0) {
      ::close(word[1]);
      char code = 1;
      if (child < 0 || ::read(word[0], &code, 1) != 1) code = 1;
      return code;
    }
    ::close(word[0]);
    setsid();
  }
  options.pid = getpid();
  ProxyLog log(options.pid);
  proxy::Proxy machine(std::move(config), options);
  log.set_source(&machine);
  HostOptions host_options;
  host_options.signals = {SIGTERM, SIGINT, SIGUSR1, SIGHUP};
  host_options.accepted_keepalive_s = 0;
  host_options.tls = &contexts;
  if (!inherit_listeners(line, &host_options)) return 1;
  auto host = MachineHost::make(machine, log, host_options);
  if (!host) {
    alert(fmt::format("cannot create an event loop: {}", std::strerror(host.error())));
    return 1;
  }
  (*host)->start();
  while (!machine.ready() && (*host)->turn()) {
  }
  if ((*host)->exit_code()) return *(*host)->exit_code();
  (*host)->drop_inherited();
  tell_master();
  // COMPAT: in the foreground HAProxy writes no pid file.
  if (!pidfile.empty() && (background || line.master_worker)) {
    if (const int error = write_pidfile(pidfile); error != 0) {
      alert(fmt::format("[haproxy.main()] Cannot create pidfile {}", pidfile));
      return 1;
    }
  }
  if (options.quiet) log.set_foreground(false);  // COMPAT: only alerts of the start are shown all the same
  signal_old(line.finish_pids, SIGUSR1);
  signal_old(line.terminate_pids, SIGTERM);
  if (background) {
    log.set_foreground(false);
    detach(word[1]);
  }
  return end_by_signal((*host)->run());
}

}  // namespace

int run_proxy(const std::string& program, const std::vector<std::string>& arguments) {
  const proxy::CommandLineResult parsed = proxy::parse_command_line(arguments);
  if (parsed.answer) {
    print(parsed.answer->standard_output, parsed.answer->standard_error);
    return parsed.answer->exit_code;
  }
  const proxy::CommandLine& line = parsed.command_line;
  net::ignore_signals({SIGPIPE});
  if (!line.directory.empty() && chdir(line.directory.c_str()) != 0) {
    alert(fmt::format("Could not change to directory {} : {}", line.directory, std::strerror(errno)));
    return 1;
  }
  SystemNames names;
  SystemFiles lookup;
  net::TlsContexts contexts;
  const proxy::ParseOptions options = parse_options(line, names, lookup, contexts);
  if (line.condition) {
    std::string error;
    const int code = proxy::check_condition(*line.condition, options, &error);
    if (!error.empty()) alert(error);
    return code;
  }
  const auto files = read_files(line.config_paths);
  if (!files) {
    proxy::ParseOutcome outcome;
    outcome.diagnostics.alert(files.error());
    outcome.exit_code = 1;
    print("", proxy::startup_report(outcome, line.check_only, line.quiet, getpid(), program).standard_error);
    return 1;
  }
  proxy::ParseOutcome outcome = proxy::parse_config(*files, options);
  const proxy::StartupReport report = proxy::startup_report(outcome, line.check_only, line.quiet, getpid(), program);
  print(report.standard_output, report.standard_error);
  if (report.exit_code) return *report.exit_code;
  const bool worker = is_worker();
  if ((line.master_worker || outcome.config.global.master_worker) && !worker) {
    std::optional<proxy::BindConfig> socket;
    if (!line.master_socket.empty()) {
      auto parsed_socket = parse_master_socket(line.master_socket);
      if (!parsed_socket) {
        alert(parsed_socket.error());
        return 1;
      }
      socket = std::move(*parsed_socket);
    }
    return run_master({.program = program,
                       .arguments = arguments,
                       .pidfile = line.pidfile.empty() ? outcome.config.global.pidfile : line.pidfile,
                       .socket = std::move(socket),
                       .daemon = (line.daemon || outcome.config.global.daemon) && !line.foreground,
                       .notify_systemd = line.notify_systemd,
                       .exit_on_failure = !outcome.config.global.master_worker_restarts});
  }
  if (worker) outcome.config.global.daemon = false;
  return serve(line, std::move(outcome.config), contexts, report.standard_error);
}

}  // namespace holdfast::app
