// AOF saving: entries of a dataset as the commands that make them anew - the base of an append-only file where
// `aof-use-rdb-preamble` is off.
//
// Source: the rewrite of redis-server 7.2: at most 64 items a command, PEXPIREAT behind the key.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast::store {
class Entry;
class Stream;
struct StreamEntry;
}  // namespace holdfast::store

namespace holdfast::persist {

void put_select_command(std::string& out, size_t index);
void put_function_command(std::string& out, std::string_view library);
void put_entry_commands(std::string& out, const store::Entry& entry);

// The parts of large ones.
inline constexpr size_t kItemsPerCommand = 64;
std::string score_text(double score);
void put_stream_entry_command(std::string& out, std::string_view key, const store::StreamEntry& entry);
/// What a stream is beyond its entries.
void put_stream_rest_commands(std::string& out, std::string_view key, const store::Stream& stream);
void put_expiry_command(std::string& out, const store::Entry& entry);

}  // namespace holdfast::persist
