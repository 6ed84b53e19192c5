// `show table`, `clear table`, `set table`. Source: HAProxy management manual 9.3; output compared with 2.6.12.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "conf/haproxy_value.h"
#include "proxy/cli/cli.h"

namespace holdfast::proxy {
namespace {

std::string_view type_name(const TableConfig& config) {
  switch (config.key) {
    case ValueType::kAddress:
      return config.key_is_v6 ? "ipv6" : "ip";
    case ValueType::kBoolean:
    case ValueType::kInteger:
      return "integer";
    case ValueType::kString:
      return "string";
    case ValueType::kBinary:
      return "binary";
  }
  return "";
}

std::string printed_key(const TableConfig& config, const std::string& key) {
  return config.key == ValueType::kBinary ? Value::binary(key).as_text() : key;
}

std::string entry_line(const Runtime& runtime, const StickTable& table, const std::string& key,
                       const TableEntry& entry) {
  const TableConfig& config = table.config();
  const Mono now = runtime.now.mono;
  const int64_t left = entry.expires == kNever ? 0 : std::max<int64_t>(0, to_ms(entry.expires - now));
  std::string line = fmt::format("0x{:x}: key={} use={} exp={}", std::hash<std::string>{}(key) & 0xffffffffffff,
                                 printed_key(config, key), entry.refs, left);
  for (const auto& [data, period] : config.store) {
    line += is_rate(data)
                ? fmt::format(" {}({})={}", table_data_name(data), to_ms(period), table.read(entry, data, now))
                : fmt::format(" {}={}", table_data_name(data), table.read(entry, data, now));
  }
  return line + "\n";
}

StickTable* named_table(CliContext& c) {
  const uint32_t index = c.runtime.find_table(c.word(2));
  if (index != kNoIndex) return &c.runtime.tables[index];
  c.out = "No such table\n";
  return nullptr;
}

/// `key <k>` or `data.<type> <operator> <value>`; true = the entry is meant.
struct Filter {
  std::string key;
  const TableDataRow* data = nullptr;
  std::string_view verb;
  int64_t value = 0;
  bool by_key = false;

  bool holds(const StickTable& table, const std::string& entry_key, const TableEntry& entry, Mono now) const {
    if (by_key) return printed_key(table.config(), entry_key) == key;
    if (data == nullptr) return true;
    const int64_t at = table.read(entry, data->data, now);
    if (verb == "eq") return at == value;
    if (verb == "ne") return at != value;
    if (verb == "le") return at <= value;
    if (verb == "ge") return at >= value;
    return verb == "lt" ? at < value : at > value;
  }
};

bool parse_filter(CliContext& c, Filter* filter) {
  if (c.word(3).empty()) return true;
  if (c.word(3) == "key") {
    filter->by_key = true;
    filter->key = std::string(c.word(4));
    if (!filter->key.empty()) return true;
    c.out = "Key value expected\n";
    return false;
  }
  if (!c.word(3).starts_with("data.")) {
    c.out = "Optional argument only supports \"data.<store_data_type>\" and key <key>\n";
    return false;
  }
  filter->data = find_table_data(c.word(3).substr(5));
  filter->verb = c.word(4);
  const auto value = conf::whole_integer(c.word(5));
  static constexpr std::string_view kVerbs[] = {"eq", "ne", "le", "ge", "lt", "gt"};
  if (filter->data == nullptr) {
    c.out = "Unknown data type\n";
  } else if (std::find(std::begin(kVerbs), std::end(kVerbs), filter->verb) == std::end(kVerbs)) {
    c.out = "Require and operator among \"eq\", \"ne\", \"le\", \"ge\", \"lt\", \"gt\"\n";
  } else if (!value) {
    c.out = "Require a valid integer value to compare against\n";
  } else {
    filter->value = *value;
    return true;
  }
  return false;
}

std::string head_line(const StickTable& table) {
  const TableConfig& config = table.config();
  return fmt::format("# table: {}, type: {}, size:{}, used:{}\n", config.name, type_name(config), config.size,
                     table.entries().size());
}

void run_show_table(CliContext& c) {
  if (c.word(2).empty()) {
    for (StickTable& table : c.runtime.tables) {
      table.purge(c.runtime.now.mono);
      c.out += head_line(table);
    }
    return;
  }
  StickTable* table = named_table(c);
  Filter filter;
  if (table == nullptr || !parse_filter(c, &filter)) return;
  table->purge(c.runtime.now.mono);
  c.out = head_line(*table);
  for (const auto& [key, entry] : table->entries()) {
    if (filter.holds(*table, key, entry, c.runtime.now.mono)) c.out += entry_line(c.runtime, *table, key, entry);
  }
}

void run_clear_table(CliContext& c) {
  StickTable* table = named_table(c);
  Filter filter;
  if (table == nullptr || !parse_filter(c, &filter)) return;
  std::vector<std::string> keys;
  for (const auto& [key, entry] : table->entries()) {
    if (filter.holds(*table, key, entry, c.runtime.now.mono)) keys.push_back(key);
  }
  for (const std::string& key : keys) {
    if (!table->erase(key) && filter.by_key) c.out = "Entry currently in use, cannot remove\n";
  }
}

/// `set table <t> key <k> [data.<type> <value>]*`
void run_set_table(CliContext& c) {
  StickTable* table = named_table(c);
  if (table == nullptr) return;
  if (c.word(3) != "key" || c.word(4).empty()) {
    c.out = "Key value expected\n";
    return;
  }
  const auto key =
      table->key_of(table->config().key == ValueType::kAddress ? Value::address(c.word(4)) : Value::string(c.word(4)));
  TableEntry* entry = key ? table->touch(*key, c.runtime.now.mono) : nullptr;
  if (entry == nullptr) {
    c.out = key ? "Unable to allocate a new entry\n" : "Invalid key\n";
    return;
  }
  for (size_t at = 5; at < c.words.size(); at += 2) {
    const TableDataRow* row = c.word(at).starts_with("data.") ? find_table_data(c.word(at).substr(5)) : nullptr;
    const auto value = conf::whole_integer(c.word(at + 1));
    if (row == nullptr || row->rate || !table->config().stores(row->data)) {
      c.out = row == nullptr ? "Unknown data type\n" : "Data type not stored in this table\n";
      return;
    }
    if (!value) {
      c.out = "Require a valid integer value to store\n";
      return;
    }
    entry->counters[static_cast<size_t>(row->data)] = *value;
  }
}

constexpr CliCommand kCommands[] = {
    {"show table", CliLevel::kUser, run_show_table, "show table <table> [<filter>]*",
     "report table usage stats or dump this table's contents (IPs blocked, ...)"},
    {"clear table", CliLevel::kAdmin, run_clear_table, "clear table <table> [<filter>]*",
     "remove an entry from a table (filter: data/key)"},
    {"set table", CliLevel::kAdmin, run_set_table, "set table <table> key <k> [data.* <v>]*",
     "update or create a table entry's data"},
};

}  // namespace

std::span<const CliCommand> table_commands() { return kCommands; }

}  // namespace holdfast::proxy
