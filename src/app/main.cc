// One binary, several programs: which one runs is decided by the name it is called by, or by its first argument.
//
// `redis-server`, `redis-sentinel`, `haproxy` (and valkey-*) as link names keep the originals' conventions completely.
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "app/process.h"
#include "app/program.h"

int main(int argc, char** argv) {
  holdfast::app::remember_arguments(argc, argv);
  const std::string name = argc > 0 ? argv[0] : "holdfast";
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const holdfast::app::Choice choice = holdfast::app::choose_program(name, arguments);
  if (!choice.error.empty()) {
    std::fputs(choice.error.c_str(), stderr);
    return 2;
  }
  return choice.run(choice.name, choice.arguments);
}
