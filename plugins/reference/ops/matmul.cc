// SPDX-License-Identifier: Apache-2.0
//
// MatMul, Gemm and Det. Einsum has a file of its own.
#include "plugins/reference/ops/broadcast.h"
#include "plugins/reference/ops/compute.h"
#include "plugins/reference/ops/einsum.h"
#include "plugins/reference/ops/gemm.h"

namespace braid::reference {
namespace {

constexpr TypeSet kMatMulTypes = kFloats | Types(kInt32, kInt64, kUint32, kUint64);

// The type in which matrices of `type` are multiplied.
template <class F>
void MultiplyIn(int32_t type, const F& f) {
  if (type == kInt32 || type == kUint32)
    f.template operator()<uint32_t>();
  else if (type == kInt64 || type == kUint64)
    f.template operator()<uint64_t>();
  else
    ComputeIn(type, f);
}

// MatMul-13: numpy.matmul. A vector is a row at the left, a column at the right; leading axes broadcast.
void MatMul(OpContext& op) {
  const Tensor &a = op.input(0), &b = op.input(1);
  op.Check(a.rank() >= 1 && b.rank() >= 1, "the inputs need at least one axis, they are " +
                                               DimsText(a.dims()) + " and " + DimsText(b.dims()));
  Dims da = a.dims(), db = b.dims();
  const bool row = a.rank() == 1, column = b.rank() == 1;
  if (row) da.insert(da.begin(), 1);
  if (column) db.push_back(1);
  const int64_t m = da[da.size() - 2], k = da.back(), n = db.back();
  op.Check(db[db.size() - 2] == k, "the shapes " + DimsText(a.dims()) + " and " + DimsText(b.dims()) +
                                       " do not fit: " + std::to_string(k) + " columns meet " +
                                       std::to_string(db[db.size() - 2]) + " rows");
  Dims batch_a(da.begin(), da.end() - 2), batch_b(db.begin(), db.end() - 2);
  const Dims shapes[] = {batch_a, batch_b};
  Dims batch = BroadcastDims(op, shapes), dims = batch;
  if (!row) dims.push_back(m);
  if (!column) dims.push_back(n);
  MultiplyIn(a.type(), [&]<class W>() {
    Tensor wide_a = As<W>(a), wide_b = As<W>(b);
    OutputAs<W> y(op, 0, a.type(), dims);
    std::fill_n(y.data(), y.size(), W{});
    const int64_t count = Count(batch);
    const W *pa = wide_a.data<W>(), *pb = wide_b.data<W>();
    if (Count(batch_b) == 1) {  // one B for all: the batch of A is more rows
      Gemm<W>(op.parallel(), y.size() == 0 ? 0 : Count(batch_a) * m, n, k, {pa, k, 1}, {pb, n, 1}, y.data(),
              n);
    } else {
      Dims sa = BroadcastStrides(batch_a, batch), sb = BroadcastStrides(batch_b, batch);
      std::vector<int64_t> at_a, at_b;
      ForEachRow<2>(batch, {sa, sb}, [&](int64_t, const auto& at, int64_t run, const auto& inner) {
        for (int64_t i = 0; i < run; ++i) {
          at_a.push_back(at[0] + i * inner[0]);
          at_b.push_back(at[1] + i * inner[1]);
        }
      });
      auto one = [&](const Parallel& parallel, int64_t i) {
        Gemm<W>(parallel, m, n, k, {pa + at_a[static_cast<size_t>(i)] * m * k, k, 1},
                {pb + at_b[static_cast<size_t>(i)] * k * n, n, 1}, y.data() + i * m * n, n);
      };
      if (y.size() == 0) {
      } else if (count >= 4) {  // enough matrices to share out
        op.parallel().For(count, m * n * k, [&](int64_t i) { one(Parallel(), i); });
      } else {
        for (int64_t i = 0; i < count; ++i) one(op.parallel(), i);
      }
    }
    y.Store();
  });
}

// alpha or beta times a value; integers by way of double, so that a fraction counts.
template <class W>
W Scale(W value, float factor, bool is_signed) {
  if (factor == 1.0f) return value;
  if constexpr (std::is_integral_v<W>) {
    double v = is_signed ? static_cast<double>(static_cast<std::make_signed_t<W>>(value))
                         : static_cast<double>(value);
    v = std::trunc(v * static_cast<double>(factor));
    if (std::isnan(v) || std::fabs(v) >= 9.2e18) return 0;
    return static_cast<W>(static_cast<int64_t>(v));
  } else {
    return value * static_cast<W>(factor);
  }
}

// Gemm-13: Y = alpha * A' * B' + beta * C, with C broadcast to (M, N). beta = 0 leaves C out, as BLAS does.
void GemmOp(OpContext& op) {
  const Tensor &a = op.input(0), &b = op.input(1);
  op.Check(a.rank() == 2 && b.rank() == 2,
           "A and B must be matrices, they are " + DimsText(a.dims()) + " and " + DimsText(b.dims()));
  const bool ta = op.Int("transA", 0) != 0, tb = op.Int("transB", 0) != 0;
  const float alpha = op.Float("alpha", 1), beta = op.Float("beta", 1);
  const int64_t m = a.dim(ta ? 1 : 0), k = a.dim(ta ? 0 : 1), n = b.dim(tb ? 0 : 1);
  op.Check(b.dim(tb ? 1 : 0) == k, "A " + DimsText(a.dims()) + (ta ? " transposed" : "") + " and B " +
                                       DimsText(b.dims()) + (tb ? " transposed" : "") + " do not fit");
  const Dims dims = {m, n};
  const bool is_signed = a.type() == kInt32 || a.type() == kInt64;
  MultiplyIn(a.type(), [&]<class W>() {
    Tensor wide_a = As<W>(a), wide_b = As<W>(b);
    OutputAs<W> y(op, 0, a.type(), dims);
    W* out = y.data();
    std::fill_n(out, y.size(), W{});
    Gemm<W>(op.parallel(), m, n, k, {wide_a.data<W>(), ta ? 1 : k, ta ? m : 1},
            {wide_b.data<W>(), tb ? 1 : n, tb ? k : 1}, out, n);
    if (alpha != 1.0f)
      for (int64_t i = 0; i < y.size(); ++i) out[i] = Scale(out[i], alpha, is_signed);
    if (op.has(2) && beta != 0.0f) {
      const Tensor& c = op.input(2);
      bool fits = c.rank() <= 2;
      for (int64_t i = 1; fits && i <= c.rank(); ++i)
        fits = c.dim(c.rank() - i) == 1 || c.dim(c.rank() - i) == (i == 1 ? n : m);
      op.Check(fits, "C " + DimsText(c.dims()) + " does not broadcast to " + DimsText(dims));
      Tensor wide_c = As<W>(c);
      const W* from = wide_c.data<W>();
      Dims strides = BroadcastStrides(c.dims(), dims);
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j)
          out[i * n + j] += Scale(from[i * strides[0] + j * strides[1]], beta, is_signed);
    }
    y.Store();
  });
}

// Det-22: by elimination with partial pivoting, in double. The determinant of no rows is 1.
void Det(OpContext& op) {
  const Tensor& x = op.input(0);
  op.Check(x.rank() >= 2 && x.dim(x.rank() - 1) == x.dim(x.rank() - 2),
           DimsText(x.dims()) + " is no batch of square matrices");
  const int64_t n = x.dim(x.rank() - 1);
  Dims dims(x.dims().begin(), x.dims().end() - 2);
  Tensor wide = As<double>(x);
  OutputAs<double> y(op, 0, x.type(), dims);
  op.parallel().For(y.size(), n * n * n / 3 + 1, [&](int64_t i) {
    const double* from = wide.data<double>() + i * n * n;
    std::vector<double> a(from, from + n * n);
    auto at = [&](int64_t r, int64_t c) -> double& { return a[static_cast<size_t>(r * n + c)]; };
    double det = 1;
    for (int64_t c = 0; c < n && det != 0; ++c) {
      int64_t pivot = c;
      for (int64_t r = c + 1; r < n; ++r)
        if (std::fabs(at(r, c)) > std::fabs(at(pivot, c))) pivot = r;
      if (pivot != c) {
        for (int64_t j = c; j < n; ++j) std::swap(at(c, j), at(pivot, j));
        det = -det;
      }
      det *= at(c, c);
      if (at(c, c) == 0) break;
      for (int64_t r = c + 1; r < n; ++r) {
        double factor = at(r, c) / at(c, c);
        for (int64_t j = c + 1; j < n; ++j) at(r, j) -= factor * at(c, j);
      }
    }
    y.data()[i] = det;
  });
  y.Store();
}

}  // namespace

std::span<const OpEntry> MatMulOps() {
  static const OpEntry kOps[] = {
      {"", "MatMul", 13, MatMul, {kMatMulTypes}},
      {"", "Gemm", 13, GemmOp, {kMatMulTypes}},
      {"", "Einsum", 28, Einsum, {kNumeric}},
      {"", "Det", 22, Det, {kFloats}},
  };
  return kOps;
}

}  // namespace braid::reference
