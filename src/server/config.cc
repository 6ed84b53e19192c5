#include "server/config.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace holdfast::server {

using family::SavePoint;

std::span<const ConfigRow* const> config_rows() {
  static const std::vector<const ConfigRow*> rows = [] {
    std::vector<const ConfigRow*> out;
    for (const auto table : {acted_rows(), persistence_rows(), watching_rows(), tls_rows(), accepted_rows()}) {
      for (const ConfigRow& row : table) out.push_back(&row);
    }
    std::sort(out.begin(), out.end(), [](const ConfigRow* a, const ConfigRow* b) { return a->name < b->name; });
    return out;
  }();
  return rows;
}

std::optional<int64_t> parse_memory(std::string_view text) {
  struct Unit {
    std::string_view name;
    int64_t factor;
  };
  static constexpr Unit kUnits[] = {{"", 1},        {"b", 1},        {"k", 1000},       {"kb", 1024},
                                    {"m", 1000000}, {"mb", 1 << 20}, {"g", 1000000000}, {"gb", 1 << 30}};
  const size_t digits = text.find_first_not_of("-0123456789");
  const auto number = parse_int64(text.substr(0, digits));
  if (!number) return std::nullopt;
  const std::string_view unit = digits == std::string_view::npos ? std::string_view() : text.substr(digits);
  for (const Unit& row : kUnits) {
    int64_t value = 0;
    if (equal_ignoring_case(row.name, unit)) {
      if (__builtin_mul_overflow(*number, row.factor, &value)) return std::nullopt;
      return value;
    }
  }
  return std::nullopt;
}

const ConfigRow* find_config_row(std::string_view name) {
  for (const ConfigRow* row : config_rows()) {
    if (equal_ignoring_case(row->name, name) || (!row->alias.empty() && equal_ignoring_case(row->alias, name)))
      return row;
  }
  return nullptr;
}

StartConfig apply_conf(const conf::ParsedConf& parsed) {
  StartConfig out;
  out.errors = parsed.errors;
  bool save_seen = false;
  for (const conf::Directive& directive : parsed.directives) {
    const auto fail = [&](std::string message) {
      out.errors.push_back({directive.place, directive.text, std::move(message), ""});
    };
    if (directive.words[0] == "sentinel") {
      fail("sentinel directive while not in sentinel mode");
      continue;
    }
    if (equal_ignoring_case(directive.words[0], "user")) {
      auto line = acl::read_user_line(std::span(directive.words).subspan(1), out.settings.user_lines);
      line ? out.settings.user_lines.push_back(std::move(*line)) : fail(line.error());
      continue;
    }
    const ConfigRow* row = find_config_row(directive.words[0]);
    if (row != nullptr && row->name == "save" && directive.words.size() == 1) {
      out.settings.save.clear();  // COMPAT: `save` alone is `save ""`
      save_seen = true;
      continue;
    }
    if (row == nullptr || directive.words.size() < 2) {
      fail(row == nullptr ? "Bad directive or wrong number of arguments" : "wrong number of arguments");
      continue;
    }
    const Values values = Values(directive.words).subspan(1);
    std::vector<SavePoint> before;
    if (row->name == "save" && save_seen) before = out.settings.save;  // save lines of a file add up
    std::string error = row->parse(*row, out.settings, values);
    if (row->name == "save" && error.empty()) {
      save_seen = true;
      if (!out.settings.save.empty()) out.settings.save.insert(out.settings.save.begin(), before.begin(), before.end());
    }
    if (!error.empty()) fail(std::move(error));
  }
  std::sort(out.errors.begin(), out.errors.end(),
            [](const conf::Diagnostic& a, const conf::Diagnostic& b) { return a.place.line < b.place.line; });
  return out;
}

std::string set_config(Settings& settings, std::span<const std::string_view> pairs,
                       std::vector<const ConfigRow*>& changed) {
  const auto failed = [](std::string_view name, std::string_view why) {
    return fmt::format("ERR CONFIG SET failed (possibly related to argument '{}') - {}", name, why);
  };
  for (size_t i = 0; i < pairs.size(); i += 2) {
    const ConfigRow* row = find_config_row(pairs[i]);
    if (row == nullptr) {
      return fmt::format("ERR Unknown option or number of arguments for CONFIG SET - '{}'", pairs[i]);
    }
    if ((row->flags & kConfigImmutable) != 0) return failed(pairs[i], "can't set immutable config");
    if (std::find(changed.begin(), changed.end(), row) != changed.end()) return failed(pairs[i], "duplicate parameter");
    changed.push_back(row);
  }
  Settings copy = settings;
  for (size_t i = 0; i < pairs.size(); i += 2) {
    const std::vector<std::string> values = config_values(*changed[i / 2], pairs[i + 1]);
    const std::string error = changed[i / 2]->parse(*changed[i / 2], copy, values);
    if (!error.empty()) return failed(pairs[i], error);
  }
  settings = std::move(copy);
  return {};
}

std::string rewrite_config(const Settings& settings, std::string_view content, const std::vector<std::string>& users) {
  conf::Document document(content);
  const Settings defaults;
  for (const ConfigRow* listed : config_rows()) {
    const ConfigRow& row = *listed;
    // An option under its older name keeps its line; the new name is used where a line is new.
    const std::string_view key =
        !row.alias.empty() && document.contains(row.alias) && !document.contains(row.name) ? row.alias : row.name;
    const bool is_default = row.print(row, settings) == row.print(row, defaults);
    if (is_default && !document.contains(key)) continue;
    std::vector<std::string> lines = config_lines(row, settings);
    if (key == row.alias) {
      for (std::string& line : lines) line = std::string(row.alias) + line.substr(row.name.size());
    }
    document.set(key, lines);
  }
  document.set("user", settings.aclfile.empty() ? users : std::vector<std::string>());
  return document.print();
}

}  // namespace holdfast::server
