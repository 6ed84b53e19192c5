// Assertions that stay on in release builds: a broken invariant stops the program, it never corrupts data.
//
// Use for bugs only, never for input from a user, a file or the wire.
#pragma once

namespace holdfast {

/// Prints `file:line: assertion failed: text` to standard error and aborts.
[[noreturn]] void assertion_failed(const char* file, int line, const char* text);

}  // namespace holdfast

#define HF_ASSERT(condition)                                        \
  do {                                                              \
    if (!(condition)) [[unlikely]]                                  \
      ::holdfast::assertion_failed(__FILE__, __LINE__, #condition); \
  } while (false)

#define HF_UNREACHABLE() ::holdfast::assertion_failed(__FILE__, __LINE__, "unreachable")
