// The process around a machine: background, pid file, working directory, descriptor limit, title, crash report.
//
// Source: what redis-server 7.2 does at start-up, in its order and words. Call daemonize() before any thread exists.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"

namespace holdfast::app {

class RedisLog;

/// Keeps what set_process_title() needs; first thing in main().
void remember_arguments(int argc, char** argv);
/// What `ps` shows; cut to the room the original arguments and environment took.
void set_process_title(std::string_view title);

/// Forks, ends the parent with status 0, starts a session, points the standard descriptors at /dev/null.
void daemonize();
/// `<pid>\n`. 0 or errno.
int write_pidfile(const std::string& path);
/// The pid in a pid file, 0 if there is none.
int64_t read_pidfile(const std::string& path);

/// `path` as seen from the current directory, with `..` and `.` left to the system.
std::string absolute_path(const std::string& path);
std::string executable_path();

/// Raises the soft limit (and the hard one where permitted) for `clients` plus `reserved` descriptors. Returns how many
/// clients there is room for; says what it did in `log` in Redis' words. -1 = not enough to start.
int64_t make_room_for_clients(int64_t clients, int64_t reserved, RedisLog& log);
/// The soft limit raised to the hard limit.
int64_t raise_descriptor_limit();

/// From now on a fatal signal writes Redis' bug report to `log` and dies by the signal. `log` lives on.
void install_crash_report(RedisLog& log);

/// Seed material from the system's random source.
uint64_t random_seed();
/// 32 bytes nobody can guess; fewer and empty never: the process ends if the system has none.
std::string random_secret();
/// `Linux 6.1.0 x86_64`
std::string system_name();

}  // namespace holdfast::app
