// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

template <class T>
Tensor Pattern(Dims dims, int64_t factor) {
  Tensor t(kTypeOf<T>, dims);
  for (int64_t i = 0; i < t.size(); ++i) t.data<T>()[i] = static_cast<T>(i * factor % 7 - 3);
  return t;
}

// Sums of small integers are exact: every size around the panels' edges is compared with the definition.
TEST(MatMulTest, EverySizeAgreesWithTheDefinition) {
  for (int64_t m : {1, 2, 5, 6, 7, 13})
    for (int64_t n : {1, 7, 8, 16, 17, 129})
      for (int64_t k : {1, 3, 64, 257, 513}) {
        Tensor a = Pattern<float>({m, k}, 5), b = Pattern<float>({k, n}, 3);
        std::vector<float> want;
        for (int64_t i = 0; i < m; ++i)
          for (int64_t j = 0; j < n; ++j) {
            float sum = 0;
            for (int64_t q = 0; q < k; ++q) sum += a.data<float>()[i * k + q] * b.data<float>()[q * n + j];
            want.push_back(sum);
          }
        ExpectTensor<float>(RunOp("MatMul", {a, b})[0], {m, n}, want);
        // Gemm with B transposed in memory gives the same.
        Tensor bt(kFloat, {n, k});
        for (int64_t q = 0; q < k; ++q)
          for (int64_t j = 0; j < n; ++j) bt.data<float>()[j * k + q] = b.data<float>()[q * n + j];
        ExpectTensor<float>(RunOp("Gemm", {a, bt}, {{"transB", 1}})[0], {m, n}, want);
      }
}

TEST(MatMulTest, VectorsAndBroadcast) {
  Tensor v = Tensor::Of<float>({2}, {1, 2}), m = Tensor::Of<float>({2, 2}, {1, 2, 3, 4});
  ExpectTensor<float>(RunOp("MatMul", {v, v})[0], {}, {5});
  ExpectTensor<float>(RunOp("MatMul", {v, m})[0], {2}, {7, 10});
  ExpectTensor<float>(RunOp("MatMul", {m, v})[0], {2}, {5, 11});
  // (2,1,1,2) x (3,2,1) -> (2,3,1,1)
  Tensor a = Tensor::Of<float>({2, 1, 1, 2}, {1, 2, 3, 4}),
         b = Tensor::Of<float>({3, 2, 1}, {1, 0, 0, 1, 1, 1});
  ExpectTensor<float>(RunOp("MatMul", {a, b})[0], {2, 3, 1, 1}, {1, 2, 3, 3, 4, 7});
  ExpectTensor<float>(RunOp("MatMul", {Tensor(kFloat, {2, 0}), Tensor(kFloat, {0, 3})})[0], {2, 3},
                      std::vector<float>(6, 0));
  ExpectTensor<float>(RunOp("MatMul", {Tensor(kFloat, {0, 2}), m})[0], {0, 2}, {});
  ExpectFails("MatMul", {m, Tensor::Of<float>({3}, {1, 2, 3})}, {}, "do not fit");
  ExpectFails("MatMul", {Tensor::Scalar(1.0f), m}, {}, "at least one axis");
}

TEST(MatMulTest, IntegersWrap) {
  ExpectTensor<int32_t>(
      RunOp("MatMul", {Tensor::Of<int32_t>({1, 2}, {INT32_MAX, -1}), Tensor::Of<int32_t>({2, 1}, {2, 5})})[0],
      {1, 1}, {-7});
  ExpectTensor<uint64_t>(
      RunOp("MatMul", {Tensor::Of<uint64_t>({1, 1}, {1ull << 63}), Tensor::Of<uint64_t>({1, 1}, {3})})[0],
      {1, 1}, {1ull << 63});
  // 2049 rounds to 2048 in float16, once, at the end.
  ExpectTensor<Float16>(RunOp("MatMul", {Tensor::Of<Float16>({1, 2}, {Float16(2048.0f), Float16(1.0f)}),
                                         Tensor::Of<Float16>({2, 1}, {Float16(1.0f), Float16(1.0f)})})[0],
                        {1, 1}, {Float16(2048.0f)});
}

TEST(GemmTest, AlphaBetaAndBias) {
  Tensor a = Tensor::Of<float>({2, 1}, {1, 2}), b = Tensor::Of<float>({1, 3}, {1, 2, 3});
  ExpectTensor<float>(
      RunOp("Gemm", {a, b, Tensor::Of<float>({2, 1}, {10, 20})}, {{"alpha", 0.5}, {"beta", 2.0}})[0], {2, 3},
      {20.5f, 21, 21.5f, 41, 42, 43});
  ExpectTensor<float>(RunOp("Gemm", {a, b, Tensor::Scalar(NAN)}, {{"beta", 0.0}})[0], {2, 3},
                      {1, 2, 3, 2, 4, 6});
  ExpectTensor<float>(RunOp("Gemm", {b, a}, {{"transA", 1}, {"transB", 1}})[0], {3, 2}, {1, 2, 2, 4, 3, 6});
  ExpectTensor<int32_t>(RunOp("Gemm",
                              {Tensor::Of<int32_t>({1, 1}, {3}), Tensor::Of<int32_t>({1, 1}, {3}),
                               Tensor::Of<int32_t>({1}, {-5})},
                              {{"alpha", 0.5}})[0],
                        {1, 1}, {-1});
  ExpectFails("Gemm", {a, b, Tensor::Of<float>({2}, {1, 2})}, {}, "does not broadcast");
  ExpectFails("Gemm", {a, a}, {}, "do not fit");
}

TEST(DetTest, KnownDeterminants) {
  ExpectTensor<float>(RunOp("Det", {Tensor::Of<float>({2, 2}, {0, 1, 2, 3})})[0], {}, {-2});
  ExpectTensor<double>(
      RunOp("Det",
            {Tensor::Of<double>({2, 3, 3}, {2, 0, 0, 0, 3, 0, 0, 0, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9})})[0],
      {2}, {24, 0}, 1e-12);
  ExpectTensor<float>(RunOp("Det", {Tensor(kFloat, {0, 0})})[0], {}, {1});
  ExpectFails("Det", {Tensor::Of<float>({1, 2}, {1, 2})}, {}, "square");
}

// Expected values are those of numpy.einsum.
TEST(EinsumTest, Equations) {
  Tensor m = Tensor::Of<float>({2, 2}, {1, 2, 3, 4}), v = Tensor::Of<float>({2}, {5, 6});
  auto run = [](const char* equation, std::vector<Tensor> inputs) {
    return RunOp("Einsum", inputs, {{"equation", equation}})[0];
  };
  ExpectTensor<float>(run("ii", {m}), {}, {5});
  ExpectTensor<float>(run("i i -> i", {m}), {2}, {1, 4});
  ExpectTensor<float>(run("ji", {m}), {2, 2}, {1, 3, 2, 4});  // implicit output: ij
  ExpectTensor<float>(run("ij,j", {m, v}), {2}, {17, 39});
  ExpectTensor<float>(run("ij,jk->ik", {m, m}), {2, 2}, {7, 10, 15, 22});
  ExpectTensor<float>(run("ij,jk,k->i", {m, m, v}), {2}, {95, 207});
  ExpectTensor<float>(run("i,j->ji", {v, v}), {2, 2}, {25, 30, 30, 36});
  ExpectTensor<float>(run("bA->A", {m}), {2}, {4, 6});
  ExpectTensor<float>(run("...i->...", {m}), {2}, {3, 7});
  ExpectTensor<float>(run("...,...->...", {m, Tensor::Of<float>({2, 1}, {1, 10})}), {2, 2}, {1, 2, 30, 40});
  ExpectTensor<float>(run("b...i,...ij->...bj", {Tensor::Of<float>({1, 2, 2}, {1, 2, 3, 4}),
                                                 Tensor::Of<float>({2, 2, 1}, {1, 1, 1, 2})}),
                      {2, 1, 1}, {3, 11});
  ExpectTensor<float>(run("...ij->", {m}), {}, {10});
  ExpectTensor<float>(run(" -> ", {Tensor::Scalar(3.0f)}), {}, {3});
  ExpectTensor<float>(run("ij,ij->j", {Tensor::Of<float>({1, 2}, {10, 20}), m}), {2}, {40, 120});
  ExpectTensor<int8_t>(run("i,i->", {Tensor::Of<int8_t>({2}, {100, 100}), Tensor::Of<int8_t>({2}, {1, 1})}),
                       {}, {-56});
  ExpectTensor<float>(run("ij,kj->ik", {Tensor(kFloat, {2, 0}), Tensor(kFloat, {1, 0})}), {2, 1}, {0, 0});
}

TEST(EinsumTest, MalformedEquationsAreRefused) {
  Tensor m = Tensor::Of<float>({2, 2}, {1, 2, 3, 4}), v3 = Tensor::Of<float>({3}, {1, 2, 3});
  auto fails = [&](const char* equation, const char* text) {
    ExpectFails("Einsum", {m}, {{"equation", equation}}, text);
  };
  fails("i", "rank 2");
  fails("ijk", "rank 2");
  fails("ij,jk", "2 terms for 1 inputs");
  fails("ij->ii", "repeats 'i'");
  fails("ij->k", "'k' in its output only");
  fails("ij->...i", "ellipsis in its output only");
  fails("i.j", "malformed");
  fails("..ij", "malformed");
  fails("......ij", "malformed");
  fails("ij->i->j", "malformed");
  fails("ij-", "malformed");
  fails(">ij", "malformed");
  fails("i1", "malformed");
  fails("", "rank 2");
  ExpectFails("Einsum", {m, v3}, {{"equation", "ij,j->i"}}, "extents 2 and 3");
  ExpectFails("Einsum", {Tensor::Of<float>({1, 2}, {1, 2})}, {{"equation", "ii->i"}}, "two extents");
  ExpectFails("Einsum", {m, v3}, {{"equation", "...,..."}}, "ellipses of 2 and 1 axes");
}

}  // namespace
}  // namespace braid::reference
