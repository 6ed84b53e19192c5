#include "app/server_host.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <expected>
#include <filesystem>

#include "app/machine_host.h"
#include "app/process.h"
#include "app/redis_start.h"
#include "base/text.h"
#include "base/version.h"
#include "net/clock.h"
#include "net/file.h"
#include "server/engine.h"

namespace holdfast::app {
namespace {

constexpr int64_t kReservedDescriptors = 32;
constexpr Duration kUsageEvery = 100ms;

/// Lines carry M or S after the role of the moment.
class ServerLog final : public LogSink {
 public:
  explicit ServerLog(RedisLog& log) : log_(log) {}
  void set_engine(const server::Engine* engine) { engine_ = engine; }
  void log(LogLevel level, std::string_view text, Now now) override {
    if (engine_ != nullptr) log_.set_role(engine_->state().settings.replicaof_host.empty() ? 'M' : 'S');
    log_.log(level, text, now);
  }

 private:
  RedisLog& log_;
  const server::Engine* engine_ = nullptr;
};

int64_t microseconds(const timeval& t) { return static_cast<int64_t>(t.tv_sec) * 1'000'000 + t.tv_usec; }

server::ProcessUsage process_usage() {
  server::ProcessUsage out;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  out.user_us = microseconds(usage.ru_utime);
  out.system_us = microseconds(usage.ru_stime);
  out.peak_resident_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
  struct sysinfo system{};
  if (sysinfo(&system) == 0) out.total_system_memory = static_cast<uint64_t>(system.totalram) * system.mem_unit;
  if (const auto text = net::read_whole_file("/proc/self/statm")) {  // pages: size resident ...
    const size_t space = text->find(' ');
    uint64_t pages = 0;
    if (space != std::string::npos) std::from_chars(text->data() + space + 1, text->data() + text->size(), pages);
    out.resident_bytes = pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  }
  return out;
}

/// Takes `io-backend auto|epoll|uring` out of the directives: it concerns this host, not the machine.
std::expected<net::Backend, conf::Diagnostic> take_backend(conf::ParsedConf& conf) {
  net::Backend backend = net::Backend::kAuto;
  for (size_t i = 0; i < conf.directives.size();) {
    const conf::Directive& directive = conf.directives[i];
    if (directive.words[0] != "io-backend") {
      ++i;
      continue;
    }
    const std::string value = directive.words.size() == 2 ? to_lower(directive.words[1]) : "";
    if (value != "auto" && value != "epoll" && value != "uring") {
      return std::unexpected(conf::Diagnostic{directive.place, directive.text,
                                              "argument(s) must be one of the following: auto, epoll, uring", ""});
    }
    backend = value == "epoll" ? net::Backend::kEpoll : value == "uring" ? net::Backend::kUring : net::Backend::kAuto;
    conf.directives.erase(conf.directives.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return backend;
}

ProcessFacts facts_of(const family::Settings& settings) {
  ProcessFacts facts;
  facts.daemonize = settings.daemonize;
  facts.supervised = settings.supervised;
  facts.pidfile = settings.pidfile;
  facts.logfile = settings.logfile;
  facts.dir = settings.dir;
  facts.loglevel = "debug";  // the machine filters by the level it can be told to change
  facts.always_show_logo = settings.always_show_logo;
  facts.port = settings.port != 0 ? settings.port : settings.tls.port;
  facts.role = settings.replicaof_host.empty() ? 'M' : 'S';
  facts.title = fmt::format("redis-server {}:{}", settings.bind.empty() ? "*" : settings.bind[0], facts.port);
  return facts;
}

/// What an earlier process may have left: the machine knows what it is good for.
std::vector<server::EngineOptions::SpoolFile> spool_files(const std::string& dir) {
  std::vector<server::EngineOptions::SpoolFile> found;
  std::error_code error;
  for (auto at = std::filesystem::directory_iterator(dir, error); !error && at != std::filesystem::directory_iterator();
       at.increment(error)) {
    const std::string name = at->path().filename();
    if (!name.starts_with("temp-repl-") || !name.ends_with(".spool")) continue;
    std::error_code unknown;
    const auto bytes = at->file_size(unknown);
    found.push_back({name, unknown ? 0 : bytes});
  }
  return found;
}

int refuse(const std::vector<conf::Diagnostic>& errors) {
  std::fputs(conf::fatal_config_error(errors, kRedisVersion).c_str(), stderr);
  return 1;
}

int serve(RedisProcess& process, server::EngineOptions options, HostOptions host_options) {
  net::TlsContexts contexts;
  options.tls = host_options.tls = &contexts;
  RedisLog& log = process.log();
  const std::string pidfile = process.pidfile();
  server::Engine machine(std::move(options));
  ServerLog sink(log);
  sink.set_engine(&machine);
  auto host = MachineHost::make(machine, sink, host_options);
  if (!host) {
    log.say(LogLevel::kWarning, fmt::format("No event loop: {}", std::strerror(host.error())));
    return 1;
  }
  machine.set_io_backend((*host)->backend_name());
  machine.set_usage(process_usage());
  (*host)->start();
  if (!(*host)->exit_code()) process.announce_ready();
  Mono next_usage = (*host)->now().mono + kUsageEvery;
  while ((*host)->turn()) {
    if ((*host)->now().mono < next_usage) continue;
    machine.set_usage(process_usage());
    next_usage = (*host)->now().mono + kUsageEvery;
  }
  return (*host)->run();
}

}  // namespace

int run_server(const std::string& program, const std::vector<std::string>& arguments) {
  const RedisCommandLine line = parse_redis_command_line(program, arguments);
  if (line.answer) {
    std::fputs(line.answer->output.c_str(), stdout);
    std::fputs(line.answer->error.c_str(), stderr);
    return line.answer->code;
  }
  auto loaded = load_redis_conf(line);
  if (!loaded) {
    RedisLog::Options options;
    options.role = 'C';
    RedisLog(options).say(LogLevel::kWarning, loaded.error());
    return 1;
  }
  const auto backend = take_backend(loaded->conf);
  if (!backend) return refuse({backend.error()});
  server::StartConfig start = server::apply_conf(loaded->conf);
  if (!start.errors.empty()) return refuse(start.errors);

  net::ignore_signals({SIGHUP, SIGPIPE});
  const std::string executable = executable_path();
  auto process = RedisProcess::begin(facts_of(start.settings), line);
  if (!process) {
    std::fputs((process.error() + "\n").c_str(), stderr);
    return 1;
  }
  start.settings.dir = absolute_path(".");  // CONFIG GET dir is the place, however it was written
  if (start.settings.dir.ends_with("/.")) start.settings.dir.resize(start.settings.dir.size() - 2);
  start.settings.maxclients = make_room_for_clients(start.settings.maxclients, kReservedDescriptors, (*process)->log());
  if (start.settings.maxclients < 0) return 1;

  server::EngineOptions options;
  HostOptions host_options;
  host_options.backend = *backend;
  host_options.signals = {SIGTERM, SIGINT};
  host_options.accepted_keepalive_s = static_cast<int>(start.settings.tcp_keepalive_s);
  const std::string aclfile = start.settings.aclfile;
  options.spool_files = spool_files(start.settings.dir);
  options.settings = std::move(start.settings);
  options.config_path = line.config_path;
  options.config_content = std::move(loaded->file_text);
  options.seed = random_seed();
  options.secret = random_secret();
  if (!aclfile.empty()) options.acl_file = net::read_whole_file(aclfile);
  options.stopwatch = net::start_stopwatch();
  options.pid = static_cast<int>(getpid());
  options.executable = executable;
  options.os = system_name();
  const int code = serve(**process, std::move(options), host_options);
  (*process)->end();
  return code;
}

}  // namespace holdfast::app
