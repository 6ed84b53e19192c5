#include "script/state.h"

#include <cstdlib>
#include <lua.hpp>

#include "base/assert.h"
#include "script/errors.h"
#include "script/sandbox.h"

namespace holdfast::script {
namespace {

constexpr int kRunsPerCollection = 50;

/// Also hooked to every line once the script is killed: no pcall may hide it.
void check_killed(lua_State* lua, lua_Debug*) {
  State& state = State::of(lua);
  if (state.host == nullptr || state.host->go_on()) return;
  lua_sethook(lua, check_killed, LUA_MASKLINE, 0);
  state.host->log(LogLevel::kNotice, "Lua script killed by user with SCRIPT KILL.");
  push_error(lua, "Script killed by user with SCRIPT KILL...");
  lua_error(lua);
}

}  // namespace

State::State() {
  lua_ = lua_newstate(allocate, this);
  HF_ASSERT(lua_ != nullptr);
  open_sandbox(*this);
}

State::~State() { lua_close(lua_); }

void* State::allocate(void* self, void* block, size_t old_size, size_t new_size) {
  auto& state = *static_cast<State*>(self);
  if (block == nullptr) old_size = 0;
  if (new_size == 0) {
    std::free(block);
    state.memory_ -= old_size;
    return nullptr;
  }
  void* out = std::realloc(block, new_size);
  if (out == nullptr) return nullptr;
  state.memory_ += new_size - old_size;
  return out;
}

State& State::of(lua_State* lua) {
  void* self = nullptr;
  lua_getallocf(lua, &self);
  return *static_cast<State*>(self);
}

std::string State::compile(std::string_view code, const char* chunk_name) {
  if (code.starts_with(LUA_SIGNATURE[0])) return "attempt to load chunk with wrong mode";
  // The parser of Lua 5.1 keeps names it has not yet anchored: nothing is collected meanwhile (CVE-2025-49844).
  lua_gc(lua_, LUA_GCSTOP, 0);
  const int status = luaL_loadbuffer(lua_, code.data(), code.size(), chunk_name);
  lua_gc(lua_, LUA_GCRESTART, 0);
  if (status == 0) return {};
  std::string error = lua_tostring(lua_, -1);
  lua_pop(lua_, 1);
  return error;
}

void State::begin_run(Host& host_in) {
  host = &host_in;
  resp = 2;
  lua_sethook(lua_, check_killed, LUA_MASKCOUNT, kInstructionsPerCheck);
}

void State::end_run() {
  lua_sethook(lua_, nullptr, 0, 0);
  host = nullptr;
  // A little at a time, instead of a whole cycle in the middle of a script.
  if (++runs_ % kRunsPerCollection == 0) lua_gc(lua_, LUA_GCSTEP, kRunsPerCollection);
}

}  // namespace holdfast::script
