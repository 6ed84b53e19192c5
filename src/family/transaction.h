// Transactions: what other families need of MULTI and WATCH.
#pragma once

#include "family/session.h"
#include "family/state.h"

namespace holdfast::family {

/// Forgets the queue and the watches.
void discard_transaction(State& state, Session& session);
void unwatch_all(State& state, Session& session);

}  // namespace holdfast::family
