// The RDB file format: opcodes, value types and length marks.
//
// Source: Redis 7.2's RDB version 11; reference/server.md 1.2. Numbers are the format.
#pragma once

#include <cstdint>

namespace holdfast::codec::rdb {

inline constexpr int kVersionMin = 1;
inline constexpr int kVersionMax = 11;
/// Files of this version and later end in a checksum.
inline constexpr int kChecksumSince = 5;
/// The lowest version whose readers know everything the writer emits; with it, streams are of type 19 and lose the
/// active times of their consumers.
inline constexpr int kVersionWritten = 10;

enum class Opcode : uint8_t {
  kFunction2 = 245,
  kFunctionPreGa = 246,
  kModuleAux = 247,
  kIdle = 248,
  kFreq = 249,
  kAux = 250,
  kResizeDb = 251,
  kExpireTimeMs = 252,
  kExpireTime = 253,
  kSelectDb = 254,
  kEof = 255,
};

enum class ValueType : uint8_t {
  kString = 0,
  kList = 1,
  kSet = 2,
  kZset = 3,
  kHash = 4,
  kZset2 = 5,
  kModulePreGa = 6,
  kModule2 = 7,
  kHashZipmap = 9,
  kListZiplist = 10,
  kSetIntset = 11,
  kZsetZiplist = 12,
  kHashZiplist = 13,
  kListQuicklist = 14,
  kStreamListpacks = 15,
  kHashListpack = 16,
  kZsetListpack = 17,
  kListQuicklist2 = 18,
  kStreamListpacks2 = 19,
  kSetListpack = 20,
  kStreamListpacks3 = 21,
};

// The two top bits of a length's first byte.
inline constexpr uint8_t kLength6 = 0;
inline constexpr uint8_t kLength14 = 1;
inline constexpr uint8_t kLengthWide = 2;     // 0x80: 32 bits big-endian, 0x81: 64 bits
inline constexpr uint8_t kLengthSpecial = 3;  // the low 6 bits are a StringEncoding
inline constexpr uint8_t kLength32Byte = 0x80;
inline constexpr uint8_t kLength64Byte = 0x81;

enum class StringEncoding : uint8_t { kInt8 = 0, kInt16 = 1, kInt32 = 2, kLzf = 3 };

// Nodes of a quicklist 2.
inline constexpr uint64_t kNodePlain = 1;
inline constexpr uint64_t kNodePacked = 2;

}  // namespace holdfast::codec::rdb
