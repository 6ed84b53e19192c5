#include "codec/dns.h"

#include <algorithm>

namespace holdfast::codec {
namespace {

constexpr uint16_t kRecursionDesired = 0x0100;
constexpr uint16_t kTruncatedFlag = 0x0200;
constexpr uint16_t kCodeMask = 0x000f;
constexpr uint16_t kInternet = 1;
constexpr uint16_t kOpt = 41;
constexpr size_t kLabelMax = 63;
constexpr size_t kRecordHeader = 10;  // type, class, time to live, length

void put16(std::string* out, uint16_t value) {
  out->push_back(static_cast<char>(value >> 8));
  out->push_back(static_cast<char>(value & 255));
}

/// Reads a message front to back; a failed read leaves `ok` false for good.
class Reader {
 public:
  explicit Reader(std::string_view message) : message_(message) {}

  bool ok() const { return ok_; }
  bool at_end() const { return at_ >= message_.size(); }
  size_t left() const { return message_.size() - at_; }

  uint16_t number() {
    if (!take(2)) return 0;
    return static_cast<uint16_t>(byte(at_ - 2) << 8 | byte(at_ - 1));
  }
  std::string_view bytes(size_t count) { return take(count) ? message_.substr(at_ - count, count) : ""; }
  void skip(size_t count) { take(count); }
  /// A name, decompressed. An empty one (the root) is nobody's name here and fails, too.
  std::string name() {
    std::string out;
    size_t after = 0;  // where reading goes on; set at the first pointer
    size_t at = at_;
    while (true) {
      if (at >= message_.size()) return fail();
      const size_t length = byte(at);
      if (length == 0) break;
      if (length > kLabelMax) {
        if (length < 0xc0 || at + 1 >= message_.size()) return fail();
        const size_t target = (length & 0x3f) << 8 | byte(at + 1);
        if (after == 0) after = at + 2;
        if (target >= at) return fail();  // backwards only: every chain of pointers ends
        at = target;
        continue;
      }
      if (at + 1 + length > message_.size() || out.size() + 1 + length > kDnsNameMax) return fail();
      out.append(message_.substr(at, length + 1));
      at += length + 1;
    }
    at_ = after != 0 ? after : at + 1;
    return out.empty() ? fail() : out;
  }

 private:
  size_t byte(size_t at) const { return static_cast<unsigned char>(message_[at]); }
  bool take(size_t count) {
    ok_ = ok_ && count <= left();
    if (ok_) at_ += count;
    return ok_;
  }
  std::string fail() {
    ok_ = false;
    return {};
  }

  std::string_view message_;
  size_t at_ = 0;
  bool ok_ = true;
};

bool known(uint16_t type) {
  return type == static_cast<uint16_t>(DnsType::kA) || type == static_cast<uint16_t>(DnsType::kCname) ||
         type == static_cast<uint16_t>(DnsType::kAaaa) || type == static_cast<uint16_t>(DnsType::kSrv);
}

/// What stands behind a record's header. False = it is not what its type says.
bool read_data(std::string_view message, Reader& reader, size_t length, DnsRecord* record) {
  if (record->type == DnsType::kA || record->type == DnsType::kAaaa) {
    if (length != (record->type == DnsType::kA ? 4 : 16)) return false;
    record->data = std::string(reader.bytes(length));
    return reader.ok();
  }
  // A target may point to names before it, so it is read in place; its record's length says where the next one begins.
  Reader inside(message.substr(0, message.size() - reader.left() + length));
  inside.skip(message.size() - reader.left());
  if (record->type == DnsType::kSrv) {
    record->priority = inside.number();
    record->weight = inside.number();
    record->port = inside.number();
  }
  record->data = inside.name();
  reader.skip(length);
  return inside.ok();
}

/// One record. False = malformed. `*kept` = its type means something to us.
bool read_record(std::string_view message, Reader& reader, DnsRecord* record, bool* kept) {
  record->owner = reader.name();
  if (!reader.ok() || reader.left() < kRecordHeader) return false;
  const uint16_t type = reader.number();
  reader.skip(6);
  const size_t length = reader.number();
  if (length > reader.left()) return false;
  *kept = known(type);
  if (*kept) {
    record->type = static_cast<DnsType>(type);
    return read_data(message, reader, length, record);
  }
  reader.skip(length);
  return true;
}

/// The answers, following CNAMEs from `asked`.
DnsVerdict read_answers(std::string_view message, Reader& reader, std::string asked, bool srv, size_t count,
                        std::vector<DnsRecord>* out) {
  for (size_t i = 0; i < count; ++i) {
    DnsRecord record;
    bool kept = false;
    if (!read_record(message, reader, &record, &kept)) return DnsVerdict::kInvalid;
    if (!srv && record.owner != asked) return i == 0 ? DnsVerdict::kInvalid : DnsVerdict::kBadAlias;
    if (!kept) continue;
    if (record.type == DnsType::kCname) {
      if (i + 1 == count) return DnsVerdict::kBadAlias;
      asked = record.data;
    }
    out->push_back(std::move(record));
  }
  return DnsVerdict::kValid;
}

/// Addresses that came along with an SRV answer. What is malformed here costs nothing but itself.
void read_additional(std::string_view message, Reader& reader, size_t skipped, size_t count,
                     std::vector<DnsRecord>* out) {
  for (size_t i = 0; i < skipped + count; ++i) {
    // The OPT record of RFC 6891 belongs to the root, which name() does not read.
    if (reader.at_end()) return;
    DnsRecord record;
    bool kept = false;
    Reader before = reader;
    if (!read_record(message, reader, &record, &kept)) {
      if (before.bytes(1) != std::string_view("\0", 1) || before.left() < kRecordHeader) return;
      before.skip(8);
      before.skip(before.number());
      if (!before.ok()) return;
      reader = before;
      continue;
    }
    if (i >= skipped && kept && (record.type == DnsType::kA || record.type == DnsType::kAaaa)) {
      out->push_back(std::move(record));
    }
  }
}

}  // namespace

std::optional<std::string> dns_name(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  std::string out;
  while (true) {
    const size_t dot = host.find('.');
    const std::string_view label = host.substr(0, dot);
    if (label.empty() || label.size() > kLabelMax) return std::nullopt;
    out.push_back(static_cast<char>(label.size()));
    out += label;
    if (dot == std::string_view::npos) break;
    host.remove_prefix(dot + 1);
  }
  if (out.size() > kDnsNameMax - 1) return std::nullopt;
  return out;
}

std::string dns_host(std::string_view labels) {
  std::string out;
  while (!labels.empty()) {
    const size_t length = static_cast<unsigned char>(labels[0]);
    if (!out.empty()) out.push_back('.');
    out += labels.substr(1, length);
    labels.remove_prefix(std::min(labels.size(), length + 1));
  }
  return out;
}

std::string encode_dns_question(uint16_t id, std::string_view labels, DnsType type, uint16_t payload_size) {
  std::string out;
  put16(&out, id);
  put16(&out, kRecursionDesired);
  put16(&out, 1);  // questions
  put16(&out, 0);
  put16(&out, 0);
  put16(&out, 1);  // additional: OPT
  out += labels;
  out.push_back('\0');
  put16(&out, static_cast<uint16_t>(type));
  put16(&out, kInternet);
  out.push_back('\0');
  put16(&out, kOpt);
  put16(&out, payload_size);
  out.append(6, '\0');  // no extended flags, no options
  return out;
}

std::optional<uint16_t> dns_message_id(std::string_view message) {
  Reader reader(message);
  const uint16_t id = reader.number();
  if (!reader.ok()) return std::nullopt;
  return id;
}

DnsReply parse_dns_reply(std::string_view message, std::string_view asked, size_t most) {
  DnsReply reply;
  Reader reader(message);
  reader.skip(2);
  const uint16_t flags = reader.number();
  if (!reader.ok()) return reply;
  if (const uint16_t code = flags & kCodeMask; code != 0) {
    reply.verdict = code == 3 ? DnsVerdict::kNoSuchName : code == 5 ? DnsVerdict::kRefused : DnsVerdict::kOtherError;
    return reply;
  }
  const uint16_t questions = reader.number();
  const uint16_t answers = reader.number();
  const uint16_t authorities = reader.number();
  const uint16_t additional = reader.number();
  if (!reader.ok()) return reply;
  if (questions != 1) {
    reply.verdict = DnsVerdict::kQuestionCount;
    return reply;
  }
  if (answers == 0) {
    reply.verdict = DnsVerdict::kNoAnswer;
    return reply;
  }
  if (answers > most) return reply;
  const std::string name = reader.name();
  if (!reader.ok()) return reply;
  if (name != asked) {
    reply.verdict = DnsVerdict::kWrongName;
    return reply;
  }
  const bool srv = reader.number() == static_cast<uint16_t>(DnsType::kSrv);
  reader.skip(2);
  if (!reader.ok()) return reply;
  if (!srv && (flags & kTruncatedFlag) != 0) {
    reply.verdict = DnsVerdict::kTruncated;
    return reply;
  }
  reply.verdict = read_answers(message, reader, name, srv, answers, &reply.answers);
  if (reply.verdict != DnsVerdict::kValid) {
    reply.answers.clear();
  } else if (srv) {
    read_additional(message, reader, authorities, additional, &reply.additional);
  }
  return reply;
}

}  // namespace holdfast::codec
