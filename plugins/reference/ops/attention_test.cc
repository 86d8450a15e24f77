// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

Tensor Pattern(int64_t factor, Dims dims) {
  Tensor t(kFloat, dims);
  for (int64_t i = 0; i < t.size(); ++i) t.data<float>()[i] = static_cast<float>(i * factor % 11 - 5) / 10;
  return t;
}
constexpr double kTolerance = 2e-6;

// Expected values are ONNX Runtime's (1.32).
TEST(AttentionTest, SharedKeysWithPast) {
  auto y = RunOp("Attention",
                 {Pattern(3, {1, 2, 2, 2}), Pattern(5, {1, 1, 2, 2}), Pattern(7, {1, 1, 2, 2}), Tensor(),
                  Pattern(2, {1, 1, 1, 2}), Pattern(4, {1, 1, 1, 2})},
                 {{"is_causal", 1}, {"softcap", 0.5}, {"scale", 2.0}, {"qk_matmul_output_mode", 3}}, 4);
  ExpectTensor<float>(y[0], {1, 2, 2, 2},
                      {-0.5f, 0.0468557f, -0.38538f, 0.231034f, -0.5f, 0.0476804f, -0.37333f, 0.248248f},
                      kTolerance);
  ExpectTensor<float>(y[1], {1, 1, 3, 2}, {-0.5f, -0.3f, -0.5f, 0, 0.5f, -0.1f}, kTolerance);
  ExpectTensor<float>(y[2], {1, 1, 3, 2}, {-0.5f, -0.1f, -0.5f, 0.2f, -0.2f, 0.5f}, kTolerance);
  ExpectTensor<float>(y[3], {1, 2, 2, 3},
                      {0.510481f, 0.489519f, 0, 0.27862f, 0.339312f, 0.382068f, 0.507732f, 0.492268f, 0,
                       0.261405f, 0.316364f, 0.422232f},
                      kTolerance);
}

TEST(AttentionTest, FlatHeadsWithBooleanMask) {
  Tensor mask(kBool, {2, 3});
  for (int i : {0, 2, 4, 5}) mask.data<bool>()[i] = true;
  mask.data<bool>()[1] = mask.data<bool>()[3] = false;
  auto y = RunOp("Attention", {Pattern(3, {1, 2, 4}), Pattern(5, {1, 3, 4}), Pattern(7, {1, 3, 4}), mask},
                 {{"q_num_heads", 2}, {"kv_num_heads", 2}});
  ExpectTensor<float>(
      y[0], {1, 2, 4},
      {-0.454759f, 0.245241f, -0.15353f, 0.0352965f, -0.158835f, 0.0106022f, 0.162364f, -0.237636f},
      kTolerance);
}

// With Q = 0 every visible key has the same weight: Y is the mean of the visible values, here the keys'
// numbers.
TEST(AttentionTest, WhatIsVisible) {
  Tensor q = Tensor::Of<float>({1, 1, 3, 1}, {0, 0, 0}), k = Tensor::Of<float>({1, 1, 5, 1}, {1, 1, 1, 1, 1}),
         v = Tensor::Of<float>({1, 1, 5, 1}, {0, 1, 2, 3, NAN});
  Tensor four = Tensor::Of<int64_t>({1}, {4}), two = Tensor::Of<int64_t>({1}, {2});
  auto run = [&](Tensor valid, std::vector<Attr> attrs, Tensor mask = Tensor()) {
    return RunOp("Attention", {q, k, v, mask, Tensor(), Tensor(), valid}, attrs)[0];
  };
  ExpectTensor<float>(run(four, {}), {1, 1, 3, 1}, {1.5f, 1.5f, 1.5f},
                      kTolerance);  // what is padding counts for nothing, NaN or not
  ExpectTensor<float>(run(four, {{"is_causal", 1}}), {1, 1, 3, 1}, {0.5f, 1, 1.5f}, kTolerance);
  ExpectTensor<float>(run(two, {{"is_causal", 1}}), {1, 1, 3, 1}, {0, 0, 0.5f},
                      kTolerance);  // the first row sees no key
  ExpectTensor<float>(run(four, {{"left_window_size", 1}, {"right_window_size", 0}}), {1, 1, 3, 1},
                      {0.5f, 1.5f, 2.5f}, kTolerance);
  ExpectTensor<float>(run(four, {{"left_window_size", 0}, {"right_window_size", INT64_MAX}}), {1, 1, 3, 1},
                      {2, 2.5f, 3}, kTolerance);
  // More queries than keys that count: the first ones stand before all keys, as far as from -7 on.
  const auto early = [](int64_t right) {
    return RunOp(
        "Attention",
        {Tensor::Of<float>({1, 1, 8, 1}, std::vector<float>(8, 0)),
         Tensor::Of<float>({1, 1, 4, 1}, {1, 1, 1, 1}), Tensor::Of<float>({1, 1, 4, 1}, {4, 8, 16, 32}),
         Tensor(), Tensor(), Tensor(), Tensor::Of<int64_t>({1}, {1})},
        {{"right_window_size", right}})[0];
  };
  ExpectTensor<float>(early(3), {1, 1, 8, 1}, {0, 0, 0, 0, 4, 4, 4, 4}, kTolerance);
  ExpectTensor<float>(early(4), {1, 1, 8, 1}, {0, 0, 0, 4, 4, 4, 4, 4}, kTolerance);
  for (const int64_t right : {int64_t{7}, INT64_MAX})
    ExpectTensor<float>(early(right), {1, 1, 8, 1}, {4, 4, 4, 4, 4, 4, 4, 4}, kTolerance);
  // A mask shorter than the keys hides the rest; one of -inf hides all, and the row is 0.
  ExpectTensor<float>(
      run(Tensor(), {}, Tensor::Of<float>({3, 2}, {0, 0, -INFINITY, 0, -INFINITY, -INFINITY})), {1, 1, 3, 1},
      {0.5f, 1, 0}, kTolerance);
  ExpectFails("Attention", {q, k, v, Tensor::Of<float>({2, 5}, std::vector<float>(10, 0))}, {},
              "does not broadcast");
  ExpectFails("Attention", {q, k, v, Tensor(), Tensor(), Tensor(), Tensor::Of<int64_t>({1}, {6})}, {},
              "nonpad_kv_seqlen has 6");
  ExpectFails("Attention", {q, k, v}, {{"left_window_size", -2}}, "left_window_size");
  ExpectFails("Attention", {q, k, v}, {{"qk_matmul_output_mode", 4}}, "qk_matmul_output_mode 4");
  ExpectFails("Attention", {q, Tensor(kFloat, {1, 0, 5, 1}), Tensor(kFloat, {1, 0, 5, 1})}, {}, "heads");
  ExpectFails("Attention", {q, k, v, Tensor(), k}, {}, "together");
  ExpectFails("Attention", {Pattern(1, {1, 2, 4}), Pattern(1, {1, 2, 4}), Pattern(1, {1, 2, 4})},
              {{"q_num_heads", 3}, {"kv_num_heads", 2}}, "does not divide");
  ExpectTensor<float>(RunOp("FlexAttention", {q, k, Tensor::Of<float>({1, 1, 5, 1}, {1, 2, 3, 4, 5})}, {}, 1,
                            "ai.onnx.preview")[0],
                      {1, 1, 3, 1}, {3, 3, 3}, kTolerance);
}

// A quarter turn: (x, y) -> (-y, x).
TEST(RotaryEmbeddingTest, TurnsPairs) {
  Tensor cos = Tensor::Of<float>({2, 2}, {1, 1, 0, 0}), sin = Tensor::Of<float>({2, 2}, {0, 0, 1, 1});
  Tensor x = Tensor::Of<float>({1, 1, 1, 5}, {1, 2, 3, 4, 9}), at = Tensor::Of<int64_t>({1, 1}, {1});
  ExpectTensor<float>(RunOp("RotaryEmbedding", {x, cos, sin, at}, {{"rotary_embedding_dim", 4}})[0],
                      {1, 1, 1, 5}, {-3, -4, 1, 2, 9});
  ExpectTensor<float>(
      RunOp("RotaryEmbedding", {x, cos, sin, at}, {{"rotary_embedding_dim", 4}, {"interleaved", 1}})[0],
      {1, 1, 1, 5}, {-2, 1, -4, 3, 9});
  // Caches as wide as for all of the head, as ONNX 1.18 has them: only the first columns count.
  const Tensor wide = Tensor::Of<float>({1, 1, 1, 4}, {1, 2, 3, 4});
  ExpectTensor<float>(
      RunOp("RotaryEmbedding",
            {wide, Tensor::Of<float>({2, 2}, {1, 7, 0, 7}), Tensor::Of<float>({2, 2}, {0, 7, 1, 7}), at},
            {{"rotary_embedding_dim", 2}})[0],
      {1, 1, 1, 4}, {-2, 1, 3, 4});
  ExpectFails("RotaryEmbedding", {wide, Tensor::Of<float>({2, 3}, {1, 1, 1, 0, 0, 0}), cos, at}, {},
              "cos_cache");
  ExpectFails("RotaryEmbedding", {x, cos, sin, Tensor::Of<int64_t>({1, 1}, {2})},
              {{"rotary_embedding_dim", 4}}, "position 2");
  ExpectFails("RotaryEmbedding", {x, cos, sin, at}, {{"rotary_embedding_dim", 6}}, "not an even part");
}

// One head of one element. The state decays by 1/2, retrieves s * k and writes half of what is missing.
TEST(LinearAttentionTest, GatedDelta) {
  Tensor one = Tensor::Of<float>({1, 2, 1}, {1, 1}), v = Tensor::Of<float>({1, 2, 1}, {4, 8}),
         decay = Tensor::Of<float>({1, 2, 1}, {std::log(0.5f), std::log(0.5f)}),
         beta = Tensor::Of<float>({1, 2, 1}, {0.5f, 0.5f});
  std::vector<Attr> heads = {{"q_num_heads", 1}, {"kv_num_heads", 1}};
  auto y =
      RunOp("LinearAttention", {one, one, v, Tensor::Of<float>({1, 1, 1, 1}, {4}), decay, beta}, heads, 2);
  // 4 -> 2 -> 2 + (4 - 2) / 2 = 3 -> 1.5 -> 1.5 + (8 - 1.5) / 2 = 4.75
  ExpectTensor<float>(y[0], {1, 2, 1}, {3, 4.75f}, kTolerance);
  ExpectTensor<float>(y[1], {1, 1, 1, 1}, {4.75f}, kTolerance);
  ExpectFails("LinearAttention", {one, one, v}, heads, "needs decay");
}

// Heads of no elements: any number of them would divide the axis, and take for ever.
TEST(HeadsTest, MoreHeadsThanElementsAreRefused) {
  Tensor none(kFloat, {1, 2, 0});
  std::vector<Attr> heads = {
      {"q_num_heads", INT64_MAX}, {"kv_num_heads", INT64_MAX}, {"update_rule", "linear"}};
  ExpectFails("LinearAttention", {none, none, none}, heads, "exceeds the last axis");
  heads.pop_back();
  ExpectFails("Attention", {none, none, none}, heads, "does not divide");
  ExpectFails("GroupNormalization", {Tensor(kFloat, {1, 0}), Tensor(kFloat, {0}), Tensor(kFloat, {0})},
              {{"num_groups", INT64_MAX}}, "num_groups");
}

TEST(CausalConvTest, CarriesItsState) {
  Tensor x = Tensor::Of<float>({1, 1, 3}, {1, 2, 3}), w = Tensor::Of<float>({1, 1, 2}, {10, 1});
  auto y = RunOp("CausalConvWithState",
                 {x, w, Tensor::Of<float>({1}, {0.5f}), Tensor::Of<float>({1, 1, 1}, {5})}, {}, 2);
  ExpectTensor<float>(y[0], {1, 1, 3}, {51.5f, 12.5f, 23.5f});
  ExpectTensor<float>(y[1], {1, 1, 1}, {3});
  ExpectFails("CausalConvWithState", {x, Tensor::Of<float>({1, 2}, {1, 1})}, {}, "weights");
}

}  // namespace
}  // namespace braid::reference
