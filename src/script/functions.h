// Libraries: what FUNCTION LOAD keeps - libraries of named functions, part of the dataset.
//
// A library is its code; its functions are what the code registered when it was loaded. Loading is all or nothing.
// Source: Redis documentation, "Redis functions"; functions of Redis 7.2.
#pragma once

#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "script/eval.h"

namespace holdfast::script {

struct Function {
  std::string name;
  std::optional<std::string> description;
  unsigned flags = 0;
  int reference = 0;  // in the interpreter's registry
};

/// One library: `name` from `#!lua name=...`, its whole text, its functions by name.
class Library {
 public:
  std::string name;
  std::string code;
  std::map<std::string, Function, std::less<>> functions;
};

/// redis.register_function's arguments, from the stack. Empty = registered, else why not.
std::string register_from_stack(lua_State* lua, Library& library);

class Libraries {
 public:
  /// FUNCTION LOAD: answers the library's name, or why nothing changed.
  std::expected<std::string, std::string> load(std::string_view code, bool replace);
  bool remove(std::string_view library);
  void flush();

  enum class Policy : uint8_t { kAppend, kReplace, kFlush };
  /// FUNCTION RESTORE: several libraries, all or none. Empty = done, else why not.
  std::string restore(std::span<const std::string> codes, Policy policy);

  const Function* find(std::string_view function) const;
  const std::map<std::string, Library, std::less<>>& all() const { return libraries_; }
  size_t function_count() const;
  size_t vm_memory() const { return state_ ? state_->memory() : 0; }
  size_t code_memory() const;

  Outcome run(const Function& function, Words keys, Words args, Host& host, command::Reply& reply);

 private:
  State& state();
  std::expected<Library, std::string> compile(std::string_view code);
  void forget(const Library& library);
  /// The first function of `library` that another one than `instead` has; empty: none.
  std::string collision(const Library& library, std::string_view instead) const;

  std::unique_ptr<State> state_;
  std::map<std::string, Library, std::less<>> libraries_;
};

}  // namespace holdfast::script
