#include "store/value.h"

#include <charconv>

namespace holdfast::store {

std::string_view type_name(Type type) {
  switch (type) {
    case Type::kString:
      return "string";
    case Type::kList:
      return "list";
    case Type::kSet:
      return "set";
    case Type::kSortedSet:
      return "zset";
    case Type::kHash:
      return "hash";
    case Type::kStream:
      return "stream";
  }
  return "unknown";
}

std::string_view encoding_name(Encoding encoding) {
  switch (encoding) {
    case Encoding::kInt:
      return "int";
    case Encoding::kEmbstr:
      return "embstr";
    case Encoding::kRaw:
      return "raw";
    case Encoding::kListpack:
      return "listpack";
    case Encoding::kQuicklist:
      return "quicklist";
    case Encoding::kHashtable:
      return "hashtable";
    case Encoding::kIntset:
      return "intset";
    case Encoding::kSkiplist:
      return "skiplist";
    case Encoding::kStream:
      return "stream";
  }
  return "unknown";
}

std::string_view print_integer(int64_t value, NumberBuffer& buffer) {
  const auto end = std::to_chars(buffer.bytes, buffer.bytes + sizeof(buffer.bytes), value).ptr;
  return {buffer.bytes, static_cast<size_t>(end - buffer.bytes)};
}

}  // namespace holdfast::store
