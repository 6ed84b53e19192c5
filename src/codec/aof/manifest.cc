#include "codec/aof/manifest.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/text.h"

namespace holdfast::codec::aof {
namespace {

constexpr size_t kLineMax = 1024;  // the original's buffer: a line with its end fits
constexpr std::string_view kBadFormat = "Invalid AOF manifest file format";

struct Line {
  File file;
  char type = '\0';
};

/// COMPAT: a number ends where its digits end, and is 0 without any (atoll).
int64_t leading_number(std::string_view text) { return std::strtoll(std::string(text).c_str(), nullptr, 10); }

bool is_path(std::string_view name) { return name.find('/') != std::string_view::npos; }

std::expected<Line, std::string_view> parse_line(std::string_view text) {
  std::vector<std::string> words;
  if (text.empty() || !split_quoted(text, words) || words.size() < 6 || words.size() % 2 != 0) {
    return std::unexpected(kBadFormat);
  }
  Line line;
  for (size_t i = 0; i < words.size(); i += 2) {
    const std::string& value = words[i + 1];
    if (equal_ignoring_case(words[i], "file")) {
      line.file.name = value;
      if (is_path(value)) return std::unexpected("File can't be a path, just a filename");
    } else if (equal_ignoring_case(words[i], "seq")) {
      line.file.sequence = leading_number(value);
    } else if (equal_ignoring_case(words[i], "type")) {
      line.type = value.empty() ? '\0' : value[0];
    }
  }
  const bool named = !line.file.name.empty();
  if (!named || line.file.sequence == 0 || line.type == '\0') return std::unexpected(kBadFormat);
  return line;
}

/// Empty: taken in.
std::string_view add(Manifest& manifest, const Line& line) {
  switch (line.type) {
    case 'b':
      if (manifest.base) return "Found duplicate base file information";
      manifest.base = line.file;
      manifest.base_sequence = line.file.sequence;
      return {};
    case 'h':
      manifest.history.push_back(line.file);
      return {};
    case 'i':
      // The newest so far starts at 0, so that a number below 1 is refused like one that does not rise.
      if (line.file.sequence <= manifest.increment_sequence) return "Found a non-monotonic sequence number";
      manifest.increments.push_back(line.file);
      manifest.increment_sequence = line.file.sequence;
      return {};
    default:
      return "Unknown AOF file type";
  }
}

std::string print_line(const File& file, char type) {
  const bool plain = file.name.find_first_of(std::string_view(" \"'\\\n\r\t\0", 8)) == std::string::npos;
  return fmt::format("file {} seq {} type {}\n", plain ? file.name : quoted(file.name), file.sequence, type);
}

}  // namespace

const File& Manifest::new_base(std::string_view prefix, bool rdb) {
  if (base) history.insert(history.begin(), *base);
  ++base_sequence;
  base = File{fmt::format("{}.{}.base.{}", prefix, base_sequence, rdb ? "rdb" : "aof"), base_sequence};
  return *base;
}

const File& Manifest::new_increment(std::string_view prefix) {
  ++increment_sequence;
  increments.push_back({fmt::format("{}.{}.incr.aof", prefix, increment_sequence), increment_sequence});
  return increments.back();
}

void Manifest::retire_increments(bool keep_newest) {
  const size_t kept = keep_newest && !increments.empty() ? 1 : 0;
  while (increments.size() > kept) {
    history.insert(history.begin(), std::move(increments.front()));
    increments.erase(increments.begin());
  }
}

std::expected<Manifest, ManifestError> parse_manifest(std::string_view text) {
  Manifest manifest;
  if (text.empty()) return std::unexpected(ManifestError{0, {}, "Found an empty AOF manifest"});
  for (int number = 1; !text.empty(); ++number) {
    // COMPAT: a longer line is read in pieces, and a piece that begins with `#` is a comment.
    const size_t end = text.substr(0, kLineMax).find('\n');
    const size_t taken = end == std::string_view::npos ? std::min(kLineMax, text.size()) : end + 1;
    std::string_view piece = text.substr(0, taken);
    text.remove_prefix(taken);
    if (piece[0] == '#') continue;
    // COMPAT: a NUL hides the rest of its line, the line's end included.
    piece = piece.substr(0, piece.find('\0'));
    if (piece.find('\n') == std::string_view::npos) {
      return std::unexpected(ManifestError{0, {}, "The AOF manifest file contains too long line"});
    }
    const std::string_view trimmed = trim(piece);
    const auto line = parse_line(trimmed);
    const std::string_view error = line ? add(manifest, *line) : line.error();
    if (!error.empty()) return std::unexpected(ManifestError{number, std::string(trimmed), std::string(error)});
  }
  return manifest;
}

std::string print_manifest(const Manifest& manifest) {
  std::string out;
  if (manifest.base) out += print_line(*manifest.base, 'b');
  for (const File& file : manifest.history) out += print_line(file, 'h');
  for (const File& file : manifest.increments) out += print_line(file, 'i');
  return out;
}

}  // namespace holdfast::codec::aof
