// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/gemm.h"

#include "plugins/reference/ops/clones.h"

// The kernels, compiled for AVX2 with FMA and for the base instruction set.
#if BRAID_HAS_AVX2_CLONES
#define BRAID_KERNELS avx2
#define BRAID_TARGET __attribute__((target("avx2,fma")))
#include "plugins/reference/ops/gemm_kernels.inc"
#undef BRAID_KERNELS
#undef BRAID_TARGET
#endif
#define BRAID_KERNELS base
#define BRAID_TARGET
#include "plugins/reference/ops/gemm_kernels.inc"
#undef BRAID_KERNELS
#undef BRAID_TARGET

#if BRAID_HAS_AVX2_CLONES
#define BRAID_CALL_KERNEL(NAME, ...) (HasAvx2() ? avx2::NAME(__VA_ARGS__) : base::NAME(__VA_ARGS__))
#else
#define BRAID_CALL_KERNEL(NAME, ...) base::NAME(__VA_ARGS__)
#endif

namespace braid::reference {

template <class T>
void GemmBlock(const T* a, const T* b, int64_t m, int64_t n, int64_t depth, T* c, int64_t stride) {
  BRAID_CALL_KERNEL(Block, a, b, m, n, depth, c, stride);
}

template <class T>
void AddScaled(const T* x, int64_t step, T w, int64_t n, T* y) {
  BRAID_CALL_KERNEL(AddScaled, x, step, w, n, y);
}

template <class T>
std::unique_ptr<T[]> PackRows(Matrix<T> a, int64_t m, int64_t k) {
  int64_t rows = RoundUp(m, kGemmRows);
  auto packed = std::make_unique_for_overwrite<T[]>(static_cast<size_t>(rows * k));
  T* to = packed.get();
  for (int64_t k0 = 0; k0 < k; k0 += kGemmDepth) {
    int64_t k1 = std::min(k, k0 + kGemmDepth);
    for (int64_t i = 0; i < rows; i += kGemmRows)
      for (int64_t j = k0; j < k1; ++j)
        for (int64_t r = i; r < i + kGemmRows; ++r) *to++ = r < m ? a.data[r * a.row + j * a.col] : T{};
  }
  return packed;
}

template <class T>
void Gemm(const Parallel& parallel, int64_t m, int64_t n, int64_t k, Matrix<T> a, Matrix<T> b, T* c,
          int64_t stride) {
  if (m == 0 || n == 0 || k == 0) return;
  constexpr int64_t kFew = 4;  // rows for which packing B would cost more than it saves
  if (m <= kFew && b.col == 1) {
    constexpr int64_t kStrip = 1024;
    parallel.For((n + kStrip - 1) / kStrip, m * k * std::min(n, kStrip), [&](int64_t s) {
      int64_t begin = s * kStrip, width = std::min(kStrip, n - begin);
      BRAID_CALL_KERNEL(Rows, a.data, a.row, a.col, b.data + begin, b.row, m, width, k, c + begin, stride);
    });
    return;
  }
  if (m <= kFew && b.row == 1 && a.col == 1) {
    parallel.For(n, m * k, [&](int64_t j) {
      for (int64_t i = 0; i < m; ++i)
        c[i * stride + j] += BRAID_CALL_KERNEL(Dot, a.data + i * a.row, b.data + j * b.col, k);
    });
    return;
  }
  auto packed = PackRows(a, m, k);
  int64_t tiles = (n + kGemmTile - 1) / kGemmTile;
  parallel.For(tiles, m * k * std::min(n, kGemmTile), [&](int64_t t) {
    int64_t begin = t * kGemmTile, end = std::min(n, begin + kGemmTile);
    auto fill = [&](int64_t i, int64_t from, int64_t to, T* row) {
      const T* source = b.data + i * b.row + from * b.col;
      if (b.col == 1)
        std::memcpy(row, source, static_cast<size_t>(to - from) * sizeof(T));
      else
        for (int64_t j = 0; j < to - from; ++j) row[j] = source[j * b.col];
    };
    GemmColumns(packed.get(), m, k, begin, end, fill, c, stride);
  });
}

#define BRAID_GEMM_OF(T)                                                                  \
  template void GemmBlock<T>(const T*, const T*, int64_t, int64_t, int64_t, T*, int64_t); \
  template void AddScaled<T>(const T*, int64_t, T, int64_t, T*);                          \
  template std::unique_ptr<T[]> PackRows<T>(Matrix<T>, int64_t, int64_t);                 \
  template void Gemm<T>(const Parallel&, int64_t, int64_t, int64_t, Matrix<T>, Matrix<T>, T*, int64_t);
BRAID_GEMM_OF(float)
BRAID_GEMM_OF(double)
BRAID_GEMM_OF(uint32_t)
BRAID_GEMM_OF(uint64_t)
#undef BRAID_GEMM_OF

}  // namespace braid::reference
