// Bodies: collections as single objects on a Heap, made and destroyed with their memory accounted.
#pragma once

#include <new>

#include "store/context.h"

namespace holdfast::store {

template <typename Collection>
Collection* make_body(Context& context) {
  return new (context.heap.allocate(sizeof(Collection))) Collection(context);
}

template <typename Collection>
void destroy_body(Context& context, Collection* body) {
  body->~Collection();
  context.heap.release(body, sizeof(Collection));
}

}  // namespace holdfast::store
