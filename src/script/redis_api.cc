#include "script/redis_api.h"

#include <lua.hpp>
#include <vector>

#include "base/version.h"
#include "codec/sha.h"
#include "script/convert.h"
#include "script/errors.h"
#include "script/functions.h"
#include "script/state.h"

namespace holdfast::script {
namespace {

/// The run; outside of one (a library being loaded) these functions are not there, but a closure may keep them.
Host& host_of(lua_State* lua) {
  State& state = State::of(lua);
  if (state.host == nullptr) raise_error(lua, "redis functions can only be called inside a script invocation");
  return *state.host;
}

int run_command(lua_State* lua, bool raise) {
  Host& host = host_of(lua);
  std::vector<std::string> words;
  const std::string problem = take_words(lua, words);
  bool failed = !problem.empty();
  if (failed) {
    push_error(lua, problem);
  } else {
    const std::vector<std::string_view> views(words.begin(), words.end());
    const Called called = host.call(views, State::of(lua).resp);
    if (!called.refusal.empty()) {
      push_error(lua, called.refusal);
      lua_pushboolean(lua, 1);
      lua_setfield(lua, -2, "ignore_error_stats_update");
      failed = true;
    } else {
      push_reply(lua, called.reply);
      failed = called.reply.starts_with('-');
    }
  }
  if (failed && raise) return lua_error(lua);
  return 1;
}
int call_function(lua_State* lua) { return run_command(lua, true); }
int pcall_function(lua_State* lua) { return run_command(lua, false); }

int acl_check_function(lua_State* lua) {
  Host& host = host_of(lua);
  std::vector<std::string> words;
  const std::string problem = take_words(lua, words);
  if (!problem.empty()) raise_error(lua, problem);
  const auto allowed = host.may_call(std::vector<std::string_view>(words.begin(), words.end()));
  if (!allowed) raise_error(lua, "Invalid command passed to redis.acl_check_cmd()");
  lua_pushboolean(lua, *allowed ? 1 : 0);
  return 1;
}

std::string_view string_at(lua_State* lua, int index) {
  size_t size = 0;
  const char* text = lua_tolstring(lua, index, &size);
  return text == nullptr ? std::string_view() : std::string_view(text, size);
}

int log_function(lua_State* lua) {
  const int count = lua_gettop(lua);
  if (count < 2) raise_error(lua, "redis.log() requires two arguments or more.");
  if (lua_isnumber(lua, 1) == 0) raise_error(lua, "First argument must be a number (log level).");
  const auto level = static_cast<int>(lua_tonumber(lua, 1));
  if (level < 0 || level > 3) raise_error(lua, "Invalid debug level.");
  std::string text;
  for (int i = 2; i <= count; ++i) {
    if (lua_isstring(lua, i) == 0) continue;
    if (i > 2) text += ' ';
    text += string_at(lua, i);
  }
  // While a library is loaded there is no run to log through.
  if (State::of(lua).host != nullptr) State::of(lua).host->log(static_cast<LogLevel>(level), std::move(text));
  return 0;
}

int setresp_function(lua_State* lua) {
  if (lua_gettop(lua) != 1) raise_error(lua, "redis.setresp() requires one argument.");
  const auto version = static_cast<int>(lua_tonumber(lua, 1));
  if (version != 2 && version != 3) raise_error(lua, "RESP version must be 2 or 3.");
  State::of(lua).resp = version;
  return 0;
}

int sha1hex_function(lua_State* lua) {
  if (lua_gettop(lua) != 1) raise_error(lua, "wrong number of arguments");
  const std::string digest = codec::sha1_hex(string_at(lua, 1));
  lua_pushlstring(lua, digest.data(), digest.size());
  return 1;
}

bool one_string(lua_State* lua) {
  if (lua_gettop(lua) == 1 && lua_type(lua, 1) == LUA_TSTRING) return true;
  push_error(lua, "wrong number or type of arguments");
  return false;
}
int error_reply_function(lua_State* lua) {
  if (!one_string(lua)) return 1;
  const std::string_view text = string_at(lua, 1);
  push_error(lua, text.starts_with('-') ? std::string(text) : "-" + std::string(text));
  return 1;
}
int status_reply_function(lua_State* lua) {
  if (!one_string(lua)) return 1;
  lua_createtable(lua, 0, 1);
  lua_pushvalue(lua, 1);
  lua_setfield(lua, -2, "ok");
  return 1;
}

int set_repl_function(lua_State* lua) {
  Host& host = host_of(lua);
  if (lua_gettop(lua) != 1) raise_error(lua, "redis.set_repl() requires one argument.");
  const auto targets = static_cast<int>(lua_tonumber(lua, 1));
  if ((targets & ~static_cast<int>(kReplicateAll)) != 0) {
    raise_error(lua, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
  }
  host.set_replication(static_cast<unsigned>(targets));
  return 0;
}

/// COMPAT: scripts are replicated by their effects, always.
int replicate_commands_function(lua_State* lua) {
  lua_pushboolean(lua, 1);
  return 1;
}
/// Without a debugger nothing stops.
int breakpoint_function(lua_State* lua) {
  lua_pushboolean(lua, 0);
  return 1;
}
int debug_function(lua_State*) { return 0; }

int register_function(lua_State* lua) {
  Library* library = State::of(lua).loading;
  if (library == nullptr) raise_error(lua, "redis.register_function can only be called on FUNCTION LOAD command");
  const std::string problem = register_from_stack(lua, *library);
  if (!problem.empty()) raise_error(lua, problem);
  return 0;
}

void set_functions(lua_State* lua, std::initializer_list<luaL_Reg> functions) {
  for (const luaL_Reg& function : functions) {
    lua_pushcfunction(lua, function.func);
    lua_setfield(lua, -2, function.name);
  }
}
void set_numbers(lua_State* lua, std::initializer_list<std::pair<const char*, int>> numbers) {
  for (const auto& [name, value] : numbers) {
    lua_pushinteger(lua, value);
    lua_setfield(lua, -2, name);
  }
}
void set_common(lua_State* lua) {
  set_functions(lua, {{"log", log_function}});
  set_numbers(lua, {{"LOG_DEBUG", 0}, {"LOG_VERBOSE", 1}, {"LOG_NOTICE", 2}, {"LOG_WARNING", 3}});
  set_numbers(lua, {{"REDIS_VERSION_NUM", kRedisVersionNumber}});
  lua_pushlstring(lua, kRedisVersion.data(), kRedisVersion.size());
  lua_setfield(lua, -2, "REDIS_VERSION");
}

}  // namespace

void push_redis_table(lua_State* lua) {
  lua_newtable(lua);
  set_common(lua);
  set_functions(lua, {{"call", call_function},
                      {"pcall", pcall_function},
                      {"setresp", setresp_function},
                      {"sha1hex", sha1hex_function},
                      {"error_reply", error_reply_function},
                      {"status_reply", status_reply_function},
                      {"set_repl", set_repl_function},
                      {"acl_check_cmd", acl_check_function},
                      {"replicate_commands", replicate_commands_function},
                      {"breakpoint", breakpoint_function},
                      {"debug", debug_function}});
  set_numbers(lua, {{"REPL_NONE", 0},
                    {"REPL_AOF", kReplicateToFile},
                    {"REPL_SLAVE", kReplicateToReplicas},
                    {"REPL_REPLICA", kReplicateToReplicas},
                    {"REPL_ALL", kReplicateAll}});
}

void push_library_table(lua_State* lua) {
  lua_newtable(lua);
  set_common(lua);
  set_functions(lua, {{"register_function", register_function}});
}

}  // namespace holdfast::script
