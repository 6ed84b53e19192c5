#include "codec/lzf.h"

#include <cstdint>

extern "C" {
#include <liblzf/lzf.h>
}

namespace holdfast::codec {

namespace {
/// The longest back reference is 264 bytes and takes 3.
constexpr size_t kExpansionMax = 88;
}  // namespace

bool lzf_compress(std::string_view bytes, std::string& out) {
  constexpr size_t kGainMin = 4;
  if (bytes.size() <= kGainMin || bytes.size() > UINT32_MAX) return false;
  const size_t before = out.size();
  const size_t room = bytes.size() - kGainMin;
  out.resize(before + room);
  const unsigned int size = ::lzf_compress(bytes.data(), static_cast<unsigned int>(bytes.size()), out.data() + before,
                                           static_cast<unsigned int>(room));
  out.resize(before + size);
  return size != 0;
}

bool lzf_decompress(std::string_view compressed, size_t size, std::string& out) {
  out.clear();
  if (compressed.empty() || size == 0 || size > UINT32_MAX || size / kExpansionMax > compressed.size()) return false;
  out.resize(size);
  const unsigned int got = ::lzf_decompress(compressed.data(), static_cast<unsigned int>(compressed.size()), out.data(),
                                            static_cast<unsigned int>(size));
  if (got == size) return true;
  out.clear();
  return false;
}

}  // namespace holdfast::codec
