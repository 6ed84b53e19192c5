#include "app/sentinel_host.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "app/machine_host.h"
#include "app/process.h"
#include "app/redis_start.h"
#include "base/text.h"
#include "base/version.h"
#include "net/clock.h"
#include "net/file.h"
#include "sentinel/sentinel.h"

namespace holdfast::app {
namespace {

constexpr int64_t kClients = 10000;
constexpr int64_t kReservedDescriptors = 32;

bool is_executable(const std::string& path) { return access(path.c_str(), X_OK) == 0; }

double seconds(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; }

sentinel::CpuUsage cpu_usage() {
  rusage self{};
  rusage children{};
  getrusage(RUSAGE_SELF, &self);
  getrusage(RUSAGE_CHILDREN, &children);
  return {seconds(self.ru_stime), seconds(self.ru_utime), seconds(children.ru_stime), seconds(children.ru_utime)};
}

/// The plain port, else that for TLS.
int64_t port_of(const conf::ParsedConf& conf) {
  int64_t port = sentinel::kDefaultPort;
  int64_t tls_port = 0;
  for (const conf::Directive& directive : conf.directives) {
    if (directive.words.size() != 2) continue;
    if (directive.words[0] == "port") port = parse_int64(directive.words[1]).value_or(port);
    if (directive.words[0] == "tls-port") tls_port = parse_int64(directive.words[1]).value_or(tls_port);
  }
  return port != 0 ? port : tls_port;
}

ProcessFacts facts_of(const conf::ParsedConf& conf) {
  const sentinel::ProcessSettings settings = sentinel::process_settings(conf);
  ProcessFacts facts;
  facts.daemonize = settings.daemonize;
  facts.supervised = settings.supervised;
  facts.pidfile = settings.pidfile;
  facts.logfile = settings.logfile;
  facts.dir = settings.dir;
  facts.loglevel = "debug";  // the machine filters by the level it can be told to change
  facts.syslog_enabled = settings.syslog_enabled;
  facts.syslog_ident = settings.syslog_ident;
  facts.syslog_facility = settings.syslog_facility;
  facts.always_show_logo = settings.always_show_logo;
  facts.port = port_of(conf);
  facts.role = 'X';
  facts.mode = "sentinel";
  facts.title = fmt::format("redis-sentinel *:{} [sentinel]", facts.port);
  return facts;
}

int say_and_fail(const std::string& text) {
  RedisLog::Options options;
  options.role = 'X';
  RedisLog(options).say(LogLevel::kWarning, text);
  return 1;
}

}  // namespace

int run_sentinel(const std::string& program, const std::vector<std::string>& arguments) {
  const RedisCommandLine line = parse_redis_command_line(program, arguments);
  if (line.answer) {
    std::fputs(line.answer->output.c_str(), stdout);
    std::fputs(line.answer->error.c_str(), stderr);
    return line.answer->code;
  }
  auto loaded = load_redis_conf(line);
  if (!loaded) return say_and_fail(loaded.error());
  const std::string beside = sentinel::extension_path(line.config_path);
  std::string extension_text;
  if (const auto text = net::read_whole_file(beside)) extension_text = *text;
  sentinel::add_extension(loaded->conf, extension_text, beside);
  const auto errors = sentinel::check_config(loaded->conf, is_executable);
  if (!errors.empty()) {
    std::fputs(conf::fatal_config_error(errors, kRedisVersion).c_str(), stderr);
    return 1;
  }
  if (line.config_path.empty()) {
    return say_and_fail("Sentinel needs config file on disk to save state. Exiting...");
  }
  if (access(line.config_path.c_str(), W_OK) != 0) {
    return say_and_fail(
        fmt::format("Sentinel config file {} is not writable: {}. Exiting...", line.config_path, std::strerror(errno)));
  }
  net::ignore_signals({SIGHUP, SIGPIPE});
  const std::string executable = executable_path();  // before chdir and daemonize
  auto process = RedisProcess::begin(facts_of(loaded->conf), line);
  if (!process) {
    std::fputs((process.error() + "\n").c_str(), stderr);
    return 1;
  }
  if (make_room_for_clients(kClients, kReservedDescriptors, (*process)->log()) < 0) return 1;

  sentinel::Options options;
  options.conf = std::move(loaded->conf);
  options.config_path = line.config_path;
  options.extension_text = std::move(extension_text);
  options.seed = random_seed();
  options.pid = getpid();
  options.redis_version = kRedisVersion;
  options.executable = executable;
  options.os = system_name();
  options.utc_offset = utc_offset_at(unix_seconds(net::read_clock().wall));
  options.is_executable = is_executable;
  options.cpu_usage = cpu_usage;
  options.secret = random_secret();
  if (const std::string aclfile = sentinel::process_settings(options.conf).aclfile; !aclfile.empty()) {
    options.acl_file = net::read_whole_file(aclfile);
  }
  net::TlsContexts contexts;
  options.tls = &contexts;
  sentinel::Sentinel machine(std::move(options));
  HostOptions host_options;
  host_options.tls = &contexts;
  host_options.signals = {SIGTERM, SIGINT};
  auto host = MachineHost::make(machine, (*process)->log(), host_options);
  if (!host) {
    (*process)->log().say(LogLevel::kWarning, fmt::format("No event loop: {}", std::strerror(host.error())));
    return 1;
  }
  (*host)->start();
  if (!(*host)->exit_code()) (*process)->announce_ready();
  const int code = (*host)->run();
  (*process)->end();
  return code;
}

}  // namespace holdfast::app
