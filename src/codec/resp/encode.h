// RESP on its way out: the encoders for requests (as a client) and for the pieces of replies.
//
// Source: Redis protocol specification, RESP2 and RESP3. Sinks are anything with append(std::string_view).
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::codec {

/// `prefix` + decimal + CRLF.
template <typename Sink>
void append_number_line(Sink& out, char prefix, int64_t value) {
  std::array<char, 24> text;
  text[0] = prefix;
  char* end = std::to_chars(text.data() + 1, text.data() + text.size() - 2, value).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(std::string_view(text.data(), static_cast<size_t>(end - text.data())));
}

template <typename Sink>
void append_bulk(Sink& out, std::string_view bytes) {
  append_number_line(out, '$', static_cast<int64_t>(bytes.size()));
  out.append(bytes);
  out.append(std::string_view("\r\n"));
}

template <typename Sink, typename Words>
void append_request_words(Sink& out, const Words& words) {
  append_number_line(out, '*', static_cast<int64_t>(std::size(words)));
  for (const std::string_view word : words) append_bulk(out, word);
}

/// A request: an array of bulk strings.
template <typename Sink>
void append_request(Sink& out, std::initializer_list<std::string_view> words) {
  append_request_words(out, words);
}
template <typename Sink>
void append_request(Sink& out, std::span<const std::string_view> words) {
  append_request_words(out, words);
}
template <typename Sink>
void append_request(Sink& out, std::span<const std::string> words) {
  append_request_words(out, words);
}

}  // namespace holdfast::codec
