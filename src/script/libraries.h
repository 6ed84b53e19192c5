// The libraries beside Lua's own: bit, struct, cjson, cmsgpack. Each sets its global in a new state.
//
// Written anew with checked lengths and depths, as most holes of scripting were in these. Source: the manuals of
// LuaBitOp 1.0.2, struct 0.2, lua-cjson 2.1.0 and lua-cmsgpack 0.4.0, as shipped with Redis 7.2.
#pragma once

struct lua_State;

namespace holdfast::script {

void open_bit(lua_State* lua);
void open_struct(lua_State* lua);
void open_cjson(lua_State* lua);
void open_cmsgpack(lua_State* lua);

}  // namespace holdfast::script
