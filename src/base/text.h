// Text: the few string operations the protocols need, exact about what they accept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

/// ASCII only: bytes above 127 are left alone, no locale.
char to_lower(char c);
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
bool equal_ignoring_case(std::string_view a, std::string_view b);
bool starts_with_ignoring_case(std::string_view text, std::string_view prefix);

/// A decimal signed 64-bit integer in canonical form: no sign `+`, no spaces, no leading zero (Redis' string2ll rule).
std::optional<int64_t> parse_int64(std::string_view text);
std::optional<uint64_t> parse_uint64(std::string_view text);

/// Splits at every `separator`; empty pieces are kept.
std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text, std::string_view set = " \t\r\n");

/// `text` in double quotes with \n \r \t \a \b \" \\ and \xNN escapes: Redis' representation in logs and files.
std::string quoted(std::string_view text);

/// Splits a line into words as inline requests and redis.conf do: double quotes with \n \r \t \b \a \xHH escapes,
/// single quotes with \' only, no quote in the middle of a word's end. False: quotes are unbalanced, or a closing quote
/// is not followed by a space.
bool split_quoted(std::string_view line, std::vector<std::string>& words);

/// Glob match as in KEYS, PSUBSCRIBE and CONFIG GET: * ? [a-z] [^x] \x. Iterative, linear in the text per star.
bool glob_match(std::string_view pattern, std::string_view text, bool ignore_case = false);

}  // namespace holdfast
