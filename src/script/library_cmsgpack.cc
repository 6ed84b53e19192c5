// cmsgpack: Lua values as MessagePack and back. Source: lua-cmsgpack 0.4.0 (functions, error texts); the MessagePack
// specification.
#include <bit>
#include <cmath>
#include <cstring>
#include <lua.hpp>
#include <string>
#include <string_view>

#include "script/libraries.h"

namespace holdfast::script {
namespace {

constexpr int kNestingMax = 16;

class Packer {
 public:
  explicit Packer(lua_State* lua) : lua_(lua) {}
  std::string out;

  /// The value at the top of the stack, which is removed.
  void value(int level) {
    switch (lua_type(lua_, -1)) {
      case LUA_TSTRING:
        text();
        break;
      case LUA_TBOOLEAN:
        byte(lua_toboolean(lua_, -1) != 0 ? 0xc3 : 0xc2);
        break;
      case LUA_TNUMBER:
        number(lua_tonumber(lua_, -1));
        break;
      case LUA_TTABLE:
        // COMPAT: what lies deeper is packed as nil.
        level == kNestingMax ? byte(0xc0) : table(level);
        break;
      default:
        byte(0xc0);
    }
    lua_pop(lua_, 1);
  }

 private:
  void byte(unsigned value) { out += static_cast<char>(value); }
  void big_endian(uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) byte(static_cast<unsigned>(value >> (i * 8)) & 0xff);
  }

  void text() {
    size_t size = 0;
    const char* bytes = lua_tolstring(lua_, -1, &size);
    if (size < 32) {
      byte(0xa0 | static_cast<unsigned>(size));
    } else if (size <= 0xff) {
      byte(0xd9), big_endian(size, 1);
    } else if (size <= 0xffff) {
      byte(0xda), big_endian(size, 2);
    } else {
      byte(0xdb), big_endian(size, 4);
    }
    out.append(bytes, size);
  }
  void number(lua_Number value) {
    if (value == std::floor(value) && value >= -9223372036854775808.0 && value < 9223372036854775808.0) {
      return integer(static_cast<int64_t>(value));
    }
    const auto narrow = static_cast<float>(value);
    if (static_cast<lua_Number>(narrow) == value) {
      byte(0xca), big_endian(std::bit_cast<uint32_t>(narrow), 4);
    } else {
      byte(0xcb), big_endian(std::bit_cast<uint64_t>(value), 8);
    }
  }
  void integer(int64_t value) {
    const auto bits = static_cast<uint64_t>(value);
    if (value >= 0) {
      if (value <= 0x7f) return byte(static_cast<unsigned>(value));
      if (value <= 0xff) return byte(0xcc), big_endian(bits, 1);
      if (value <= 0xffff) return byte(0xcd), big_endian(bits, 2);
      if (value <= 0xffffffffLL) return byte(0xce), big_endian(bits, 4);
      return byte(0xcf), big_endian(bits, 8);
    }
    if (value >= -32) return byte(static_cast<unsigned>(value & 0xff));
    if (value >= INT8_MIN) return byte(0xd0), big_endian(bits, 1);
    if (value >= INT16_MIN) return byte(0xd1), big_endian(bits, 2);
    if (value >= INT32_MIN) return byte(0xd2), big_endian(bits, 4);
    byte(0xd3), big_endian(bits, 8);
  }

  /// The length if keys are 1..n, 0 otherwise.
  size_t array_length() {
    size_t count = 0;
    lua_Number largest = 0;
    lua_pushnil(lua_);
    while (lua_next(lua_, -2) != 0) {
      lua_pop(lua_, 1);
      const bool index = lua_type(lua_, -1) == LUA_TNUMBER;
      const lua_Number key = index ? lua_tonumber(lua_, -1) : 0;
      if (!index || key <= 0 || key != std::floor(key)) {
        lua_pop(lua_, 1);
        return 0;
      }
      largest = std::max(largest, key);
      ++count;
    }
    return largest == static_cast<lua_Number>(count) ? count : 0;
  }
  void head(size_t count, unsigned small, unsigned medium, unsigned large) {
    if (count <= 15) {
      byte(small | static_cast<unsigned>(count));
    } else if (count <= 0xffff) {
      byte(medium), big_endian(count, 2);
    } else {
      byte(large), big_endian(count, 4);
    }
  }
  void table(int level) {
    luaL_checkstack(lua_, 4, "in function mp_encode_lua_table");
    const size_t length = array_length();
    if (length > 0) {
      head(length, 0x90, 0xdc, 0xdd);
      for (size_t i = 1; i <= length; ++i) {
        lua_rawgeti(lua_, -1, static_cast<int>(i));
        value(level + 1);
      }
      return;
    }
    size_t pairs = 0;
    lua_pushnil(lua_);
    while (lua_next(lua_, -2) != 0) {
      lua_pop(lua_, 1);
      ++pairs;
    }
    head(pairs, 0x80, 0xde, 0xdf);
    lua_pushnil(lua_);
    while (lua_next(lua_, -2) != 0) {
      lua_pushvalue(lua_, -2);
      value(level + 1);
      value(level + 1);
    }
  }

  lua_State* lua_;
};

class Unpacker {
 public:
  Unpacker(lua_State* lua, std::string_view data) : lua_(lua), data_(data) {}
  size_t at = 0;

  /// Pushes one value.
  void value() {
    luaL_checkstack(lua_, 4, "too many return values at once; use unpack_one or unpack_limit instead.");
    const auto first = static_cast<unsigned char>(take(1)[0]);
    if (first <= 0x7f) return push(static_cast<lua_Number>(first));
    if (first >= 0xe0) return push(static_cast<lua_Number>(static_cast<int8_t>(first)));
    if ((first & 0xf0) == 0x80) return map(first & 15);
    if ((first & 0xf0) == 0x90) return array(first & 15);
    if ((first & 0xe0) == 0xa0) return text(first & 31);
    tagged(first);
  }

 private:
  std::string_view take(size_t bytes) {
    if (bytes > data_.size() - at) luaL_error(lua_, "Missing bytes in input.");
    const std::string_view out = data_.substr(at, bytes);
    at += bytes;
    return out;
  }
  uint64_t big_endian(size_t bytes) {
    uint64_t value = 0;
    for (const char c : take(bytes)) value = (value << 8) | static_cast<unsigned char>(c);
    return value;
  }
  void push(lua_Number value) { lua_pushnumber(lua_, value); }
  void text(uint64_t size) {
    const std::string_view bytes = take(size);
    lua_pushlstring(lua_, bytes.data(), bytes.size());
  }

  void tagged(unsigned char first) {
    switch (first) {
      case 0xc0:
        return lua_pushnil(lua_);
      case 0xc2:
      case 0xc3:
        return lua_pushboolean(lua_, first == 0xc3);
      case 0xca:
        return push(std::bit_cast<float>(static_cast<uint32_t>(big_endian(4))));
      case 0xcb:
        return push(std::bit_cast<double>(big_endian(8)));
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return push(static_cast<lua_Number>(big_endian(size_t{1} << (first - 0xcc))));
      case 0xd0:
        return push(static_cast<int8_t>(big_endian(1)));
      case 0xd1:
        return push(static_cast<int16_t>(big_endian(2)));
      case 0xd2:
        return push(static_cast<int32_t>(big_endian(4)));
      case 0xd3:
        return push(static_cast<lua_Number>(static_cast<int64_t>(big_endian(8))));
      case 0xc4:
      case 0xd9:
        return text(big_endian(1));
      case 0xc5:
      case 0xda:
        return text(big_endian(2));
      case 0xc6:
      case 0xdb:
        return text(big_endian(4));
      case 0xdc:
        return array(big_endian(2));
      case 0xdd:
        return array(big_endian(4));
      case 0xde:
        return map(big_endian(2));
      case 0xdf:
        return map(big_endian(4));
      default:
        luaL_error(lua_, "Bad data format in input.");
    }
  }

  /// Every nested value takes a byte at least: depth and counts are bounded by the data.
  void descend() {
    if (++depth_ > kDepthMax) luaL_error(lua_, "Bad data format in input.");
  }
  void array(uint64_t items) {
    descend();
    lua_newtable(lua_);
    for (uint64_t i = 1; i <= items; ++i) {
      push(static_cast<lua_Number>(i));
      value();
      lua_rawset(lua_, -3);
    }
    --depth_;
  }
  void map(uint64_t pairs) {
    descend();
    lua_newtable(lua_);
    for (uint64_t i = 0; i < pairs; ++i) {
      value();
      value();
      const bool no_key =
          lua_isnil(lua_, -2) || (lua_type(lua_, -2) == LUA_TNUMBER && std::isnan(lua_tonumber(lua_, -2)));
      no_key ? lua_pop(lua_, 2) : lua_rawset(lua_, -3);
    }
    --depth_;
  }

  static constexpr int kDepthMax = 1000;
  lua_State* lua_;
  std::string_view data_;
  int depth_ = 0;
};

int pack(lua_State* lua) {
  const int count = lua_gettop(lua);
  if (count == 0) return luaL_argerror(lua, 0, "MessagePack pack needs input.");
  luaL_checkstack(lua, count, "Too many arguments for MessagePack pack.");
  Packer packer(lua);
  for (int i = 1; i <= count; ++i) {
    lua_pushvalue(lua, i);
    packer.value(0);
  }
  lua_pushlstring(lua, packer.out.data(), packer.out.size());
  return 1;
}

/// `limit` 0: all there is. With a limit or an offset the first result says where to go on, -1 at the end.
int unpack_from(lua_State* lua, lua_Integer limit, lua_Integer offset) {
  size_t size = 0;
  const char* bytes = luaL_checklstring(lua, 1, &size);
  if (limit < 0 || offset < 0) {
    return luaL_error(lua, "Invalid request to unpack with offset of %d and limit of %d.", static_cast<int>(offset),
                      static_cast<int>(size));
  }
  if (static_cast<uint64_t>(offset) > size) {
    return luaL_error(lua, "Start offset %d greater than input length %d.", static_cast<int>(offset),
                      static_cast<int>(size));
  }
  const bool all = limit == 0 && offset == 0;
  Unpacker unpacker(lua, {bytes, size});
  unpacker.at = static_cast<size_t>(offset);
  int count = 0;
  while (unpacker.at < size && (limit == 0 || count < limit)) {
    unpacker.value();
    ++count;
  }
  if (all) return count;
  lua_pushinteger(lua, unpacker.at == size ? -1 : static_cast<lua_Integer>(unpacker.at));
  lua_insert(lua, lua_gettop(lua) - count);
  return count + 1;
}

int unpack(lua_State* lua) { return unpack_from(lua, 0, 0); }
int unpack_one(lua_State* lua) {
  const lua_Integer offset = luaL_optinteger(lua, 2, 0);
  lua_settop(lua, 1);
  return unpack_from(lua, 1, offset);
}
int unpack_limit(lua_State* lua) {
  const lua_Integer limit = luaL_checkinteger(lua, 2);
  const lua_Integer offset = luaL_optinteger(lua, 3, 0);
  lua_settop(lua, 1);
  return unpack_from(lua, limit, offset);
}

}  // namespace

void open_cmsgpack(lua_State* lua) {
  lua_newtable(lua);
  constexpr luaL_Reg kFunctions[] = {
      {"pack", pack}, {"unpack", unpack}, {"unpack_one", unpack_one}, {"unpack_limit", unpack_limit}};
  for (const luaL_Reg& function : kFunctions) {
    lua_pushcfunction(lua, function.func);
    lua_setfield(lua, -2, function.name);
  }
  lua_pushliteral(lua, "cmsgpack");
  lua_setfield(lua, -2, "_NAME");
  lua_pushliteral(lua, "lua-cmsgpack 0.4.0");
  lua_setfield(lua, -2, "_VERSION");
  lua_pushliteral(lua, "Copyright (C) 2012, Redis Ltd.");
  lua_setfield(lua, -2, "_COPYRIGHT");
  lua_pushliteral(lua, "MessagePack C implementation for Lua");
  lua_setfield(lua, -2, "_DESCRIPTION");
  lua_setglobal(lua, "cmsgpack");
}

}  // namespace holdfast::script
