// The fetches: what samples are taken of. Source: HAProxy configuration manual 7.3.
#include <algorithm>

#include "conf/haproxy_value.h"
#include "proxy/rule/stick_table.h"
#include "proxy/sample/context.h"
#include "proxy/sample/expression.h"
#include "proxy/sample/network.h"
#include "proxy/sample/tls_hello.h"
#include "proxy/session.h"

namespace holdfast::proxy {
namespace {

using Context = SampleContext;
using Arguments = std::vector<std::string>;

Sample some(Value value) { return {std::move(value), false}; }
Sample number(int64_t value) { return some(Value::number(value)); }
Sample none() { return {}; }
int64_t argument(const Arguments& arguments, size_t at, int64_t absent) {
  return at < arguments.size() ? conf::leading_integer(arguments[at]) : absent;
}

// ---- the connection ---------------------------------------------------------------------------------------------
const Address* source(const Context& c) { return c.session == nullptr ? nullptr : &c.session->source; }
const Address* destination(const Context& c) { return c.session == nullptr ? nullptr : &c.session->destination; }
Sample host_of(const Address* at) {
  return at == nullptr || at->host.empty() ? none() : some(Value::address(at->host));
}
Sample fetch_src(const Context& c, const Arguments&) { return host_of(source(c)); }
Sample fetch_dst(const Context& c, const Arguments&) { return host_of(destination(c)); }
Sample fetch_src_port(const Context& c, const Arguments&) { return source(c) ? number(source(c)->port) : none(); }
Sample fetch_dst_port(const Context& c, const Arguments&) {
  return destination(c) ? number(destination(c)->port) : none();
}
Sample fetch_src_is_local(const Context& c, const Arguments&) {
  return source(c) ? some(Value::boolean(is_loopback(*source(c)))) : none();
}

// ---- constants and the process ----------------------------------------------------------------------------------
Sample fetch_true(const Context&, const Arguments&) { return some(Value::boolean(true)); }
Sample fetch_false(const Context&, const Arguments&) { return some(Value::boolean(false)); }
Sample fetch_bool(const Context&, const Arguments& a) {
  return some(Value::boolean(a[0] == "true" || conf::leading_integer(a[0]) != 0));
}
Sample fetch_int(const Context&, const Arguments& a) { return number(conf::leading_integer(a[0])); }
Sample fetch_str(const Context&, const Arguments& a) { return some(Value::string(a[0])); }
Sample fetch_ipv4(const Context&, const Arguments& a) { return some(Value::address(a[0])); }
Sample fetch_env(const Context& c, const Arguments& a) {
  const auto found = c.runtime.config.environment.find(a[0]);
  return found == c.runtime.config.environment.end() ? none() : some(Value::string(found->second));
}
Sample fetch_date(const Context& c, const Arguments& a) {
  return number(unix_seconds(c.runtime.now.wall) + argument(a, 0, 0));
}
Sample fetch_rand(const Context& c, const Arguments& a) {
  // A sample must not move the machine's generator: mixed from what differs between sessions.
  const uint64_t seed = static_cast<uint64_t>(c.runtime.connections_total) ^
                        static_cast<uint64_t>(c.runtime.now.mono.time_since_epoch().count());
  Prng random(seed ^ c.runtime.options.seed);
  return number(
      static_cast<int64_t>(random.below(static_cast<uint64_t>(std::max<int64_t>(1, argument(a, 0, UINT32_MAX))))));
}
Sample fetch_hostname(const Context& c, const Arguments&) { return some(Value::string(c.runtime.options.node)); }
Sample fetch_stopping(const Context& c, const Arguments&) { return some(Value::boolean(c.runtime.stopping)); }
Sample fetch_one(const Context&, const Arguments&) { return number(1); }
Sample fetch_var(const Context& c, const Arguments& a) {
  if (const auto found = c.runtime.variables.find(a[0]); found != c.runtime.variables.end()) return some(found->second);
  if (c.session == nullptr || !c.session->extras) return none();
  const auto found = c.session->extras->variables.find(a[0]);
  return found == c.session->extras->variables.end() ? none() : some(found->second);
}

// ---- proxies and servers ----------------------------------------------------------------------------------------
const BackendState* backend_of(const Context& c, const Arguments& a) {
  const uint32_t index = a.empty() ? c.backend : c.runtime.find_backend(a[0]);
  return index == kNoIndex ? nullptr : &c.runtime.backends[index];
}
const FrontendState* frontend_of(const Context& c, const Arguments& a) {
  if (a.empty()) return c.frontend == kNoIndex ? nullptr : &c.runtime.frontends[c.frontend];
  for (const FrontendState& frontend : c.runtime.frontends) {
    if (frontend.config->name == a[0]) return &frontend;
  }
  return nullptr;
}
const ServerState* server_of(const Context& c, const std::string& name) {
  const size_t slash = name.find('/');
  const uint32_t backend = slash == std::string::npos ? c.backend : c.runtime.find_backend(name.substr(0, slash));
  if (backend == kNoIndex) return nullptr;
  const uint32_t server = c.runtime.find_server(backend, slash == std::string::npos ? name : name.substr(slash + 1));
  return server == kNoIndex ? nullptr : &c.runtime.backends[backend].servers[server];
}
int64_t usable_count(const BackendState& backend) {
  return std::ranges::count_if(backend.servers, [](const ServerState& server) { return server.usable(); });
}
Sample fetch_nbsrv(const Context& c, const Arguments& a) {
  const BackendState* backend = backend_of(c, a);
  return number(backend == nullptr ? 0 : usable_count(*backend));
}
Sample fetch_be_conn(const Context& c, const Arguments& a) {
  const BackendState* backend = backend_of(c, a);
  return backend == nullptr ? none() : number(backend->counters.current);
}
Sample fetch_be_conn_free(const Context& c, const Arguments& a) {
  const BackendState* backend = backend_of(c, a);
  if (backend == nullptr) return none();
  int64_t room = 0;
  for (const ServerState& server : backend->servers) {
    if (!server.usable()) continue;
    if (server.maxconn == 0) return number(-1);  // COMPAT: one server without a limit, and nobody can tell
    room += std::max<int64_t>(0, server.maxconn - server.sessions);
  }
  return number(room);
}
Sample fetch_connslots(const Context& c, const Arguments& a) {
  const BackendState* backend = backend_of(c, a);
  if (backend == nullptr) return none();
  int64_t slots = 0;
  for (const ServerState& server : backend->servers) {
    if (!server.usable()) continue;
    if (server.maxconn == 0 || server.config->maxqueue == 0) return number(-1);
    slots += server.maxconn - server.sessions + server.config->maxqueue - static_cast<int64_t>(server.queue.size());
  }
  return number(std::max<int64_t>(0, slots));
}
Sample fetch_queue(const Context& c, const Arguments& a) {
  const BackendState* backend = backend_of(c, a);
  if (backend == nullptr) return none();
  auto waiting = static_cast<int64_t>(backend->queue.size());
  for (const ServerState& server : backend->servers) waiting += static_cast<int64_t>(server.queue.size());
  return number(waiting);
}
Sample fetch_avg_queue(const Context& c, const Arguments& a) {
  const BackendState* backend = backend_of(c, a);
  if (backend == nullptr) return none();
  const auto waiting = *fetch_queue(c, a).value;
  const int64_t servers = usable_count(*backend);
  return number(servers > 0 ? (waiting.integer + servers - 1) / servers : waiting.integer * 2);
}
Sample fetch_be_sess_rate(const Context& c, const Arguments& a) {
  const BackendState* backend = backend_of(c, a);
  if (backend == nullptr) return none();
  Rate rate = backend->counters.rate;
  return number(rate.read(c.runtime.now.mono));
}
Sample fetch_be_name(const Context& c, const Arguments&) {
  return c.backend == kNoIndex ? none() : some(Value::string(c.runtime.backends[c.backend].config->name));
}
Sample fetch_be_id(const Context& c, const Arguments&) {
  return c.backend == kNoIndex ? none() : number(c.runtime.backends[c.backend].config->id);
}
Sample fetch_fe_name(const Context& c, const Arguments&) {
  return c.frontend == kNoIndex ? none() : some(Value::string(c.runtime.frontends[c.frontend].config->name));
}
Sample fetch_fe_id(const Context& c, const Arguments&) {
  return c.frontend == kNoIndex ? none() : number(c.runtime.frontends[c.frontend].config->id);
}
Sample fetch_fe_conn(const Context& c, const Arguments& a) {
  const FrontendState* frontend = frontend_of(c, a);
  return frontend == nullptr ? none() : number(frontend->counters.current);
}
Sample fetch_fe_sess_rate(const Context& c, const Arguments& a) {
  const FrontendState* frontend = frontend_of(c, a);
  if (frontend == nullptr) return none();
  Rate rate = frontend->counters.rate;
  return number(rate.read(c.runtime.now.mono));
}
Sample fetch_srv_is_up(const Context& c, const Arguments& a) {
  const ServerState* server = server_of(c, a[0]);
  return some(Value::boolean(server != nullptr && server->up() && !server->stopping));
}
Sample fetch_srv_conn(const Context& c, const Arguments& a) {
  const ServerState* server = server_of(c, a[0]);
  return server == nullptr ? none() : number(server->counters.current);
}
Sample fetch_srv_conn_free(const Context& c, const Arguments& a) {
  const ServerState* server = server_of(c, a[0]);
  if (server == nullptr) return none();
  return number(server->maxconn == 0 ? -1 : std::max<int64_t>(0, server->maxconn - server->sessions));
}
Sample fetch_srv_queue(const Context& c, const Arguments& a) {
  const ServerState* server = server_of(c, a[0]);
  return server == nullptr ? none() : number(static_cast<int64_t>(server->queue.size()));
}
Sample fetch_srv_weight(const Context& c, const Arguments& a) {
  const ServerState* server = server_of(c, a[0]);
  return server == nullptr ? none() : number(server->weight);
}
Sample fetch_srv_name(const Context& c, const Arguments&) {
  if (c.session == nullptr || c.backend == kNoIndex || c.session->server == kNoIndex) return none();
  return some(Value::string(c.runtime.backends[c.backend].servers[c.session->server].config->name));
}

// ---- bytes ------------------------------------------------------------------------------------------------------
Sample bytes_sample(std::optional<Value> value, const Context& c) { return {std::move(value), !c.final}; }
Sample length_of(std::string_view bytes, const Context& c) {
  return bytes_sample(Value::number(static_cast<int64_t>(bytes.size())), c);
}
/// `payload(offset,length)`, length 0 = all there is.
Sample payload_of(std::string_view bytes, const Context& c, const Arguments& a) {
  const auto offset = static_cast<size_t>(std::max<int64_t>(0, argument(a, 0, 0)));
  const auto length = static_cast<size_t>(std::max<int64_t>(0, argument(a, 1, 0)));
  if (bytes.size() < offset + length) return bytes_sample(std::nullopt, c);
  if (length == 0) return bytes_sample(Value::binary(bytes.substr(offset)), c);
  return some(Value::binary(bytes.substr(offset, length)));
}
Sample fetch_req_len(const Context& c, const Arguments&) { return length_of(c.request, c); }
Sample fetch_res_len(const Context& c, const Arguments&) { return length_of(c.response, c); }
Sample fetch_req_payload(const Context& c, const Arguments& a) { return payload_of(c.request, c, a); }
Sample fetch_res_payload(const Context& c, const Arguments& a) { return payload_of(c.response, c, a); }

Sample tls_sample(const Context& c, Value (*take)(const TlsHello&)) {
  TlsHello hello;
  switch (parse_tls_hello(c.request, &hello)) {
    case TlsHelloStatus::kComplete:
      return some(take(hello));
    case TlsHelloStatus::kNeedMore:
      return {std::nullopt, !c.final};
    case TlsHelloStatus::kOther:
      break;
  }
  return none();
}
Sample fetch_tls_type(const Context& c, const Arguments&) {
  return tls_sample(c, [](const TlsHello&) { return Value::number(1); });
}
Sample fetch_tls_sni(const Context& c, const Arguments&) {
  return tls_sample(c, [](const TlsHello& hello) { return Value::string(hello.server_name); });
}
Sample fetch_tls_version(const Context& c, const Arguments&) {
  return tls_sample(c, [](const TlsHello& hello) { return Value::number(hello.version); });
}

// ---- HTTP, in the responder ------------------------------------------------------------------------------------
Sample fetch_method(const Context& c, const Arguments&) {
  return c.http == nullptr ? none() : some(Value::string(c.http->method));
}
Sample fetch_path(const Context& c, const Arguments&) {
  if (c.http == nullptr) return none();
  return some(Value::string(c.http->target.substr(0, c.http->target.find('?'))));
}
Sample fetch_url(const Context& c, const Arguments&) {
  return c.http == nullptr ? none() : some(Value::string(c.http->target));
}
Sample fetch_query(const Context& c, const Arguments&) {
  if (c.http == nullptr) return none();
  const size_t mark = c.http->target.find('?');
  return mark == std::string_view::npos ? none() : some(Value::string(c.http->target.substr(mark + 1)));
}
Sample fetch_header(const Context& c, const Arguments& a) {
  if (c.http == nullptr || c.http->field(a[0]).empty()) return none();
  return some(Value::string(c.http->field(a[0])));
}

// ---- stick tables -----------------------------------------------------------------------------------------------
struct Entry {
  const StickTable* table = nullptr;
  const TableEntry* entry = nullptr;
};
Entry tracked(const Context& c, int64_t slot) {
  if (c.session == nullptr || !c.session->extras || slot < 0 || slot > 2) return {};
  const SessionExtras::Track& track = c.session->extras->tracks[static_cast<size_t>(slot)];
  if (track.table == kNoIndex) return {};
  const StickTable& table = c.runtime.tables[track.table];
  const auto at = table.entries().find(track.key);
  return {&table, at == table.entries().end() ? nullptr : &at->second};
}
Entry by_source(const Context& c, const Arguments& a) {
  const Address* from = source(c);
  if (from == nullptr) return {};
  std::string name = a.empty() ? "" : a[0];
  if (name.empty() && c.frontend != kNoIndex) name = c.runtime.frontends[c.frontend].config->name;
  const uint32_t index = c.runtime.find_table(name);
  if (index == kNoIndex) return {};
  const StickTable& table = c.runtime.tables[index];
  const auto key = table.key_of(Value::address(from->host));
  if (!key) return {};
  const auto at = table.entries().find(*key);
  const bool there = at != table.entries().end() && (at->second.refs > 0 || at->second.expires > c.runtime.now.mono);
  return {&table, there ? &at->second : nullptr};
}
Sample counter(const Context& c, const Entry& at, TableData data) {
  if (at.table == nullptr || !at.table->config().stores(data)) return none();
  return number(at.entry == nullptr ? 0 : at.table->read(*at.entry, data, c.runtime.now.mono));
}
template <TableData kData, int kSlot>
Sample fetch_slot(const Context& c, const Arguments&) {
  return counter(c, tracked(c, kSlot), kData);
}
template <TableData kData>
Sample fetch_sc(const Context& c, const Arguments& a) {
  return counter(c, tracked(c, argument(a, 0, -1)), kData);
}
template <TableData kData>
Sample fetch_by_src(const Context& c, const Arguments& a) {
  return counter(c, by_source(c, a), kData);
}
template <int kSlot>
Sample fetch_is_tracked(const Context& c, const Arguments&) {
  return some(Value::boolean(tracked(c, kSlot).table != nullptr));
}
Sample fetch_table_count(const Context& c, const Arguments& a) {
  const uint32_t index = c.runtime.find_table(a[0]);
  return index == kNoIndex ? none() : number(static_cast<int64_t>(c.runtime.tables[index].entries().size()));
}

constexpr auto kBool = ValueType::kBoolean;
constexpr auto kInt = ValueType::kInteger;
constexpr auto kAddr = ValueType::kAddress;
constexpr auto kText = ValueType::kString;
constexpr auto kBytes = ValueType::kBinary;

#define HF_COUNTER(name, data)                                        \
  {"sc_" name, 1, 2, kInt, 0, fetch_sc<TableData::data>},             \
      {"sc0_" name, 0, 1, kInt, 0, fetch_slot<TableData::data, 0>},   \
      {"sc1_" name, 0, 1, kInt, 0, fetch_slot<TableData::data, 1>},   \
      {"sc2_" name, 0, 1, kInt, 0, fetch_slot<TableData::data, 2>}, { \
    "src_" name, 0, 1, kInt, 0, fetch_by_src<TableData::data>         \
  }

constexpr FetchRow kRows[] = {
    {"src", 0, 0, kAddr, 0, fetch_src},
    {"src_port", 0, 0, kInt, 0, fetch_src_port},
    {"src_is_local", 0, 0, kBool, 0, fetch_src_is_local},
    {"dst", 0, 0, kAddr, 0, fetch_dst},
    {"dst_port", 0, 0, kInt, 0, fetch_dst_port},
    {"always_true", 0, 0, kBool, 0, fetch_true},
    {"always_false", 0, 0, kBool, 0, fetch_false},
    {"bool", 1, 1, kBool, 0, fetch_bool},
    {"int", 1, 1, kInt, 0, fetch_int},
    {"str", 1, 1, kText, 0, fetch_str},
    {"ipv4", 1, 1, kAddr, 0, fetch_ipv4},
    {"ipv6", 1, 1, kAddr, 0, fetch_ipv4},
    {"env", 1, 1, kText, 0, fetch_env},
    {"date", 0, 2, kInt, 0, fetch_date},
    {"rand", 0, 1, kInt, 0, fetch_rand},
    {"hostname", 0, 0, kText, 0, fetch_hostname},
    {"stopping", 0, 0, kBool, 0, fetch_stopping},
    {"nbproc", 0, 0, kInt, 0, fetch_one},
    {"nbthread", 0, 0, kInt, 0, fetch_one},
    {"var", 1, 1, kText, 0, fetch_var},
    {"nbsrv", 0, 1, kInt, 0, fetch_nbsrv},
    {"be_conn", 0, 1, kInt, 0, fetch_be_conn},
    {"be_conn_free", 0, 1, kInt, 0, fetch_be_conn_free},
    {"be_sess_rate", 0, 1, kInt, 0, fetch_be_sess_rate},
    {"be_name", 0, 0, kText, 0, fetch_be_name},
    {"be_id", 0, 0, kInt, 0, fetch_be_id},
    {"connslots", 0, 1, kInt, 0, fetch_connslots},
    {"queue", 0, 1, kInt, 0, fetch_queue},
    {"avg_queue", 0, 1, kInt, 0, fetch_avg_queue},
    {"fe_conn", 0, 1, kInt, 0, fetch_fe_conn},
    {"fe_sess_rate", 0, 1, kInt, 0, fetch_fe_sess_rate},
    {"fe_name", 0, 0, kText, 0, fetch_fe_name},
    {"fe_id", 0, 0, kInt, 0, fetch_fe_id},
    {"srv_is_up", 1, 1, kBool, 0, fetch_srv_is_up},
    {"srv_conn", 1, 1, kInt, 0, fetch_srv_conn},
    {"srv_conn_free", 1, 1, kInt, 0, fetch_srv_conn_free},
    {"srv_queue", 1, 1, kInt, 0, fetch_srv_queue},
    {"srv_weight", 1, 1, kInt, 0, fetch_srv_weight},
    {"srv_name", 0, 0, kText, 0, fetch_srv_name},
    {"req.len", 0, 0, kInt, kNeedsRequest, fetch_req_len},
    {"req_len", 0, 0, kInt, kNeedsRequest, fetch_req_len},
    {"res.len", 0, 0, kInt, kNeedsResponse, fetch_res_len},
    {"req.payload", 2, 2, kBytes, kNeedsRequest, fetch_req_payload},
    {"payload", 2, 2, kBytes, kNeedsRequest, fetch_req_payload},
    {"res.payload", 2, 2, kBytes, kNeedsResponse, fetch_res_payload},
    {"req.ssl_hello_type", 0, 0, kInt, kNeedsRequest, fetch_tls_type},
    {"req_ssl_hello_type", 0, 0, kInt, kNeedsRequest, fetch_tls_type},
    {"req.ssl_sni", 0, 0, kText, kNeedsRequest, fetch_tls_sni},
    {"req_ssl_sni", 0, 0, kText, kNeedsRequest, fetch_tls_sni},
    {"req.ssl_ver", 0, 0, kInt, kNeedsRequest, fetch_tls_version},
    {"method", 0, 0, kText, kNeedsHttp, fetch_method},
    {"path", 0, 0, kText, kNeedsHttp, fetch_path},
    {"url", 0, 0, kText, kNeedsHttp, fetch_url},
    {"query", 0, 1, kText, kNeedsHttp, fetch_query},
    {"hdr", 1, 2, kText, kNeedsHttp, fetch_header},
    {"req.hdr", 1, 2, kText, kNeedsHttp, fetch_header},
    {"table_cnt", 1, 1, kInt, 0, fetch_table_count},
    {"sc0_tracked", 0, 1, kBool, 0, fetch_is_tracked<0>},
    {"sc1_tracked", 0, 1, kBool, 0, fetch_is_tracked<1>},
    {"sc2_tracked", 0, 1, kBool, 0, fetch_is_tracked<2>},
    HF_COUNTER("get_gpt0", kGpt0),
    HF_COUNTER("get_gpc0", kGpc0),
    HF_COUNTER("gpc0_rate", kGpc0Rate),
    HF_COUNTER("get_gpc1", kGpc1),
    HF_COUNTER("gpc1_rate", kGpc1Rate),
    HF_COUNTER("conn_cnt", kConnCnt),
    HF_COUNTER("conn_rate", kConnRate),
    HF_COUNTER("conn_cur", kConnCur),
    HF_COUNTER("sess_cnt", kSessCnt),
    HF_COUNTER("sess_rate", kSessRate),
    HF_COUNTER("http_req_cnt", kHttpReqCnt),
    HF_COUNTER("http_req_rate", kHttpReqRate),
    HF_COUNTER("http_err_cnt", kHttpErrCnt),
    HF_COUNTER("http_err_rate", kHttpErrRate),
    HF_COUNTER("bytes_in_rate", kBytesInRate),
    HF_COUNTER("bytes_out_rate", kBytesOutRate),
};
#undef HF_COUNTER

}  // namespace

const FetchRow* fetch_rows(size_t* count) {
  *count = std::size(kRows);
  return kRows;
}

}  // namespace holdfast::proxy
