// SPDX-License-Identifier: Apache-2.0
#include "conformance/run/fuzz.h"

#include <gtest/gtest.h>

#include "conformance/case/generate.h"

namespace braid::conformance {
namespace {

TEST(Fuzz, CasesComeBackFromSeedAndId) {
  Selection selection;
  selection.globs = {"ai.onnx/Conv-22/*", "ai.onnx/Softmax-13/*"};
  Fuzzer one(7, selection), same(7, selection), other(8, selection);
  const std::vector<Case> a = one.Next(20), b = same.Next(20), c = other.Next(20);
  ASSERT_EQ(a.size(), 20u);
  size_t equal = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].id, b[i].id);
    equal += a[i].id == c[i].id ? 1 : 0;
    EXPECT_NE(a[i].id.find("~fuzz="), std::string::npos) << a[i].id;
    const BuiltCase built = Build(a[i]), again = Build(CaseOf(a[i].id));
    EXPECT_EQ(built.model, again.model) << a[i].id;
  }
  EXPECT_EQ(equal, 0u);
}

TEST(Fuzz, ExtentsAreDrawn) {
  const BuiltCase plain = Build(CaseOf("ai.onnx/Relu-14/plain"));
  std::set<Dims> shapes;
  for (int i = 1; i <= 20; ++i)
    shapes.insert(Build(CaseOf("ai.onnx/Relu-14/~fuzz=" + std::to_string(i))).runs[0][0].value.tensor.dims());
  EXPECT_EQ(plain.runs[0][0].value.tensor.dims(), Dims({3, 4, 5}));
  EXPECT_GT(shapes.size(), 10u);
}

TEST(Fuzz, NothingToDrawFromIsTold) {
  Selection selection;
  selection.globs = {"nothing/*"};
  EXPECT_THROW(Fuzzer(1, selection), std::invalid_argument);
}

}  // namespace
}  // namespace braid::conformance
