#include "proxy/sample/tls_hello.h"

namespace holdfast::proxy {
namespace {

/// Takes big-endian numbers and vectors from the front; `ok` goes false when something is missing, and stays so.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  uint32_t number(size_t size) {
    const std::string_view taken = take(size);
    uint32_t value = 0;
    for (char c : taken) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view vector(size_t size_bytes) { return take(number(size_bytes)); }
  std::string_view take(size_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  bool ok() const { return ok_; }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

std::string name_in(std::string_view extension) {
  Reader list(extension);
  Reader names(list.vector(2));
  while (names.ok() && !names.empty()) {
    const uint32_t type = names.number(1);
    const std::string_view name = names.vector(2);
    if (names.ok() && type == 0) return std::string(name);
  }
  return "";
}

}  // namespace

TlsHelloStatus parse_tls_hello(std::string_view bytes, TlsHello* hello) {
  if (bytes.empty()) return TlsHelloStatus::kNeedMore;
  if (bytes[0] != 0x16) return TlsHelloStatus::kOther;
  if (bytes.size() >= 2 && bytes[1] != 3) return TlsHelloStatus::kOther;
  if (bytes.size() < 5) return TlsHelloStatus::kNeedMore;
  Reader record(bytes.substr(3));
  const std::string_view body = record.vector(2);
  if (!record.ok()) return TlsHelloStatus::kNeedMore;
  Reader message(body);
  if (message.number(1) != 1) return TlsHelloStatus::kOther;
  Reader client(message.vector(3));
  const uint32_t version = client.number(2);
  client.take(32);
  client.vector(1);
  client.vector(2);
  client.vector(1);
  if (!client.ok()) return TlsHelloStatus::kOther;
  hello->version = static_cast<int>((version >> 8) << 16 | (version & 255));
  Reader extensions(client.vector(2));
  while (extensions.ok() && !extensions.empty()) {
    const uint32_t type = extensions.number(2);
    const std::string_view data = extensions.vector(2);
    if (extensions.ok() && type == 0) hello->server_name = name_in(data);
  }
  return TlsHelloStatus::kComplete;
}

}  // namespace holdfast::proxy
