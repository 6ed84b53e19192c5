// Errors as scripts see them: a table with `err` = `CODE text`, and where it happened.
#pragma once

#include <string>
#include <string_view>

struct lua_State;

namespace holdfast::script {

/// Pushes the table. `text` may start with `-CODE `; without one the code is ERR.
void push_error(lua_State* lua, std::string_view text);
/// The same, and raises it. Does not return.
[[noreturn]] void raise_error(lua_State* lua, std::string_view text);

/// The message handler of runs: makes any error a table and notes source and line of the innermost Lua function.
int note_place(lua_State* lua);

struct ErrorInfo {
  std::string text;  // with its code
  std::string source;
  std::string line;
  bool counted = false;  // the command that failed is in the statistics already
};
/// Reads the error at the top of the stack and leaves it there.
ErrorInfo read_error(lua_State* lua);

}  // namespace holdfast::script
