// Rules as configuration values: conditions, and what tcp-request, tcp-response, use_backend, use-server and stick say.
// Source: HAProxy configuration manual 4.2 and 7 "Using ACLs".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/sample/pattern.h"

namespace holdfast::proxy {

/// Where a setting was written, for messages.
struct Source {
  std::string file;
  int line = 0;
};

/// One test: a fetch with its converters, and patterns of which one must match (none: the value must be true).
struct ConditionTerm {
  bool negated = false;
  bool wait_end = false;  // WAIT_END: true once no more bytes will come
  Expression expression;
  std::shared_ptr<const PatternSet> patterns;
};
/// Alternatives of terms that must all hold; empty = always.
using Condition = std::vector<std::vector<ConditionTerm>>;

struct RuleCondition {
  Condition terms;
  bool unless = false;
};

struct UseBackend {
  std::string backend;
  RuleCondition condition;
  Source source;
};

struct UseServer {
  std::string server;
  RuleCondition condition;
  Source source;
};

enum class RuleStage : uint8_t { kConnection, kSession, kContent, kResponse };
enum class RuleAction : uint8_t {
  kAccept,
  kReject,
  kSilentDrop,
  kClose,        // tcp-response: end the server's side
  kExpectProxy,  // a PROXY header comes first
  kTrack,
  kIncrementGpc,
  kSetGpt,
  kSetVariable,
  kUnsetVariable,
  kSetSource,
  kSetSourcePort,
  kSetDestination,
  kSetDestinationPort,
  kIgnored,  // without meaning here: capture, set-mark, set-tos
};
struct TcpRule {
  RuleStage stage = RuleStage::kConnection;
  RuleAction action = RuleAction::kAccept;
  int counter = 0;  // sc0 .. sc2, gpc0 or gpc1 in `gpc`
  int gpc = 0;
  std::string name;       // variable, or table of kTrack ("" = the proxy's own)
  Expression expression;  // where the action has one
  RuleCondition condition;
  Source source;
};

/// `stick on|match|store-request <expression> [table t] [if ...]`
struct StickRule {
  bool match = true;
  bool store = true;
  Expression expression;
  std::string table;
  RuleCondition condition;
  Source source;
};

}  // namespace holdfast::proxy
