// The sandbox: which globals there are, and that nobody changes them (script/state.h says how).
#pragma once

struct lua_State;

namespace holdfast::script {

class State;

/// Fills a new state.
void open_sandbox(State& state);

/// Replaces the table at the top of the stack by a read-only face of it.
void protect(lua_State* lua);
/// If the value at `index` is such a face, pushes the table behind it and answers true.
bool push_protected(lua_State* lua, int index);

}  // namespace holdfast::script
