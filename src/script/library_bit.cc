// bit: operations on 32-bit integers. Source: LuaBitOp 1.0.2.
#include <array>
#include <cmath>
#include <cstdint>
#include <lua.hpp>

#include "script/libraries.h"

namespace holdfast::script {
namespace {

/// Any number, reduced modulo 2^32.
uint32_t bits_at(lua_State* lua, int index) {
  const lua_Number value = luaL_checknumber(lua, index);
  if (!std::isfinite(value)) return 0;
  constexpr lua_Number kModulus = 4294967296.0;
  lua_Number reduced = std::fmod(std::nearbyint(value), kModulus);
  if (reduced < 0) reduced += kModulus;
  return static_cast<uint32_t>(static_cast<uint64_t>(reduced));
}
int push_bits(lua_State* lua, uint32_t bits) {
  lua_pushnumber(lua, static_cast<lua_Number>(static_cast<int32_t>(bits)));
  return 1;
}

int tobit(lua_State* lua) { return push_bits(lua, bits_at(lua, 1)); }
int bnot(lua_State* lua) { return push_bits(lua, ~bits_at(lua, 1)); }

template <typename Combine>
int fold(lua_State* lua, Combine combine) {
  uint32_t out = bits_at(lua, 1);
  for (int i = lua_gettop(lua); i > 1; --i) out = combine(out, bits_at(lua, i));
  return push_bits(lua, out);
}
int band(lua_State* lua) {
  return fold(lua, [](uint32_t a, uint32_t b) { return a & b; });
}
int bor(lua_State* lua) {
  return fold(lua, [](uint32_t a, uint32_t b) { return a | b; });
}
int bxor(lua_State* lua) {
  return fold(lua, [](uint32_t a, uint32_t b) { return a ^ b; });
}

/// Shifts count modulo 32.
template <typename Shift>
int shift(lua_State* lua, Shift by) {
  const uint32_t value = bits_at(lua, 1);
  return push_bits(lua, by(value, bits_at(lua, 2) & 31));
}
int lshift(lua_State* lua) {
  return shift(lua, [](uint32_t v, uint32_t n) { return v << n; });
}
int rshift(lua_State* lua) {
  return shift(lua, [](uint32_t v, uint32_t n) { return v >> n; });
}
int arshift(lua_State* lua) {
  return shift(lua, [](uint32_t v, uint32_t n) { return static_cast<uint32_t>(static_cast<int32_t>(v) >> n); });
}
int rol(lua_State* lua) {
  return shift(lua, [](uint32_t v, uint32_t n) { return (v << n) | (v >> ((32 - n) & 31)); });
}
int ror(lua_State* lua) {
  return shift(lua, [](uint32_t v, uint32_t n) { return (v >> n) | (v << ((32 - n) & 31)); });
}
int bswap(lua_State* lua) { return push_bits(lua, __builtin_bswap32(bits_at(lua, 1))); }

/// The lowest |n| hexadecimal digits, upper case for a negative n; CVE-2024-31449: n may be the smallest integer.
int tohex(lua_State* lua) {
  uint32_t value = bits_at(lua, 1);
  int64_t digits = lua_isnone(lua, 2) ? 8 : static_cast<int32_t>(bits_at(lua, 2));
  const char* alphabet = digits < 0 ? "0123456789ABCDEF" : "0123456789abcdef";
  if (digits < 0) digits = -digits;
  if (digits > 8) digits = 8;
  std::array<char, 8> text{};
  for (int64_t i = digits; --i >= 0; value >>= 4) text[static_cast<size_t>(i)] = alphabet[value & 15];
  lua_pushlstring(lua, text.data(), static_cast<size_t>(digits));
  return 1;
}

constexpr luaL_Reg kFunctions[] = {
    {"tobit", tobit},   {"bnot", bnot},       {"band", band}, {"bor", bor}, {"bxor", bxor},   {"lshift", lshift},
    {"rshift", rshift}, {"arshift", arshift}, {"rol", rol},   {"ror", ror}, {"bswap", bswap}, {"tohex", tohex},
};

}  // namespace

void open_bit(lua_State* lua) {
  lua_newtable(lua);
  for (const luaL_Reg& function : kFunctions) {
    lua_pushcfunction(lua, function.func);
    lua_setfield(lua, -2, function.name);
  }
  lua_setglobal(lua, "bit");
}

}  // namespace holdfast::script
