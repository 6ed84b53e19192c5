#include "sentinel/hello.h"

#include <fmt/format.h>

#include <limits>

#include "base/text.h"

namespace holdfast::sentinel {
namespace {

constexpr size_t kFields = 8;

std::optional<uint16_t> parse_port(std::string_view text) {
  const std::optional<uint64_t> value = parse_uint64(text);
  if (!value || *value == 0 || *value > 65535) return std::nullopt;
  return static_cast<uint16_t>(*value);
}

std::optional<uint64_t> parse_epoch(std::string_view text) {
  const std::optional<uint64_t> value = parse_uint64(text);
  if (!value || *value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
  return value;
}

}  // namespace

bool is_plain_word(std::string_view text, size_t size_max) {
  if (text.empty() || text.size() > size_max) return false;
  for (const char c : text) {
    if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\'' || c == '\\') return false;
  }
  return true;
}

std::string print_hello(const Hello& hello) {
  return fmt::format("{},{},{},{},{},{},{},{}", hello.host, hello.port, hello.runid, hello.current_epoch,
                     hello.primary_name, hello.primary_host, hello.primary_port, hello.config_epoch);
}

std::optional<Hello> parse_hello(std::string_view text) {
  const std::vector<std::string_view> fields = split(text, ',');
  if (fields.size() != kFields) return std::nullopt;
  const auto port = parse_port(fields[1]);
  const auto current_epoch = parse_epoch(fields[3]);
  const auto primary_port = parse_port(fields[6]);
  const auto config_epoch = parse_epoch(fields[7]);
  if (!port || !current_epoch || !primary_port || !config_epoch) return std::nullopt;
  if (!is_plain_word(fields[0]) || !is_plain_word(fields[2], 64) || !is_plain_word(fields[5])) return std::nullopt;
  Hello out;
  out.host = fields[0];
  out.port = *port;
  out.runid = fields[2];
  out.current_epoch = *current_epoch;
  out.primary_name = fields[4];
  out.primary_host = fields[5];
  out.primary_port = *primary_port;
  out.config_epoch = *config_epoch;
  return out;
}

}  // namespace holdfast::sentinel
