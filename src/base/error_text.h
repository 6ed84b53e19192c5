// error_text: what an errno means, in the C library's words (the originals print them in replies and logs).
#pragma once

#include <string>

namespace holdfast {

std::string error_text(int error_number);

}  // namespace holdfast
