// The `redis` table: how scripts run commands, log, and make replies.
#pragma once

struct lua_State;

namespace holdfast::script {

/// Pushes the table scripts and functions see.
void push_redis_table(lua_State* lua);
/// Pushes the one of FUNCTION LOAD: register_function, log and the version.
void push_library_table(lua_State* lua);

}  // namespace holdfast::script
