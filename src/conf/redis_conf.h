// redis.conf: lines of words, their places, and rewriting that keeps comments and order.
//
// Source: the format redis-server 7.2 and redis-sentinel read and write (`include`, quoting, CONFIG REWRITE's markers).
// Invariant: a Document that is parsed and printed unchanged is byte-identical (but for a missing last newline).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::conf {

/// Where a directive came from. `line` counts from 1; options of the command line come after the file's last line.
struct Place {
  std::string file;
  int line = 0;
};

struct Directive {
  std::vector<std::string> words;  // never empty; words[0] is lower case
  std::string text;                // the line as written, trimmed
  Place place;
};

struct Diagnostic {
  Place place;
  std::string text;     // the offending line
  std::string message;  // the original's words where it has them
  std::string hint;     // one line of help, may be empty
};

struct ParsedConf {
  std::vector<Directive> directives;
  std::vector<Diagnostic> errors;
};

/// Splits `content` into directives. A line whose quotes do not balance becomes an error ("Unbalanced quotes in
/// configuration line"). `include` is returned as any directive: reading files is the host's work.
ParsedConf parse_redis_conf(std::string_view content, const std::string& file);

/// `--name value ... --other value` into configuration lines (`name "value" ...`), as redis-server appends them to the
/// file's content. Every argument that begins with `--` opens a line; one line may also come as one quoted argument.
std::string options_to_conf(const std::vector<std::string>& args);

/// The block redis-server prints on standard error before it exits with status 1; all errors of a run, one block each.
std::string fatal_config_error(const std::vector<Diagnostic>& errors, std::string_view version);

/// A configuration file being rewritten (CONFIG REWRITE, Sentinel state).
class Document {
 public:
  explicit Document(std::string_view content);

  /// Replaces the lines of one key (`maxmemory`, or two words: `sentinel monitor`) by `lines`, in order: old lines are
  /// reused from the top, surplus old lines disappear, surplus new lines are appended below the generated marker.
  /// A key seen never before with no lines changes nothing.
  void set(std::string_view key, const std::vector<std::string>& lines);
  bool contains(std::string_view key) const;
  std::string print() const;

 private:
  struct Line {
    std::string text;
    std::string key;       // empty: comment, blank or unreadable
    bool removed = false;  // printed as nothing; the blank lines around it collapse
  };
  std::vector<Line> lines_;
  bool has_marker_ = false;
};

/// The key under which a line is rewritten: its first word in lower case, two words after `sentinel`.
std::string document_key(const std::vector<std::string>& words);
/// A value as written back: quoted only if it has to be.
std::string conf_quote(std::string_view value);

}  // namespace holdfast::conf
