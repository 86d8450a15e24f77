// SPDX-License-Identifier: Apache-2.0
//
// C += A * B for float, double, uint32_t and uint64_t (integers wrap). Both operands are packed: A in panels
// of kGemmRows rows, B in panels of GemmCols<T> columns, in blocks of kGemmDepth along the common extent, so
// that the innermost loop reads both contiguously and keeps its tile of C in registers. Sums are kept in T, a
// block of the depth at a time.
#ifndef BRAID_PLUGINS_REFERENCE_OPS_GEMM_H_
#define BRAID_PLUGINS_REFERENCE_OPS_GEMM_H_

#include <algorithm>
#include <cstring>
#include <memory>

#include "plugins/reference/ops/op.h"

namespace braid::reference {

inline constexpr int64_t kGemmRows = 6, kGemmDepth = 256, kGemmTile = 128;
template <class T>
inline constexpr int64_t GemmCols = 64 / static_cast<int64_t>(sizeof(T));

// A matrix in place: element (i, j) is data[i * row + j * col].
template <class T>
struct Matrix {
  const T* data;
  int64_t row, col;
};

inline int64_t RoundUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// A[m x k] in panels: block of depth after block, panel after panel, kGemmRows values a step of k; missing
// rows are 0.
template <class T>
std::unique_ptr<T[]> PackRows(Matrix<T> a, int64_t m, int64_t k);

// C[m x n] += one block of packed A [m x depth] times packed B [depth x n]; rows of C are `stride` apart.
template <class T>
void GemmBlock(const T* a, const T* b, int64_t m, int64_t n, int64_t depth, T* c, int64_t stride);

// Columns [begin, end) of C += A * B on this thread, for rows [0, m) of packed A. fill(k, begin, end, row)
// writes row k of B, columns [begin, end): what lets a convolution read its windows in place. At most
// kGemmTile columns.
template <class T, class Fill>
void GemmColumns(const T* packed_a, int64_t m, int64_t k, int64_t begin, int64_t end, const Fill& fill, T* c,
                 int64_t stride) {
  const int64_t width = end - begin, cols = GemmCols<T>, padded = RoundUp(width, cols),
                rows = RoundUp(m, kGemmRows);
  auto packed = std::make_unique_for_overwrite<T[]>(static_cast<size_t>(padded * std::min(k, kGemmDepth)));
  T line[kGemmTile] = {};
  for (int64_t k0 = 0; k0 < k; k0 += kGemmDepth) {
    int64_t depth = std::min(kGemmDepth, k - k0);
    for (int64_t i = 0; i < depth; ++i) {
      fill(k0 + i, begin, end, line);
      for (int64_t j = 0; j < padded; j += cols)
        std::memcpy(packed.get() + j * depth + i * cols, line + j, static_cast<size_t>(cols) * sizeof(T));
    }
    GemmBlock(packed_a + rows * k0, packed.get(), m, width, depth, c + begin, stride);
  }
}

// y[i] += w * x[i * step] for i in [0, n).
template <class T>
void AddScaled(const T* x, int64_t step, T w, int64_t n, T* y);

// C[m x n] += A[m x k] * B[k x n], in parallel. Rows of C are `stride` apart.
template <class T>
void Gemm(const Parallel& parallel, int64_t m, int64_t n, int64_t k, Matrix<T> a, Matrix<T> b, T* c,
          int64_t stride);

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_GEMM_H_
