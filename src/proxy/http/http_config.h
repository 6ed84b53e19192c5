// What listeners in `mode http` answer by themselves: health pages, statistics, fixed replies. Values of the
// configuration. Source: HAProxy configuration manual `monitor-uri`, `stats ...`, `http-request return|deny`.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "proxy/rule/rule_config.h"

namespace holdfast::proxy {

struct HttpRule {
  enum class Action : uint8_t { kReturn, kDeny, kRedirect, kPrometheus, kAllow, kAuth, kUnsupported };
  Action action = Action::kUnsupported;
  int status = 200;
  std::string content_type;
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string location;
  std::string problem;  // kUnsupported: what an error says once it is known that the mode is http
  RuleCondition condition;
  Source source;
};

struct StatsConfig {
  bool enabled = false;
  std::string uri = "/haproxy?stats";
  std::string realm = "HAProxy Statistics";
  int refresh_seconds = 0;
  std::vector<std::string> users;  // `user:password`
  std::optional<RuleCondition> admin;
  std::vector<std::string> scope;  // proxies shown, empty = all
  bool hide_version = false;
  std::optional<std::string> node;
  std::optional<std::string> description;
};

struct HttpConfig {
  bool enabled = false;  // mode http
  std::string monitor_uri;
  std::vector<RuleCondition> monitor_failures;
  std::vector<HttpRule> rules;
  StatsConfig stats;
};

}  // namespace holdfast::proxy
