#include "script/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <lua.hpp>

#include "base/assert.h"
#include "base/text.h"
#include "script/errors.h"

namespace holdfast::script {
namespace {

constexpr std::string_view kBadName =
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";
/// Loading only registers; what takes longer hangs.
constexpr int kLoadChecksMax = 5'000;

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

struct Header {
  std::string name;
  std::string engine;
  size_t length = 0;
};

std::expected<Header, std::string> read_header(std::string_view code) {
  if (!code.starts_with("#!")) return std::unexpected("Missing library metadata");
  const size_t end = code.find('\n');
  std::vector<std::string> words;
  if (end == std::string_view::npos || !split_quoted(code.substr(0, end), words) || words.empty()) {
    return std::unexpected("Invalid library metadata");
  }
  Header out;
  out.length = end;
  out.engine = words[0].substr(2);
  bool named = false;
  for (size_t i = 1; i < words.size(); ++i) {
    if (!starts_with_ignoring_case(words[i], "name=")) {
      return std::unexpected("Invalid metadata value given: " + words[i]);
    }
    if (named) return std::unexpected("Invalid metadata value, name argument was given multiple times");
    named = true;
    out.name = words[i].substr(5);
  }
  if (!named) return std::unexpected("Library name was not given");
  return out;
}

std::string string_at(lua_State* lua, int index) {
  size_t size = 0;
  const char* text = lua_tolstring(lua, index, &size);
  return {text, size};
}

/// The list of flag names at the top of the stack.
bool read_flags(lua_State* lua, unsigned& flags) {
  for (int i = 1;; ++i) {
    lua_rawgeti(lua, -1, i);
    if (lua_isnil(lua, -1)) {
      lua_pop(lua, 1);
      return true;
    }
    const std::string name = lua_isstring(lua, -1) != 0 ? string_at(lua, -1) : std::string();
    lua_pop(lua, 1);
    const auto* row = std::find_if(std::begin(kFlagNames), std::end(kFlagNames),
                                   [&](const FlagName& flag) { return equal_ignoring_case(flag.name, name); });
    if (row == std::end(kFlagNames)) return false;
    flags |= row->flag;
  }
}

struct Registration {
  Function function;
  bool named = false;
  int callback = 0;  // its place on the stack
};

/// One named argument: key at -2, value at -1. Empty = good.
std::string read_named(lua_State* lua, Registration& out) {
  if (lua_type(lua, -2) != LUA_TSTRING) return "named argument key given to redis.register_function is not a string";
  const std::string key = string_at(lua, -2);
  if (equal_ignoring_case(key, "function_name")) {
    if (lua_isstring(lua, -1) == 0) return "function_name argument given to redis.register_function must be a string";
    out.named = true;
    lua_pushvalue(lua, -1);
    out.function.name = string_at(lua, -1);
    lua_pop(lua, 1);
  } else if (equal_ignoring_case(key, "description")) {
    if (lua_isstring(lua, -1) == 0) return "description argument given to redis.register_function must be a string";
    lua_pushvalue(lua, -1);
    out.function.description = string_at(lua, -1);
    lua_pop(lua, 1);
  } else if (equal_ignoring_case(key, "callback")) {
    if (!lua_isfunction(lua, -1)) return "callback argument given to redis.register_function must be a function";
    lua_pushvalue(lua, -1);
    lua_replace(lua, out.callback);
  } else if (equal_ignoring_case(key, "flags")) {
    if (!lua_istable(lua, -1)) {
      return "flags argument to redis.register_function must be a table representing function flags";
    }
    if (!read_flags(lua, out.function.flags)) return "unknown flag given";
  } else {
    return "unknown argument given to redis.register_function";
  }
  return {};
}

std::string read_registration(lua_State* lua, Registration& out) {
  const int count = lua_gettop(lua);
  if (count < 1 || count > 2) return "wrong number of arguments to redis.register_function";
  if (count == 2) {
    if (lua_isstring(lua, 1) == 0) return "first argument to redis.register_function must be a string";
    if (!lua_isfunction(lua, 2)) return "second argument to redis.register_function must be a function";
    out.function.name = string_at(lua, 1);
    out.callback = 2;
    return {};
  }
  if (!lua_istable(lua, 1)) {
    return "calling redis.register_function with a single argument is only applicable to Lua table (representing named "
           "arguments).";
  }
  lua_pushnil(lua);
  out.callback = 2;
  lua_pushnil(lua);
  while (lua_next(lua, 1) != 0) {
    const std::string problem = read_named(lua, out);
    if (!problem.empty()) return problem;
    lua_pop(lua, 1);
  }
  if (!out.named) return "redis.register_function must get a function name argument";
  if (!lua_isfunction(lua, out.callback)) return "redis.register_function must get a callback argument";
  return {};
}

/// Ends a library's code that does not end by itself.
void check_load_time(lua_State* lua, lua_Debug*) {
  lua_pushliteral(lua, "load_checks");
  lua_rawget(lua, LUA_REGISTRYINDEX);
  const auto checks = lua_tointeger(lua, -1) + 1;
  lua_pop(lua, 1);
  lua_pushinteger(lua, checks);
  lua_setfield(lua, LUA_REGISTRYINDEX, "load_checks");
  if (checks < kLoadChecksMax) return;
  lua_sethook(lua, check_load_time, LUA_MASKLINE, 0);
  raise_error(lua, "FUNCTION LOAD timeout");
}

}  // namespace

std::string register_from_stack(lua_State* lua, Library& library) {
  Registration registration;
  std::string problem = read_registration(lua, registration);
  if (!problem.empty()) return problem;
  Function& function = registration.function;
  if (!is_name(function.name)) return std::string(kBadName);
  if (library.functions.contains(function.name)) return "Function already exists in the library";
  lua_pushvalue(lua, registration.callback);
  function.reference = luaL_ref(lua, LUA_REGISTRYINDEX);
  std::string name = function.name;
  library.functions.emplace(std::move(name), std::move(function));
  return {};
}

State& Libraries::state() {
  if (!state_) state_ = std::make_unique<State>();
  return *state_;
}

void Libraries::forget(const Library& library) {
  for (const auto& [name, function] : library.functions) {
    luaL_unref(state_->lua(), LUA_REGISTRYINDEX, function.reference);
  }
}

std::expected<Library, std::string> Libraries::compile(std::string_view code) {
  const auto header = read_header(code);
  if (!header) return std::unexpected(header.error());
  if (!is_name(header->name)) return std::unexpected(std::string(kBadName));
  if (!equal_ignoring_case(header->engine, "lua")) {
    return std::unexpected(fmt::format("Engine '{}' not found", header->engine));
  }
  Library library;
  library.name = header->name;
  library.code = code;
  State& vm = state();
  lua_State* lua = vm.lua();
  std::string error = vm.compile(code.substr(header->length), "@user_function");
  if (!error.empty()) return std::unexpected("Error compiling function: " + error);
  vm.loading = &library;
  vm.show_library_globals(true);
  lua_pushinteger(lua, 0);
  lua_setfield(lua, LUA_REGISTRYINDEX, "load_checks");
  lua_sethook(lua, check_load_time, LUA_MASKCOUNT, kInstructionsPerCheck);
  if (lua_pcall(lua, 0, 0, 0) != 0) error = "Error registering functions: " + read_error(lua).text;
  lua_sethook(lua, nullptr, 0, 0);
  vm.show_library_globals(false);
  vm.loading = nullptr;
  lua_settop(lua, 0);
  if (error.empty() && library.functions.empty()) error = "No functions registered";
  if (error.empty()) return library;
  forget(library);
  return std::unexpected(error);
}

std::string Libraries::collision(const Library& library, std::string_view instead) const {
  for (const auto& [name, function] : library.functions) {
    for (const auto& [other, existing] : libraries_) {
      if (other != instead && existing.functions.contains(name)) return name;
    }
  }
  return {};
}

std::expected<std::string, std::string> Libraries::load(std::string_view code, bool replace) {
  // COMPAT: that a library exists is told before its code is looked at.
  const auto header = read_header(code);
  if (header && is_name(header->name) && !replace && equal_ignoring_case(header->engine, "lua") &&
      libraries_.contains(header->name)) {
    return std::unexpected(fmt::format("Library '{}' already exists", header->name));
  }
  auto library = compile(code);
  if (!library) return std::unexpected(library.error());
  const std::string taken = collision(*library, library->name);
  if (!taken.empty()) {
    forget(*library);
    return std::unexpected(fmt::format("Function {} already exists", taken));
  }
  const std::string name = library->name;
  remove(name);
  libraries_.emplace(name, std::move(*library));
  return name;
}

bool Libraries::remove(std::string_view library) {
  const auto at = libraries_.find(library);
  if (at == libraries_.end()) return false;
  forget(at->second);
  libraries_.erase(at);
  return true;
}

void Libraries::flush() {
  HF_ASSERT(!state_ || state_->host == nullptr);
  libraries_.clear();
  state_.reset();
}

std::string Libraries::restore(std::span<const std::string> codes, Policy policy) {
  // Into a set of its own first: a payload with a broken library changes nothing.
  Libraries fresh;
  for (const std::string& code : codes) {
    const auto loaded = fresh.load(code, false);
    if (!loaded) return loaded.error();
  }
  if (policy == Policy::kFlush) {
    *this = std::move(fresh);
    return {};
  }
  for (const auto& [name, library] : fresh.libraries_) {
    if (policy == Policy::kAppend && libraries_.contains(name)) return fmt::format("Library {} already exists", name);
  }
  for (const auto& [name, library] : fresh.libraries_) {
    for (const auto& [other, existing] : libraries_) {
      if (fresh.libraries_.contains(other)) continue;
      for (const auto& [function, _] : library.functions) {
        if (existing.functions.contains(function)) return fmt::format("Function {} already exists", function);
      }
    }
  }
  for (const auto& [name, library] : fresh.libraries_) remove(name);
  for (const auto& [name, library] : fresh.libraries_) {
    const auto loaded = load(library.code, false);
    if (!loaded) return loaded.error();  // it loaded a moment ago: only code that counts its loads gets here
  }
  return {};
}

const Function* Libraries::find(std::string_view function) const {
  for (const auto& [name, library] : libraries_) {
    const auto at = library.functions.find(function);
    if (at != library.functions.end()) return &at->second;
  }
  return nullptr;
}

size_t Libraries::function_count() const {
  size_t count = 0;
  for (const auto& [name, library] : libraries_) count += library.functions.size();
  return count;
}

size_t Libraries::code_memory() const {
  size_t bytes = 0;
  for (const auto& [name, library] : libraries_) bytes += sizeof library + name.size() + library.code.size();
  return bytes;
}

Outcome Libraries::run(const Function& function, Words keys, Words args, Host& host, command::Reply& reply) {
  lua_State* lua = state().lua();
  HF_ASSERT(lua_gettop(lua) == 0);
  lua_pushcfunction(lua, note_place);
  lua_rawgeti(lua, LUA_REGISTRYINDEX, function.reference);
  push_words(lua, keys);
  push_words(lua, args);
  return call_and_reply(*state_, 2, function.name, host, reply);
}

}  // namespace holdfast::script
