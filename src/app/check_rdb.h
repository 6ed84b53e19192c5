// check-rdb: is an RDB file sane, and where does it break? What redis-check-rdb prints, and its exit code.
//
// Source: redis-server 7.2 (texts, order, what counts as an offset: the bytes behind the last whole read).
// COMPAT: where the original names the line of its source that found a broken value, we name none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::app {

struct RdbVerdict {
  bool good = false;
  uint64_t end = 0;    // behind the checksum, if good
  std::string report;  // what to print
};
/// `bytes` may go on behind the RDB part. `now_ms`: unix time, for what counts as expired.
RdbVerdict check_rdb(std::string_view bytes, std::string_view name, int64_t now_ms);

int run_check_rdb(const std::string& program, const std::vector<std::string>& arguments);

}  // namespace holdfast::app
