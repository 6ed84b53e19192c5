#include "script/library_cjson_parser.h"

#include <cstdlib>
#include <lua.hpp>
#include <string>

#include "base/text.h"

namespace holdfast::script {
namespace {

enum class Token : uint8_t {
  kObjectBegin,
  kObjectEnd,
  kArrayBegin,
  kArrayEnd,
  kColon,
  kComma,
  kString,
  kNumber,
  kTrue,
  kFalse,
  kNull,
  kEnd,
  kBad,
};

const char* token_name(Token token) {
  switch (token) {
    case Token::kObjectBegin:
      return "T_OBJ_BEGIN";
    case Token::kObjectEnd:
      return "T_OBJ_END";
    case Token::kArrayBegin:
      return "T_ARR_BEGIN";
    case Token::kArrayEnd:
      return "T_ARR_END";
    case Token::kColon:
      return "T_COLON";
    case Token::kComma:
      return "T_COMMA";
    case Token::kString:
      return "T_STRING";
    case Token::kNumber:
      return "T_NUMBER";
    case Token::kTrue:
    case Token::kFalse:
      return "T_BOOLEAN";
    case Token::kNull:
      return "T_NULL";
    case Token::kEnd:
      return "T_END";
    case Token::kBad:
      break;
  }
  return "T_ERROR";
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'f'); }

class Parser {
 public:
  Parser(lua_State* lua, std::string_view text, const JsonConfig& config) : lua_(lua), text_(text), config_(config) {}

  void document() {
    // COMPAT: UTF-16 and UTF-32 are told by the NUL among the first two bytes.
    if (text_.size() >= 2 && (text_[0] == '\0' || text_[1] == '\0')) {
      luaL_error(lua_, "JSON parser does not support UTF-16 or UTF-32");
    }
    next();
    value();
    next();
    if (token_ != Token::kEnd) refuse("the end");
  }

 private:
  [[noreturn]] void refuse(const char* expected) {
    const char* found = token_ == Token::kBad ? problem_ : token_name(token_);
    luaL_error(lua_, "Expected %s but found %s at character %d", expected, found, static_cast<int>(start_ + 1));
    std::abort();  // luaL_error does not return
  }

  void next() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos) ++at_;
    start_ = at_;
    if (at_ == text_.size()) {
      token_ = Token::kEnd;
      return;
    }
    switch (text_[at_]) {
      case '{':
        return single(Token::kObjectBegin);
      case '}':
        return single(Token::kObjectEnd);
      case '[':
        return single(Token::kArrayBegin);
      case ']':
        return single(Token::kArrayEnd);
      case ':':
        return single(Token::kColon);
      case ',':
        return single(Token::kComma);
      case '"':
        return string();
      default:
        return word();
    }
  }
  void single(Token token) {
    token_ = token;
    ++at_;
  }
  void bad(const char* problem) {
    token_ = Token::kBad;
    problem_ = problem;
  }

  void word() {
    const std::string_view rest = text_.substr(at_);
    if (rest.starts_with("true")) return keyword(Token::kTrue, 4);
    if (rest.starts_with("false")) return keyword(Token::kFalse, 5);
    if (rest.starts_with("null")) return keyword(Token::kNull, 4);
    const char c = to_lower(rest[0]);
    if (c == '-' || (c >= '0' && c <= '9')) return number();
    // COMPAT: inf, nan and hexadecimal numbers are numbers while decode_invalid_numbers is on.
    if (c == '+' || c == 'i' || c == 'n') {
      if (config_.decode_invalid_numbers == InvalidNumbers::kYes) return number();
    }
    bad("invalid token");
  }
  void keyword(Token token, size_t length) {
    token_ = token;
    at_ += length;
  }

  /// 01, 0x1, inf, infinity, nan, with a sign or without.
  static bool is_invalid_number(std::string_view text) {
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    if (text.size() > 1 && text[0] == '0') return to_lower(text[1]) == 'x' || (text[1] >= '0' && text[1] <= '9');
    if (!text.empty() && text[0] >= '0' && text[0] <= '9') return false;
    return starts_with_ignoring_case(text, "inf") || starts_with_ignoring_case(text, "nan");
  }
  void number() {
    const std::string rest(text_.substr(at_, 512));
    if (config_.decode_invalid_numbers == InvalidNumbers::kNo && is_invalid_number(rest)) return bad("invalid number");
    char* end = nullptr;
    number_ = std::strtod(rest.c_str(), &end);
    if (end == rest.c_str()) return bad("invalid number");
    token_ = Token::kNumber;
    at_ += static_cast<size_t>(end - rest.c_str());
  }

  void append_utf8(uint32_t code) {
    const auto add = [&](uint32_t byte) { string_ += static_cast<char>(byte); };
    if (code < 0x80) return add(code);
    if (code < 0x800) return add(0xc0 | (code >> 6)), add(0x80 | (code & 63));
    if (code < 0x10000) return add(0xe0 | (code >> 12)), add(0x80 | ((code >> 6) & 63)), add(0x80 | (code & 63));
    add(0xf0 | (code >> 18));
    add(0x80 | ((code >> 12) & 63));
    add(0x80 | ((code >> 6) & 63));
    add(0x80 | (code & 63));
  }
  /// Four hexadecimal digits at `at`; false: there are none.
  bool hex_code(size_t at, uint32_t& code) const {
    if (at + 4 > text_.size()) return false;
    code = 0;
    for (size_t i = at; i < at + 4; ++i) {
      if (!is_hex(text_[i])) return false;
      const char c = to_lower(text_[i]);
      code = code * 16 + static_cast<uint32_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return true;
  }
  /// At the `u` of an escape.
  bool unicode_escape() {
    uint32_t code = 0;
    if (!hex_code(at_ + 1, code)) return false;
    at_ += 5;
    if ((code & 0xf800) == 0xd800) {  // a surrogate: the high half, and the low one must follow
      uint32_t low = 0;
      if ((code & 0x400) != 0 || text_.substr(at_, 2) != "\\u" || !hex_code(at_ + 2, low)) return false;
      if ((low & 0xfc00) != 0xdc00) return false;
      code = ((code & 0x3ff) << 10 | (low & 0x3ff)) + 0x10000;
      at_ += 6;
    }
    append_utf8(code);
    return true;
  }
  void string() {
    string_.clear();
    ++at_;
    while (at_ < text_.size() && text_[at_] != '"') {
      const char c = text_[at_];
      if (c == '\\') {
        ++at_;
        if (at_ >= text_.size()) break;
        if (text_[at_] == 'u') {
          const size_t escape = at_ - 1;
          if (unicode_escape()) continue;
          start_ = escape;
          return bad("invalid unicode escape code");
        }
        constexpr std::string_view kLetters = "\"\\/bfnrt";
        constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
        const size_t letter = kLetters.find(text_[at_]);
        if (letter == std::string_view::npos) {
          start_ = at_ - 1;
          return bad("invalid escape code");
        }
        string_ += kMeanings[letter];
      } else {
        string_ += c;
      }
      ++at_;
    }
    if (at_ >= text_.size()) {
      start_ = at_;
      return bad("unexpected end of string");
    }
    ++at_;
    token_ = Token::kString;
  }

  /// The value that starts with the present token.
  void value() {
    switch (token_) {
      case Token::kString:
        lua_pushlstring(lua_, string_.data(), string_.size());
        return;
      case Token::kNumber:
        return lua_pushnumber(lua_, number_);
      case Token::kTrue:
      case Token::kFalse:
        return lua_pushboolean(lua_, token_ == Token::kTrue);
      case Token::kNull:
        return lua_pushlightuserdata(lua_, nullptr);
      case Token::kObjectBegin:
        descend();
        object();
        --depth_;
        return;
      case Token::kArrayBegin:
        descend();
        array();
        --depth_;
        return;
      case Token::kObjectEnd:
      case Token::kArrayEnd:
      case Token::kColon:
      case Token::kComma:
      case Token::kEnd:
      case Token::kBad:
        refuse("value");
    }
  }
  void descend() {
    ++depth_;
    if (depth_ <= config_.decode_depth && lua_checkstack(lua_, 4) != 0) return;
    luaL_error(lua_, "Found too many nested data structures (%d) at character %d", depth_, static_cast<int>(at_));
  }
  void object() {
    lua_newtable(lua_);
    next();
    if (token_ == Token::kObjectEnd) return;
    for (;;) {
      if (token_ != Token::kString) refuse("object key string");
      lua_pushlstring(lua_, string_.data(), string_.size());
      next();
      if (token_ != Token::kColon) refuse("colon");
      next();
      value();
      lua_rawset(lua_, -3);
      next();
      if (token_ == Token::kObjectEnd) return;
      if (token_ != Token::kComma) refuse("comma or object end");
      next();
    }
  }
  void array() {
    lua_newtable(lua_);
    next();
    if (token_ == Token::kArrayEnd) return;
    for (int i = 1;; ++i) {
      value();
      lua_rawseti(lua_, -2, i);
      next();
      if (token_ == Token::kArrayEnd) return;
      if (token_ != Token::kComma) refuse("comma or array end");
      next();
    }
  }

  lua_State* lua_;
  std::string_view text_;
  const JsonConfig& config_;
  size_t at_ = 0;
  size_t start_ = 0;  // of the token
  int depth_ = 0;
  Token token_ = Token::kEnd;
  const char* problem_ = "";
  std::string string_;
  double number_ = 0;
};

}  // namespace

void push_json(lua_State* lua, std::string_view text, const JsonConfig& config) {
  Parser(lua, text, config).document();
}

}  // namespace holdfast::script
