// LZF: the compression of long strings in RDB files; the library is liblzf.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace holdfast::codec {

/// Appends the compressed form of `bytes` to `out` if it is at least 4 bytes shorter; true if so.
bool lzf_compress(std::string_view bytes, std::string& out);
/// Replaces `out` by the `size` bytes that `compressed` stands for. False (out empty) if it is not valid or its content
/// is not exactly that long; allocates nothing if no input of this length could expand to `size`.
bool lzf_decompress(std::string_view compressed, size_t size, std::string& out);

}  // namespace holdfast::codec
