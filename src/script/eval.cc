#include "script/eval.h"

#include <fmt/format.h>

#include <algorithm>
#include <lua.hpp>

#include "base/assert.h"
#include "base/text.h"
#include "codec/sha.h"
#include "script/convert.h"
#include "script/errors.h"

namespace holdfast::script {

std::expected<Shebang, std::string> read_shebang(std::string_view script) {
  Shebang out;
  if (!script.starts_with("#!")) return out;
  const size_t end = script.find('\n');
  if (end == std::string_view::npos) return std::unexpected("Invalid script shebang");
  std::vector<std::string> words;
  if (!split_quoted(script.substr(0, end), words) || words.empty()) {
    return std::unexpected("Invalid engine in script shebang");
  }
  if (words[0] != "#!lua") return std::unexpected("Unexpected engine in script shebang: " + words[0]);
  out.flags = 0;
  out.length = end;
  for (size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (!word.starts_with("flags=")) return std::unexpected("Unknown lua shebang option: " + words[i]);
    const std::string_view list = word.substr(6);
    if (list.empty()) continue;
    for (const std::string_view name : split(list, ',')) {
      const auto* row = std::find_if(std::begin(kFlagNames), std::end(kFlagNames),
                                     [&](const FlagName& flag) { return flag.name == name; });
      if (row == std::end(kFlagNames))
        return std::unexpected(fmt::format("Unexpected flag in script shebang: {}", name));
      out.flags |= row->flag;
    }
  }
  return out;
}

State& EvalScripts::state() {
  if (!state_) state_ = std::make_unique<State>();
  return *state_;
}

const Script* EvalScripts::find(std::string_view sha) const {
  const auto at = scripts_.find(to_lower(sha));
  return at == scripts_.end() ? nullptr : &at->second;
}

std::expected<const Script*, std::string> EvalScripts::load(std::string_view text) {
  const std::string sha = codec::sha1_hex(text);
  if (const Script* known = find(sha)) return known;
  const auto shebang = read_shebang(text);
  if (!shebang) return std::unexpected(shebang.error());
  const std::string error = state().compile(text.substr(shebang->length), "@user_script");
  if (!error.empty()) return std::unexpected("Error compiling script (new function): " + error);
  lua_setfield(state_->lua(), LUA_REGISTRYINDEX, ("f_" + sha).c_str());
  text_memory_ += sha.size() + text.size();
  return &scripts_.emplace(sha, Script{sha, std::string(text), shebang->flags}).first->second;
}

void EvalScripts::flush() {
  HF_ASSERT(!state_ || state_->host == nullptr);
  scripts_.clear();
  text_memory_ = 0;
  state_.reset();
}

void push_words(lua_State* lua, Words words) {
  lua_createtable(lua, static_cast<int>(words.size()), 0);
  for (size_t i = 0; i < words.size(); ++i) {
    lua_pushlstring(lua, words[i].data(), words[i].size());
    lua_rawseti(lua, -2, static_cast<int>(i + 1));
  }
}

Outcome EvalScripts::run(const Script& script, Words keys, Words args, Host& host, command::Reply& reply) {
  State& vm = state();
  lua_State* lua = vm.lua();
  HF_ASSERT(lua_gettop(lua) == 0);
  push_words(lua, keys);
  vm.set_global("KEYS");
  push_words(lua, args);
  vm.set_global("ARGV");
  lua_pushcfunction(lua, note_place);
  lua_getfield(lua, LUA_REGISTRYINDEX, ("f_" + script.sha).c_str());
  HF_ASSERT(lua_isfunction(lua, -1));
  return call_and_reply(vm, 0, script.sha, host, reply);
}

Outcome call_and_reply(State& state, int arguments, std::string_view name, Host& host, command::Reply& reply) {
  lua_State* lua = state.lua();
  const int handler = lua_gettop(lua) - arguments - 1;
  state.begin_run(host);
  const int status = lua_pcall(lua, arguments, 1, handler);
  Outcome out;
  if (status == 0) {
    out.counted_error = write_reply(lua, state.resp, reply);
  } else if (!lua_istable(lua, -1)) {
    const std::string_view text = lua_isstring(lua, -1) != 0 ? lua_tostring(lua, -1) : "execution failure";
    reply.error(fmt::format("ERR Error running script {}, {}", name, text.substr(0, 100)));
  } else {
    const ErrorInfo error = read_error(lua);
    std::string text = error.text;
    if (!error.line.empty() && !error.source.empty()) {
      text += fmt::format(" script: {}, on {}:{}.", name, error.source, error.line);
    }
    reply.error(text);
    out.counted_error = error.counted;
  }
  lua_settop(lua, 0);
  state.end_run();
  return out;
}

}  // namespace holdfast::script
