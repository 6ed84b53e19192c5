// Between RESP and Lua.
//
// To Lua: integers are numbers, strings strings, null is false (RESP3: nil), arrays tables from 1; statuses, errors and
// RESP3's maps, sets, doubles, big numbers and verbatim strings are tables with one field that says what they are.
// Back: numbers lose their fraction, false is null, true is 1 (RESP3: a boolean), an array ends before the first nil.
// Source: Redis documentation, "Lua API reference", data type conversion.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "command/reply.h"

struct lua_State;

namespace holdfast::script {

/// Pushes one reply. `resp` is what the server itself wrote, so it is well formed.
void push_reply(lua_State* lua, std::string_view resp);
/// Writes the value at the top of the stack and removes it. `resp`: the version the script asked for.
/// Answers whether a returned error was counted already, when the command failed.
bool write_reply(lua_State* lua, int resp, command::Reply& out);

/// The arguments on the stack as words; they are removed. The error is the text to raise.
std::string take_words(lua_State* lua, std::vector<std::string>& words);

}  // namespace holdfast::script
