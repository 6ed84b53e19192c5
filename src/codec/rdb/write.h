// RDB writing: the primitives of the format, appended to a byte string. Checksums and framing are the caller's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "codec/rdb/format.h"

namespace holdfast::codec::rdb {

void put_magic(std::string& out, int version);
inline void put_byte(std::string& out, uint8_t byte) { out.push_back(static_cast<char>(byte)); }
inline void put_opcode(std::string& out, Opcode opcode) { put_byte(out, static_cast<uint8_t>(opcode)); }
inline void put_type(std::string& out, ValueType type) { put_byte(out, static_cast<uint8_t>(type)); }
void put_length(std::string& out, uint64_t length);
/// Canonical integers of at most 32 bits as numbers; with `compress`, texts over 20 bytes as LZF where it gains.
void put_string(std::string& out, std::string_view text, bool compress);
/// An integer as a string: as a number if it fits 32 bits, else as digits.
void put_integer(std::string& out, int64_t value);
/// 8 bytes little-endian.
void put_uint64(std::string& out, uint64_t value);
void put_double(std::string& out, double value);
void put_aux(std::string& out, std::string_view name, std::string_view value);

}  // namespace holdfast::codec::rdb
