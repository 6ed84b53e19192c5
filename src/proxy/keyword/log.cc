// `log` in global and proxies: where lines go, how they are framed, which ones are sent.
#include <array>

#include "conf/haproxy_value.h"
#include "proxy/address_spec.h"
#include "proxy/keyword/keyword.h"

namespace holdfast::proxy {
namespace {

constexpr std::array<std::string_view, 24> kFacilities = {
    "kern", "user",  "mail",  "daemon", "auth",   "syslog", "lpr",    "news",   "uucp",   "cron",   "auth2",  "ftp",
    "ntp",  "audit", "alert", "cron2",  "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"};
constexpr std::array<std::string_view, 8> kLevels = {"emerg",   "alert",  "crit", "err",
                                                     "warning", "notice", "info", "debug"};
struct FormatRow {
  std::string_view name;
  LogTarget::Format format;
};
constexpr FormatRow kFormats[] = {
    {"local", LogTarget::Format::kLocal},     {"rfc3164", LogTarget::Format::kRfc3164},
    {"rfc5424", LogTarget::Format::kRfc5424}, {"priority", LogTarget::Format::kPriority},
    {"short", LogTarget::Format::kShort},     {"timed", LogTarget::Format::kTimed},
    {"iso", LogTarget::Format::kIso},         {"raw", LogTarget::Format::kRaw},
};

template <size_t N>
int index_of(const std::array<std::string_view, N>& names, std::string_view name) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<int>(i);
  }
  return -1;
}

bool read_sink(KeywordContext& c, std::string_view text, LogTarget* target) {
  if (text == "stdout" || text == "stderr") {
    target->sink = text == "stdout" ? LogTarget::Sink::kStdout : LogTarget::Sink::kStderr;
    return true;
  }
  if (text.starts_with("ring@")) {
    target->sink = LogTarget::Sink::kRing;
    target->ring = std::string(text.substr(5));
    return true;
  }
  AddressRules rules;
  rules.descriptor_allowed = true;
  rules.names = c.options.names;
  const auto spec = parse_address(text, rules);
  if (!spec) {
    c.alert("log : {}\n", spec.error());
    return false;
  }
  if (spec->descriptor) {
    target->sink = LogTarget::Sink::kFd;
    target->fd = *spec->descriptor;
  } else if (spec->address.is_unix()) {
    target->sink = LogTarget::Sink::kUnixDatagram;
    target->address = spec->address;
  } else {
    target->sink = LogTarget::Sink::kUdp;
    target->address = spec->address;
    if (!spec->port_given) target->address.port = 514;
  }
  return true;
}

/// `1-3:10` or `2:5`: which lines of how many.
bool read_sample(KeywordContext& c, std::string_view text, LogTarget* target) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    c.alert("log : Missing sample size");
    return false;
  }
  const auto size = conf::whole_integer(text.substr(colon + 1));
  const std::string_view range = text.substr(0, colon);
  const size_t dash = range.find('-');
  const auto low = conf::whole_integer(range.substr(0, dash));
  const auto high = dash == std::string_view::npos ? low : conf::whole_integer(range.substr(dash + 1));
  if (!size || !low || !high || *low < 1 || *high < *low || *size < *high || *size > 1'000'000) {
    c.alert("log : invalid sample ranges or size '{}'", text);
    return false;
  }
  target->sample_low = static_cast<uint32_t>(*low);
  target->sample_high = static_cast<uint32_t>(*high);
  target->sample_of = static_cast<uint32_t>(*size);
  return true;
}

/// `len`, `format` and `sample` after the address; `at` is left behind them.
bool read_options(KeywordContext& c, size_t* at, LogTarget* target) {
  while (c.word(*at) == "len" || c.word(*at) == "format" || c.word(*at) == "sample") {
    const std::string_view option = c.word(*at);
    const std::string_view value = c.word(*at + 1);
    if (option == "len") {
      const int64_t length = conf::leading_integer(value);
      if (length < 80 || length > 65535) {
        c.alert("log : invalid log length '{}', must be between 80 and 65535", value);
        return false;
      }
      target->length_max = static_cast<uint32_t>(length);
    } else if (option == "format") {
      const FormatRow* found = nullptr;
      for (const FormatRow& row : kFormats) {
        if (row.name == value) found = &row;
      }
      if (found == nullptr) {
        c.alert("log : unknown log format '{}'", value);
        return false;
      }
      target->format = found->format;
    } else if (!read_sample(c, value, target)) {
      return false;
    }
    *at += 2;
  }
  return true;
}

bool read_level(KeywordContext& c, size_t at, uint8_t* level) {
  if (!c.has(at)) return true;
  const int found = index_of(kLevels, c.word(at));
  if (found < 0) {
    c.alert("log : unknown optional log level '{}'", c.word(at));
    return false;
  }
  *level = static_cast<uint8_t>(found);
  return true;
}

void parse_log(KeywordContext& c) {
  std::vector<LogTarget>& logs = c.proxy == nullptr ? c.config.global.logs : c.proxy->logs;
  if (c.negated) {
    logs.clear();
    return;
  }
  if (c.count() == 2 && c.word(1) == "global") {
    if (c.proxy == nullptr) return c.alert("log : 'global' is not supported for a global syslog server");
    logs.insert(logs.end(), c.config.global.logs.begin(), c.config.global.logs.end());
    return;
  }
  if (c.count() < 3) {
    if (c.count() == 2 && c.word(1) == "global") return;
    return c.alert("log : expects <address> and <facility> {} as arguments", c.proxy == nullptr ? "" : "or global");
  }
  if (c.word(1) == "global" && c.proxy == nullptr) {
    return c.alert("log : 'global' is not supported for a global syslog server");
  }
  LogTarget target;
  if (parse_log_target(c, &target)) logs.push_back(std::move(target));
}

constexpr KeywordRow kRows[] = {
    {"log", kInGlobal | kInProxies, parse_log, "a target of log lines: address, facility, levels"},
};

}  // namespace

bool parse_log_target(KeywordContext& c, LogTarget* target) {
  size_t at = 2;
  if (!read_sink(c, c.word(1), target) || !read_options(c, &at, target)) return false;
  const int facility = index_of(kFacilities, c.word(at));
  if (facility < 0) {
    c.alert("log : unknown log facility '{}'", c.word(at));
    return false;
  }
  target->facility = static_cast<uint8_t>(facility);
  if (!read_level(c, at + 1, &target->level_max) || !read_level(c, at + 2, &target->level_min)) return false;
  if (c.has(at + 3)) {
    c.alert("log : cannot handle unexpected argument '{}'.", c.word(at + 3));
    return false;
  }
  return true;
}

std::span<const KeywordRow> log_keywords() { return kRows; }

}  // namespace holdfast::proxy
