// StickTable: what is remembered per key (an address, a number, a text): counters, rates, the server last chosen.
//
// Source: HAProxy configuration manual `stick-table`. Keys are kept as bytes in their printed form.
// Invariants: at most `size` entries; an entry that somebody tracks (refs > 0) is never dropped; the order of use is
// the order of expiry, for all entries of a table live equally long.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "proxy/rule/rate.h"
#include "proxy/sample/value.h"

namespace holdfast::proxy {

enum class TableData : uint8_t {
  kServerId,
  kGpt0,
  kGpc0,
  kGpc0Rate,
  kGpc1,
  kGpc1Rate,
  kConnCnt,
  kConnRate,
  kConnCur,
  kSessCnt,
  kSessRate,
  kHttpReqCnt,
  kHttpReqRate,
  kHttpErrCnt,
  kHttpErrRate,
  kBytesInCnt,
  kBytesInRate,
  kBytesOutCnt,
  kBytesOutRate,
};
inline constexpr size_t kTableDataCount = 19;

struct TableDataRow {
  TableData data;
  std::string_view name;
  bool rate;
};
const TableDataRow* find_table_data(std::string_view name);
std::string_view table_data_name(TableData data);
bool is_rate(TableData data);

struct TableConfig {
  std::string name;  // of its proxy
  ValueType key = ValueType::kAddress;
  bool key_is_v6 = false;
  size_t key_length = 32;  // texts and bytes
  int64_t size = 0;        // entries
  Duration expire{};       // 0 = never
  bool nopurge = false;
  std::vector<std::pair<TableData, Duration>> store;  // in order of TableData; the period of rates
  bool configured() const { return size > 0; }
  bool stores(TableData data) const;
  Duration period(TableData data) const;
};

struct TableEntry {
  std::array<int64_t, kTableDataCount> counters{};
  std::array<PeriodRate, kTableDataCount> rates{};
  Mono expires = kNever;
  int64_t refs = 0;
  std::list<std::string>::iterator place{};
};

class StickTable {
 public:
  explicit StickTable(const TableConfig& config) : config_(&config) {}

  const TableConfig& config() const { return *config_; }
  /// The key of a value, cut to the table's length; nullopt = the value does not fit the table's type.
  std::optional<std::string> key_of(const Value& value) const;
  /// Null = not there (or expired).
  TableEntry* find(const std::string& key, Mono now);
  /// Found or made, and used now. Null = the table is full of entries that may not go.
  TableEntry* touch(const std::string& key, Mono now);
  void add(TableEntry& entry, TableData data, int64_t count, Mono now);
  int64_t read(const TableEntry& entry, TableData data, Mono now) const;
  /// False = somebody tracks it, or it is not there.
  bool erase(const std::string& key);
  void purge(Mono now);
  const std::map<std::string, TableEntry>& entries() const { return entries_; }

 private:
  bool make_room(Mono now);
  void drop(std::map<std::string, TableEntry>::iterator at);

  const TableConfig* config_;
  std::map<std::string, TableEntry> entries_;
  std::list<std::string> by_use_;  // the longest unused first
};

}  // namespace holdfast::proxy
