#include "script/errors.h"

#include <cstdlib>
#include <cstring>
#include <lua.hpp>

#include "base/text.h"

namespace holdfast::script {
namespace {

std::string field(lua_State* lua, const char* name) {
  lua_getfield(lua, -1, name);
  size_t size = 0;
  const char* text = lua_isstring(lua, -1) ? lua_tolstring(lua, -1, &size) : nullptr;
  std::string out = text == nullptr ? std::string() : std::string(text, size);
  lua_pop(lua, 1);
  return out;
}

}  // namespace

void push_error(lua_State* lua, std::string_view text) {
  std::string_view code = "ERR";
  if (text.starts_with('-')) {
    const size_t space = text.find(' ');
    if (space != std::string_view::npos) code = text.substr(1, space - 1);
    text = text.substr(space == std::string_view::npos ? 1 : space + 1);
  }
  const std::string message = std::string(code) + " " + std::string(trim(text, "\r\n"));
  luaL_checkstack(lua, 3, "no room for an error");
  lua_createtable(lua, 0, 3);
  lua_pushlstring(lua, message.data(), message.size());
  lua_setfield(lua, -2, "err");
}

void raise_error(lua_State* lua, std::string_view text) {
  push_error(lua, text);
  lua_error(lua);
  std::abort();  // lua_error does not return
}

int note_place(lua_State* lua) {
  if (!lua_istable(lua, 1)) {
    const std::string text =
        std::string("ERR ") + (lua_isstring(lua, 1) ? lua_tostring(lua, 1) : luaL_typename(lua, 1));
    lua_createtable(lua, 0, 3);
    lua_pushlstring(lua, text.data(), text.size());
    lua_setfield(lua, -2, "err");
    lua_replace(lua, 1);
  }
  lua_Debug at;
  bool found = lua_getstack(lua, 1, &at) != 0 && lua_getinfo(lua, "nSl", &at) != 0;
  // An error inside a C function is told where it was called.
  if (found && std::strcmp(at.what, "C") == 0)
    found = lua_getstack(lua, 2, &at) != 0 && lua_getinfo(lua, "nSl", &at) != 0;
  if (found) {
    lua_pushstring(lua, at.source);
    lua_setfield(lua, 1, "source");
    lua_pushinteger(lua, at.currentline);
    lua_setfield(lua, 1, "line");
  }
  lua_settop(lua, 1);
  return 1;
}

ErrorInfo read_error(lua_State* lua) {
  ErrorInfo out;
  if (!lua_istable(lua, -1)) {
    out.text = std::string("ERR ") + (lua_isstring(lua, -1) ? lua_tostring(lua, -1) : "unknown error");
    return out;
  }
  out.text = field(lua, "err");
  out.source = field(lua, "source");
  out.line = field(lua, "line");
  lua_getfield(lua, -1, "ignore_error_stats_update");
  out.counted = lua_toboolean(lua, -1) != 0;
  lua_pop(lua, 1);
  return out;
}

}  // namespace holdfast::script
