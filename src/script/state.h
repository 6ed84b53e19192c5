// State: one Lua interpreter with the globals scripts see, none of which they can change.
//
// Lua 5.1 has no read-only tables: what scripts see is an empty table whose metatable leads to the real one, and the
// functions that would reach past a metatable (rawset, rawget, next, pairs, setmetatable, table.insert...) know it.
// Nothing that touches files, processes or bytecode is there. Memory is counted through the allocator.
//
// C functions of a state may throw through Lua (the library is built as C++), so destructors run.
// Source: scripting of Redis 7.2 (globals, error texts); Lua 5.1 reference manual.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "script/host.h"

struct lua_State;

namespace holdfast::script {

/// math.random of scripts: the same sequence in every process, going on from one script to the next.
struct Random {
  uint64_t state = 0x1234abcd330eULL;
  void seed(int32_t value) { state = (static_cast<uint64_t>(static_cast<uint32_t>(value)) << 16) | 0x330e; }
  /// 31 bits, as lrand48 of POSIX.
  int32_t next() {
    state = (state * 0x5deece66dULL + 0xb) & ((1ULL << 48) - 1);
    return static_cast<int32_t>(state >> 17);
  }
};

class Library;

class State {
 public:
  State();
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  lua_State* lua() const { return lua_; }
  static State& of(lua_State* lua);
  /// Bytes Lua holds.
  size_t memory() const { return memory_; }

  /// Compiles a chunk and leaves it on the stack; else the error's text. Bytecode is refused.
  std::string compile(std::string_view code, const char* chunk_name);
  /// Sets a global, taken from the top of the stack.
  void set_global(const char* name);
  /// What scripts find as globals from now on: those of FUNCTION LOAD, or all.
  void show_library_globals(bool library);

  /// The run of the moment; null outside of one.
  Host* host = nullptr;
  int resp = 2;
  Random random;
  /// The library FUNCTION LOAD is filling; null at other times.
  Library* loading = nullptr;

  void begin_run(Host& host_in);
  void end_run();

 private:
  lua_State* lua_ = nullptr;
  size_t memory_ = 0;
  int runs_ = 0;

  static void* allocate(void* self, void* block, size_t old_size, size_t new_size);
  friend void open_sandbox(State& state);
};

}  // namespace holdfast::script
