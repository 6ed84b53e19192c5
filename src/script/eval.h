// EvalScripts: the cache of scripts and how one is run.
//
// A script is known by the SHA-1 of its text. Bound: what clients load; SCRIPT FLUSH empties it.
#pragma once

#include <expected>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "command/reply.h"
#include "script/state.h"

namespace holdfast::script {

/// `#!lua flags=a,b` at the start of a script.
struct Shebang {
  unsigned flags = kUndeclared;
  size_t length = 0;  // up to, not including, its line feed, so that line numbers stay
};
std::expected<Shebang, std::string> read_shebang(std::string_view script);

struct Script {
  std::string sha;
  std::string text;
  unsigned flags = kUndeclared;
};

/// What a run came to.
struct Outcome {
  bool counted_error = false;  // the error it ended with is in the statistics already
};

class EvalScripts {
 public:
  /// By its SHA-1 in any case; null: not loaded.
  const Script* find(std::string_view sha) const;
  /// Compiles and keeps it, or answers why not.
  std::expected<const Script*, std::string> load(std::string_view text);
  void flush();

  /// Runs it and writes its reply, or the error it ended with.
  Outcome run(const Script& script, Words keys, Words args, Host& host, command::Reply& reply);

  size_t count() const { return scripts_.size(); }
  /// Bytes of the interpreter and of the texts.
  size_t vm_memory() const { return state_ ? state_->memory() : 0; }
  size_t text_memory() const { return text_memory_; }

 private:
  State& state();

  std::unique_ptr<State> state_;  // made when the first script comes
  std::map<std::string, Script, std::less<>> scripts_;
  size_t text_memory_ = 0;
};

/// Pushes a table of strings.
void push_words(lua_State* lua, Words words);
/// Ends a run: calls the function below `arguments` values on the stack, and writes what came of it.
/// `name`: how errors call the script.
Outcome call_and_reply(State& state, int arguments, std::string_view name, Host& host, command::Reply& reply);

}  // namespace holdfast::script
