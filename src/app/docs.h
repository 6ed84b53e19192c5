// `holdfast docs`: the reference pages, written from the tables that also run the programs.
#pragma once

#include <string>
#include <vector>

namespace holdfast::app {

/// `docs commands|directives|missing`: Markdown on standard output. Returns the exit code.
int run_docs(const std::string& program, const std::vector<std::string>& arguments);

}  // namespace holdfast::app
