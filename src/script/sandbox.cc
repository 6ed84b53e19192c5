#include "script/sandbox.h"

#include <cmath>
#include <cstring>
#include <lua.hpp>

#include "base/assert.h"
#include "script/errors.h"
#include "script/libraries.h"
#include "script/redis_api.h"
#include "script/state.h"

namespace holdfast::script {
namespace {

constexpr const char* kReadOnly = "Attempt to modify a readonly table";
// Keys in the registry and in metatables: addresses nobody else has.
char protected_key;
char globals_key;          // the real table of globals
char library_globals_key;  // the globals of FUNCTION LOAD
char shown_metatable_key;
char global_face_key;  // the metatable of what scripts see as _G

int refuse_change(lua_State* lua) { return luaL_error(lua, kReadOnly); }

/// What getmetatable shows of a face: an empty table nobody can change either.
void push_shown_metatable(lua_State* lua) {
  lua_pushlightuserdata(lua, &shown_metatable_key);
  lua_rawget(lua, LUA_REGISTRYINDEX);
  if (lua_istable(lua, -1)) return;
  lua_pop(lua, 1);
  lua_newtable(lua);
  lua_createtable(lua, 0, 2);
  lua_pushcfunction(lua, refuse_change);
  lua_setfield(lua, -2, "__newindex");
  lua_pushlightuserdata(lua, &protected_key);
  lua_newtable(lua);
  lua_rawset(lua, -3);
  lua_pushvalue(lua, -2);
  lua_setfield(lua, -2, "__metatable");
  lua_setmetatable(lua, -2);
  lua_pushlightuserdata(lua, &shown_metatable_key);
  lua_pushvalue(lua, -2);
  lua_rawset(lua, LUA_REGISTRYINDEX);
}

int missing_global(lua_State* lua) {
  return luaL_error(lua, "Script attempted to access nonexistent global variable '%s'",
                    lua_isstring(lua, 2) ? lua_tostring(lua, 2) : luaL_typename(lua, 2));
}

/// Reads of what is not there are errors.
void refuse_missing(lua_State* lua) {
  lua_createtable(lua, 0, 1);
  lua_pushcfunction(lua, missing_global);
  lua_setfield(lua, -2, "__index");
  lua_setmetatable(lua, -2);
}

void check_unprotected(lua_State* lua, int index) {
  if (push_protected(lua, index)) luaL_error(lua, kReadOnly);
}

/// Functions that reach past metatables see the table behind a face, and do not change it.
int raw_get(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checkany(lua, 2);
  lua_settop(lua, 2);
  if (push_protected(lua, 1)) lua_replace(lua, 1);
  lua_rawget(lua, 1);
  return 1;
}
int raw_set(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checkany(lua, 2);
  luaL_checkany(lua, 3);
  check_unprotected(lua, 1);
  lua_settop(lua, 3);
  lua_rawset(lua, 1);
  return 1;
}
int next_pair(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_settop(lua, 2);
  if (push_protected(lua, 1)) lua_replace(lua, 1);
  if (lua_next(lua, 1) != 0) return 2;
  lua_pushnil(lua);
  return 1;
}
int pairs(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_pushcfunction(lua, next_pair);
  lua_pushvalue(lua, 1);
  lua_pushnil(lua);
  return 3;
}
int set_metatable(lua_State* lua) {
  const int type = lua_type(lua, 2);
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_argcheck(lua, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table expected");
  check_unprotected(lua, 1);
  if (luaL_getmetafield(lua, 1, "__metatable") != 0) return luaL_error(lua, "cannot change a protected metatable");
  lua_settop(lua, 2);
  lua_setmetatable(lua, 1);
  return 1;
}

/// A function of the `table` library that writes to its first argument: `upvalue 1` is the original.
int writing_function(lua_State* lua) {
  check_unprotected(lua, 1);
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_insert(lua, 1);
  lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
  return lua_gettop(lua);
}

/// unpack with checked bounds (CVE-2025-46817).
int unpack(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  const auto first = static_cast<int64_t>(luaL_optinteger(lua, 2, 1));
  const auto last = lua_isnoneornil(lua, 3) ? static_cast<int64_t>(lua_objlen(lua, 1))
                                            : static_cast<int64_t>(luaL_checkinteger(lua, 3));
  if (first > last) return 0;
  const uint64_t count = static_cast<uint64_t>(last) - static_cast<uint64_t>(first) + 1;
  if (count == 0 || count >= LUAI_MAXCSTACK || first < INT32_MIN || last > INT32_MAX ||
      lua_checkstack(lua, static_cast<int>(count)) == 0) {
    return luaL_error(lua, "too many results to unpack");
  }
  for (int64_t i = first; i <= last; ++i) lua_rawgeti(lua, 1, static_cast<int>(i));
  return static_cast<int>(count);
}

/// loadstring and load: no bytecode, nothing collected while the parser works (script/state.cc).
int load_chunk(lua_State* lua, std::string_view code, const char* name) {
  const std::string error = State::of(lua).compile(code, name);
  if (error.empty()) return 1;
  lua_pushnil(lua);
  lua_pushlstring(lua, error.data(), error.size());
  return 2;
}
int load_string(lua_State* lua) {
  size_t size = 0;
  const char* code = luaL_checklstring(lua, 1, &size);
  const char* name = luaL_optstring(lua, 2, code);
  return load_chunk(lua, {code, size}, name);
}
int load_function(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TFUNCTION);
  const char* name = luaL_optstring(lua, 2, "=(load)");
  std::string code;
  for (;;) {
    lua_pushvalue(lua, 1);
    lua_call(lua, 0, 1);
    size_t size = 0;
    const char* piece = lua_isnil(lua, -1) ? nullptr : lua_tolstring(lua, -1, &size);
    if (piece == nullptr && !lua_isnil(lua, -1)) return luaL_error(lua, "reader function must return a string");
    if (piece == nullptr || size == 0) break;
    code.append(piece, size);
    lua_pop(lua, 1);
  }
  return load_chunk(lua, code, name);
}

/// COMPAT: redis.call raises tables since 7.0; pcall answers their text, as it always did.
int protected_call(lua_State* lua) {
  luaL_checkany(lua, 1);
  const int status = lua_pcall(lua, lua_gettop(lua) - 1, LUA_MULTRET, 0);
  if (status != 0 && lua_istable(lua, -1)) {
    lua_getfield(lua, -1, "err");
    if (lua_isstring(lua, -1) == 0) lua_pop(lua, 1);
  }
  if (status != 0) {
    lua_replace(lua, 1);
    lua_settop(lua, 1);
  }
  lua_pushboolean(lua, status == 0);
  lua_insert(lua, 1);
  return lua_gettop(lua);
}

/// The generator's last value as a fraction of one.
lua_Number draw(lua_State* lua) {
  constexpr int32_t kLargest = INT32_MAX;
  return static_cast<lua_Number>(State::of(lua).random.next() % kLargest) / static_cast<lua_Number>(kLargest);
}
int math_random(lua_State* lua) {
  const lua_Number value = draw(lua);
  switch (lua_gettop(lua)) {
    case 0:
      lua_pushnumber(lua, value);
      return 1;
    case 1: {
      const int up = luaL_checkint(lua, 1);
      luaL_argcheck(lua, 1 <= up, 1, "interval is empty");
      lua_pushnumber(lua, std::floor(value * up) + 1);
      return 1;
    }
    case 2: {
      const int low = luaL_checkint(lua, 1);
      const int up = luaL_checkint(lua, 2);
      luaL_argcheck(lua, low <= up, 2, "interval is empty");
      lua_pushnumber(lua, std::floor(value * (static_cast<lua_Number>(up) - low + 1)) + low);
      return 1;
    }
    default:
      return luaL_error(lua, "wrong number of arguments");
  }
}
int math_randomseed(lua_State* lua) {
  State::of(lua).random.seed(luaL_checkint(lua, 1));
  return 0;
}

void open_library(lua_State* lua, const char* name, lua_CFunction open) {
  lua_pushcfunction(lua, open);
  lua_pushstring(lua, name);
  lua_call(lua, 1, 0);
}

void wrap_table_functions(lua_State* lua) {
  lua_getglobal(lua, "table");
  for (const char* name : {"insert", "remove", "sort", "setn"}) {
    lua_getfield(lua, -1, name);
    lua_pushcclosure(lua, writing_function, 1);
    lua_setfield(lua, -2, name);
  }
  lua_pop(lua, 1);
}

void open_base(lua_State* lua) {
  open_library(lua, "", luaopen_base);
  open_library(lua, LUA_TABLIBNAME, luaopen_table);
  open_library(lua, LUA_STRLIBNAME, luaopen_string);
  open_library(lua, LUA_MATHLIBNAME, luaopen_math);
  for (const char* name : {"dofile", "loadfile", "print", "newproxy", "module", "require", "setfenv", "getfenv"}) {
    lua_pushnil(lua);
    lua_setglobal(lua, name);
  }
  constexpr luaL_Reg kReplaced[] = {
      {"rawget", raw_get},         {"rawset", raw_set},
      {"next", next_pair},         {"pairs", pairs},
      {"unpack", unpack},          {"setmetatable", set_metatable},
      {"loadstring", load_string}, {"load", load_function},
      {"pcall", protected_call},
  };
  for (const luaL_Reg& function : kReplaced) {
    lua_pushcfunction(lua, function.func);
    lua_setglobal(lua, function.name);
  }
  wrap_table_functions(lua);
  lua_getglobal(lua, "math");
  lua_pushcfunction(lua, math_random);
  lua_setfield(lua, -2, "random");
  lua_pushcfunction(lua, math_randomseed);
  lua_setfield(lua, -2, "randomseed");
  lua_pop(lua, 1);
}

/// Every table among the globals becomes a face; the metatable of strings leads to string's.
void protect_libraries(lua_State* lua) {
  for (const char* name : {"string", "table", "math", "coroutine", "bit", "cjson", "cmsgpack", "struct", "redis"}) {
    lua_getglobal(lua, name);
    HF_ASSERT(lua_istable(lua, -1));
    protect(lua);
    lua_setglobal(lua, name);
  }
  lua_pushliteral(lua, "");
  const bool has_metatable = lua_getmetatable(lua, -1) != 0;
  HF_ASSERT(has_metatable);
  lua_getglobal(lua, "string");
  lua_setfield(lua, -2, "__index");
  lua_createtable(lua, 0, 1);
  lua_getglobal(lua, "string");
  lua_setfield(lua, -2, "__index");
  protect(lua);
  lua_setfield(lua, -2, "__metatable");
  lua_pop(lua, 2);
}

}  // namespace

void protect(lua_State* lua) {
  const int real = lua_gettop(lua);
  lua_newtable(lua);
  lua_createtable(lua, 0, 4);
  lua_pushvalue(lua, real);
  lua_setfield(lua, -2, "__index");
  lua_pushcfunction(lua, refuse_change);
  lua_setfield(lua, -2, "__newindex");
  push_shown_metatable(lua);
  lua_setfield(lua, -2, "__metatable");
  lua_pushlightuserdata(lua, &protected_key);
  lua_pushvalue(lua, real);
  lua_rawset(lua, -3);
  lua_setmetatable(lua, -2);
  lua_replace(lua, real);
}

bool push_protected(lua_State* lua, int index) {
  if (lua_type(lua, index) != LUA_TTABLE || lua_getmetatable(lua, index) == 0) return false;
  lua_pushlightuserdata(lua, &protected_key);
  lua_rawget(lua, -2);
  lua_remove(lua, -2);
  if (lua_istable(lua, -1)) return true;
  lua_pop(lua, 1);
  return false;
}

void open_sandbox(State& state) {
  lua_State* lua = state.lua_;
  open_base(lua);
  open_bit(lua);
  open_struct(lua);
  open_cjson(lua);
  open_cmsgpack(lua);
  push_redis_table(lua);
  lua_setglobal(lua, "redis");
  protect_libraries(lua);

  lua_pushlightuserdata(lua, &globals_key);
  lua_pushvalue(lua, LUA_GLOBALSINDEX);
  refuse_missing(lua);
  lua_rawset(lua, LUA_REGISTRYINDEX);

  lua_pushlightuserdata(lua, &library_globals_key);
  lua_newtable(lua);
  push_library_table(lua);
  refuse_missing(lua);
  protect(lua);
  lua_setfield(lua, -2, "redis");
  refuse_missing(lua);
  lua_rawset(lua, LUA_REGISTRYINDEX);

  // From here on the globals are a face too. Its metatable is kept: FUNCTION LOAD shows other globals.
  lua_pushvalue(lua, LUA_GLOBALSINDEX);
  protect(lua);
  lua_pushlightuserdata(lua, &global_face_key);
  lua_getmetatable(lua, -2);
  lua_rawset(lua, LUA_REGISTRYINDEX);
  lua_pushvalue(lua, -1);
  lua_setfield(lua, LUA_GLOBALSINDEX, "_G");
  lua_replace(lua, LUA_GLOBALSINDEX);
}

void State::set_global(const char* name) {
  lua_pushlightuserdata(lua_, &globals_key);
  lua_rawget(lua_, LUA_REGISTRYINDEX);
  lua_pushstring(lua_, name);
  lua_pushvalue(lua_, -3);
  lua_rawset(lua_, -3);
  lua_pop(lua_, 2);
}

void State::show_library_globals(bool library) {
  lua_pushlightuserdata(lua_, &global_face_key);
  lua_rawget(lua_, LUA_REGISTRYINDEX);
  lua_pushlightuserdata(lua_, library ? &library_globals_key : &globals_key);
  lua_rawget(lua_, LUA_REGISTRYINDEX);
  lua_setfield(lua_, -2, "__index");
  lua_pop(lua_, 1);
}

}  // namespace holdfast::script
