// `stick-table`.
#include <algorithm>

#include "base/text.h"
#include "conf/haproxy_value.h"
#include "proxy/keyword/keyword.h"

namespace holdfast::proxy {
namespace {

class TableLine {
 public:
  explicit TableLine(KeywordContext& c) : c_(c) {}

  void run() {
    table_.name = c_.proxy->name;
    bool typed = false;
    for (size_t at = 1; at < c_.count();) {
      const std::string_view word = c_.word(at);
      if (word == "type") {
        if (!type(&at)) return;
        typed = true;
      } else if (word == "size") {
        const auto size = conf::parse_haproxy_size(c_.word(at + 1));
        if (!size || *size == 0 || *size > INT32_MAX) {
          return c_.alert("stick-table: missing or invalid size argument '{}'.", c_.word(at + 1));
        }
        table_.size = static_cast<int64_t>(*size);
        at += 2;
      } else if (word == "expire") {
        if (!time(c_.word(at + 1), &table_.expire)) return;
        at += 2;
      } else if (word == "nopurge") {
        table_.nopurge = true;
        ++at;
      } else if (word == "store") {
        for (std::string_view item : items(c_.word(at + 1))) {
          if (!store(item)) return;
        }
        at += 2;
      } else if (word == "peers" || word == "srvkey" || word == "write-to") {
        at += 2;  // accepted: nothing is exchanged with peers
      } else {
        return c_.alert("stick-table: unknown argument '{}'.", word);
      }
    }
    if (table_.size == 0) return c_.alert("stick-table: missing size.");
    if (!typed) return c_.alert("stick-table: missing type.");
    std::ranges::sort(table_.store);
    c_.proxy->table = table_;
  }

 private:
  bool type(size_t* at) {
    const std::string_view name = c_.word(*at + 1);
    *at += 2;
    if (name == "ip" || name == "ipv4") {
      table_.key = ValueType::kAddress;
    } else if (name == "ipv6") {
      table_.key = ValueType::kAddress;
      table_.key_is_v6 = true;
    } else if (name == "integer") {
      table_.key = ValueType::kInteger;
    } else if (name == "string" || name == "binary") {
      table_.key = name == "string" ? ValueType::kString : ValueType::kBinary;
      if (c_.word(*at) == "len") {
        const int64_t length = conf::leading_integer(c_.word(*at + 1));
        if (length <= 0 || length > 1024) {
          c_.alert("stick-table: invalid key length '{}'.", c_.word(*at + 1));
          return false;
        }
        table_.key_length = static_cast<size_t>(length);
        *at += 2;
      }
    } else {
      c_.alert("stick-table: unknown type '{}'.", name);
      return false;
    }
    return true;
  }

  bool time(std::string_view text, Duration* value) {
    const conf::TimeValue parsed = conf::parse_haproxy_time(text);
    if (!text.empty() && parsed.error == conf::TimeValue::Error::kNone) {
      *value = parsed.value;
      return true;
    }
    c_.alert("stick-table: unexpected character '{}' in argument of '{}'.", parsed.character, c_.word(0));
    return false;
  }

  /// Commas inside parentheses belong to an argument.
  static std::vector<std::string_view> items(std::string_view text) {
    std::vector<std::string_view> out;
    size_t begin = 0;
    int depth = 0;
    for (size_t i = 0; i <= text.size(); ++i) {
      if (i < text.size() && text[i] == '(') ++depth;
      if (i < text.size() && text[i] == ')') --depth;
      if (i < text.size() && (text[i] != ',' || depth > 0)) continue;
      out.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    }
    return out;
  }

  bool store(std::string_view item) {
    const size_t open = item.find('(');
    const TableDataRow* row = find_table_data(item.substr(0, open));
    if (row == nullptr) {
      c_.alert("stick-table: unknown store option '{}'.", item.substr(0, open));
      return false;
    }
    Duration period{};
    if (row->rate) {
      if (open == std::string_view::npos || !item.ends_with(')')) {
        c_.alert("stick-table: missing argument to store option '{}'.", row->name);
        return false;
      }
      if (!time(item.substr(open + 1, item.size() - open - 2), &period)) return false;
      if (period <= Duration{}) {
        c_.alert("stick-table: invalid argument '{}' to store option '{}'.", item, row->name);
        return false;
      }
    } else if (open != std::string_view::npos) {
      c_.alert("stick-table: unexpected argument to store option '{}'.", row->name);
      return false;
    }
    table_.store.emplace_back(row->data, period);
    return true;
  }

  KeywordContext& c_;
  TableConfig table_;
};

void parse_stick_table(KeywordContext& c) {
  if (c.proxy->kind == ProxyConfig::Kind::kDefaults) {
    return c.alert("'stick-table' is not supported in 'defaults' section.");
  }
  if (c.proxy->table.configured()) return c.alert("stick-table: table already declared in this section.");
  TableLine(c).run();
}

constexpr KeywordRow kRows[] = {
    {"stick-table", kInProxies, parse_stick_table, "what is remembered per client: counters, rates, servers"},
};

}  // namespace

std::span<const KeywordRow> table_keywords() { return kRows; }

}  // namespace holdfast::proxy
