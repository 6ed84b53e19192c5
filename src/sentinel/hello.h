// Hello: the message by which Sentinels find each other and spread configurations.
//
// Source: redis-sentinel documentation ("Sentinels and replicas auto discovery"). Exactly eight comma-separated fields:
// ip,port,runid,current_epoch,primary_name,primary_ip,primary_port,primary_config_epoch. It cannot be extended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::sentinel {

inline constexpr std::string_view kHelloChannel = "__sentinel__:hello";

struct Hello {
  std::string host;
  uint16_t port = 0;
  std::string runid;
  uint64_t current_epoch = 0;
  std::string primary_name;
  std::string primary_host;
  uint16_t primary_port = 0;
  uint64_t config_epoch = 0;
};

std::string print_hello(const Hello& hello);

/// nullopt: not a hello. Stricter than the original, which would take a port of `x` for 0: ports are 1-65535, epochs
/// fit in 63 bits, hosts and run id are printable without spaces (they end up in the configuration file).
std::optional<Hello> parse_hello(std::string_view text);

/// Fit to be written into a configuration line as one word: printable ASCII without spaces, quotes or backslashes.
bool is_plain_word(std::string_view text, size_t size_max = 255);

}  // namespace holdfast::sentinel
