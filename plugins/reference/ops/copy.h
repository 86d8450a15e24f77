// SPDX-License-Identifier: Apache-2.0
//
// Data movement: an output that walks its input with any strides (Transpose, Slice, Expand, Tile,
// DepthToSpace ...). Elements are moved by their held size, so every type is served, strings included.
#ifndef BRAID_PLUGINS_REFERENCE_OPS_COPY_H_
#define BRAID_PLUGINS_REFERENCE_OPS_COPY_H_

#include <algorithm>
#include <span>
#include <string>
#include <type_traits>

#include "plugins/reference/ops/op.h"

namespace braid::reference {

// Rough cost of moving `n` elements of T, for Parallel::For.
template <class T>
constexpr int64_t CopyCost(int64_t n) {
  return n * (std::is_same_v<T, std::string> ? 16 : 1) / 4 + 1;
}

// The axes of `dims` without those of extent 1, neighbours joined where the input steps over both as over
// one.
struct StridedWalk {
  Dims dims, strides;
  StridedWalk(const Dims& all_dims, const Dims& all_strides) {
    for (size_t i = 0; i < all_dims.size(); ++i) {
      if (all_dims[i] == 1) continue;
      if (!dims.empty() && strides.back() == all_strides[i] * all_dims[i]) {
        dims.back() *= all_dims[i];
        strides.back() = all_strides[i];
      } else {
        dims.push_back(all_dims[i]);
        strides.push_back(all_strides[i]);
      }
    }
    if (dims.empty()) {
      dims.push_back(1);
      strides.push_back(1);
    }
  }
};

// out[i0, i1, ...] (row-major, of `dims`) = in[i0 * strides[0] + i1 * strides[1] + ...]; strides may be 0 or
// negative. Every index must lie within what `in` points into; dims hold no absurd count (the output exists).
template <class T>
void CopyStrided(const Parallel& parallel, const T* in, const Dims& dims, const Dims& strides, T* out) {
  if (Count(dims) == 0) return;
  StridedWalk walk(dims, strides);
  const size_t rank = walk.dims.size();
  const int64_t n = walk.dims[rank - 1], step = walk.strides[rank - 1];
  // A transposition: some other axis is the contiguous one in the input. Blocks of both axes keep the cache
  // lines in use.
  size_t contiguous = rank;
  if (step != 1 && step != 0)
    for (size_t i = 0; i + 1 < rank; ++i)
      if (walk.strides[i] == 1) contiguous = i;
  const Dims out_strides = StridesOf(walk.dims);
  int64_t outer = 1;
  for (size_t i = 0; i + 1 < rank; ++i)
    if (i != contiguous) outer *= walk.dims[i];
  // Start of plane `k` in input and output.
  auto locate = [&](int64_t k, int64_t* in_at, int64_t* out_at) {
    *in_at = *out_at = 0;
    for (size_t i = rank - 1; i-- > 0;) {
      if (i == contiguous) continue;
      int64_t index = k % walk.dims[i];
      k /= walk.dims[i];
      *in_at += index * walk.strides[i];
      *out_at += index * out_strides[i];
    }
  };
  if (contiguous < rank) {
    const int64_t m = walk.dims[contiguous], out_step = out_strides[contiguous];
    constexpr int64_t kBlock = 16;
    const int64_t strip = std::max(kBlock, 4096 / n), strips = (m + strip - 1) / strip;
    parallel.For(outer * strips, CopyCost<T>(n * strip), [&](int64_t k) {
      int64_t in_at, out_at;
      locate(k / strips, &in_at, &out_at);
      const int64_t begin = k % strips * strip, end = std::min(m, begin + strip);
      for (int64_t j0 = 0; j0 < n; j0 += kBlock) {
        const int64_t j1 = std::min(n, j0 + kBlock);
        for (int64_t i = begin; i < end; ++i) {
          const T* from = in + in_at + i;
          T* to = out + out_at + i * out_step;
          for (int64_t j = j0; j < j1; ++j) to[j] = from[j * step];
        }
      }
    });
    return;
  }
  // Many short rows in one task, so that finding the first costs nothing.
  const int64_t rows = std::max<int64_t>(1, 4096 / n);
  parallel.For((outer + rows - 1) / rows, CopyCost<T>(n * rows), [&](int64_t task) {
    const int64_t first = task * rows, last = std::min(outer, first + rows);
    int64_t at, out_at;
    locate(first, &at, &out_at);
    Dims index(rank, 0);
    int64_t k = first;
    for (size_t i = rank - 1; i-- > 0;) {
      index[i] = k % walk.dims[i];
      k /= walk.dims[i];
    }
    T* to = out + first * n;
    for (int64_t row = first; row < last; ++row, to += n) {
      const T* from = in + at;
      if (step == 1) {
        std::copy_n(from, n, to);
      } else if (step == 0) {
        std::fill_n(to, n, *from);
      } else {
        for (int64_t j = 0; j < n; ++j) to[j] = from[j * step];
      }
      for (size_t i = rank - 1; i-- > 0;) {
        at += walk.strides[i];
        if (++index[i] < walk.dims[i]) break;
        at -= walk.strides[i] * walk.dims[i];
        index[i] = 0;
      }
    }
  });
}

// As above on tensors of one type, whatever it is; the first element read is in[offset].
inline void CopyStrided(const OpContext& op, const Tensor& in, int64_t offset, const Dims& dims,
                        const Dims& strides, Tensor& out) {
  DispatchBySize(in.type(), [&]<class T>() {
    CopyStrided<T>(op.parallel(), in.data<T>() + offset, dims, strides, out.data<T>());
  });
}

// Copies all elements in order.
inline void CopyAll(const OpContext& op, const Tensor& in, Tensor& out) {
  CopyStrided(op, in, 0, {in.size()}, {1}, out);
}

// The one element of input `i` as int64 (rank 0, or one element of any rank).
inline int64_t ScalarInt(const OpContext& op, size_t i, const char* what) {
  const Tensor& t = op.input(i);
  if (t.size() != 1)
    op.Fail(std::string(what) + " must hold one element, its shape is " + DimsText(t.dims()));
  return t.AsInts()[0];
}

// The product of dims[begin, end); an error if it exceeds 2^40 (which it may where another extent is 0).
inline int64_t ProductOf(const Dims& dims, size_t begin, size_t end) {
  return Count(std::span(dims).subspan(begin, end - begin));
}

// Extents before, at and after an axis: a tensor as [outer, n, inner].
struct AxisView {
  int64_t outer, n, inner;
  AxisView(const Dims& dims, int64_t axis)
      : outer(ProductOf(dims, 0, static_cast<size_t>(axis))),
        n(dims[static_cast<size_t>(axis)]),
        inner(ProductOf(dims, static_cast<size_t>(axis) + 1, dims.size())) {}
};

// An index into an axis of `extent`, negative from the end, as ONNX has it; an error that names index and
// position else.
inline int64_t CheckedIndex(const OpContext& op, int64_t index, int64_t extent, int64_t position,
                            int64_t axis) {
  if (index < -extent || index >= extent)
    op.Fail("index " + std::to_string(index) + " (element " + std::to_string(position) +
            " of the indices) is outside axis " + std::to_string(axis) + " of extent " +
            std::to_string(extent));
  return index < 0 ? index + extent : index;
}

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_COPY_H_
