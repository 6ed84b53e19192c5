// cjson: Lua values as JSON and back. Source: lua-cjson 2.1.0 (options, error texts); RFC 8259.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <lua.hpp>
#include <string>

#include "script/libraries.h"
#include "script/library_cjson_parser.h"

namespace holdfast::script {
namespace {

constexpr int kDepthLimit = 1000;  // the initial value of both depths
char config_key;                   // of the registry

JsonConfig& config_of(lua_State* lua) {
  lua_pushlightuserdata(lua, &config_key);
  lua_rawget(lua, LUA_REGISTRYINDEX);
  auto* config = static_cast<JsonConfig*>(lua_touserdata(lua, -1));
  lua_pop(lua, 1);
  return *config;
}

class Encoder {
 public:
  Encoder(lua_State* lua, const JsonConfig& config) : lua_(lua), config_(config) {}

  /// The value at the top of the stack, which stays there.
  void value(int depth) {
    switch (lua_type(lua_, -1)) {
      case LUA_TSTRING:
        return text();
      case LUA_TNUMBER:
        return number();
      case LUA_TBOOLEAN:
        out_ += lua_toboolean(lua_, -1) != 0 ? "true" : "false";
        return;
      case LUA_TTABLE:
        return table(depth + 1);
      case LUA_TNIL:
        out_ += "null";
        return;
      case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(lua_, -1) == nullptr) {
          out_ += "null";
          return;
        }
        [[fallthrough]];
      default:
        refuse("type not supported");
    }
  }
  const std::string& out() const { return out_; }

 private:
  void refuse(const char* why) { luaL_error(lua_, "Cannot serialise %s: %s", luaL_typename(lua_, -1), why); }

  void text() {
    size_t size = 0;
    const char* bytes = lua_tolstring(lua_, -1, &size);
    out_ += '"';
    for (size_t i = 0; i < size; ++i) escaped(static_cast<unsigned char>(bytes[i]));
    out_ += '"';
  }
  void escaped(unsigned char c) {
    switch (c) {
      case '"':
        out_ += "\\\"";
        return;
      case '\\':
        out_ += "\\\\";
        return;
      case '/':
        out_ += "\\/";
        return;
      case '\b':
        out_ += "\\b";
        return;
      case '\f':
        out_ += "\\f";
        return;
      case '\n':
        out_ += "\\n";
        return;
      case '\r':
        out_ += "\\r";
        return;
      case '\t':
        out_ += "\\t";
        return;
      default:
        break;
    }
    if (c >= 0x20 && c != 0x7f) {
      out_ += static_cast<char>(c);
      return;
    }
    char code[8];
    std::snprintf(code, sizeof code, "\\u%04x", c);
    out_ += code;
  }

  void number() {
    const lua_Number value = lua_tonumber(lua_, -1);
    if (!std::isfinite(value)) {
      if (config_.encode_invalid_numbers == InvalidNumbers::kNull) {
        out_ += "null";
        return;
      }
      if (config_.encode_invalid_numbers == InvalidNumbers::kNo) refuse("must not be NaN or Inf");
      out_ += std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
      return;
    }
    char digits[64];
    std::snprintf(digits, sizeof digits, "%.*g", config_.encode_precision, value);
    out_ += digits;
  }

  /// The length if the table is an array, -1 for an object.
  int array_length() {
    double largest = 0;
    int items = 0;
    lua_pushnil(lua_);
    while (lua_next(lua_, -2) != 0) {
      const bool index = lua_type(lua_, -2) == LUA_TNUMBER;
      const lua_Number key = index ? lua_tonumber(lua_, -2) : 0;
      lua_pop(lua_, 1);
      if (!index || !(key >= 1) || std::floor(key) != key) {
        lua_pop(lua_, 1);
        return -1;
      }
      largest = std::max(largest, key);
      ++items;
    }
    const bool sparse = config_.sparse_ratio > 0 && largest > static_cast<double>(items) * config_.sparse_ratio &&
                        largest > config_.sparse_safe;
    if (sparse && !config_.sparse_convert) refuse("excessively sparse array");
    if (sparse || largest > INT32_MAX) return -1;
    return static_cast<int>(largest);
  }

  void table(int depth) {
    if (depth > config_.encode_depth || lua_checkstack(lua_, 3) == 0) {
      luaL_error(lua_, "Cannot serialise, excessive depth (%d)", depth);
    }
    const int length = array_length();
    length > 0 ? array(length, depth) : object(depth);
  }
  void array(int length, int depth) {
    out_ += '[';
    for (int i = 1; i <= length; ++i) {
      if (i > 1) out_ += ',';
      lua_rawgeti(lua_, -1, i);
      value(depth);
      lua_pop(lua_, 1);
    }
    out_ += ']';
  }
  void object(int depth) {
    out_ += '{';
    bool first = true;
    lua_pushnil(lua_);
    while (lua_next(lua_, -2) != 0) {
      if (!first) out_ += ',';
      first = false;
      lua_pushvalue(lua_, -2);
      if (lua_type(lua_, -1) == LUA_TNUMBER) {
        out_ += '"';
        number();
        out_ += '"';
      } else if (lua_type(lua_, -1) == LUA_TSTRING) {
        text();
      } else {
        refuse("table key must be a number or string");
      }
      lua_pop(lua_, 1);
      out_ += ':';
      value(depth);
      lua_pop(lua_, 1);
    }
    out_ += '}';
  }

  lua_State* lua_;
  const JsonConfig& config_;
  std::string out_;
};

int encode(lua_State* lua) {
  luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
  Encoder encoder(lua, config_of(lua));
  encoder.value(0);
  lua_pushlstring(lua, encoder.out().data(), encoder.out().size());
  return 1;
}

int decode(lua_State* lua) {
  luaL_argcheck(lua, lua_gettop(lua) == 1, 1, "expected 1 argument");
  size_t size = 0;
  const char* text = luaL_checklstring(lua, 1, &size);
  push_json(lua, {text, size}, config_of(lua));
  return 1;
}

// Options: called without a value they answer the one of the moment.

int integer_option(lua_State* lua, int& option, int least, int most, const char* range) {
  if (lua_isnoneornil(lua, 1) == 0) {
    const lua_Integer value = luaL_checkinteger(lua, 1);
    luaL_argcheck(lua, value >= least && value <= most, 1, range);
    option = static_cast<int>(value);
  }
  lua_pushinteger(lua, option);
  return 1;
}
int encode_max_depth(lua_State* lua) {
  return integer_option(lua, config_of(lua).encode_depth, 1, INT32_MAX, "expected integer between 1 and 2147483647");
}
int decode_max_depth(lua_State* lua) {
  return integer_option(lua, config_of(lua).decode_depth, 1, INT32_MAX, "expected integer between 1 and 2147483647");
}
int encode_number_precision(lua_State* lua) {
  return integer_option(lua, config_of(lua).encode_precision, 1, 14, "expected integer between 1 and 14");
}

void boolean_option(lua_State* lua, int index, bool& option) {
  if (lua_isnoneornil(lua, index) != 0) return;
  luaL_checktype(lua, index, LUA_TBOOLEAN);
  option = lua_toboolean(lua, index) != 0;
}
int encode_keep_buffer(lua_State* lua) {
  boolean_option(lua, 1, config_of(lua).keep_buffer);
  lua_pushboolean(lua, config_of(lua).keep_buffer ? 1 : 0);
  return 1;
}
int decode_array_with_array_mt(lua_State* lua) {
  boolean_option(lua, 1, config_of(lua).array_metatable);
  lua_pushboolean(lua, config_of(lua).array_metatable ? 1 : 0);
  return 1;
}
int encode_sparse_array(lua_State* lua) {
  JsonConfig& config = config_of(lua);
  boolean_option(lua, 1, config.sparse_convert);
  int ratio = config.sparse_ratio;
  int safe = config.sparse_safe;
  if (lua_isnoneornil(lua, 2) == 0) ratio = static_cast<int>(luaL_checkinteger(lua, 2));
  if (lua_isnoneornil(lua, 3) == 0) safe = static_cast<int>(luaL_checkinteger(lua, 3));
  luaL_argcheck(lua, ratio >= 0, 2, "expected integer between 0 and 2147483647");
  luaL_argcheck(lua, safe >= 0, 3, "expected integer between 0 and 2147483647");
  config.sparse_ratio = ratio;
  config.sparse_safe = safe;
  lua_pushboolean(lua, config.sparse_convert ? 1 : 0);
  lua_pushinteger(lua, ratio);
  lua_pushinteger(lua, safe);
  return 3;
}
int invalid_numbers_option(lua_State* lua, InvalidNumbers& option, bool may_be_null) {
  if (lua_isboolean(lua, 1)) {
    option = lua_toboolean(lua, 1) != 0 ? InvalidNumbers::kYes : InvalidNumbers::kNo;
  } else if (lua_isnoneornil(lua, 1) == 0) {
    const std::string word = luaL_checkstring(lua, 1);
    luaL_argcheck(lua, word == "on" || word == "off" || (may_be_null && word == "null"), 1, "invalid option");
    option = word == "on" ? InvalidNumbers::kYes : word == "off" ? InvalidNumbers::kNo : InvalidNumbers::kNull;
  }
  option == InvalidNumbers::kNull ? lua_pushliteral(lua, "null") : lua_pushboolean(lua, option == InvalidNumbers::kYes);
  return 1;
}
int encode_invalid_numbers(lua_State* lua) {
  return invalid_numbers_option(lua, config_of(lua).encode_invalid_numbers, true);
}
int decode_invalid_numbers(lua_State* lua) {
  return invalid_numbers_option(lua, config_of(lua).decode_invalid_numbers, false);
}

int make(lua_State* lua);

constexpr luaL_Reg kFunctions[] = {
    {"encode", encode},
    {"decode", decode},
    {"encode_sparse_array", encode_sparse_array},
    {"encode_max_depth", encode_max_depth},
    {"decode_max_depth", decode_max_depth},
    {"encode_number_precision", encode_number_precision},
    {"encode_keep_buffer", encode_keep_buffer},
    {"encode_invalid_numbers", encode_invalid_numbers},
    {"decode_invalid_numbers", decode_invalid_numbers},
    {"decode_array_with_array_mt", decode_array_with_array_mt},
    {"new", make},
};

int make(lua_State* lua) {
  lua_newtable(lua);
  for (const luaL_Reg& function : kFunctions) {
    lua_pushcfunction(lua, function.func);
    lua_setfield(lua, -2, function.name);
  }
  lua_pushlightuserdata(lua, nullptr);
  lua_setfield(lua, -2, "null");
  lua_pushliteral(lua, "cjson");
  lua_setfield(lua, -2, "_NAME");
  lua_pushliteral(lua, "2.1.0");
  lua_setfield(lua, -2, "_VERSION");
  return 1;
}

}  // namespace

void open_cjson(lua_State* lua) {
  lua_pushlightuserdata(lua, &config_key);
  new (lua_newuserdata(lua, sizeof(JsonConfig))) JsonConfig{.encode_depth = kDepthLimit, .decode_depth = kDepthLimit};
  lua_rawset(lua, LUA_REGISTRYINDEX);
  make(lua);
  lua_setglobal(lua, "cjson");
}

}  // namespace holdfast::script
