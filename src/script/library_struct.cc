// struct: numbers and strings in fixed binary layouts. Source: struct 0.2 (format letters, alignment, error texts).
#include <algorithm>
#include <bit>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <lua.hpp>
#include <string>

#include "script/libraries.h"

namespace holdfast::script {
namespace {

constexpr size_t kIntegerMax = 32;  // bytes of `i` and `I`
constexpr size_t kAlignmentMax = alignof(std::max_align_t) >= 8 ? 8 : alignof(std::max_align_t);

/// The way through a format.
struct Format {
  const char* at;
  bool little = std::endian::native == std::endian::little;
  size_t alignment = 1;

  /// Digits after a letter; `otherwise` without any. Too large ones are an error.
  size_t number(lua_State* lua, size_t otherwise) {
    if (std::isdigit(static_cast<unsigned char>(*at)) == 0) return otherwise;
    uint64_t value = 0;
    while (std::isdigit(static_cast<unsigned char>(*at)) != 0) {
      value = value * 10 + static_cast<uint64_t>(*at++ - '0');
      if (value > INT32_MAX / 2) luaL_error(lua, "integral size overflow");
    }
    return static_cast<size_t>(value);
  }
};

/// Bytes of an item; 0 for those without a size of their own.
size_t item_size(lua_State* lua, char letter, Format& format) {
  switch (letter) {
    case 'B':
    case 'b':
      return sizeof(char);
    case 'H':
    case 'h':
      return sizeof(short);
    case 'L':
    case 'l':
      return sizeof(long);
    case 'T':
      return sizeof(size_t);
    case 'f':
      return sizeof(float);
    case 'd':
      return sizeof(double);
    case 'x':
      return 1;
    case 'c':
      return format.number(lua, 1);
    case 'i':
    case 'I': {
      const size_t size = format.number(lua, sizeof(int));
      if (size > kIntegerMax) {
        luaL_error(lua, "integral size %d is larger than limit of %d", static_cast<int>(size),
                   static_cast<int>(kIntegerMax));
      }
      return size;
    }
    default:
      return 0;
  }
}

/// Padding before an item of `size` bytes at `offset`.
size_t padding(size_t size, const Format& format, char letter, size_t offset) {
  if (size == 0 || letter == 'c') return 0;
  const size_t to = std::min(size, format.alignment);
  if (to <= 1) return 0;
  return (to - (offset & (to - 1))) & (to - 1);
}

void read_option(lua_State* lua, char letter, Format& format) {
  switch (letter) {
    case ' ':
      return;
    case '>':
      format.little = false;
      return;
    case '<':
      format.little = true;
      return;
    case '!': {
      const size_t alignment = format.number(lua, kAlignmentMax);
      if (alignment == 0 || (alignment & (alignment - 1)) != 0) luaL_error(lua, "alignment is not a power of 2");
      format.alignment = alignment;
      return;
    }
    default:
      luaL_error(lua, "invalid format option '%c'", letter);
  }
}

void put_integer(lua_State* lua, std::string& out, int argument, size_t size, bool little) {
  const lua_Number number = luaL_checknumber(lua, argument);
  uint64_t value = number < 0 ? static_cast<uint64_t>(static_cast<int64_t>(std::max(number, -9223372036854775808.0)))
                              : static_cast<uint64_t>(std::min(number, 18446744073709549568.0));
  if (number != number) value = 0;
  std::string bytes(size, number < 0 ? '\xff' : '\0');
  for (size_t i = 0; i < std::min<size_t>(size, 8); ++i, value >>= 8) {
    bytes[little ? i : size - 1 - i] = static_cast<char>(value & 0xff);
  }
  out += bytes;
}

lua_Number get_integer(std::string_view bytes, bool little, bool is_signed) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    value = (value << 8) | static_cast<unsigned char>(bytes[little ? bytes.size() - 1 - i : i]);
  }
  if (!is_signed) return static_cast<lua_Number>(value);
  if (bytes.size() < 8) {
    const uint64_t sign = uint64_t{1} << (bytes.size() * 8 - 1);
    value = (value ^ sign) - sign;
  }
  return static_cast<lua_Number>(static_cast<int64_t>(value));
}

template <typename Float>
void put_float(std::string& out, lua_Number number, bool little) {
  auto value = static_cast<Float>(number);
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  if (little != (std::endian::native == std::endian::little)) std::reverse(bytes, bytes + sizeof bytes);
  out.append(bytes, sizeof bytes);
}
template <typename Float>
lua_Number get_float(std::string_view from, bool little) {
  char bytes[sizeof(Float)];
  std::memcpy(bytes, from.data(), sizeof bytes);
  if (little != (std::endian::native == std::endian::little)) std::reverse(bytes, bytes + sizeof bytes);
  Float value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return static_cast<lua_Number>(value);
}

/// Appends one item. Answers how many arguments it took.
int pack_item(lua_State* lua, char letter, size_t size, int argument, Format& format, std::string& out) {
  switch (letter) {
    case 'b':
    case 'B':
    case 'h':
    case 'H':
    case 'l':
    case 'L':
    case 'T':
    case 'i':
    case 'I':
      put_integer(lua, out, argument, size, format.little);
      return 1;
    case 'x':
      out += '\0';
      return 0;
    case 'f':
      put_float<float>(out, luaL_checknumber(lua, argument), format.little);
      return 1;
    case 'd':
      put_float<double>(out, luaL_checknumber(lua, argument), format.little);
      return 1;
    case 'c':
    case 's': {
      size_t length = 0;
      const char* text = luaL_checklstring(lua, argument, &length);
      if (letter == 'c' && size == 0) size = length;
      if (letter == 's') size = length;
      luaL_argcheck(lua, length >= size, argument, "string too short");
      out.append(text, size);
      if (letter == 's') out += '\0';
      return 1;
    }
    default:
      read_option(lua, letter, format);
      return 0;
  }
}

int pack(lua_State* lua) {
  Format format{luaL_checkstring(lua, 1)};
  std::string out;
  int argument = 2;
  while (*format.at != '\0') {
    const char letter = *format.at++;
    const size_t size = item_size(lua, letter, format);
    out.append(padding(size, format, letter, out.size()), '\0');
    argument += pack_item(lua, letter, size, argument, format, out);
  }
  lua_pushlstring(lua, out.data(), out.size());
  return 1;
}

/// Pushes what the item at `rest` is. Answers how many bytes it takes.
size_t unpack_item(lua_State* lua, char letter, size_t size, std::string_view rest, Format& format, int& pushed) {
  switch (letter) {
    case 'b':
    case 'B':
    case 'h':
    case 'H':
    case 'l':
    case 'L':
    case 'T':
    case 'i':
    case 'I':
      lua_pushnumber(
          lua, get_integer(rest.substr(0, size), format.little, std::islower(static_cast<unsigned char>(letter)) != 0));
      ++pushed;
      return size;
    case 'x':
      return size;
    case 'f':
      lua_pushnumber(lua, get_float<float>(rest, format.little));
      ++pushed;
      return size;
    case 'd':
      lua_pushnumber(lua, get_float<double>(rest, format.little));
      ++pushed;
      return size;
    case 'c': {
      if (size == 0) {  // as long as the number before it says
        if (pushed == 0 || lua_isnumber(lua, -1) == 0) luaL_error(lua, "format 'c0' needs a previous size");
        const lua_Number length = lua_tonumber(lua, -1);
        lua_pop(lua, 1);
        --pushed;
        if (!(length >= 0 && length <= static_cast<lua_Number>(rest.size())))
          luaL_argerror(lua, 2, "data string too short");
        size = static_cast<size_t>(length);
      }
      lua_pushlstring(lua, rest.data(), size);
      ++pushed;
      return size;
    }
    case 's': {
      const size_t end = rest.find('\0');
      if (end == std::string_view::npos) luaL_error(lua, "unfinished string in data");
      lua_pushlstring(lua, rest.data(), end);
      ++pushed;
      return end + 1;
    }
    default:
      read_option(lua, letter, format);
      return 0;
  }
}

int unpack(lua_State* lua) {
  Format format{luaL_checkstring(lua, 1)};
  size_t length = 0;
  const char* data = luaL_checklstring(lua, 2, &length);
  const lua_Number start = luaL_optnumber(lua, 3, 1);
  luaL_argcheck(lua, start >= 1, 3, "offset must be 1 or greater");
  size_t at = start - 1 >= static_cast<lua_Number>(length) ? length : static_cast<size_t>(start - 1);
  const std::string_view all(data, length);
  int pushed = 0;
  while (*format.at != '\0') {
    const char letter = *format.at++;
    const size_t size = item_size(lua, letter, format);
    at += padding(size, format, letter, at);
    luaL_argcheck(lua, at <= length && size <= length - at, 2, "data string too short");
    luaL_checkstack(lua, 2, "too many results");
    at += unpack_item(lua, letter, size, all.substr(at), format, pushed);
  }
  lua_pushinteger(lua, static_cast<lua_Integer>(at + 1));
  return pushed + 1;
}

int size(lua_State* lua) {
  Format format{luaL_checkstring(lua, 1)};
  size_t total = 0;
  while (*format.at != '\0') {
    const char letter = *format.at++;
    const size_t bytes = item_size(lua, letter, format);
    total += padding(bytes, format, letter, total);
    if (letter == 's') luaL_argerror(lua, 1, "variable-size format in struct.size()");
    if (letter == 'c' && bytes == 0) luaL_argerror(lua, 1, "variable-length format in struct.size()");
    if (bytes == 0) read_option(lua, letter, format);
    total += bytes;
    if (total > INT32_MAX) luaL_error(lua, "integral size overflow");
  }
  lua_pushinteger(lua, static_cast<lua_Integer>(total));
  return 1;
}

}  // namespace

void open_struct(lua_State* lua) {
  lua_newtable(lua);
  constexpr luaL_Reg kFunctions[] = {{"pack", pack}, {"unpack", unpack}, {"size", size}};
  for (const luaL_Reg& function : kFunctions) {
    lua_pushcfunction(lua, function.func);
    lua_setfield(lua, -2, function.name);
  }
  lua_setglobal(lua, "struct");
}

}  // namespace holdfast::script
