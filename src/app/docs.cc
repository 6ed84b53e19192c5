#include "app/docs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "command/catalogue.h"
#include "command/wire_names.h"
#include "proxy/keyword/keyword.h"
#include "server/config.h"
#include "server/dispatch.h"

namespace holdfast::app {
namespace {

using command::Spec;
using command::SpecIndex;

struct Row {
  std::string name;
  const Spec* spec;
  bool served;
};

/// The data server's commands by name; the Sentinel's own are not its business.
std::vector<Row> data_server_rows() {
  const server::HandlerTable handlers;
  std::vector<Row> out;
  const auto specs = command::all_specs();
  for (size_t i = 0; i < specs.size(); ++i) {
    if (specs[i]->is(command::kOnlySentinel) || specs[i]->group == command::Group::kSentinel) continue;
    out.push_back({command::full_name(*specs[i]), specs[i], handlers.at(static_cast<SpecIndex>(i)) != nullptr});
  }
  std::sort(out.begin(), out.end(), [](const Row& a, const Row& b) { return a.name < b.name; });
  return out;
}

void print_missing() {
  const std::vector<Row> rows = data_server_rows();
  size_t missing = 0;
  for (const Row& row : rows) {
    if (row.served) continue;
    ++missing;
    fmt::print("{}\n", row.name);
  }
  fmt::print(stderr, "{} of {} commands have no handler yet\n", missing, rows.size());
}

void print_commands() {
  fmt::print(
      "# Commands\nWritten by `./x docs` from the catalogue. `served` says whether the data server answers it "
      "yet.\n\n");
  fmt::print("| command | arity | since | served | flags |\n|---|---|---|---|---|\n");
  for (const Row& row : data_server_rows()) {
    fmt::print("| {} | {} | {} | {} | {} |\n", row.name, row.spec->arity, row.spec->since, row.served ? "yes" : "no",
               fmt::join(command::flag_names(row.spec->flags), " "));
  }
}

void print_directives() {
  fmt::print("# Directives\nWritten by `./x docs` from the tables.\n\n## Data server (redis.conf)\n");
  fmt::print("| directive | older name | default | at run time | meaning |\n|---|---|---|---|---|\n");
  const family::Settings defaults;
  for (const server::ConfigRow* listed : server::config_rows()) {
    const server::ConfigRow& row = *listed;
    fmt::print("| {} | {} | `{}` | {} | {} |\n", row.name, row.alias, row.print(row, defaults),
               (row.flags & server::kConfigImmutable) != 0 ? "no" : "CONFIG SET", row.summary);
  }
  fmt::print("\n## Proxy (haproxy.cfg)\n| keyword | meaning |\n|---|---|\n");
  for (const auto table : proxy::all_keywords()) {
    for (const proxy::KeywordRow& row : table) fmt::print("| {} | {} |\n", row.name, row.summary);
  }
}

}  // namespace

int run_docs(const std::string& program, const std::vector<std::string>& arguments) {
  const std::string what = arguments.size() == 1 ? arguments[0] : "";
  if (what == "missing") {
    print_missing();
  } else if (what == "commands") {
    print_commands();
  } else if (what == "directives") {
    print_directives();
  } else {
    fmt::print(stderr, "usage: {} commands|directives|missing\n", program);
    return 1;
  }
  return 0;
}

}  // namespace holdfast::app
