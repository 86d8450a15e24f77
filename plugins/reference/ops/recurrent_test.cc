// SPDX-License-Identifier: Apache-2.0
//
// Expected values are ONNX Runtime's (1.32) for the same inputs.
#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

Tensor Pattern(int64_t factor, Dims dims) {
  Tensor t(kFloat, dims);
  for (int64_t i = 0; i < t.size(); ++i) t.data<float>()[i] = static_cast<float>(i * factor % 11 - 5) / 10;
  return t;
}
constexpr double kTolerance = 2e-6;
const Tensor kLengths = Tensor::Of<int32_t>({2}, {2, 1});

TEST(RecurrentTest, RnnBothWaysWithActivationsAndClip) {
  auto y = RunOp("RNN",
                 {Pattern(3, {2, 2, 2}), Pattern(5, {2, 2, 2}), Pattern(7, {2, 2, 2}), Pattern(2, {2, 4}),
                  kLengths, Pattern(4, {2, 2, 2})},
                 {{"hidden_size", 2},
                  {"direction", "bidirectional"},
                  {"activations", Strings{"LeakyRelu", "HardSigmoid"}},
                  {"activation_alpha", Floats{0.5f, 0.3f}},
                  {"activation_beta", Floats{0.4f}},
                  {"clip", 0.6}},
                 2);
  ExpectTensor<float>(y[0], {2, 2, 2, 2},
                      {-0.06f, -0.19f, -0.3f, -0.225f, 0.28909f, 0.49804f, 0.34f, 0.427f, -0.204f, -0.2365f,
                       0, 0, 0.292f, 0.463f, 0, 0},
                      kTolerance);
  ExpectTensor<float>(y[1], {2, 2, 2}, {-0.204f, -0.2365f, -0.3f, -0.225f, 0.28909f, 0.49804f, 0.34f, 0.427f},
                      kTolerance);
}

TEST(RecurrentTest, Gru) {
  std::vector<Tensor> in = {Pattern(3, {2, 2, 2}), Pattern(5, {1, 6, 2}), Pattern(7, {1, 6, 2}),
                            Pattern(2, {1, 12})};
  auto y = RunOp("GRU", in, {{"hidden_size", 2}, {"direction", "reverse"}}, 2);
  ExpectTensor<float>(
      y[0], {2, 1, 2, 2},
      {0.497867f, 0.0233717f, 0.41704f, -0.155874f, 0.386455f, 0.00665945f, 0.360403f, -0.138022f},
      kTolerance);
  in.push_back(kLengths);
  y = RunOp("GRU", in, {{"hidden_size", 2}, {"linear_before_reset", 1}}, 2);
  ExpectTensor<float>(y[0], {2, 1, 2, 2},
                      {0.279427f, 0.180308f, 0.240019f, 0.0209801f, 0.353881f, 0.160687f, 0, 0}, kTolerance);
  ExpectTensor<float>(y[1], {1, 2, 2}, {0.353881f, 0.160687f, 0.240019f, 0.0209801f}, kTolerance);
}

TEST(RecurrentTest, Lstm) {
  std::vector<Tensor> in = {Pattern(3, {2, 2, 2}), Pattern(5, {1, 8, 2}), Pattern(7, {1, 8, 2})};
  auto y = RunOp("LSTM", in, {{"hidden_size", 2}, {"input_forget", 1}, {"direction", "reverse"}}, 3);
  ExpectTensor<float>(
      y[0], {2, 1, 2, 2},
      {-0.0319465f, -0.00767903f, 0.07589f, 0.0655959f, -0.0127714f, 0, 0.0573306f, 0.0434603f}, kTolerance);
  in.insert(in.end(), {Pattern(2, {1, 16}), kLengths, Pattern(4, {1, 2, 2}), Pattern(6, {1, 2, 2}),
                       Pattern(8, {1, 6})});
  y = RunOp("LSTM", in, {{"hidden_size", 2}}, 3);
  const std::vector<float> last = {-0.209628f, -0.00715824f, -0.0772451f, 0.10205f},
                           cells = {-0.414453f, -0.0199414f, -0.129223f, 0.26845f};
  ExpectTensor<float>(y[0], {2, 1, 2, 2},
                      {-0.239108f, -0.00614235f, -0.0772451f, 0.10205f, -0.209628f, -0.00715824f, 0, 0},
                      kTolerance);
  ExpectTensor<float>(y[1], {1, 2, 2}, last, kTolerance);
  ExpectTensor<float>(y[2], {1, 2, 2}, cells, kTolerance);
  // With the batch first: the same, transposed.
  Tensor x = Tensor(kFloat, {2, 2, 2});
  for (int64_t t = 0; t < 2; ++t)
    for (int64_t b = 0; b < 2; ++b)
      for (int64_t i = 0; i < 2; ++i)
        x.data<float>()[(b * 2 + t) * 2 + i] = in[0].data<float>()[(t * 2 + b) * 2 + i];
  in[0] = x, in[5] = in[5].Reshaped({2, 1, 2}), in[6] = in[6].Reshaped({2, 1, 2});
  y = RunOp("LSTM", in, {{"hidden_size", 2}, {"layout", 1}}, 3);
  ExpectTensor<float>(y[0], {2, 2, 1, 2},
                      {-0.239108f, -0.00614235f, -0.209628f, -0.00715824f, -0.0772451f, 0.10205f, 0, 0},
                      kTolerance);
  ExpectTensor<float>(y[1], {2, 1, 2}, last, kTolerance);
  ExpectTensor<float>(y[2], {2, 1, 2}, cells, kTolerance);
}

TEST(RecurrentTest, BadInputsAreRefused) {
  Tensor x = Pattern(3, {2, 2, 2}), w = Pattern(5, {1, 2, 2}), r = Pattern(7, {1, 2, 2});
  ExpectFails("RNN", {x, w, r}, {{"direction", "sideways"}}, "direction 'sideways'");
  ExpectFails("RNN", {x, w, r}, {{"activations", Strings{"Sine"}}}, "activation 'Sine'");
  ExpectFails("RNN", {x, w, r}, {{"activations", Strings{"Tanh", "Tanh"}}}, "1 are needed");
  ExpectFails("RNN", {x, w, r}, {{"hidden_size", -3}}, "hidden_size is -3");
  ExpectFails("RNN", {x, Pattern(5, {1, 3, 2}), r}, {}, "W is [1,3,2]");
  ExpectFails("RNN", {x, w, r, Tensor(), Tensor::Of<int32_t>({2}, {3, 1})}, {}, "sequence_lens has 3");
  ExpectFails("RNN", {x, w, r, Tensor(), Tensor::Of<int32_t>({2}, {INT32_MIN, 1})}, {}, "sequence_lens");
  ExpectFails("LSTM", {x, w, r}, {}, "W is");
}

}  // namespace
}  // namespace braid::reference
