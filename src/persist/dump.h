// DUMP payloads: one value with its format version and checksum, as DUMP gives and RESTORE takes.
//
// Layout: type byte, value, version (2 bytes little-endian), CRC-64 of all before (8 bytes little-endian).
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/keyspace.h"

namespace holdfast::persist {

std::string dump(const store::Entry& entry);

enum class RestoreError : uint8_t {
  kVersionOrChecksum,  // -ERR DUMP payload version or checksum are wrong
  kBadData,            // -ERR Bad data format
};

/// Version, checksum and length only.
bool is_valid_dump(std::string_view payload);
/// Stores the value under `key`, which must be absent; nothing is stored on error. An empty collection is kBadData.
std::expected<void, RestoreError> restore(std::string_view payload, store::Keyspace& db, const store::Key& key,
                                          int64_t expires_at_ms);

/// FUNCTION DUMP: the sources of libraries with the same footer.
std::string dump_functions(std::span<const std::string> sources);
/// FUNCTION RESTORE; the payload is_valid_dump. The error is the original's text.
std::expected<std::vector<std::string>, std::string> restore_functions(std::string_view payload);

}  // namespace holdfast::persist
