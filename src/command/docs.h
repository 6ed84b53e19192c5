// Docs: what COMMAND DOCS tells of a command besides its facts (command/spec.h), in our own words.
//
// Arguments are written as they are typed, one word each: `name:type`, an alias to show as `=alias`, before the name
// `?` optional, `*` repeated, `+` repeated with its token, behind the type `@n` the key specification, `/TOKEN`,
// `^since`, `!deprecated since`, and `{...}` what a oneof or block holds. Source: the command table of Redis 7.2.6.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "command/catalogue.h"

namespace holdfast::command {

struct Docs {
  std::string_view name;  // `get`, or `config|get` for a subcommand
  std::string_view summary;
  std::string_view complexity = {};
  std::string_view replaced_by = {};
  std::string_view arguments = {};
};

struct DocsArgument {
  std::string_view name;
  std::string_view shown;  // the name, or its alias
  std::string_view type;
  std::string_view key_spec;  // digits, empty for none
  std::string_view token;
  bool has_token = false;  // it may be empty
  std::string_view since;
  std::string_view deprecated_since;
  bool optional = false;
  bool multiple = false;
  bool multiple_token = false;
  std::vector<DocsArgument> arguments;

  bool holds_others() const { return type == "oneof" || type == "block"; }
};

/// Null for a command without words of its own.
const Docs* docs_of(SpecIndex index);
/// The notation above; false where it is broken.
bool read_arguments(std::string_view text, std::vector<DocsArgument>& out);

// The rows, by group.
std::span<const Docs> bitmap_docs();
std::span<const Docs> cluster_docs();
std::span<const Docs> connection_docs();
std::span<const Docs> generic_docs();
std::span<const Docs> geo_docs();
std::span<const Docs> hash_docs();
std::span<const Docs> hyperloglog_docs();
std::span<const Docs> list_docs();
std::span<const Docs> pubsub_docs();
std::span<const Docs> scripting_docs();
std::span<const Docs> server_docs();
std::span<const Docs> set_docs();
std::span<const Docs> sorted_set_docs();
std::span<const Docs> stream_docs();
std::span<const Docs> string_docs();
std::span<const Docs> transactions_docs();

}  // namespace holdfast::command
