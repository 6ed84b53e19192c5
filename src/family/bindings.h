// The list of families: which handler serves which command of the catalogue. Joined by server/dispatch.
#pragma once

#include <span>

#include "family/context.h"

namespace holdfast::family {

std::span<const Binding> connection_bindings();
std::span<const Binding> authentication_bindings();
std::span<const Binding> acl_bindings();
std::span<const Binding> keys_bindings();
std::span<const Binding> dump_bindings();
std::span<const Binding> object_bindings();
std::span<const Binding> sort_bindings();
std::span<const Binding> string_bindings();
std::span<const Binding> lcs_bindings();
std::span<const Binding> bitmap_bindings();
std::span<const Binding> bitfield_bindings();
std::span<const Binding> list_bindings();
std::span<const Binding> list_blocking_bindings();
std::span<const Binding> set_bindings();
std::span<const Binding> sorted_set_bindings();
std::span<const Binding> sorted_set_algebra_bindings();
std::span<const Binding> sorted_set_pop_bindings();
std::span<const Binding> sorted_set_range_bindings();
std::span<const Binding> stream_bindings();
std::span<const Binding> stream_claim_bindings();
std::span<const Binding> stream_group_bindings();
std::span<const Binding> stream_info_bindings();
std::span<const Binding> stream_read_bindings();
std::span<const Binding> geo_bindings();
std::span<const Binding> hash_bindings();
std::span<const Binding> hyperloglog_bindings();
std::span<const Binding> pubsub_bindings();
std::span<const Binding> transaction_bindings();
std::span<const Binding> admin_bindings();
std::span<const Binding> hyperloglog_debug_bindings();
std::span<const Binding> introspection_bindings();
std::span<const Binding> memory_bindings();
std::span<const Binding> command_bindings();
std::span<const Binding> command_docs_bindings();
std::span<const Binding> replication_bindings();
std::span<const Binding> absent_bindings();
std::span<const Binding> scripting_bindings();
std::span<const Binding> function_bindings();
std::span<const Binding> client_tracking_bindings();
std::span<const Binding> latency_bindings();
std::span<const Binding> slow_log_bindings();
std::span<const Binding> monitor_bindings();
std::span<const Binding> lolwut_bindings();

}  // namespace holdfast::family
