#include "proxy/sample/expression.h"

#include <fmt/format.h>

#include <span>

#include "base/assert.h"
#include "base/text.h"

namespace holdfast::proxy {
namespace {

struct Call {
  std::string_view name;
  std::vector<std::string> arguments;
};

/// `name` or `name(a,b)`; takes it from the front of `text`. Arguments may be quoted; a backslash keeps a character.
std::expected<Call, std::string> take_call(std::string_view* text) {
  Call call;
  const size_t end = text->find_first_of("(,");
  call.name = text->substr(0, end);
  text->remove_prefix(std::min(end, text->size()));
  if (!text->starts_with('(')) return call;
  text->remove_prefix(1);
  std::string argument;
  char quote = 0;
  bool any = false;
  while (!text->empty()) {
    const char c = text->front();
    text->remove_prefix(1);
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        argument.push_back(c);
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      any = true;
    } else if (c == '\\' && !text->empty()) {
      argument.push_back(text->front());
      text->remove_prefix(1);
    } else if (c == ',') {
      call.arguments.push_back(std::move(argument));
      argument.clear();
      any = true;
    } else if (c == ')') {
      if (any || !argument.empty()) call.arguments.push_back(std::move(argument));
      return call;
    } else {
      argument.push_back(c);
    }
  }
  return std::unexpected(std::string(call.name));
}

/// All fetches: those of fetch.cc, then those of fetch_tls.cc.
std::span<const FetchRow> all_fetches() {
  static const std::vector<FetchRow> rows = [] {
    size_t count = 0;
    const FetchRow* first = fetch_rows(&count);
    std::vector<FetchRow> out(first, first + count);
    first = tls_fetch_rows(&count);
    out.insert(out.end(), first, first + count);
    return out;
  }();
  return rows;
}

template <typename Row>
const Row* find_row(const Row* rows, size_t count, std::string_view name, uint16_t* index) {
  for (size_t i = 0; i < count; ++i) {
    if (rows[i].name != name) continue;
    *index = static_cast<uint16_t>(i);
    return &rows[i];
  }
  return nullptr;
}

template <typename Row>
std::string wrong_count(const Row& row, const Call& call) {
  if (call.arguments.size() < row.arguments_min) {
    return fmt::format("missing arguments (got {}/{})", call.arguments.size(), row.arguments_min);
  }
  if (call.arguments.size() <= row.arguments_max) return "";
  if (row.arguments_max == 0) return "no argument supported";
  return fmt::format("end of arguments expected at '{}'", call.arguments[row.arguments_max]);
}

}  // namespace

const FetchRow& fetch_at(uint16_t index) {
  HF_ASSERT(index < all_fetches().size());
  return all_fetches()[index];
}
const ConverterRow& converter_at(uint16_t index) {
  size_t count = 0;
  const ConverterRow* rows = converter_rows(&count);
  HF_ASSERT(index < count);
  return rows[index];
}

uint8_t needs_of(const Expression& expression) { return fetch_at(expression.fetch).needs; }

std::expected<Expression, std::string> parse_expression(std::string_view text, std::string_view place) {
  const std::string whole(text);
  if (text.empty()) return std::unexpected(std::string("missing fetch method"));
  Expression out;
  out.text = whole;
  const auto fetch = take_call(&text);
  if (!fetch) {
    return std::unexpected(fmt::format("fetch method '{}' : expected ')' in {} '{}'", fetch.error(), place, whole));
  }
  size_t count = 0;
  const FetchRow* row = find_row(all_fetches().data(), all_fetches().size(), fetch->name, &out.fetch);
  if (row == nullptr) {
    return std::unexpected(fmt::format("unknown fetch method '{}' in {} '{}'", fetch->name, place, whole));
  }
  if (const std::string error = wrong_count(*row, *fetch); !error.empty()) {
    return std::unexpected(fmt::format("fetch method '{}' : {} in {} '{}'", fetch->name, error, place, whole));
  }
  out.arguments = fetch->arguments;
  const ConverterRow* converters = converter_rows(&count);
  while (text.starts_with(',')) {
    text.remove_prefix(1);
    const auto call = take_call(&text);
    if (!call)
      return std::unexpected(fmt::format("conv method '{}' : expected ')' in {} '{}'", call.error(), place, whole));
    ConverterCall made;
    const ConverterRow* converter = find_row(converters, count, call->name, &made.converter);
    if (converter == nullptr) {
      return std::unexpected(fmt::format("unknown conv method '{}' in {} '{}'", call->name, place, whole));
    }
    if (const std::string error = wrong_count(*converter, *call); !error.empty()) {
      return std::unexpected(fmt::format("conv method '{}' : {} in {} '{}'", call->name, error, place, whole));
    }
    made.arguments = call->arguments;
    out.converters.push_back(std::move(made));
  }
  if (!text.empty()) {
    return std::unexpected(fmt::format("missing comma after fetch keyword '{}' in {} '{}'", fetch->name, place, whole));
  }
  return out;
}

Sample evaluate(const Expression& expression, const SampleContext& context) {
  Sample sample = fetch_at(expression.fetch).run(context, expression.arguments);
  for (const ConverterCall& call : expression.converters) {
    if (!sample.value) break;
    sample.value = converter_at(call.converter).run(*sample.value, call.arguments);
  }
  return sample;
}

}  // namespace holdfast::proxy
