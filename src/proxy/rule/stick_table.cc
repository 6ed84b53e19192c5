#include "proxy/rule/stick_table.h"

#include <algorithm>

#include "base/assert.h"

namespace holdfast::proxy {
namespace {

constexpr TableDataRow kData[] = {
    {TableData::kServerId, "server_id", false},
    {TableData::kGpt0, "gpt0", false},
    {TableData::kGpc0, "gpc0", false},
    {TableData::kGpc0Rate, "gpc0_rate", true},
    {TableData::kGpc1, "gpc1", false},
    {TableData::kGpc1Rate, "gpc1_rate", true},
    {TableData::kConnCnt, "conn_cnt", false},
    {TableData::kConnRate, "conn_rate", true},
    {TableData::kConnCur, "conn_cur", false},
    {TableData::kSessCnt, "sess_cnt", false},
    {TableData::kSessRate, "sess_rate", true},
    {TableData::kHttpReqCnt, "http_req_cnt", false},
    {TableData::kHttpReqRate, "http_req_rate", true},
    {TableData::kHttpErrCnt, "http_err_cnt", false},
    {TableData::kHttpErrRate, "http_err_rate", true},
    {TableData::kBytesInCnt, "bytes_in_cnt", false},
    {TableData::kBytesInRate, "bytes_in_rate", true},
    {TableData::kBytesOutCnt, "bytes_out_cnt", false},
    {TableData::kBytesOutRate, "bytes_out_rate", true},
};
static_assert(std::size(kData) == kTableDataCount);

}  // namespace

const TableDataRow* find_table_data(std::string_view name) {
  for (const TableDataRow& row : kData) {
    if (row.name == name) return &row;
  }
  return nullptr;
}
std::string_view table_data_name(TableData data) { return kData[static_cast<size_t>(data)].name; }
bool is_rate(TableData data) { return kData[static_cast<size_t>(data)].rate; }

bool TableConfig::stores(TableData data) const {
  return std::ranges::any_of(store, [data](const auto& item) { return item.first == data; });
}
Duration TableConfig::period(TableData data) const {
  for (const auto& [stored, period] : store) {
    if (stored == data) return period;
  }
  return {};
}

std::optional<std::string> StickTable::key_of(const Value& value) const {
  switch (config_->key) {
    case ValueType::kAddress: {
      if (value.type == ValueType::kInteger || value.type == ValueType::kBoolean) return std::nullopt;
      const bool v6 = value.text.find(':') != std::string::npos;
      if (!is_numeric_host(value.text) || (v6 && !config_->key_is_v6)) return std::nullopt;
      return config_->key_is_v6 && !v6 ? "::ffff:" + value.text : value.text;
    }
    case ValueType::kInteger:
    case ValueType::kBoolean: {
      const auto number = value.as_number();
      return number ? std::optional(std::to_string(static_cast<uint32_t>(*number))) : std::nullopt;
    }
    case ValueType::kString:
      return value.as_text().substr(0, config_->key_length);
    case ValueType::kBinary: {
      std::string bytes = value.as_bytes();
      bytes.resize(config_->key_length);  // COMPAT: short keys are filled up with zeros
      return bytes;
    }
  }
  return std::nullopt;
}

void StickTable::drop(std::map<std::string, TableEntry>::iterator at) {
  by_use_.erase(at->second.place);
  entries_.erase(at);
}

TableEntry* StickTable::find(const std::string& key, Mono now) {
  const auto at = entries_.find(key);
  if (at == entries_.end()) return nullptr;
  if (at->second.refs > 0 || at->second.expires > now) return &at->second;
  drop(at);
  return nullptr;
}

bool StickTable::make_room(Mono now) {
  if (static_cast<int64_t>(entries_.size()) < config_->size) return true;
  for (const std::string& key : by_use_) {
    const auto at = entries_.find(key);
    HF_ASSERT(at != entries_.end());
    if (at->second.refs > 0) continue;
    if (config_->nopurge && at->second.expires > now) return false;
    drop(at);
    return true;
  }
  return false;
}

TableEntry* StickTable::touch(const std::string& key, Mono now) {
  TableEntry* entry = find(key, now);
  if (entry == nullptr) {
    if (!make_room(now)) return nullptr;
    entry = &entries_[key];
    by_use_.push_back(key);
    entry->place = std::prev(by_use_.end());
  } else {
    by_use_.splice(by_use_.end(), by_use_, entry->place);
  }
  entry->expires = config_->expire > Duration{} ? now + config_->expire : kNever;
  return entry;
}

void StickTable::add(TableEntry& entry, TableData data, int64_t count, Mono now) {
  if (!config_->stores(data)) return;
  const auto at = static_cast<size_t>(data);
  if (is_rate(data)) {
    entry.rates[at].add(now, config_->period(data), count);
  } else {
    entry.counters[at] += count;
  }
}

int64_t StickTable::read(const TableEntry& entry, TableData data, Mono now) const {
  if (!config_->stores(data)) return 0;
  const auto at = static_cast<size_t>(data);
  return is_rate(data) ? entry.rates[at].read(now, config_->period(data)) : entry.counters[at];
}

bool StickTable::erase(const std::string& key) {
  const auto at = entries_.find(key);
  if (at == entries_.end() || at->second.refs > 0) return false;
  drop(at);
  return true;
}

void StickTable::purge(Mono now) {
  while (!by_use_.empty()) {
    const auto at = entries_.find(by_use_.front());
    HF_ASSERT(at != entries_.end());
    if (at->second.expires > now) return;
    if (at->second.refs > 0) {
      by_use_.splice(by_use_.end(), by_use_, at->second.place);  // looked at again when it is its turn
      at->second.expires = now + config_->expire;
      continue;
    }
    drop(at);
  }
}

}  // namespace holdfast::proxy
