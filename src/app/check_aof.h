// check-aof: is an append-only file sane, where does it break, and how is it repaired? What redis-check-aof prints,
// asks and answers with its exit code.
//
// Source: redis-server 7.2 (texts, order, offsets): one file of commands, one with an RDB part before them, or a
// manifest with all its parts.
#pragma once

#include <string>
#include <vector>

namespace holdfast::app {

int run_check_aof(const std::string& program, const std::vector<std::string>& arguments);

}  // namespace holdfast::app
