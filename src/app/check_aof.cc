#include "app/check_aof.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include "app/check_rdb.h"
#include "app/redis_log.h"
#include "base/text.h"
#include "codec/aof/manifest.h"
#include "net/clock.h"
#include "net/file.h"

namespace holdfast::app {
namespace {

constexpr size_t kLineMax = 127;           // of `*` and `$` lines
constexpr size_t kAnnotationMax = 1023;    // of `#` lines
constexpr size_t kManifestLineMax = 1024;  // of a manifest's
constexpr size_t kErrorMax = 1023;         // of one error's text

void say(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

/// A file being read as the C library does: lines, bytes, and a mark that the end was met.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}
  size_t at() const { return at_; }
  void seek(size_t at) {
    at_ = at;
    end_met_ = false;
  }
  bool end_met() const { return end_met_; }
  /// At most `limit` bytes, the line's end included. Nullopt: nothing is left.
  std::optional<std::string_view> line(size_t limit) {
    const std::string_view rest = bytes_.substr(at_);
    const size_t newline = rest.substr(0, limit).find('\n');
    const size_t size = newline != std::string_view::npos ? newline + 1 : std::min(limit, rest.size());
    if (newline == std::string_view::npos && rest.size() < limit) end_met_ = true;
    at_ += size;
    if (size == 0) return std::nullopt;
    return rest.substr(0, size);
  }
  std::string_view take(size_t count) {
    const std::string_view out = bytes_.substr(at_, count);
    at_ += out.size();
    if (out.size() < count) end_met_ = true;
    return out;
  }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
  bool end_met_ = false;
};

enum class Verdict : uint8_t { kGood, kEmpty, kTruncated, kCutAtTime, kExit };

/// One run of the program over one or several files.
class Checker {
 public:
  Checker(bool fix, int64_t until) : fix_(fix), until_(until) {}
  int run(const std::string& path);

 private:
  Verdict check(const std::string& name, const std::string& path, bool last, bool preamble);
  Verdict judge(const std::string& name, const std::string& path, size_t size, size_t good, bool last);
  bool command(Cursor& in, const std::string& path);
  bool number(Cursor& in, char prefix, int64_t& out);
  bool word(Cursor& in, std::string& out);
  bool newline(std::string_view text);
  std::optional<Verdict> annotation(Cursor& in, const std::string& path, bool last);
  int check_parts(const std::string& path);
  void report(Verdict verdict, const std::string& name, std::string_view kind) const;
  void error(const std::string& text) { error_ = fmt::format("0x{:16x}: {}", where_, text.substr(0, kErrorMax)); }

  bool fix_;
  int64_t until_;  // unix time to cut at, 0 = none
  std::string error_;
  size_t where_ = 0;
  int64_t line_ = 1;  // COMPAT: counts on through all files
  int multi_ = 0;
};

bool Checker::newline(std::string_view text) {
  if (text.starts_with("\r\n")) {
    ++line_;
    return true;
  }
  // COMPAT: bytes above 127 show as negative numbers.
  const auto shown = [&](size_t i) {
    return static_cast<unsigned>(static_cast<int>(i < text.size() ? text[i] : '\0'));
  };
  error(fmt::format("Expected \\r\\n, got: {:02x}{:02x}", shown(0), shown(1)));
  return false;
}

bool Checker::number(Cursor& in, char prefix, int64_t& out) {
  where_ = in.at();
  const auto line = in.line(kLineMax);
  if (!line) return false;
  if ((*line)[0] != prefix) {
    error(fmt::format("Expected prefix '{}', got: '{}'", prefix, (*line)[0]));
    return false;
  }
  const std::string text(line->substr(1));
  char* end = nullptr;
  out = std::strtol(text.c_str(), &end, 10);
  return newline(std::string_view(end));
}

bool Checker::word(Cursor& in, std::string& out) {
  int64_t length = 0;
  if (!number(in, '$', length)) return false;
  if (length < 0 || length > LONG_MAX - 2) {
    error(fmt::format("Expected to read string of {} bytes, which is not in the suitable range", length));
    return false;
  }
  const size_t wanted = static_cast<size_t>(length) + 2;
  where_ = in.at();
  const std::string_view got = in.take(wanted);
  if (got.size() != wanted) {
    error(fmt::format("Expected to read {} bytes, got {} bytes", wanted, got.size()));
    return false;
  }
  if (!newline(got.substr(wanted - 2))) return false;
  out = got.substr(0, wanted - 2);
  return true;
}

bool Checker::command(Cursor& in, const std::string& path) {
  int64_t words = 0;
  if (!number(in, '*', words)) return false;
  std::string text;
  for (int64_t i = 0; i < words; ++i) {
    if (!word(in, text)) return false;
    if (i > 0) continue;
    const std::string_view name = std::string_view(text).substr(0, text.find('\0'));
    if (equal_ignoring_case(name, "multi") && multi_++ != 0) {
      error(fmt::format("Unexpected MULTI in AOF {}", path));
      return false;
    }
    if (equal_ignoring_case(name, "exec") && --multi_ != 0) {
      error(fmt::format("Unexpected EXEC in AOF {}", path));
      return false;
    }
  }
  return true;
}

/// Nullopt: go on.
std::optional<Verdict> Checker::annotation(Cursor& in, const std::string& path, bool last) {
  where_ = in.at();
  const std::string text(in.line(kAnnotationMax).value_or(""));
  if (until_ == 0 || !text.starts_with("#TS:")) return std::nullopt;
  char* end = nullptr;
  errno = 0;
  const int64_t time = std::strtol(text.c_str() + 4, &end, 10);
  if (errno != 0 || *end != '\r') {
    say("Invalid timestamp annotation\n");
    return Verdict::kExit;
  }
  if (time <= until_) return std::nullopt;
  if (where_ == 0) {
    say(fmt::format("AOF {} has nothing before timestamp {}, aborting...\n", path, until_));
    return Verdict::kExit;
  }
  if (!last) {
    say(fmt::format("Failed to truncate AOF {} to timestamp {} to offset {} because it is not the last file.\n", path,
                    until_, where_));
    say("If you insist, please delete all files after this file according to the manifest file and delete the "
        "corresponding records in manifest file manually. Then re-run redis-check-aof.\n");
    return Verdict::kExit;
  }
  if (::truncate(path.c_str(), static_cast<off_t>(where_)) != 0) {
    say(fmt::format("Failed to truncate AOF {} to timestamp {}\n", path, until_));
    return Verdict::kExit;
  }
  return Verdict::kCutAtTime;
}

Verdict Checker::check(const std::string& name, const std::string& path, bool last, bool preamble) {
  if (::access(path.c_str(), R_OK | W_OK) != 0) {
    say(fmt::format("Cannot open file {}: {}, aborting...\n", path, std::strerror(errno)));
    return Verdict::kExit;
  }
  const auto bytes = net::read_whole_file(path);
  if (!bytes) {
    say(fmt::format("Failed to read from AOF {}, aborting...\n", name));
    return Verdict::kExit;
  }
  if (bytes->empty()) return Verdict::kEmpty;
  Cursor in(*bytes);
  if (preamble) {
    const RdbVerdict rdb = check_rdb(*bytes, path, unix_ms(net::read_clock().wall));
    say(rdb.report);
    say(rdb.good ? "RDB preamble is OK, proceeding with AOF tail...\n"
                 : "RDB preamble of AOF file is not sane, aborting.\n");
    if (!rdb.good) return Verdict::kExit;
    in.seek(static_cast<size_t>(rdb.end));
  }
  multi_ = 0;
  size_t good = in.at();
  while (true) {
    if (multi_ == 0) good = in.at();
    const auto first = in.line(1);
    if (!first) break;
    in.seek(in.at() - 1);
    if ((*first)[0] == '#') {
      if (const auto verdict = annotation(in, path, last)) return *verdict;
    } else if ((*first)[0] == '*') {
      if (!command(in, path)) break;
    } else {
      say(fmt::format("AOF {} format error\n", name));
      break;
    }
  }
  if (in.end_met() && multi_ != 0 && error_.empty()) error("Reached EOF before reading EXEC for MULTI");
  if (!error_.empty()) say(error_ + "\n");
  return judge(name, path, bytes->size(), good, last);
}

Verdict Checker::judge(const std::string& name, const std::string& path, size_t size, size_t good, bool last) {
  const size_t rest = size - good;
  if (rest == 0 && until_ != 0) {
    say(fmt::format("Truncate nothing in AOF {} to timestamp {}\n", name, until_));
    return Verdict::kGood;
  }
  say(fmt::format("AOF analyzed: filename={}, size={}, ok_up_to={}, ok_up_to_line={}, diff={}\n", name, size, good,
                  line_, rest));
  if (rest == 0) return Verdict::kGood;
  if (!fix_) {
    say(fmt::format("AOF {} is not valid. Use the --fix option to try fixing it.\n", name));
    return Verdict::kExit;
  }
  if (!last) {
    say(fmt::format("Failed to truncate AOF {} because it is not the last file\n", name));
    return Verdict::kExit;
  }
  say(fmt::format("This will shrink the AOF {} from {} bytes, with {} bytes, to {} bytes\n", name, size, rest, good));
  say("Continue? [y/N]: ");
  std::fflush(stdout);
  const int answer = std::getchar();
  if (answer != 'y' && answer != 'Y') {
    say("Aborting...\n");
    return Verdict::kExit;
  }
  if (::truncate(path.c_str(), static_cast<off_t>(good)) != 0) {
    say(fmt::format("Failed to truncate AOF {}\n", name));
    return Verdict::kExit;
  }
  return Verdict::kTruncated;
}

void Checker::report(Verdict verdict, const std::string& name, std::string_view kind) const {
  switch (verdict) {
    case Verdict::kGood:
      return say(fmt::format("{} {} is valid\n", kind, name));
    case Verdict::kEmpty:
      return say(fmt::format("{} {} is empty\n", kind, name));
    case Verdict::kCutAtTime:
      return say(fmt::format("Successfully truncated AOF {} to timestamp {}\n", name, until_));
    case Verdict::kTruncated:
      return say(fmt::format("Successfully truncated AOF {}\n", name));
    case Verdict::kExit:
      return;
  }
}

// Which kind of file.

bool is_manifest(std::string_view text) {
  bool out = false;
  Cursor in(text);
  while (const auto line = in.line(kManifestLineMax)) {
    if ((*line)[0] == '#') continue;
    if (!line->starts_with("file")) break;
    out = true;
  }
  return out;
}

bool is_rdb(std::string_view bytes) { return bytes.size() >= 8 && bytes.starts_with("REDIS"); }

/// The whole file; says why not.
std::optional<std::string> read_or_say(const std::string& path) {
  auto bytes = net::read_whole_file(path);
  if (bytes) return std::move(*bytes);
  say(fmt::format("Cannot open file {}: {}\n", path, std::strerror(bytes.error())));
  return std::nullopt;
}

void log_manifest_error(const codec::aof::ManifestError& error) {
  std::fflush(stdout);
  RedisLog::Options options;
  options.role = 'C';
  RedisLog log(options);
  log.say(LogLevel::kWarning, "\n*** FATAL AOF MANIFEST FILE ERROR ***\n");
  if (error.line > 0) {
    log.say(LogLevel::kWarning, fmt::format("Reading the manifest file, at line {}\n", error.line));
    log.say(LogLevel::kWarning, fmt::format(">>> '{}'\n", error.text));
  }
  log.say(LogLevel::kWarning, error.error + "\n");
}

int Checker::check_parts(const std::string& path) {
  say("Start checking Multi Part AOF\n");
  const auto text = read_or_say(path);
  if (!text) return 1;
  const auto manifest = codec::aof::parse_manifest(*text);
  if (!manifest) {
    log_manifest_error(manifest.error());
    return 1;
  }
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  if (manifest->base) {
    const std::string& name = manifest->base->name;
    const std::string file = directory + "/" + name;
    const auto bytes = read_or_say(file);
    if (!bytes) return 1;
    const bool preamble = is_rdb(*bytes);
    say(fmt::format("Start to check BASE AOF ({} format).\n", preamble ? "RDB" : "RESP"));
    const Verdict verdict = check(name, file, manifest->increments.empty(), preamble);
    if (verdict == Verdict::kExit) return 1;
    report(verdict, name, "BASE AOF");
  }
  if (!manifest->increments.empty()) say("Start to check INCR files.\n");
  for (const codec::aof::File& one : manifest->increments) {
    const bool last = &one == &manifest->increments.back();
    const Verdict verdict = check(one.name, directory + "/" + one.name, last, false);
    if (verdict == Verdict::kExit) return 1;
    report(verdict, one.name, "INCR AOF");
  }
  say("All AOF files and manifest are valid\n");
  return 0;
}

int Checker::run(const std::string& path) {
  const auto bytes = read_or_say(path);
  if (!bytes) return 1;
  if (is_manifest(*bytes)) return check_parts(path);
  say("Start checking Old-Style AOF\n");
  const Verdict verdict = check(path, path, true, is_rdb(*bytes));
  if (verdict == Verdict::kExit) return 1;
  report(verdict, path, "AOF");
  return 0;
}

}  // namespace

int run_check_aof(const std::string& program, const std::vector<std::string>& arguments) {
  const size_t count = arguments.size();
  if (count == 1) return Checker(false, 0).run(arguments[0]);
  if (count == 2 && arguments[0] == "--fix") return Checker(true, 0).run(arguments[1]);
  if (count == 3 && arguments[0] == "--truncate-to-timestamp") {
    char* end = nullptr;
    errno = 0;
    const int64_t until = std::strtol(arguments[1].c_str(), &end, 10);
    if (errno == 0 && *end == '\0') return Checker(false, until).run(arguments[2]);
    say("Invalid timestamp, aborting...\n");
    return 1;
  }
  say(fmt::format("Usage: {} [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>\n", program));
  return 1;
}

}  // namespace holdfast::app
