// SPDX-License-Identifier: Apache-2.0
#include "core/run/host_ops.h"

#include <gtest/gtest.h>

#include "core/graph/host_operators.h"

namespace braid {
namespace {

TEST(HostOps, EveryHostOperatorIsThere) {
  for (const HostOperator& known : HostOperators())
    EXPECT_EQ(HasHostOp(known.domain, known.op), known.op != "If") << known.domain << " " << known.op;
  EXPECT_FALSE(HasHostOp("", "Relu"));
  EXPECT_FALSE(HasHostOp("com.example", "Loop"));
}

}  // namespace
}  // namespace braid
