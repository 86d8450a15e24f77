// SPDX-License-Identifier: Apache-2.0
#include "conformance/performance/performance.h"

#include <gtest/gtest.h>

namespace braid::conformance {
namespace {

TEST(Performance, StaleOutputsShow) {
  EXPECT_EQ(AuditOfChange({"a", "b", "a", "b"}), "");
  EXPECT_EQ(AuditOfChange({"a", "b", "b"}),
            "run 2 gave the output of the run before, which had other inputs");
}

TEST(Performance, KernelsAreBuiltAndTheirResultsHold) {
  for (const Kernel& kernel : Kernels()) {
    EXPECT_NO_THROW(Build(kernel.graph, reference::kFloat, {})) << kernel.graph.name;
    EXPECT_GT(kernel.work, 0);
  }
  for (const Kernel& kernel : Kernels()) {
    if (kernel.graph.name != "gather_rows" && kernel.graph.name != "add_1m") continue;
    const Measured m = Measure(kernel, "reference", 0);
    EXPECT_EQ(m.audit, "") << kernel.graph.name;
    EXPECT_GE(m.runs, 9u);
    EXPECT_GT(m.rate, 0);
    EXPECT_LE(m.least, m.median);
  }
}

}  // namespace
}  // namespace braid::conformance
