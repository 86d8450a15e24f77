// SPDX-License-Identifier: Apache-2.0
#include "conformance/fusion/graphs.h"

namespace braid::conformance {

std::span<const GraphCase> GraphCases() {
  static const GraphCase kCases[] = {
      // ---- Convolution and what follows it ----
      {"conv_bias_relu",
       "(T[1,8,9,11] x, T[12,8,3,3] w_k, T[12] w_b) => (T[1,12,9,11] y) {"
       " a = Conv<pads = [1,1,1,1]>(x, w_k, w_b) y = Relu(a) }",
       {}},
      {"conv_add_relu",
       "(T[1,8,9,11] x, T[1,8,9,11] r, T[8,8,3,3] w_k) => (T[1,8,9,11] y) {"
       " a = Conv<pads = [1,1,1,1]>(x, w_k) b = Add(a, r) y = Relu(b) }",
       {}},
      {"conv_silu",
       "(T[1,8,9,11] x, T[8,8,3,3] w_k, T[8] w_b) => (T[1,8,9,11] y) {"
       " a = Conv<pads = [1,1,1,1]>(x, w_k, w_b) s = Sigmoid(a) y = Mul(a, s) }",
       {}},
      {"conv_hard_swish",
       "(T[1,8,9,11] x, T[8,8,1,1] w_k) => (T[1,8,9,11] y) { a = Conv(x, w_k) y = HardSwish(a) }",
       {}},
      {"conv_clip",
       "(T[1,8,9,11] x, T[8,8,1,1] w_k, T w_low, T w_high) => (T[1,8,9,11] y) {"
       " a = Conv(x, w_k) y = Clip(a, w_low, w_high) }",
       {{"w_low", Given({0})}, {"w_high", Given({6})}}},
      {"conv_batch_norm_relu",
       "(T[1,8,9,11] x, T[8,8,3,3] w_k, T[8] w_s, T[8] w_b, T[8] w_m, T[8] w_v) => (T[1,8,9,11] y) {"
       " a = Conv<pads = [1,1,1,1]>(x, w_k) n = BatchNormalization(a, w_s, w_b, w_m, w_v) y = Relu(n) }",
       {{"w_v", Uniform(0.5, 2)}}},
      {"conv_scale_shift",
       "(T[1,8,9,11] x, T[8,8,3,3] w_k, T[8,1,1] w_s, T[8,1,1] w_t) => (T[1,8,9,11] y) {"
       " a = Conv<pads = [1,1,1,1]>(x, w_k) b = Mul(a, w_s) y = Add(b, w_t) }",
       {}},
      {"conv_prelu",
       "(T[1,8,9,11] x, T[8,8,3,3] w_k, T[8,1,1] w_s) => (T[1,8,7,9] y) { a = Conv(x, w_k) y = PRelu(a, w_s) "
       "}",
       {}},
      {"conv_max_pool",
       "(T[1,4,12,12] x, T[8,4,3,3] w_k) => (T[1,8,6,6] y) { a = Conv<pads = [1,1,1,1]>(x, w_k) b = Relu(a)"
       " y = MaxPool<kernel_shape = [2,2], strides = [2,2]>(b) }",
       {}},
      {"pad_conv",
       "(T[1,4,9,11] x, T[8,4,3,3] w_k) => (T[1,8,11,12] y) <int64[8] p = {0,0,1,2,0,0,3,1}> {"
       " a = Pad(x, p) y = Conv(a, w_k) }",
       {}},
      {"depthwise_pointwise",
       "(T[1,8,9,11] x, T[8,1,3,3] w_d, T[16,8,1,1] w_p) => (T[1,16,9,11] y) {"
       " a = Conv<group = 8, pads = [1,1,1,1]>(x, w_d) b = Relu(a) c = Conv(b, w_p) y = Relu(c) }",
       {}},
      {"residual_block",
       "(T[1,8,9,11] x, T[8,8,3,3] w_a, T[8,8,3,3] w_b) => (T[1,8,9,11] y) {"
       " a = Conv<pads = [1,1,1,1]>(x, w_a) b = Relu(a) c = Conv<pads = [1,1,1,1]>(b, w_b) d = Add(c, x)"
       " y = Relu(d) }",
       {}},
      {"squeeze_excite",
       "(T[1,8,9,11] x, T[4,8,1,1] w_a, T[8,4,1,1] w_b) => (T[1,8,9,11] y) {"
       " p = GlobalAveragePool(x) a = Conv(p, w_a) b = Relu(a) c = Conv(b, w_b) s = HardSigmoid(c) y = "
       "Mul(x, s) }",
       {}},
      {"two_convs_concat",
       "(T[1,8,9,11] x, T[4,8,1,1] w_a, T[6,8,3,3] w_b) => (T[1,10,9,11] y) {"
       " a = Conv(x, w_a) b = Conv<pads = [1,1,1,1]>(x, w_b) y = Concat<axis = 1>(a, b) }",
       {}},
      {"split_conv_concat",
       "(T[1,8,9,11] x, T[4,4,3,3] w_k) => (T[1,12,9,11] y) {"
       " a, b = Split<axis = 1, num_outputs = 2>(x) c = Conv<pads = [1,1,1,1]>(b, w_k) y = Concat<axis = "
       "1>(a, b, c) }",
       {}},
      {"channel_shuffle",
       "(T[1,8,5,6] x) => (T[1,8,5,6] y) <int64[5] s = {1,2,4,5,6}, int64[4] t = {1,8,5,6}> {"
       " a = Reshape(x, s) b = Transpose<perm = [0,2,1,3,4]>(a) y = Reshape(b, t) }",
       {}},
      {"resize_concat_conv",
       "(T[1,4,4,5] x, T[1,4,8,10] z, T[6,8,3,3] w_k) => (T[1,6,6,8] y) <float[4] s = {1,1,2,2}> {"
       " a = Resize<mode = \"nearest\", coordinate_transformation_mode = \"asymmetric\", nearest_mode = "
       "\"floor\">(x, , s)"
       " b = Concat<axis = 1>(a, z) y = Conv(b, w_k) }",
       {}},
      {"conv_transpose_relu",
       "(T[1,6,5,7] x, T[6,4,2,2] w_k, T[4] w_b) => (T[1,4,10,14] y) {"
       " a = ConvTranspose<strides = [2,2]>(x, w_k, w_b) y = Relu(a) }",
       {}},
      {"classifier_head",
       "(T[2,16,5,5] x, T[16,10] w_k, T[10] w_b) => (T[2,10] y) {"
       " p = GlobalAveragePool(x) f = Flatten(p) a = Gemm(f, w_k, w_b) y = Softmax(a) }",
       {}},
      // The inner value has another reader: fusion must keep it.
      {"conv_relu_and_raw",
       "(T[1,8,9,11] x, T[8,8,3,3] w_k) => (T[1,8,7,9] y, T[1,8,7,9] z) { a = Conv(x, w_k) y = Relu(a) z = "
       "Neg(a) }",
       {}},
      {"conv_relu_of_bias_only",
       "(T[1,8,9,11] x, T[8,8,1,1] w_k, T[8,1,1] w_b) => (T[1,8,9,11] y) {"
       " a = Conv(x, w_k) r = Relu(w_b) y = Add(a, r) }",
       {}},
      {"add_then_conv",
       "(T[1,8,9,11] x, T[8,1,1] w_b, T[8,8,3,3] w_k) => (T[1,8,9,11] y) {"
       " a = Add(x, w_b) y = Conv<pads = [1,1,1,1]>(a, w_k) }",
       {}},
      // ---- Products ----
      {"matmul_bias_relu",
       "(T[7,33] x, T[33,20] w_k, T[20] w_b) => (T[7,20] y) { a = MatMul(x, w_k) b = Add(a, w_b) y = Relu(b) "
       "}",
       {}},
      {"matmul_bias_gelu_erf",
       "(T[7,33] x, T[33,20] w_k, T[20] w_b, T w_root, T w_one, T w_half) => (T[7,20] y) {"
       " a = MatMul(x, w_k) b = Add(a, w_b) c = Div(b, w_root) e = Erf(c) f = Add(e, w_one) g = Mul(b, f)"
       " y = Mul(g, w_half) }",
       {{"w_root", Given({1.4142135623730951})}, {"w_one", Given({1})}, {"w_half", Given({0.5})}}},
      {"matmul_gelu_tanh",
       "(T[7,33] x, T[33,20] w_k) => (T[7,20] y) { a = MatMul(x, w_k) y = Gelu<approximate = \"tanh\">(a) }",
       {}},
      {"matmul_add_scaled",
       "(T[7,33] x, T[33,20] w_k, T[20] w_b, T w_s) => (T[7,20] y) {"
       " a = MatMul(x, w_k) s = Mul(a, w_s) y = Add(s, w_b) }",
       {{"w_s", Given({0.125})}}},
      {"matmul_scaled_add",
       "(T[7,33] x, T[33,20] w_k, T[20] w_b, T w_s) => (T[7,20] y) {"
       " a = MatMul(x, w_k) b = Add(a, w_b) y = Mul(b, w_s) }",
       {{"w_s", Given({0.125})}}},
      {"matmul_row_bias",
       "(T[7,33] x, T[33,20] w_k, T[7,1] r) => (T[7,20] y) { a = MatMul(x, w_k) y = Add(a, r) }",
       {}},
      {"matmul_transposed",
       "(T[3,7,33] x, T[3,20,33] z) => (T[3,7,20] y) { t = Transpose<perm = [0,2,1]>(z) y = MatMul(x, t) }",
       {}},
      {"matmul_residual_norm",
       "(T[5,32] x, T[32,32] w_k, T[32] w_s, T[32] w_b) => (T[5,32] y) {"
       " a = MatMul(x, w_k) b = Add(a, x) y = LayerNormalization(b, w_s, w_b) }",
       {}},
      {"gemm_swish",
       "(T[7,33] x, T[20,33] w_k, T[20] w_b) => (T[7,20] y) { a = Gemm<transB = 1>(x, w_k, w_b) y = Swish(a) "
       "}",
       {}},
      {"swiglu",
       "(T[5,16] x, T[16,24] w_a, T[16,24] w_b, T[24,16] w_c) => (T[5,16] y) {"
       " a = MatMul(x, w_a) b = MatMul(x, w_b) s = Sigmoid(a) g = Mul(a, s) m = Mul(g, b) y = MatMul(m, w_c) "
       "}",
       {}},
      {"lora",
       "(T[5,32] x, T[32,32] w_k, T[32,4] w_a, T[4,32] w_b) => (T[5,32] y) {"
       " a = MatMul(x, w_k) b = MatMul(x, w_a) c = MatMul(b, w_b) y = Add(a, c) }",
       {}},
      // ---- Norms and attention, written out ----
      {"layer_norm_chain",
       "(T[4,7,24] x, T w_two, T w_e, T[24] w_s, T[24] w_b) => (T[4,7,24] y) <int64[1] axes = {-1}> {"
       " m = ReduceMean(x, axes) d = Sub(x, m) p = Pow(d, w_two) v = ReduceMean(p, axes) e = Add(v, w_e)"
       " s = Sqrt(e) n = Div(d, s) g = Mul(n, w_s) y = Add(g, w_b) }",
       {{"w_two", Given({2})}, {"w_e", Given({1e-3})}}},
      {"rms_norm_chain",
       "(T[4,7,24] x, T w_e, T[24] w_s) => (T[4,7,24] y) <int64[1] axes = {-1}> {"
       " p = Mul(x, x) v = ReduceMean(p, axes) e = Add(v, w_e) s = Sqrt(e) r = Reciprocal(s) n = Mul(x, r)"
       " y = Mul(n, w_s) }",
       {{"w_e", Given({1e-3})}}},
      {"softmax_chain",
       "(T[4,37] x) => (T[4,37] y) <int64[1] axes = {-1}> {"
       " m = ReduceMax(x, axes) d = Sub(x, m) e = Exp(d) s = ReduceSum(e, axes) y = Div(e, s) }",
       {}},
      {"l2_normalise_chain",
       "(T[4,37] x) => (T[4,37] y) <int64[1] axes = {1}> { n = ReduceL2(x, axes) y = Div(x, n) }",
       {}},
      {"attention_chain",
       "(T[1,2,9,8] q, T[1,2,11,8] k, T[1,2,11,8] v, T[1,1,9,11] mask, T w_s) => (T[1,2,9,8] y) {"
       " t = Transpose<perm = [0,1,3,2]>(k) a = MatMul(q, t) b = Mul(a, w_s) c = Add(b, mask) p = Softmax(c)"
       " y = MatMul(p, v) }",
       {{"w_s", Given({0.35355339059327373})}, {"mask", Given({0, 0, -1000, 0, 0, 0, 0})}}},
      {"attention_where_mask",
       "(T[1,2,9,8] q, T[1,2,9,8] k, T[1,2,9,8] v, bool[1,1,9,9] mask, T w_s, T w_low) => (T[1,2,9,8] y) {"
       " t = Transpose<perm = [0,1,3,2]>(k) a = MatMul(q, t) b = Mul(a, w_s) c = Where(mask, b, w_low)"
       " p = Softmax(c) y = MatMul(p, v) }",
       {{"w_s", Given({0.35355339059327373})}, {"w_low", Given({-30000})}, {"mask", Given({1, 1, 0, 1, 1})}}},
      {"rotary_chain",
       "(T[1,2,5,8] x, T[1,1,5,8] c, T[1,1,5,8] s) => (T[1,2,5,8] y) {"
       " a, b = Split<axis = -1, num_outputs = 2>(x) n = Neg(b) r = Concat<axis = -1>(n, a) p = Mul(x, c)"
       " q = Mul(r, s) y = Add(p, q) }",
       {}},
      {"heads_in_and_out",
       "(T[2,5,24] x) => (T[2,5,24] y) <int64[4] s = {2,5,4,6}, int64[3] t = {2,5,24}> {"
       " a = Reshape(x, s) b = Transpose<perm = [0,2,1,3]>(a) e = Softmax(b) c = Transpose<perm = "
       "[0,2,1,3]>(e)"
       " y = Reshape(c, t) }",
       {}},
      {"embedding_norm",
       "(int64[2,5] ids, T[11,16] w_e, T[5,16] w_p, T[16] w_s, T[16] w_b) => (T[2,5,16] y) {"
       " a = Gather(w_e, ids) b = Add(a, w_p) y = LayerNormalization(b, w_s, w_b) }",
       {{"ids", Whole(0, 10)}}},
      // ---- Pointwise chains ----
      {"pointwise_chain",
       "(T[3,4,65] x, T[65] r, T[4,1] c) => (T[3,4,65] y) {"
       " a = Mul(x, r) b = Add(a, c) d = Tanh(b) e = Sub(d, x) y = Abs(e) }",
       {}},
      {"pointwise_long_chain",
       "(T[1030] x) => (T[1030] y) { a = Sigmoid(x) b = Mul(a, x) c = Exp(b) d = Add(c, x) e = Sqrt(c) f = "
       "Div(d, e)"
       " g = Min(f, d) h = Max(g, x) i = Neg(h) y = Softplus(i) }",
       {{"x", Uniform(-3, 3)}}},
      {"same_input_twice", "(T[3,65] x) => (T[3,65] y) { a = Mul(x, x) b = Add(a, x) y = Sub(b, a) }", {}},
      {"diamond",
       "(T[3,65] x) => (T[3,65] y) { a = Tanh(x) b = Relu(a) c = Neg(a) d = Exp(c) y = Add(b, d) }",
       {}},
      {"broadcast_late",
       "(T[65] x, T[3,1] z) => (T[3,65] y) { a = Exp(x) b = Sigmoid(z) y = Mul(a, b) }",
       {}},
      {"broadcast_reduce",
       "(T[4,9,33] x) => (T[4,9,33] y) <int64[1] axes = {1}> { m = ReduceMax(x, axes) y = Sub(x, m) }",
       {}},
      {"where_chain",
       "(T[3,65] x, T[65] z) => (T[3,65] y) { c = Greater(x, z) a = Exp(z) y = Where(c, x, a) }",
       {}},
      {"compare_and_select",
       "(T[3,65] x) => (T[3,65] y) { n = Neg(x) c = Less(x, n) f = Cast<to = 1>(c) g = CastLike(f, x) y = "
       "Mul(g, x) }",
       {}},
      {"clip_of_clip",
       "(T[3,65] x, T w_a, T w_b, T w_c) => (T[3,65] y) { a = Clip(x, w_a, w_b) y = Clip(a, w_c) }",
       {{"w_a", Given({-1})}, {"w_b", Given({1})}, {"w_c", Given({0.25})}}},
      {"relu_of_sum_of_three",
       "(T[3,65] a, T[3,65] b, T[65] c) => (T[3,65] y) { s = Sum(a, b, c) y = Relu(s) }",
       {}},
      // ---- Movement ----
      {"transpose_twice",
       "(T[3,5,7] x) => (T[3,5,7] y) { a = Transpose<perm = [2,0,1]>(x) b = Relu(a) y = Transpose<perm = "
       "[1,2,0]>(b) }",
       {}},
      {"transpose_into_matmul",
       "(T[5,7,3] x, T[3,4] w_k) => (T[7,5,4] y) { a = Transpose<perm = [1,0,2]>(x) y = MatMul(a, w_k) }",
       {}},
      {"slice_of_concat",
       "(T[3,5] a, T[3,6] b) => (T[3,4] y) <int64[1] s = {3}, int64[1] e = {7}, int64[1] x = {1}> {"
       " c = Concat<axis = 1>(a, b) y = Slice(c, s, e, x) }",
       {}},
      {"views_of_views",
       "(T[4,6] x) => (T[12] y) <int64[3] s = {2,2,6}, int64[1] a = {1}, int64[1] f = {12},"
       " int64[1] b = {0}, int64[1] e = {1}> {"
       " r = Reshape(x, s) c = Slice(r, b, e, a) q = Squeeze(c, a) y = Reshape(q, f) }",
       {}},
      {"gather_scatter",
       "(T[6,5] x, int64[3] i, T[3,5] u) => (T[6,5] y) <int64[2] s = {3,1}> {"
       " g = Gather(x, i) a = Add(g, u) j = Reshape(i, s) y = ScatterND(x, j, a) }",
       {{"i", Given({4, 0, 2})}}},
      {"space_depth_round",
       "(T[1,4,6,8] x) => (T[1,4,6,8] y) { a = SpaceToDepth<blocksize = 2>(x) b = Neg(a)"
       " y = DepthToSpace<blocksize = 2>(b) }",
       {}},
      {"expand_then_reduce",
       "(T[1,9] x) => (T[4] y) <int64[2] s = {4,9}, int64[1] a = {1}> {"
       " e = Expand(x, s) y = ReduceSum<keepdims = 0>(e, a) }",
       {}},
      {"identity_chain",
       "(T[3,5] x) => (T[3,5] y, T[3,5] z) { a = Identity(x) y = Identity(a) z = Relu(a) }",
       {}},
      {"shape_arithmetic",
       "(T[2,3,4] x) => (T[6,4] y) <int64[1] i = {0}, int64[1] j = {1}, int64[1] m = {-1}> {"
       " s = Shape(x) a = Gather(s, i) b = Gather(s, j) p = Mul(a, b) t = Concat<axis = 0>(p, m) y = "
       "Reshape(x, t) }",
       {}},
      // ---- Quantized ----
      {"qdq_conv",
       "(float[1,4,9,11] x, int8[6,4,3,3] w_k) => (float[1,6,7,9] y) <float s = {0.05}, uint8 z = {110},"
       " float t = {0.02}, int8 n = {0}, float o = {0.11}, uint8 p = {100}> {"
       " q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) k = DequantizeLinear(w_k, t, n) a = "
       "Conv(d, k)"
       " b = QuantizeLinear(a, o, p) y = DequantizeLinear(b, o, p) }",
       {{"w_k", Whole(-90, 90)}},
       true},
      {"qdq_matmul_per_channel",
       "(float[5,16] x, int8[16,6] w_k, float[6] w_t) => (float[5,6] y) <float s = {0.03}, uint8 z = {120}> {"
       " q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) k = DequantizeLinear<axis = 1>(w_k, w_t)"
       " y = MatMul(d, k) }",
       {{"w_k", Whole(-120, 120)}, {"w_t", Uniform(0.01, 0.05)}},
       true},
      {"weight_only_int4",
       "(float[5,32] x, int4[32,8] w_k, float[2,8] w_t) => (float[5,8] y) {"
       " k = DequantizeLinear<axis = 0, block_size = 16>(w_k, w_t) y = MatMul(x, k) }",
       {{"w_k", Whole(-8, 7)}, {"w_t", Uniform(0.01, 0.2)}},
       true},
      {"integer_matmul_scaled",
       "(uint8[5,16] x, int8[16,6] w_k, float s) => (float[5,6] y) <uint8 z = {7}> {"
       " a = MatMulInteger(x, w_k, z) f = Cast<to = 1>(a) y = Mul(f, s) }",
       {{"x", Whole(0, 255)}, {"w_k", Whole(-128, 127)}, {"s", Given({0.0125})}},
       true},
      // ---- Mixed types ----
      {"half_in_float",
       "(float16[4,33] x, float16[33,8] w_k) => (float16[4,8] y) {"
       " a = Cast<to = 1>(x) b = Cast<to = 1>(w_k) c = MatMul(a, b) y = Cast<to = 10>(c) }",
       {},
       true},
      {"int_and_float",
       "(int64[7] i, float[7] x) => (float[7] y, int64[7] z) { f = Cast<to = 1>(i) y = Mul(f, x) z = Add(i, "
       "i) }",
       {{"i", Whole(-1000000, 1000000)}},
       true},
      {"top_k_scores",
       "(T[3,65] x) => (T[3,5] v, int64[3,5] i) <int64[1] k = {5}> { s = Mul(x, x) v, i = TopK(s, k) }",
       {{"x", Distinct(0.5, 4)}}},
      {"arg_max_of_logits",
       "(T[3,33] x, T[33,40] w_k) => (int64[3,1] y) { a = MatMul(x, w_k) y = ArgMax<axis = 1>(a) }",
       {}},
      {"recurrent_head",
       "(T[5,2,6] x, T[1,16,6] w_w, T[1,16,4] w_r, T[4,3] w_k) => (T[2,3] y) <int64[1] a = {0}> {"
       " o, h = LSTM<hidden_size = 4>(x, w_w, w_r) s = Squeeze(h, a) y = MatMul(s, w_k) }",
       {}},
      {"empty_in_the_middle",
       "(T[4,5] x) => (T[0,5] y) <int64[1] b = {2}, int64[1] e = {2}, int64[1] a = {0}> {"
       " s = Slice(x, b, e, a) r = Relu(s) y = Mul(r, r) }",
       {}},
  };
  return kCases;
}

}  // namespace braid::conformance
