#include "app/program.h"

#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include "app/check_aof.h"
#include "app/check_rdb.h"
#include "app/docs.h"
#include "app/proxy_host.h"
#include "app/redis_start.h"
#include "app/sentinel_host.h"
#include "app/server_host.h"
#include "app/up.h"
#include "base/version.h"

namespace holdfast::app {
namespace {

constexpr std::string_view kHelp =
    "Usage: holdfast <program> ...\n"
    "\n"
    "  server [FILE] [--directive value ...]    the data server, a drop-in for redis-server\n"
    "  sentinel FILE [--directive value ...]    the failover monitor, a drop-in for redis-sentinel\n"
    "  proxy -f FILE ...                        the TCP proxy, a drop-in for haproxy\n"
    "  check-aof, check-rdb FILE                is a file of the data server sane? As redis-check-aof, "
    "redis-check-rdb\n"
    "  up, down, status [--help]                the whole picture on this machine\n"
    "  docs commands|directives|missing         reference pages out of the tables\n"
    "  version, help\n"
    "\n"
    "Called through a link named redis-server, redis-sentinel, redis-check-aof, redis-check-rdb or haproxy it is that\n"
    "program.\n";

int up(const std::string&, const std::vector<std::string>& arguments) { return run_up(arguments); }
int down(const std::string&, const std::vector<std::string>& arguments) { return run_down(arguments); }
int status(const std::string&, const std::vector<std::string>& arguments) { return run_status(arguments); }

int version(const std::string&, const std::vector<std::string>&) {
  std::fputs(fmt::format("holdfast {} (Redis {} protocol)\n", kHoldfastVersion, kRedisVersion).c_str(), stdout);
  return 0;
}

int docs(const std::string& program, const std::vector<std::string>& arguments) { return run_docs(program, arguments); }

int help(const std::string&, const std::vector<std::string>&) {
  std::fputs(std::string(kHelp).c_str(), stdout);
  return 0;
}

struct Row {
  std::string_view subcommand;
  std::string_view link_suffix;  // of `redis-` / `valkey-`, or the whole link name; empty = none
  Run run;
};
constexpr Row kRows[] = {
    {"server", "server", run_server},
    {"sentinel", "sentinel", run_sentinel},
    {"proxy", "haproxy", run_proxy},
    {"check-aof", "check-aof", run_check_aof},
    {"check-rdb", "check-rdb", run_check_rdb},
    {"up", "", up},
    {"down", "", down},
    {"status", "", status},
    {"docs", "", docs},
    {"version", "", version},
    {"--version", "", version},
    {"-v", "", version},
    {"help", "", help},
    {"--help", "", help},
    {"-h", "", help},
};

std::string_view base_name(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

const Row* find_row(std::string_view subcommand) {
  for (const Row& row : kRows) {
    if (row.subcommand == subcommand) return &row;
  }
  return nullptr;
}

/// The subcommand a link's name stands for, or empty.
std::string_view linked_program(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.link_suffix.empty()) continue;
    for (const std::string_view family : {"redis-", "valkey-", ""}) {
      if (family.empty() != (row.link_suffix == "haproxy")) continue;
      if (name.find(std::string(family) + std::string(row.link_suffix)) != std::string_view::npos) {
        return row.subcommand;
      }
    }
  }
  return {};
}

}  // namespace

Choice choose_program(const std::string& argv0, const std::vector<std::string>& arguments) {
  Choice out;
  out.name = argv0;
  out.arguments = arguments;
  std::string_view wanted = linked_program(base_name(argv0));
  if (wanted.empty()) {
    if (arguments.empty()) {
      out.error = kHelp;
      return out;
    }
    wanted = arguments[0];
    out.arguments.erase(out.arguments.begin());
    out.name = argv0 + ' ' + arguments[0];
  }
  if (wanted == "server" && asks_for_sentinel(out.arguments)) wanted = "sentinel";
  const Row* row = find_row(wanted);
  if (row == nullptr) {
    out.error = fmt::format("holdfast: unknown program '{}'\n\n{}", wanted, kHelp);
    return out;
  }
  out.run = row->run;
  return out;
}

}  // namespace holdfast::app
