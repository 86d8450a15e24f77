// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/random.h"

#include <algorithm>
#include <cmath>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

// Known answers of philox4x32-10, from the Random123 distribution (kat_vectors).
TEST(Random, PhiloxKnownAnswers) {
  EXPECT_EQ(Philox({0, 0, 0, 0}, {0, 0}), (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

struct Moments {
  double mean = 0, deviation = 0, low = HUGE_VAL, high = -HUGE_VAL;
};
Moments Measure(const Tensor& t) {
  Moments m;
  double squares = 0;
  const double n = static_cast<double>(t.size());
  for (int64_t i = 0; i < t.size(); ++i) {
    const double v = t.AsDouble(i);
    m.mean += v / n;
    squares += v * v / n;
    m.low = std::min(m.low, v);
    m.high = std::max(m.high, v);
  }
  m.deviation = std::sqrt(squares - m.mean * m.mean);
  return m;
}

// Five standard errors of the mean and of the deviation.
TEST(Random, NormalHasItsMoments) {
  const Moments m = Measure(RunOp(
      "RandomNormal", {}, {{"shape", Ints{100, 1000}}, {"mean", 3.0}, {"scale", 2.0}, {"seed", 7.0}})[0]);
  EXPECT_NEAR(m.mean, 3, 5 * 2 / std::sqrt(1e5));
  EXPECT_NEAR(m.deviation, 2, 5 * 2 / std::sqrt(2e5));
  EXPECT_GT(m.high, 3 + 2 * 3.5);
  EXPECT_LT(m.low, 3 - 2 * 3.5);
}

TEST(Random, UniformHasItsMoments) {
  const Moments m = Measure(
      RunOp("RandomUniform", {},
            {{"shape", Ints{100000}}, {"low", -1.0}, {"high", 3.0}, {"seed", 7.0}, {"dtype", kDouble}})[0]);
  EXPECT_NEAR(m.mean, 1, 5 * 4 / std::sqrt(12e5));
  EXPECT_NEAR(m.deviation, 4 / std::sqrt(12.0), 0.02);
  EXPECT_GE(m.low, -1);
  EXPECT_LT(m.high, 3);
}

TEST(Random, SeedsDecide) {
  auto draw = [](std::vector<Attr> attrs) {
    attrs.emplace_back("shape", Ints{8});
    const Tensor t = RunOp("RandomUniform", {}, attrs)[0];
    return std::vector<float>(t.data<float>(), t.data<float>() + 8);
  };
  EXPECT_EQ(draw({{"seed", 1.5}}), draw({{"seed", 1.5}}));
  EXPECT_NE(draw({{"seed", 1.5}}), draw({{"seed", 1.25}}));
  EXPECT_NE(draw({}), draw({}));
}

TEST(Random, LikeTakesShapeAndType) {
  const Tensor x = Tensor::Of<int32_t>({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(RunOp("RandomNormalLike", {x}, {{"dtype", kFloat16}})[0].type(), kFloat16);
  EXPECT_EQ(RunOp("RandomUniformLike", {Tensor::Of<double>({2, 3}, {1, 2, 3, 4, 5, 6})})[0].dims(),
            (Dims{2, 3}));
  EXPECT_EQ(JudgeOp("RandomNormalLike", {x}), BRAID_NO_TYPE);
  EXPECT_EQ(JudgeOp("RandomNormal", {}, {{"shape", Ints{1}}, {"dtype", kInt32}}), BRAID_NO_ATTRIBUTE);
}

TEST(Random, BadShapes) {
  EXPECT_THROW(RunOp("RandomUniform", {}, {{"shape", Ints{-1}}}), kit::Error);
  EXPECT_THROW(RunOp("RandomUniform", {}, {{"shape", Ints{int64_t{1} << 40, int64_t{1} << 40}}}), kit::Error);
}

TEST(Bernoulli, DrawsWithTheProbability) {
  Tensor p(kFloat, {30000});
  for (int64_t i = 0; i < p.size(); ++i) p.data<float>()[i] = i % 3 == 0 ? 0.0f : i % 3 == 1 ? 1.0f : 0.25f;
  const Tensor y = RunOp("Bernoulli", {p}, {{"seed", 3.0}, {"dtype", kInt32}})[0];
  int64_t ones = 0;
  for (int64_t i = 0; i < y.size(); ++i) {
    const int32_t v = y.data<int32_t>()[i];
    if (i % 3 == 0) {
      ASSERT_EQ(v, 0);
    }
    if (i % 3 == 1) {
      ASSERT_EQ(v, 1);
    }
    if (i % 3 == 2) ones += v;
  }
  EXPECT_NEAR(static_cast<double>(ones), 2500, 5 * std::sqrt(10000 * 0.25 * 0.75));
  ExpectFails("Bernoulli", {Tensor::Of<float>({2}, {0.5f, 1.5f})}, {}, "element 1 is 1.5");
  ExpectFails("Bernoulli", {Tensor::Of<float>({1}, {NAN})}, {}, "no probability");
}

TEST(Multinomial, DrawsByWeight) {
  // exp of the second row: weights 1, 3, 0, 4.
  const Tensor x = Tensor::Of<float>({2, 4}, {0, -INFINITY, -INFINITY, -INFINITY, 500, 500 + std::log(3.0f),
                                              -INFINITY, 500 + std::log(4.0f)});
  const Tensor y = RunOp("Multinomial", {x}, {{"sample_size", 8000}, {"dtype", kInt64}, {"seed", 1.0}})[0];
  ASSERT_EQ(y.dims(), (Dims{2, 8000}));
  std::vector<int64_t> count(4, 0);
  for (int64_t i = 0; i < 8000; ++i) {
    ASSERT_EQ(y.data<int64_t>()[i], 0);
    ++count.at(static_cast<size_t>(y.data<int64_t>()[8000 + i]));
  }
  EXPECT_NEAR(static_cast<double>(count[0]), 1000, 5 * 30);
  EXPECT_NEAR(static_cast<double>(count[1]), 3000, 5 * 44);
  EXPECT_EQ(count[2], 0);
  ExpectFails("Multinomial", {Tensor::Of<float>({1, 1}, {-INFINITY})}, {},
              "row 0 gives no class a finite probability");
  ExpectFails("Multinomial", {Tensor::Of<float>({2}, {0, 0})}, {}, "not [batch, classes]");
}

TEST(Dropout, InferenceKeepsAll) {
  const Tensor x = Tensor::Of<float>({3}, {1, 2, 3});
  auto y = RunOp("Dropout", {x, Tensor::Scalar(0.9f)}, {}, 2);
  ExpectTensor<float>(y[0], {3}, {1, 2, 3});
  ExpectTensor<bool>(y[1], {3}, {true, true, true});
}

TEST(Dropout, TrainingScalesWhatItKeeps) {
  Tensor x(kFloat, {10000});
  std::fill_n(x.data<float>(), x.size(), 3.0f);
  auto y = RunOp("Dropout", {x, Tensor::Scalar(0.75f), Tensor::Scalar(true)}, {{"seed", 5}}, 2);
  int64_t kept = 0;
  for (int64_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(y[0].data<float>()[i], y[1].data<bool>()[i] ? 12.0f : 0.0f);
    kept += y[1].data<bool>()[i];
  }
  EXPECT_NEAR(static_cast<double>(kept), 2500, 5 * std::sqrt(10000 * 0.25 * 0.75));
  ExpectFails("Dropout", {x, Tensor::Scalar(1.0f), Tensor::Scalar(true)}, {},
              "ratio is 1.000000, not in [0, 1)");
}

}  // namespace
}  // namespace braid::reference
