// The rows of the tls-* directives; what they mean is in conf/redis_tls.h.
#include "server/config.h"

namespace holdfast::server {
namespace {

std::string parse_tls(const ConfigRow& row, Settings& settings, Values values) {
  if (values.size() != 1) return "wrong number of arguments";
  return conf::set_redis_tls(settings.tls, row.name, values[0]);
}
std::string print_tls(const ConfigRow& row, const Settings& settings) {
  return conf::print_redis_tls(settings.tls, row.name);
}

}  // namespace

std::span<const ConfigRow> tls_rows() {
  static const std::vector<ConfigRow> rows = [] {
    std::vector<ConfigRow> out;
    for (const conf::RedisTlsRow& row : conf::redis_tls_rows()) {
      out.push_back(ConfigRow{row.name, "", 0, parse_tls, print_tls, row.summary});
    }
    return out;
  }();
  return rows;
}

}  // namespace holdfast::server
