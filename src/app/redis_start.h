// How redis-server and redis-sentinel begin: command line, configuration text, the process, the first log lines.
//
// Source: redis-server 7.2 (order of steps, texts, exit codes). Shared by server_host and sentinel_host.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/redis_log.h"
#include "conf/redis_conf.h"

namespace holdfast::app {

struct RedisCommandLine {
  std::string program;      // argv[0], as named in messages
  std::string config_path;  // absolute; empty = none
  bool from_stdin = false;
  std::vector<std::string> options;  // `--name value ...`, without the pseudo option --sentinel
  bool any = false;                  // something was given: "Configuration loaded" instead of a warning
  struct Answer {
    std::string output;
    std::string error;
    int code = 0;
  };
  std::optional<Answer> answer;  // print it and exit
};
/// True if one of `arguments` is `--sentinel`.
bool asks_for_sentinel(const std::vector<std::string>& arguments);
RedisCommandLine parse_redis_command_line(const std::string& program, const std::vector<std::string>& arguments);

struct LoadedConf {
  conf::ParsedConf conf;  // the file with its includes, standard input, then the options
  std::string file_text;  // of the file alone
};
/// The error is a finished text for the log (`Fatal error, can't open config file ...`).
std::expected<LoadedConf, std::string> load_redis_conf(const RedisCommandLine& line);

/// What the configuration says about the process itself.
struct ProcessFacts {
  bool daemonize = false;
  std::string supervised = "no";
  std::string pidfile;
  std::string logfile;
  std::string dir;
  std::string loglevel = "notice";
  bool syslog_enabled = false;
  std::string syslog_ident = "redis";
  std::string syslog_facility = "local0";
  bool always_show_logo = false;
  int64_t port = 6379;
  char role = 'M';
  std::string mode = "standalone";  // or sentinel
  std::string title;                // for ps
};

/// The running process: made before the machine, outlives it.
class RedisProcess {
 public:
  /// chdir, log file, daemonize, first lines, pid file, title, mode line. The error is for standard error, exit code 1.
  static std::expected<std::unique_ptr<RedisProcess>, std::string> begin(const ProcessFacts& facts,
                                                                         const RedisCommandLine& line);
  RedisLog& log() { return *log_; }
  /// Absolute; empty if none is written.
  const std::string& pidfile() const { return pidfile_; }
  /// READY=1 and a status for systemd, if it supervises us.
  void announce_ready() const;
  /// The end of a run: removes the pid file if the machine has not.
  void end();

 private:
  std::unique_ptr<RedisLog> log_;
  std::string pidfile_;
  bool systemd_ = false;
};

}  // namespace holdfast::app
