#include "proxy/http/responder.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "conf/haproxy_value.h"
#include "proxy/cli/stat_csv.h"
#include "proxy/condition.h"
#include "proxy/http/pages.h"
#include "proxy/sample/context.h"

namespace holdfast::proxy {
namespace {

struct StatusRow {
  int status;
  std::string_view reason;
  std::string_view text;
};
constexpr StatusRow kStatuses[] = {
    {200, "OK", "Service ready."},
    {400, "Bad request", "Your browser sent an invalid request."},
    {401, "Unauthorized", "You need a valid user and password to access this content."},
    {403, "Forbidden", "Request forbidden by administrative rules."},
    {404, "Not Found", "The resource could not be found."},
    {408, "Request Time-out", "Your browser didn't send a complete request in time."},
    {413, "Payload Too Large", "The request entity exceeds the maximum allowed."},
    {429, "Too Many Requests", "You have sent too many requests in a given amount of time."},
    {500, "Internal Server Error", "An internal server error occurred."},
    {503, "Service Unavailable", "No server is available to handle this request."},
};

std::string_view reason_of(int status) {
  for (const StatusRow& row : kStatuses) {
    if (row.status == status) return row.reason;
  }
  switch (status) {
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    default:
      return "Other";
  }
}

std::string page_of(int status) {
  for (const StatusRow& row : kStatuses) {
    if (row.status != status) continue;
    // COMPAT: the title of 400 is written with a small r, its page with a capital one.
    const std::string_view title = status == 400 ? std::string_view("Bad request") : row.reason;
    return fmt::format("<html><body><h1>{} {}</h1>\n{}\n</body></html>\n", status, title, row.text);
  }
  return "";
}

std::string decode_base64(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    uint32_t value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<uint32_t>(c - 'a' + 26);
    } else if (c >= '0' && c <= '9') {
      value = static_cast<uint32_t>(c - '0' + 52);
    } else if (c == '+' || c == '/') {
      value = c == '+' ? 62 : 63;
    } else {
      break;
    }
    bits = (bits << 6 | value) & 0xffffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>(bits >> count & 255));
  }
  return out;
}

/// Compares all bytes of both, so that the time tells nothing about the secret.
bool same_secret(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b.empty() ? 0 : b[i % b.size()]);
  }
  return difference == 0;
}

bool authorized(const codec::HttpHead& head, const std::vector<std::string>& users) {
  const std::string_view field = head.field("authorization");
  if (field.size() < 7 || !equal_ignoring_case(field.substr(0, 6), "basic ")) return false;
  const std::string given = decode_base64(trim(field.substr(6)));
  return std::ranges::any_of(users, [&given](const std::string& user) { return same_secret(given, user); });
}

std::string url_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out.push_back(' ');
    } else if (text[i] == '%' && i + 2 < text.size()) {
      int value = 0;
      for (size_t j = 1; j <= 2; ++j) {
        const char l = to_lower(text[i + j]);
        value = value * 16 + (l >= 'a' && l <= 'f' ? l - 'a' + 10 : l >= '0' && l <= '9' ? l - '0' : 0);
      }
      out.push_back(static_cast<char>(value));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

}  // namespace

ConnId HttpResponder::accept(uint32_t listener, const Accepted& from) {
  if (free_.empty()) {
    clients_.emplace_back();
    free_.push_back(static_cast<uint32_t>(clients_.size() - 1));
  }
  const uint32_t index = free_.back();
  free_.pop_back();
  Client& client = clients_[index];
  const uint32_t generation = client.generation + 1;
  client = Client{};
  client.generation = generation;
  client.frontend = runtime_.listeners[listener].frontend;
  client.source = from.peer;
  client.destination = from.local;
  client.conn = runtime_.open(ConnKind::kHttp, index);
  const ConnId conn = client.conn;
  FrontendState& frontend = runtime_.frontends[client.frontend];
  frontend.counters.enter(runtime_.now.mono);
  runtime_.process.enter(runtime_.now.mono);
  ++runtime_.connections_total;
  if (frontend.counters.current > frontend.maxconn || runtime_.process.current > runtime_.maxconn) {
    finish(index, action::CloseMode::kReset);
    return conn;
  }
  arm(index);
  return conn;
}

void HttpResponder::arm(uint32_t index) {
  Client& client = clients_[index];
  const Timeouts& timeouts = runtime_.frontends[client.frontend].config->timeouts;
  const Duration limit = timeouts.http_request > Duration{} ? timeouts.http_request : timeouts.client;
  client.deadline = runtime_.now.mono + (limit > Duration{} ? limit : kIdleMax);
  runtime_.timers.arm(TimerKind::kHttp, index, client.generation, client.deadline, &client.queued_until);
}

void HttpResponder::timer(uint32_t index, uint32_t generation) {
  Client& client = clients_[index];
  if (client.generation != generation || !client.conn) return;
  client.queued_until = kNever;
  if (client.deadline > runtime_.now.mono) {
    runtime_.timers.arm(TimerKind::kHttp, index, client.generation, client.deadline, &client.queued_until);
    return;
  }
  if (!client.input.empty()) send(client, {.status = 408, .body = page_of(408)}, nullptr, true);
  finish(index, action::CloseMode::kFlush);
}

void HttpResponder::finish(uint32_t index, action::CloseMode mode) {
  Client& client = clients_[index];
  runtime_.close(client.conn, mode, std::move(client.out));
  client.conn = {};
  client.out.clear();
  client.input.clear();
  --runtime_.frontends[client.frontend].counters.current;
  --runtime_.process.current;
  ++client.generation;
  free_.push_back(index);
}

void HttpResponder::closed(ConnSlot slot) {
  Client& client = clients_[slot.owner];
  runtime_.forget(client.conn);
  client.conn = {};
  finish(slot.owner, action::CloseMode::kNow);
}

void HttpResponder::eof(ConnSlot slot) { finish(slot.owner, action::CloseMode::kFlush); }

void HttpResponder::receive(ConnSlot slot, std::string_view bytes) {
  Client& client = clients_[slot.owner];
  runtime_.frontends[client.frontend].counters.bytes_in += static_cast<int64_t>(bytes.size());
  client.input.append(bytes);
  bool done = false;
  // Answers wait for a client that does not read them: no more than one is made while bytes are still to go out.
  while (!done && client.out.size() < runtime_.config.global.bufsize && answer_one(client, &done)) {
  }
  if (client.input.size() > codec::kHttpHeadMax + kBodyMax) done = true;
  if (done) return finish(slot.owner, action::CloseMode::kFlush);
  arm(slot.owner);
}

bool HttpResponder::answer_one(Client& client, bool* done) {
  if (client.input.empty()) return false;
  FrontendState& frontend = runtime_.frontends[client.frontend];
  codec::HttpHead head;
  const codec::HttpStatus parsed = codec::parse_http_request(client.input, &head);
  if (parsed == codec::HttpStatus::kNeedMore) return false;
  if (parsed == codec::HttpStatus::kError) {
    ++frontend.counters.request_errors;
    send(client, {.status = 400, .body = page_of(400)}, nullptr, true);
    *done = true;
    return true;
  }
  const std::string_view length = head.field("content-length");
  const auto size = length.empty() ? std::optional<uint64_t>(0) : parse_uint64(length);
  if (!size || *size > kBodyMax || !head.field("transfer-encoding").empty()) {
    send(client, {.status = 413, .body = page_of(413)}, nullptr, true);
    *done = true;
    return true;
  }
  if (client.input.size() < head.length + *size) return false;
  const std::string body = client.input.substr(head.length, *size);
  *done = head.minor == 0 ? !head.has("connection", "keep-alive") : head.has("connection", "close");
  ++frontend.counters.intercepted;
  send(client, answer(client, head, body), &head, *done);
  client.input.erase(0, head.length + *size);
  return true;
}

void HttpResponder::send(Client& client, const Reply& reply, const codec::HttpHead* head, bool close) {
  std::string text =
      fmt::format("HTTP/1.1 {} {}\r\ncontent-length: {}\r\n", reply.status, reason_of(reply.status), reply.body.size());
  for (const auto& [name, value] : reply.fields) {
    if (name == "location") text += fmt::format("{}: {}\r\n", name, value);
  }
  if (reply.no_cache) text += "cache-control: no-cache\r\n";
  if (!reply.content_type.empty() && !reply.body.empty())
    text += fmt::format("content-type: {}\r\n", reply.content_type);
  for (const auto& [name, value] : reply.fields) {
    if (name != "location") text += fmt::format("{}: {}\r\n", name, value);
  }
  if (close) text += "connection: close\r\n";
  text += "\r\n";
  if (head == nullptr || head->method != "HEAD") text += reply.body;
  runtime_.frontends[client.frontend].counters.bytes_out += static_cast<int64_t>(text.size());
  runtime_.bytes_out += static_cast<int64_t>(text.size());
  const bool was_empty = client.out.empty();
  client.out.append(text);
  if (was_empty) runtime_.act(action::Flush{client.conn});
}

HttpResponder::Reply HttpResponder::answer(const Client& client, const codec::HttpHead& head, std::string_view body) {
  const HttpConfig& config = runtime_.frontends[client.frontend].config->http;
  if (!config.monitor_uri.empty() && head.target == config.monitor_uri) {
    SampleContext context(runtime_);
    context.frontend = client.frontend;
    context.http = &head;
    const bool fails = std::ranges::any_of(config.monitor_failures, [&](const RuleCondition& condition) {
      return holds(condition, context) == Truth::kYes;
    });
    const int status = fails ? 503 : 200;
    return {.status = status, .body = page_of(status)};
  }
  if (auto reply = run_rules(client, config, head)) return std::move(*reply);
  if (config.stats.enabled && head.target.starts_with(config.stats.uri)) return statistics(client, config, head, body);
  return {.status = 503, .body = page_of(503)};
}

std::optional<HttpResponder::Reply> HttpResponder::run_rules(const Client& client, const HttpConfig& config,
                                                             const codec::HttpHead& head) {
  Session session;  // what addresses are taken of
  session.source = client.source;
  session.destination = client.destination;
  SampleContext context(runtime_);
  context.session = &session;
  context.frontend = client.frontend;
  context.http = &head;
  for (const HttpRule& rule : config.rules) {
    if (holds(rule.condition, context) != Truth::kYes) continue;
    switch (rule.action) {
      case HttpRule::Action::kAllow:
        return std::nullopt;
      case HttpRule::Action::kReturn:
        return Reply{rule.status, rule.content_type, rule.body, rule.fields, false};
      case HttpRule::Action::kDeny:
        ++runtime_.frontends[client.frontend].counters.denied_requests;
        return Reply{.status = rule.status, .body = page_of(rule.status)};
      case HttpRule::Action::kRedirect:
        return Reply{rule.status, "", "", {{"location", rule.location}}, true};
      case HttpRule::Action::kPrometheus: {
        const size_t mark = head.target.find('?');
        const std::string_view query = mark == std::string_view::npos ? "" : head.target.substr(mark + 1);
        return Reply{200, "text/plain; version=0.0.4", prometheus_text(runtime_, sessions_.count(), query), {}, true};
      }
      case HttpRule::Action::kAuth:
      case HttpRule::Action::kUnsupported:
        break;
    }
  }
  return std::nullopt;
}

HttpResponder::Reply HttpResponder::statistics(const Client& client, const HttpConfig& config,
                                               const codec::HttpHead& head, std::string_view body) {
  if (!config.stats.users.empty() && !authorized(head, config.stats.users)) {
    return {.status = 401,
            .body = page_of(401),
            .fields = {{"www-authenticate", fmt::format("Basic realm=\"{}\"", config.stats.realm)}}};
  }
  SampleContext context(runtime_);
  context.frontend = client.frontend;
  context.http = &head;
  const bool admin = config.stats.admin && holds(*config.stats.admin, context) == Truth::kYes;
  if (head.method == "POST") {
    if (admin) return apply_post(body);
    return {.status = 303, .content_type = "", .fields = {{"location", config.stats.uri + ";st=DENY"}}};
  }
  if (head.target.find(";csv") != std::string_view::npos) {
    return {.status = 200, .content_type = "text/plain", .body = stat_csv(runtime_, {})};
  }
  const bool refreshed = head.target.find(";norefresh") == std::string_view::npos;
  return {.status = 200,
          .body = statistics_html(runtime_, config.stats, refreshed ? config.stats.refresh_seconds : 0, admin)};
}

/// `s=<server>&...&action=<what>&b=#<id of the backend>`
HttpResponder::Reply HttpResponder::apply_post(std::string_view body) {
  std::vector<std::string> servers;
  std::string action;
  std::string backend;
  for (std::string_view part : split(body, '&')) {
    const size_t equals = part.find('=');
    const std::string value = url_decoded(equals == std::string_view::npos ? "" : part.substr(equals + 1));
    const std::string_view name = part.substr(0, equals);
    if (name == "s") servers.push_back(value);
    if (name == "action") action = value;
    if (name == "b") backend = value;
  }
  int changed = 0;
  for (BackendState& candidate : runtime_.backends) {
    const bool meant = backend == fmt::format("#{}", candidate.config->id) || backend == candidate.config->name;
    if (!meant) continue;
    for (ServerState& server : candidate.servers) {
      if (std::ranges::find(servers, server.config->name) == servers.end()) continue;
      ++changed;
      if (action == "ready") states_.set_ready(server);
      if (action == "drain") states_.set_drain(server);
      if (action == "maint") states_.set_maintenance(server);
      if (action == "shutdown") sessions_.shutdown_server(server.backend, server.index, false);
      if (action == "hrunn") states_.set_running(server, ", changed from Web interface");
      if (action == "hnolb") states_.set_stopping(server, ", changed from Web interface");
      if (action == "hdown") states_.set_stopped(server, ", changed from Web interface");
      if (action == "ehlth" || action == "dhlth") server.check.enabled = action == "ehlth";
    }
  }
  const std::string_view result = changed > 0 ? "DONE" : "NONE";
  return {.status = 303, .content_type = "", .fields = {{"location", fmt::format(";st={}", result)}}};
}

}  // namespace holdfast::proxy
