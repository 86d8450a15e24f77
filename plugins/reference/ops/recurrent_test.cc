// SPDX-License-Identifier: Apache-2.0
//
// Expected values are ONNX Runtime's (1.32, CPU) for inputs made by Wave; those of the layouts follow from
// them.
#include <cmath>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

constexpr int64_t kSteps = 3, kBatch = 2, kInputs = 3, kHidden = 2;

// sin(seed + 0.37 k) for element k.
template <class T = float>
Tensor Wave(Dims dims, double seed) {
  Tensor t(kTypeOf<T>, std::move(dims));
  for (int64_t k = 0; k < t.size(); ++k)
    t.data<T>()[k] = static_cast<T>(std::sin(seed + 0.37 * static_cast<double>(k)));
  return t;
}

struct Options {
  bool bias = true, h0 = false, c0 = false, peepholes = false;
  std::vector<int32_t> lengths;
};

template <class T = float>
std::vector<Tensor> Inputs(int64_t gates, int64_t directions, const Options& options) {
  auto state = [&](bool wanted, double seed) {
    return wanted ? Wave<T>({directions, kBatch, kHidden}, seed) : Tensor();
  };
  return {Wave<T>({kSteps, kBatch, kInputs}, 1),
          Wave<T>({directions, gates * kHidden, kInputs}, 2),
          Wave<T>({directions, gates * kHidden, kHidden}, 3),
          options.bias ? Wave<T>({directions, 2 * gates * kHidden}, 4) : Tensor(),
          options.lengths.empty() ? Tensor() : Tensor::Of<int32_t>({kBatch}, options.lengths),
          state(options.h0, 5),
          gates == 4 ? state(options.c0, 6) : Tensor(),
          gates == 4 && options.peepholes ? Wave<T>({directions, 3 * kHidden}, 7) : Tensor()};
}

TEST(Recurrent, RnnOfTwoDirectionsActivationsAndLengths) {
  auto out = RunOp("RNN", Inputs(1, 2, {.h0 = true, .lengths = {3, 2}}),
                   {{"direction", "bidirectional"},
                    {"activations", Strings{"Tanh", "LeakyRelu"}},
                    {"activation_alpha", Floats{0.3f}}},
                   2);
  ExpectTensor<float>(
      out[0], {3, 2, 2, 2},
      {0.12059f,   -0.923408f, -0.437633f, -0.946253f, -1.18885f,  -0.583768f, -0.804973f, -0.428877f,
       -0.97522f,  -0.503927f, -0.998217f, 0.0742648f, 0.262937f,  0.256927f,  0.195206f,  0.066533f,
       -0.992877f, -0.607296f, 0,          0,          -0.088394f, 0.24983f,   0,          0},
      3e-6);
  ExpectTensor<float>(
      out[1], {2, 2, 2},
      {-0.992877f, -0.607296f, -0.998217f, 0.0742648f, -1.18885f, -0.583768f, -0.804973f, -0.428877f}, 3e-6);
}

TEST(Recurrent, GruInReverseEndsAtTheFirstStep) {
  auto out = RunOp("GRU", Inputs(3, 1, {.h0 = true, .lengths = {2, 3}}),
                   {{"direction", "reverse"}, {"hidden_size", 2}}, 2);
  ExpectTensor<float>(out[0], {3, 1, 2, 2},
                      {-0.0820262f, 0.385661f, -0.169726f, 0.451033f, -0.405637f, -0.816133f, -0.757632f,
                       -0.281198f, 0, 0, 0.127335f, 0.649477f},
                      3e-6);
  ExpectTensor<float>(out[1], {1, 2, 2}, {-0.0820262f, 0.385661f, -0.169726f, 0.451033f}, 3e-6);
}

TEST(Recurrent, GruWithLinearBeforeResetAndClip) {
  auto out = RunOp("GRU", Inputs(3, 1, {}), {{"linear_before_reset", 1}, {"clip", 0.5}}, 2);
  ExpectTensor<float>(out[0], {3, 1, 2, 2},
                      {0.174468f, 0.287649f, 0.117204f, 0.287649f, -0.22178f, -0.153773f, -0.2434f,
                       -0.0930174f, -0.367128f, -0.32282f, 0.0826899f, 0.252531f},
                      3e-6);
}

const Floats kPeepholeY = {-0.0939639f, -0.16948f, 0.231371f,  0.0245526f, -0.167006f, 0.228966f,
                           0.0910126f,  0.512155f, -0.121366f, 0.366855f,  0.0966729f, 0.144253f};
const Floats kPeepholeC = {-0.169131f, 0.492506f, 0.65477f, 0.445734f};

TEST(Recurrent, LstmWithPeepholesAndStates) {
  auto out = RunOp("LSTM", Inputs(4, 1, {.h0 = true, .c0 = true, .peepholes = true}), {}, 3);
  ExpectTensor<float>(out[0], {3, 1, 2, 2}, kPeepholeY, 3e-6);
  ExpectTensor<float>(out[1], {1, 2, 2}, {-0.121366f, 0.366855f, 0.0966729f, 0.144253f}, 3e-6);
  ExpectTensor<float>(out[2], {1, 2, 2}, kPeepholeC, 3e-6);
}

// The same numbers, to each type's precision; and with the batch first, which moves them.
TEST(Recurrent, LstmInEveryTypeAndLayout) {
  const Options options{.h0 = true, .c0 = true, .peepholes = true};
  auto check = [&]<class T>(double tolerance) {
    auto out = RunOp("LSTM", Inputs<T>(4, 1, options), {}, 3);
    for (size_t i = 0; i < 3; ++i) ASSERT_EQ(out[i].type(), int32_t{kTypeOf<T>});
    for (int64_t i = 0; i < 12; ++i)
      EXPECT_NEAR(out[0].AsDouble(i), kPeepholeY[static_cast<size_t>(i)], tolerance);
  };
  check.operator()<double>(1e-6);
  check.operator()<Float16>(2e-3);
  check.operator()<BFloat16>(2e-2);

  std::vector<Tensor> in = Inputs(4, 1, options);
  auto swap = [](const Tensor& t) {  // [A, B, n] to [B, A, n]
    Tensor out(t.type(), {t.dim(1), t.dim(0), t.dim(2)});
    for (int64_t a = 0; a < t.dim(0); ++a)
      for (int64_t b = 0; b < t.dim(1); ++b)
        std::copy_n(t.data<float>() + (a * t.dim(1) + b) * t.dim(2), t.dim(2),
                    out.data<float>() + (b * t.dim(0) + a) * t.dim(2));
    return out;
  };
  for (size_t i : {0, 5, 6}) in[i] = swap(in[i]);
  auto out = RunOp("LSTM", in, {{"layout", 1}}, 3);
  Tensor want = swap(Tensor::Of<float>({3, 2, 2}, kPeepholeY));
  ExpectTensor<float>(out[0], {2, 3, 1, 2}, {want.values<float>().begin(), want.values<float>().end()}, 3e-6);
  ExpectTensor<float>(out[2], {2, 1, 2}, kPeepholeC, 3e-6);
}

TEST(Recurrent, LstmWithoutBiasWithCoupledGates) {
  auto out = RunOp("LSTM", Inputs(4, 1, {.bias = false}), {{"input_forget", 1}}, 3);
  ExpectTensor<float>(out[0], {3, 1, 2, 2},
                      {0.037067f, -0.0500022f, 0.0798202f, -0.0734759f, 0.25311f, 0.228818f, 0.327971f,
                       0.434128f, 0.128793f, 0.32502f, 0.0503455f, 0.0730412f},
                      3e-6);
  ExpectTensor<float>(out[2], {1, 2, 2}, {0.192763f, 0.575496f, 0.693736f, 0.350844f}, 3e-6);
}

// One step of one value: Ht = f(w x) for each activation function, by its formula with the given alpha and
// beta.
TEST(Recurrent, EveryActivationFunction) {
  auto run = [](const char* name, float x, Floats alpha = {}, Floats beta = {}) {
    std::vector<Attr> attrs{{"activations", Strings{name}}};
    if (!alpha.empty()) attrs.emplace_back("activation_alpha", alpha);
    if (!beta.empty()) attrs.emplace_back("activation_beta", beta);
    return RunOp("RNN",
                 {Tensor::Of<float>({1, 1, 1}, {x}), Tensor::Of<float>({1, 1, 1}, {1}),
                  Tensor::Of<float>({1, 1, 1}, {1})},
                 attrs)[0]
        .AsDouble(0);
  };
  EXPECT_EQ(run("Relu", -2), 0);
  EXPECT_NEAR(run("Sigmoid", 2), 0.880797, 1e-6);
  EXPECT_NEAR(run("Affine", 2, {3}, {0.5f}), 6.5, 1e-6);
  EXPECT_NEAR(run("LeakyRelu", -2), -0.02, 1e-6);
  EXPECT_EQ(run("ThresholdedRelu", 0.5f), 0);
  EXPECT_EQ(run("ThresholdedRelu", 0.5f, {0.25f}), 0.5);
  EXPECT_NEAR(run("ScaledTanh", 0.5f, {2}, {0.5f}), 0.489837, 1e-6);
  EXPECT_NEAR(run("HardSigmoid", 0.5f), 0.6, 1e-6);
  EXPECT_EQ(run("HardSigmoid", 9), 1);
  EXPECT_NEAR(run("Elu", -1, {2}), -1.264241, 1e-6);
  EXPECT_NEAR(run("Softsign", -3), -0.75, 1e-6);
  EXPECT_NEAR(run("softplus", 1), 1.313262, 1e-6);
}

TEST(Recurrent, EmptySequencesAndBatches) {
  auto in = Inputs(4, 1, {.h0 = true});
  in[0] = Tensor(kFloat, {0, kBatch, kInputs});
  auto out = RunOp("LSTM", in, {}, 3);
  EXPECT_EQ(out[0].dims(), (Dims{0, 1, 2, 2}));
  for (int64_t i = 0; i < 4; ++i) EXPECT_EQ(out[1].AsDouble(i), in[5].AsDouble(i));
  in = Inputs(4, 1, {});
  in[0] = Tensor(kFloat, {kSteps, 0, kInputs});
  EXPECT_EQ(RunOp("LSTM", in, {}, 3)[1].dims(), (Dims{1, 0, 2}));
}

TEST(Recurrent, WrongShapesAndNamesAreErrors) {
  auto in = Inputs(4, 1, {});
  ExpectFails("LSTM", in, {{"hidden_size", 3}}, "W is [1,8,3], not [1,12,3]");
  ExpectFails("LSTM", in, {{"direction", "sideways"}}, "direction 'sideways' is none of");
  ExpectFails("LSTM", in, {{"direction", "bidirectional"}}, "W is [1,8,3], not [2,8,3]");
  ExpectFails("LSTM", in, {{"activations", Strings{"Tanh"}}}, "activations has 1 names, 3 are needed");
  ExpectFails("LSTM", in, {{"activations", Strings{"Tanh", "Tanh", "Step"}}},
              "activation 'Step' is not known");
  ExpectFails("LSTM", in, {{"layout", 2}}, "layout");
  in[4] = Tensor::Of<int32_t>({2}, {1, 4});
  ExpectFails("LSTM", in, {}, "sequence_lens has 4, X has 3 steps");
  in[4] = Tensor();
  in[0] = Tensor(kFloat, {3, 2});
  ExpectFails("LSTM", in, {}, "X [3,2] is not of rank 3");
}

}  // namespace
}  // namespace braid::reference
