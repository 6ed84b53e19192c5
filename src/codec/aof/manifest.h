// AofManifest: the list of files that make up an append-only file, as text.
//
// Source: redis-server 7.2: lines `file <name> seq <n> type b|h|i` with further pairs ignored, `#` lines skipped. At
// most one base; the sequence numbers of increments rise. Readers apply the base, then the increments in order;
// history files await removal.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::codec::aof {

struct File {
  std::string name;  // without a path
  int64_t sequence = 0;
  bool operator==(const File&) const = default;
};

struct Manifest {
  std::optional<File> base;
  std::vector<File> history;
  std::vector<File> increments;
  int64_t base_sequence = 0;       // the newest ever used
  int64_t increment_sequence = 0;  // the newest ever used

  bool empty() const { return !base && increments.empty(); }
  /// The next base `<prefix>.<n>.base.rdb|aof`; the present one becomes history.
  const File& new_base(std::string_view prefix, bool rdb);
  /// The next increment `<prefix>.<n>.incr.aof`.
  const File& new_increment(std::string_view prefix);
  /// Everything but the newest increment becomes history: a new base holds it.
  void retire_increments(bool keep_newest);
  bool operator==(const Manifest&) const = default;
};

/// What is wrong with a manifest, in the original's words.
struct ManifestError {
  int line = 0;       // from 1; 0: the error is not in a line
  std::string text;   // of the line, trimmed
  std::string error;  // `Invalid AOF manifest file format` ...
};

std::expected<Manifest, ManifestError> parse_manifest(std::string_view text);
/// Base, history, increments.
std::string print_manifest(const Manifest& manifest);

}  // namespace holdfast::codec::aof
