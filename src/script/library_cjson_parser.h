// Reading JSON into Lua values: the decoding half of cjson.
#pragma once

#include <cstdint>
#include <string_view>

struct lua_State;

namespace holdfast::script {

enum class InvalidNumbers : uint8_t { kNo, kYes, kNull };

struct JsonConfig {
  int encode_depth = 0;
  int decode_depth = 0;
  int encode_precision = 14;  // significant digits
  bool sparse_convert = false;
  int sparse_ratio = 2;
  int sparse_safe = 10;
  bool keep_buffer = true;
  bool array_metatable = false;
  InvalidNumbers encode_invalid_numbers = InvalidNumbers::kNo;
  InvalidNumbers decode_invalid_numbers = InvalidNumbers::kYes;
};

/// Pushes the value `text` is, or raises what is wrong with it and where.
void push_json(lua_State* lua, std::string_view text, const JsonConfig& config);

}  // namespace holdfast::script
