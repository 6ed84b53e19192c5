#include "script/convert.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <lua.hpp>

#include "base/assert.h"
#include "base/text.h"
#include "script/errors.h"

namespace holdfast::script {
namespace {

/// Walks over one reply.
class Pusher {
 public:
  Pusher(lua_State* lua, std::string_view resp) : lua_(lua), rest_(resp) {}

  void push() {
    luaL_checkstack(lua_, 6, "reached lua stack limit");
    HF_ASSERT(!rest_.empty());
    const char type = rest_[0];
    const std::string_view line = take_line();
    switch (type) {
      case ':':
        return lua_pushnumber(lua_, static_cast<lua_Number>(number(line)));
      case '+':
        return push_field("ok", line);
      case '-':
        push_error(lua_, "-" + std::string(line));
        lua_pushboolean(lua_, 1);
        return lua_setfield(lua_, -2, "ignore_error_stats_update");
      case '$':
        return number(line) < 0 ? lua_pushboolean(lua_, 0) : push_string(take(static_cast<size_t>(number(line))));
      case '*':
        return number(line) < 0 ? lua_pushboolean(lua_, 0) : push_array(number(line));
      case '_':
        return lua_pushnil(lua_);
      case '#':
        return lua_pushboolean(lua_, line == "t");
      case ',':
        lua_createtable(lua_, 0, 1);
        lua_pushnumber(lua_, std::strtod(std::string(line).c_str(), nullptr));
        return lua_setfield(lua_, -2, "double");
      case '(':
        return push_field("big_number", line);
      case '=':
        return push_verbatim(take(static_cast<size_t>(number(line))));
      case '%':
        return push_map(number(line));
      case '~':
        return push_set(number(line));
      case '>':
        return push_array(number(line));
      case '|':  // attributes are not for scripts: the reply they are about follows
        for (int64_t i = 0; i < 2 * number(line); ++i) {
          push();
          lua_pop(lua_, 1);
        }
        return push();
      default:
        HF_ASSERT(false);
    }
  }

 private:
  std::string_view take_line() {
    const size_t end = rest_.find("\r\n");
    HF_ASSERT(end != std::string_view::npos);
    const std::string_view line = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 2);
    return line;
  }
  std::string_view take(size_t bytes) {
    HF_ASSERT(rest_.size() >= bytes + 2);
    const std::string_view out = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes + 2);
    return out;
  }
  static int64_t number(std::string_view line) {
    int64_t value = 0;
    std::from_chars(line.data(), line.data() + line.size(), value);
    return value;
  }

  void push_string(std::string_view text) { lua_pushlstring(lua_, text.data(), text.size()); }
  void push_field(const char* name, std::string_view text) {
    lua_createtable(lua_, 0, 1);
    push_string(text);
    lua_setfield(lua_, -2, name);
  }
  void push_array(int64_t items) {
    lua_createtable(lua_, static_cast<int>(std::min<int64_t>(items, INT32_MAX)), 0);
    for (int64_t i = 1; i <= items; ++i) {
      push();
      lua_rawseti(lua_, -2, static_cast<int>(i));
    }
  }
  void push_verbatim(std::string_view payload) {
    lua_createtable(lua_, 0, 1);
    lua_createtable(lua_, 0, 2);
    push_string(payload.substr(4));
    lua_setfield(lua_, -2, "string");
    push_string(payload.substr(0, 3));
    lua_setfield(lua_, -2, "format");
    lua_setfield(lua_, -2, "verbatim_string");
  }
  void push_map(int64_t pairs) {
    lua_createtable(lua_, 0, 1);
    lua_newtable(lua_);
    for (int64_t i = 0; i < pairs; ++i) {
      push();
      push();
      lua_rawset(lua_, -3);
    }
    lua_setfield(lua_, -2, "map");
  }
  void push_set(int64_t items) {
    lua_createtable(lua_, 0, 1);
    lua_newtable(lua_);
    for (int64_t i = 0; i < items; ++i) {
      push();
      lua_pushboolean(lua_, 1);
      lua_rawset(lua_, -3);
    }
    lua_setfield(lua_, -2, "set");
  }

  lua_State* lua_;
  std::string_view rest_;
};

std::string without_newlines(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c == '\r' || c == '\n') c = ' ';
  }
  return out;
}

std::string_view text_at(lua_State* lua, int index) {
  size_t size = 0;
  const char* text = lua_tolstring(lua, index, &size);
  return {text, size};
}

/// Writes Lua values; the value at the top of the stack is consumed.
class Writer {
 public:
  Writer(lua_State* lua, int resp, command::Reply& out) : lua_(lua), resp_(resp), out_(out) {}
  bool counted_error = false;

  void write() {
    if (depth_ >= kDepthMax || lua_checkstack(lua_, 4) == 0) {
      lua_pop(lua_, 1);
      return out_.error("ERR reached lua stack limit");
    }
    switch (lua_type(lua_, -1)) {
      case LUA_TSTRING:
        out_.bulk(text_at(lua_, -1));
        break;
      case LUA_TBOOLEAN:
        write_boolean(lua_toboolean(lua_, -1) != 0);
        break;
      case LUA_TNUMBER:
        out_.integer(whole(lua_tonumber(lua_, -1)));
        break;
      case LUA_TTABLE:
        ++depth_;
        write_table();
        --depth_;
        break;
      default:
        out_.null();
    }
    lua_pop(lua_, 1);
  }

 private:
  /// COMPAT: what a conversion on this machine gives for numbers out of range.
  static int64_t whole(lua_Number value) {
    if (!(value > -9223372036854775808.0 && value < 9223372036854775808.0)) return INT64_MIN;
    return static_cast<int64_t>(value);
  }
  void write_boolean(bool value) {
    if (resp_ == 3) return out_.boolean(value);
    value ? out_.integer(1) : out_.null();
  }
  /// Pushes the field if the table has it with this type.
  bool has(const char* name, int type) {
    lua_pushstring(lua_, name);
    lua_rawget(lua_, -2);
    if (lua_type(lua_, -1) == type) return true;
    lua_pop(lua_, 1);
    return false;
  }
  void write_table() {
    if (has("err", LUA_TSTRING)) {
      lua_pop(lua_, 1);
      const ErrorInfo error = read_error(lua_);
      counted_error |= error.counted;
      return out_.error(error.text);
    }
    if (has("ok", LUA_TSTRING)) {
      out_.simple(without_newlines(text_at(lua_, -1)));
    } else if (has("double", LUA_TNUMBER)) {
      out_.number(lua_tonumber(lua_, -1));
    } else if (has("big_number", LUA_TSTRING)) {
      out_.big_number(without_newlines(text_at(lua_, -1)));
    } else if (has("verbatim_string", LUA_TTABLE)) {
      if (write_verbatim()) {
        lua_pop(lua_, 1);
        return;
      }
      lua_pop(lua_, 1);
      return write_aggregate();
    } else {
      return write_aggregate();
    }
    lua_pop(lua_, 1);
  }
  bool write_verbatim() {
    if (!has("format", LUA_TSTRING)) return false;
    const std::string format(text_at(lua_, -1));
    lua_pop(lua_, 1);
    if (!has("string", LUA_TSTRING)) return false;
    out_.verbatim((format + "   ").substr(0, 3), text_at(lua_, -1));
    lua_pop(lua_, 1);
    return true;
  }
  size_t pairs() {
    size_t count = 0;
    lua_pushnil(lua_);
    while (lua_next(lua_, -2) != 0) {
      ++count;
      lua_pop(lua_, 1);
    }
    return count;
  }
  void write_aggregate() {
    if (has("map", LUA_TTABLE)) {
      out_.map(pairs());
      lua_pushnil(lua_);
      while (lua_next(lua_, -2) != 0) {
        lua_pushvalue(lua_, -2);
        write();
        write();
      }
      lua_pop(lua_, 1);
    } else if (has("set", LUA_TTABLE)) {
      out_.set(pairs());
      lua_pushnil(lua_);
      while (lua_next(lua_, -2) != 0) {
        lua_pop(lua_, 1);
        lua_pushvalue(lua_, -1);
        write();
      }
      lua_pop(lua_, 1);
    } else {
      write_array();
    }
  }
  void write_array() {
    size_t count = 0;
    for (;; ++count) {
      lua_rawgeti(lua_, -1, static_cast<int>(count + 1));
      const bool end = lua_isnil(lua_, -1);
      lua_pop(lua_, 1);
      if (end) break;
    }
    out_.array(count);
    for (size_t i = 1; i <= count; ++i) {
      lua_rawgeti(lua_, -1, static_cast<int>(i));
      write();
    }
  }

  // COMPAT: the original goes on until Lua's own stack is full, some thousand levels deeper.
  static constexpr int kDepthMax = 1000;
  lua_State* lua_;
  int resp_;
  command::Reply& out_;
  int depth_ = 0;
};

/// A number as a command reads it: whole ones without a point, others as short as they read back.
std::string number_word(lua_Number value) {
  constexpr lua_Number kWholeLimit = 9007199254740992.0;  // 2^53
  if (value == std::floor(value) && std::fabs(value) < kWholeLimit) return std::to_string(static_cast<int64_t>(value));
  return command::format_double(value);
}

}  // namespace

void push_reply(lua_State* lua, std::string_view resp) { Pusher(lua, resp).push(); }

bool write_reply(lua_State* lua, int resp, command::Reply& out) {
  Writer writer(lua, resp, out);
  writer.write();
  return writer.counted_error;
}

std::string take_words(lua_State* lua, std::vector<std::string>& words) {
  const int count = lua_gettop(lua);
  if (count == 0) return "Please specify at least one argument for this redis lib call";
  bool good = true;
  for (int i = 1; i <= count && good; ++i) {
    const int type = lua_type(lua, i);
    good = type == LUA_TNUMBER || type == LUA_TSTRING;
    if (type == LUA_TNUMBER) words.push_back(number_word(lua_tonumber(lua, i)));
    if (type == LUA_TSTRING) words.emplace_back(text_at(lua, i));
  }
  lua_settop(lua, 0);
  return good ? std::string() : "Lua redis lib command arguments must be strings or integers";
}

}  // namespace holdfast::script
