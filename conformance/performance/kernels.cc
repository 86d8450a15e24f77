// SPDX-License-Identifier: Apache-2.0
#include "conformance/performance/performance.h"

namespace braid::conformance {

std::span<const Kernel> Kernels() {
  constexpr double kFloat = 4;
  static const Kernel kKernels[] = {
      {{"matmul_512", "(T[512,512] a, T[512,512] b) => (T[512,512] y) { y = MatMul(a, b) }", {}},
       2.0 * 512 * 512 * 512,
       "GFLOP/s"},
      {{"matvec_2048", "(T[1,2048] a, T[2048,2048] w_b) => (T[1,2048] y) { y = MatMul(a, w_b) }", {}},
       kFloat * 2048 * 2050,
       "GB/s"},
      {{"conv_3x3_64",
        "(T[1,64,56,56] x, T[64,64,3,3] w_k) => (T[1,64,56,56] y) { y = Conv<pads = [1,1,1,1]>(x, w_k) }",
        {}},
       2.0 * 64 * 64 * 9 * 56 * 56,
       "GFLOP/s"},
      {{"conv_depthwise_64",
        "(T[1,64,56,56] x, T[64,1,3,3] w_k) => (T[1,64,56,56] y) {"
        " y = Conv<group = 64, pads = [1,1,1,1]>(x, w_k) }",
        {}},
       2.0 * 64 * 9 * 56 * 56,
       "GFLOP/s"},
      {{"softmax_256x1024", "(T[256,1024] x) => (T[256,1024] y) { y = Softmax<axis = -1>(x) }", {}},
       2 * kFloat * 256 * 1024,
       "GB/s"},
      {{"layer_norm_256x1024",
        "(T[256,1024] x, T[1024] w_s, T[1024] w_b) => (T[256,1024] y) {"
        " y = LayerNormalization(x, w_s, w_b) }",
        {}},
       2 * kFloat * 256 * 1024,
       "GB/s"},
      {{"add_1m", "(T[1024,1024] a, T[1024,1024] b) => (T[1024,1024] y) { y = Add(a, b) }", {}},
       3 * kFloat * 1024 * 1024,
       "GB/s"},
      {{"transpose_1024", "(T[1024,1024] x) => (T[1024,1024] y) { y = Transpose<perm = [1,0]>(x) }", {}},
       2 * kFloat * 1024 * 1024,
       "GB/s"},
      {{"gather_rows",
        "(T[8192,256] x, int64[4096] i) => (T[4096,256] y) { y = Gather(x, i) }",
        {{"i", Whole(0, 8191)}}},
       2 * kFloat * 4096 * 256,
       "GB/s"},
      {{"reduce_sum_rows",
        "(T[1024,1024] x) => (T[1024,1] y) <int64[1] axes = {1}> { y = ReduceSum(x, axes) }",
        {}},
       kFloat * 1024 * 1024,
       "GB/s"},
      {{"resize_linear_2x",
        "(T[1,16,64,64] x) => (T[1,16,128,128] y) <float[4] scales = {1, 1, 2, 2}> {"
        " y = Resize<mode = \"linear\">(x, , scales) }",
        {}},
       kFloat * 16 * (64 * 64 + 128 * 128),
       "GB/s"},
      {{"gelu_1m", "(T[1024,1024] x) => (T[1024,1024] y) { y = Gelu(x) }", {}},
       2 * kFloat * 1024 * 1024,
       "GB/s"},
  };
  return kKernels;
}

}  // namespace braid::conformance
