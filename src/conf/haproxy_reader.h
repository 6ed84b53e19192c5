// HaproxyReader: haproxy.cfg files into statements. Lexes lines, keeps the blocks of `.if`, prints `.notice` and
// friends, and hands every other line to a sink.
//
// Source: HAProxy configuration manual 2.1-2.4. All errors of a file are reported in one run; the few that HAProxy
// refuses to go on after (block structure, unparsable conditions) stop it here too.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "conf/haproxy_condition.h"
#include "conf/haproxy_diagnostics.h"

namespace holdfast::conf {

struct HaproxyStatement {
  std::vector<std::string> words;  // never empty
  std::string_view file;
  int line = 0;
};

class HaproxyStatementSink {
 public:
  virtual ~HaproxyStatementSink() = default;
  /// False = abort: nothing after this line is looked at.
  virtual bool statement(HaproxyStatement& statement) = 0;
  /// Name of the section being parsed, or its type where it has none.
  virtual std::string_view section() const = 0;
};

struct HaproxyReaderOptions {
  std::map<std::string, std::string>* variables = nullptr;  // setenv in a file changes what later lines see
  ConditionFacts facts;
  bool diagnostic_mode = false;
};

enum class ReadEnd : uint8_t { kFine, kErrors, kAborted };

/// Reads one file. kErrors: some line was bad; kAborted: gave up.
ReadEnd read_haproxy_file(std::string_view name, std::string_view text, const HaproxyReaderOptions& options,
                          HaproxyStatementSink& sink, Diagnostics& diagnostics);

}  // namespace holdfast::conf
