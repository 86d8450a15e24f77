// SPDX-License-Identifier: Apache-2.0
//
// What domains of several families share.
#ifndef BRAID_CONFORMANCE_DOMAINS_COMMON_H_
#define BRAID_CONFORMANCE_DOMAINS_COMMON_H_

#include <string>

#include "conformance/case/domain.h"

namespace braid::conformance {

// The shapes of two inputs that broadcast, by the rules of every version (pointwise.cc).
void Broadcast(Domain& d, Dims* a, Dims* b);

// As Domain::AnyShape; the plain one has an odd number of elements, so that the last byte of types below a
// byte is not full (movement.cc).
Dims OddShape(Domain& d, int64_t least_rank = 0);
// Elements to be moved about: as many different ones as the type of `variable` has, or those that are easily
// lost: NaN, infinities, -0, denormals, ends of the range (movement.cc).
Values Movable(Domain& d, const std::string& variable);
// Only the different ones.
Values Different(Domain& d, const std::string& variable);
// An axis of `rank`, set as the attribute `axis`, which is left out where it is `absent` and `has_default`.
// Returned from 0 to rank - 1. Negative ones are legal from version `negative_since` on (movement.cc).
int64_t Axis(Domain& d, int64_t rank, int64_t absent, bool has_default = true, int negative_since = 11);

// `dims` without the extent of `axis`, or with another.
Dims Without(Dims dims, int64_t axis);
Dims With(Dims dims, int64_t axis, int64_t extent);
int64_t Elements(const Dims& dims);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_DOMAINS_COMMON_H_
