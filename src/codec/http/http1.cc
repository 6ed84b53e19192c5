#include "codec/http/http1.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace holdfast::codec {
namespace {

/// The next line without its end; nullopt = it is not whole yet.
std::optional<std::string_view> take_line(std::string_view* bytes) {
  const size_t end = bytes->find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view line = bytes->substr(0, end);
  bytes->remove_prefix(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool is_token(std::string_view text) {
  if (text.empty()) return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
}

/// `HTTP/1.x`
bool parse_version(std::string_view text, int* minor) {
  if (text.size() != 8 || !text.starts_with("HTTP/1.") || text[7] < '0' || text[7] > '9') return false;
  *minor = text[7] - '0';
  return true;
}

bool parse_request_line(std::string_view line, HttpHead* head) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last == first || has_control(line)) return false;
  head->method = line.substr(0, first);
  head->target = line.substr(first + 1, last - first - 1);
  return is_token(head->method) && !head->target.empty() && head->target.find(' ') == std::string_view::npos &&
         parse_version(line.substr(last + 1), &head->minor);
}

bool parse_status_line(std::string_view line, HttpHead* head) {
  if (line.size() < 12 || !parse_version(line.substr(0, 8), &head->minor) || line[8] != ' ') return false;
  const auto status = parse_uint64(line.substr(9, 3));
  if (!status || *status < 100 || (line.size() > 12 && line[12] != ' ')) return false;
  head->status = static_cast<int>(*status);
  head->reason = line.size() > 13 ? line.substr(13) : std::string_view();
  return true;
}

HttpStatus parse_head(std::string_view bytes, bool request, HttpHead* head) {
  *head = {};
  std::string_view rest = bytes.substr(0, kHttpHeadMax);
  const bool full = bytes.size() >= kHttpHeadMax;
  const auto need_more = full ? HttpStatus::kError : HttpStatus::kNeedMore;
  const auto start = take_line(&rest);
  if (!start) return need_more;
  if (!(request ? parse_request_line(*start, head) : parse_status_line(*start, head))) return HttpStatus::kError;
  while (true) {
    const auto line = take_line(&rest);
    if (!line) return need_more;
    if (line->empty()) break;
    const size_t colon = line->find(':');
    if (colon == std::string_view::npos || !is_token(line->substr(0, colon))) return HttpStatus::kError;
    if (head->fields.size() >= kHttpHeadersMax) return HttpStatus::kError;
    head->fields.push_back({line->substr(0, colon), trim(line->substr(colon + 1))});
  }
  head->length = std::min(bytes.size(), kHttpHeadMax) - rest.size();
  return HttpStatus::kComplete;
}

HttpStatus read_chunks(std::string_view rest, std::string* body) {
  while (true) {
    const auto line = take_line(&rest);
    if (!line) return HttpStatus::kNeedMore;
    const std::string_view digits = trim(line->substr(0, line->find(';')));
    uint64_t size = 0;
    if (digits.empty() || digits.size() > 8) return HttpStatus::kError;
    for (char c : digits) {
      const char lower = to_lower(c);
      const bool letter = lower >= 'a' && lower <= 'f';
      if (!letter && (lower < '0' || lower > '9')) return HttpStatus::kError;
      size = size * 16 + static_cast<uint64_t>(letter ? lower - 'a' + 10 : lower - '0');
    }
    if (size == 0) return HttpStatus::kComplete;
    const size_t here = std::min<size_t>(size, rest.size());
    body->append(rest.substr(0, here));
    rest.remove_prefix(here);
    if (here < size || !take_line(&rest)) return HttpStatus::kNeedMore;
  }
}

}  // namespace

std::string_view HttpHead::field(std::string_view name) const {
  for (const HttpField& candidate : fields) {
    if (equal_ignoring_case(candidate.name, name)) return candidate.value;
  }
  return "";
}

bool HttpHead::has(std::string_view name, std::string_view word) const {
  for (const HttpField& candidate : fields) {
    if (!equal_ignoring_case(candidate.name, name)) continue;
    for (std::string_view part : split(candidate.value, ',')) {
      if (equal_ignoring_case(trim(part), word)) return true;
    }
  }
  return false;
}

HttpStatus parse_http_request(std::string_view bytes, HttpHead* head) { return parse_head(bytes, true, head); }
HttpStatus parse_http_response(std::string_view bytes, HttpHead* head) { return parse_head(bytes, false, head); }

HttpStatus read_http_body(const HttpHead& head, std::string_view rest, bool ended, std::string* body) {
  body->clear();
  if (head.status / 100 == 1 || head.status == 204 || head.status == 304) return HttpStatus::kComplete;
  if (head.has("transfer-encoding", "chunked")) {
    const HttpStatus status = read_chunks(rest, body);
    return status == HttpStatus::kNeedMore && ended ? HttpStatus::kError : status;
  }
  const std::string_view length = head.field("content-length");
  if (length.empty()) {
    body->assign(rest);
    return ended ? HttpStatus::kComplete : HttpStatus::kNeedMore;
  }
  const auto size = parse_uint64(length);
  if (!size) return HttpStatus::kError;
  body->assign(rest.substr(0, std::min<uint64_t>(*size, rest.size())));
  if (body->size() == *size) return HttpStatus::kComplete;
  return ended ? HttpStatus::kError : HttpStatus::kNeedMore;
}

}  // namespace holdfast::codec
