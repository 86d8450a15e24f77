// SPDX-License-Identifier: Apache-2.0
//
// MatMulInteger and QLinearMatMul. Zero points are taken off first, which leaves 9-bit integers (or floats);
// the products are summed in int32, which wraps, or in double for float8.
#include <algorithm>
#include <array>
#include <cmath>

#include "plugins/reference/ops/pointwise.h"
#include "plugins/reference/ops/quantize.h"

namespace braid::reference {
namespace {

constexpr TypeSet kBytes = Types(kInt8, kUint8);
constexpr TypeSet kCodes = kBytes | kFloat8s;
constexpr TypeSet kScales = Types(kFloat, kFloat16, kBFloat16);

// How numpy.matmul sees two tensors: matrices of a batch, a vector being one row (left) or one column
// (right).
struct Product {
  Dims a_dims, b_dims;  // with at least two axes
  Dims batch;           // common to both
  Dims a_step, b_step;  // matrices to step along each axis of `batch`
  Dims y_full, y_dims;  // [batch, m, n]; the same without the axes that vectors lack
  int64_t m, k, n;
};

Product Shape(const OpContext& op, const Tensor& a, const Tensor& b) {
  Product p;
  op.Check(a.rank() > 0 && b.rank() > 0, "a scalar is no matrix");
  p.a_dims = a.dims();
  p.b_dims = b.dims();
  if (a.rank() == 1) p.a_dims.insert(p.a_dims.begin(), 1);
  if (b.rank() == 1) p.b_dims.push_back(1);
  p.m = p.a_dims.end()[-2];
  p.k = p.a_dims.back();
  p.n = p.b_dims.back();
  if (p.b_dims.end()[-2] != p.k)
    op.Fail("A " + DimsText(a.dims()) + " and B " + DimsText(b.dims()) + " cannot be multiplied: " +
            std::to_string(p.k) + " columns, " + std::to_string(p.b_dims.end()[-2]) + " rows");
  const Dims batches[] = {Dims(p.a_dims.begin(), p.a_dims.end() - 2),
                          Dims(p.b_dims.begin(), p.b_dims.end() - 2)};
  p.batch = BroadcastDims(op, batches);
  p.a_step = BroadcastStrides(batches[0], p.batch);
  p.b_step = BroadcastStrides(batches[1], p.batch);
  p.y_full = p.batch;
  p.y_full.insert(p.y_full.end(), {p.m, p.n});
  p.y_dims = p.batch;
  if (a.rank() > 1) p.y_dims.push_back(p.m);
  if (b.rank() > 1) p.y_dims.push_back(p.n);
  return p;
}

// A scale or zero point as a tensor that broadcasts to a matrix of `dims`: of one element, one a row (a
// vector of M is [M,1]), one a column (a vector of N as it stands), or of the matrix's rank.
Tensor Aligned(const OpContext& op, const Tensor& t, const Dims& dims, bool by_row, const char* name) {
  if (t.size() == 1) return t.Reshaped({});
  Tensor out = t;
  if (by_row && t.rank() == 1) out = t.Reshaped({t.size(), 1});
  bool fits = out.rank() <= static_cast<int64_t>(dims.size());
  for (int64_t i = 1; i <= out.rank() && fits; ++i) {
    const int64_t extent = out.dim(out.rank() - i);
    fits = extent == 1 || extent == dims[dims.size() - static_cast<size_t>(i)];
  }
  if (!fits)
    op.Fail(std::string(name) + " " + DimsText(t.dims()) + " does not fit a matrix of " + DimsText(dims));
  return out;
}

// The matrix less its zero point, as W.
template <class W, TypeSet Set>
Tensor Centred(const OpContext& op, const Tensor& t, const Dims& dims, size_t zero_input, bool by_row,
               const char* name) {
  Tensor out(kTypeOf<W>, dims);
  const Tensor from = t.Reshaped(dims);
  if (op.has(zero_input) && op.input(zero_input).type() != t.type())
    op.Fail(std::string(name) + " is " + TypeName(op.input(zero_input).type()) + ", its matrix is " +
            TypeName(t.type()));
  Dispatch<Set>(op, t.type(), [&]<class T>() {
    if (op.has(zero_input)) {
      const Tensor zero = Aligned(op, op.input(zero_input), dims, by_row, name);
      Zip<T, T, W>(op, from, zero, out,
                   [](auto v, auto z) { return static_cast<W>(static_cast<W>(v) - static_cast<W>(z)); });
    } else {
      Map<T, W>(op, from, out, [](auto v) { return static_cast<W>(v); });
    }
  });
  return out;
}

// y[rows, n] = a[rows, k] b[k, n] for a few rows at once, so that a row of b is read once for all of them.
template <class W, class Sum>
void MultiplyRows(const W* a, const W* b, Sum* y, int64_t rows, int64_t k, int64_t n) {
  constexpr int64_t kColumns = 512;  // sums that stay in the first cache
  for (int64_t from = 0; from < n; from += kColumns) {
    const int64_t width = std::min(kColumns, n - from);
    for (int64_t r = 0; r < rows; ++r) std::fill_n(y + r * n + from, width, Sum{0});
    for (int64_t i = 0; i < k; ++i) {
      const W* line = b + i * n + from;
      for (int64_t r = 0; r < rows; ++r) {
        const W factor = a[r * k + i];
        Sum* sum = y + r * n + from;
        for (int64_t c = 0; c < width; ++c) {
          if constexpr (std::is_same_v<Sum, int32_t>)
            sum[c] = Plus()(sum[c], static_cast<int32_t>(factor) * static_cast<int32_t>(line[c]));
          else
            sum[c] += static_cast<Sum>(factor) * static_cast<Sum>(line[c]);
        }
      }
    }
  }
}

template <class W, class Sum>
void Multiply(const OpContext& op, const Product& p, const Tensor& a, const Tensor& b, Sum* y) {
  constexpr int64_t kRows = 8;
  if (Count(p.y_full) == 0) return;
  ForEachRow<2>(p.batch, {p.a_step, p.b_step},
                [&](int64_t at, const auto& offsets, int64_t count, const auto& inner) {
                  for (int64_t i = 0; i < count; ++i) {
                    const W* left = a.data<W>() + (offsets[0] + i * inner[0]) * p.m * p.k;
                    const W* right = b.data<W>() + (offsets[1] + i * inner[1]) * p.k * p.n;
                    Sum* out = y + (at + i) * p.m * p.n;
                    op.parallel().For((p.m + kRows - 1) / kRows, kRows * p.k * p.n / 4, [&](int64_t part) {
                      const int64_t first = part * kRows, rows = std::min(kRows, p.m - first);
                      MultiplyRows(left + first * p.k, right, out + first * p.n, rows, p.k, p.n);
                    });
                  }
                });
}

// MatMulInteger-10: (A - a_zero_point) (B - b_zero_point) in int32.
void MatMulInteger(OpContext& op) {
  const Product p = Shape(op, op.input(0), op.input(1));
  const Tensor a = Centred<int16_t, kBytes>(op, op.input(0), p.a_dims, 2, true, "a_zero_point");
  const Tensor b = Centred<int16_t, kBytes>(op, op.input(1), p.b_dims, 3, false, "b_zero_point");
  Multiply<int16_t>(op, p, a, b, op.Output(0, kInt32, p.y_dims).data<int32_t>());
}

Tensor ScaleOf(const OpContext& op, size_t input, const Dims& dims, bool by_row, const char* name) {
  const Tensor scale = Aligned(op, op.input(input), dims, by_row, name);
  Tensor out(kDouble, scale.dims());
  Dispatch<kScales>(op, scale.type(), [&]<class T>() {
    Map<T, double>(op, scale, out, [](auto v) { return static_cast<double>(v); });
  });
  return out;
}

// QLinearMatMul-21: saturate(round(a b a_scale b_scale / y_scale) + y_zero_point), scales and zero points of
// a (and y) a tensor or a row, of b a tensor or a column.
void QLinearMatMul(OpContext& op) {
  const Tensor& a = op.input(0);
  const Tensor& b = op.input(3);
  const Tensor& y_zero = op.input(7);
  const Product p = Shape(op, a, b);
  const Dims full = p.y_full;
  Tensor sums(kDouble, full);
  double* sum = sums.data<double>();
  if (Contains(kBytes, a.type()) && Contains(kBytes, b.type())) {
    Tensor exact(kInt32, full);
    Multiply<int16_t>(op, p, Centred<int16_t, kBytes>(op, a, p.a_dims, 2, true, "a_zero_point"),
                      Centred<int16_t, kBytes>(op, b, p.b_dims, 5, false, "b_zero_point"),
                      exact.data<int32_t>());
    std::copy_n(exact.data<int32_t>(), exact.size(), sum);
  } else {
    Multiply<float>(op, p, Centred<float, kCodes>(op, a, p.a_dims, 2, true, "a_zero_point"),
                    Centred<float, kCodes>(op, b, p.b_dims, 5, false, "b_zero_point"), sum);
  }
  Zip<double, double, double>(op, sums, ScaleOf(op, 1, full, true, "a_scale"), sums, Times());
  Zip<double, double, double>(op, sums, ScaleOf(op, 4, full, false, "b_scale"), sums, Times());
  Zip<double, double, double>(op, sums, ScaleOf(op, 6, full, true, "y_scale"), sums,
                              [](double v, double s) { return v / s; });
  const Tensor zero = Aligned(op, y_zero, full, true, "y_zero_point");
  Tensor& y = op.Output(0, y_zero.type(), p.y_dims);
  Tensor out = y.Reshaped(full);
  Dispatch<kCodes>(op, y.type(), [&]<class Q>() {
    Q* to = out.data<Q>();
    const Q* z = zero.data<Q>();
    ForEachPairRow(op, full, full, zero.dims(), 8, [&](const PairRow& row) {
      for (int64_t i = 0; i < row.count; ++i) {
        double v = sum[row.at + i];
        if constexpr (std::is_integral_v<Q>) v = RoundedToEven(v);
        v += static_cast<double>(static_cast<Compute<Q>>(z[row.offsets[1] + i * row.inner[1]]));
        to[row.at + i] = ToQuantized<Q>(v, true);
      }
    });
  });
}

}  // namespace

std::span<const OpEntry> QuantizedMatMulOps() {
  static const OpEntry kOps[] = {
      {"", "MatMulInteger", 10, MatMulInteger, {kBytes}},
      {"",
       "QLinearMatMul",
       21,
       QLinearMatMul,
       {kCodes, kScales, kCodes, kCodes, kScales, kCodes, kScales, kCodes}},
  };
  return kOps;
}

}  // namespace braid::reference
