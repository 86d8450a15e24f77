// SPDX-License-Identifier: Apache-2.0
#include "core/api/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace braid {
namespace {

using ::testing::HasSubstr;

// Whatever fails inside, the status is one that graph.h defines.
TEST(Error, EveryStatusIsOneOfGraphH) {
  EXPECT_EQ(SetError(absl::OkStatus()), GRAPH_OK);
  for (int code = 1; code <= 16; ++code) {
    const graph_status status = SetError(absl::Status(static_cast<absl::StatusCode>(code), "text"));
    EXPECT_STRNE(graph_status_name(status), "UNKNOWN") << code << " is " << status;
    EXPECT_NE(status, GRAPH_OK);
    EXPECT_STREQ(graph_last_error(), "text");
  }
  EXPECT_STREQ(graph_status_name(7), "UNKNOWN");
  EXPECT_STREQ(graph_status_name(GRAPH_BUFFER_TOO_SMALL), "BUFFER_TOO_SMALL");
}

TEST(Error, WhatIsThrownSaysWhatWasDone) {
  EXPECT_EQ(Guarded("graph_run", []() -> absl::Status { throw std::bad_alloc(); }), GRAPH_OUT_OF_MEMORY);
  EXPECT_STREQ(graph_last_error(), "graph_run: out of host memory");
  EXPECT_EQ(Guarded("graph_load", []() -> absl::Status { throw std::runtime_error("why"); }), GRAPH_INTERNAL);
  EXPECT_STREQ(graph_last_error(), "graph_load: why");
}

}  // namespace
}  // namespace braid
