// SPDX-License-Identifier: Apache-2.0
//
// AveragePool, MaxPool, LpPool, their global kin and MaxUnpool; the pools over regions of interest are in
// roi_pool.cc.
#include "plugins/reference/ops/compute.h"
#include "plugins/reference/ops/roi_pool.h"
#include "plugins/reference/ops/window.h"

namespace braid::reference {
namespace {

constexpr TypeSet kMaxPoolTypes = kFloats | Types(kInt8, kUint8);

// The window of a pool on x, and its output's dims.
Window ReadPool(const OpContext& op, const Tensor& x, Dims* dims) {
  Dims in = SpatialDims(op, x, "the input");
  op.Check(op.HasAttr("kernel_shape"), "the attribute kernel_shape is missing");
  Window w = ReadWindow(op, in, op.Ints("kernel_shape"));
  FitWindow(op, w, op.Int("ceil_mode", 0) != 0, true);
  *dims = {x.dim(0), x.dim(1)};
  dims->insert(dims->end(), w.out.begin(), w.out.end());
  Count(*dims);
  return w;
}

// Elements of a plane, times those of the part of the kernel that can lie inside it: what a pool costs.
int64_t PoolCost(const Window& w) {
  int64_t n = w.out_size();
  for (size_t i = 0; i < w.rank(); ++i) n *= std::min(w.kernel[i], w.in[i]);
  return n;
}

// For each plane of x and each element of a window that lies inside: take(y row, x, step, n, plane's element
// of x). Windows are walked row by row, so that the innermost loop runs over neighbours in the output.
template <class T, class Y, class Take>
void Pool(const OpContext& op, const Window& w, const T* x, int64_t planes, Y* y, Y first, const Take& take) {
  const size_t last = w.rank() - 1;
  const int64_t in = w.in[last], out = w.out[last], step = w.stride[last];
  const int64_t in_plane = w.in_size(), out_plane = w.out_size(), rows = out == 0 ? 0 : out_plane / out;
  const int64_t first_k = w.LastKernel().first, last_k = w.LastKernel().second;
  op.parallel().For(planes, PoolCost(w), [&](int64_t plane) {
    const T* image = x + plane * in_plane;
    std::fill_n(y + plane * out_plane, out_plane, first);
    for (int64_t row = 0; row < rows; ++row) {
      Y* line = y + plane * out_plane + row * out;
      w.ForEachKernelRow(row, [&](int64_t, int64_t input_row) {
        for (int64_t k = first_k; k < last_k; ++k) {
          const Window::Range r = w.LastAxis(k);
          if (r.first >= r.last) continue;
          const int64_t at = input_row * in + r.first * step + r.shift;
          take(line + r.first, image + at, step, r.last - r.first, at);
        }
      });
    }
  });
}

// y[i] = max(y[i], x[i * step]); a NaN stays.
template <class T>
void TakeMax(T* __restrict y, const T* __restrict x, int64_t step, int64_t n) {
  auto larger = [](T a, T b) { return a > b || a != a ? a : b; };
  if (step == 1) {
    for (int64_t i = 0; i < n; ++i) y[i] = larger(x[i], y[i]);
  } else if (step == 2) {
    for (int64_t i = 0; i < n; ++i) y[i] = larger(x[2 * i], y[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = larger(x[i * step], y[i]);
  }
}

template <class T>
T Lowest() {
  return std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                              : std::numeric_limits<T>::lowest();
}

// The index of element `at` of a plane when its axes are counted in column-major order.
int64_t ColumnMajor(const Dims& extents, int64_t at) {
  int64_t index = 0;
  for (size_t i = extents.size(); i-- > 0; at /= extents[i]) {
    int64_t scale = at % extents[i];
    for (size_t j = 0; j < i; ++j) scale *= extents[j];
    index += scale;
  }
  return index;
}

template <class W>
void MaxPoolOf(OpContext& op, const Window& w, const Dims& dims) {
  const Tensor& x = op.input(0);
  Tensor wide = As<W>(x);
  const int64_t planes = x.dim(0) * x.dim(1), in_plane = w.in_size();
  if (!op.wants(1)) {
    OutputAs<W> y(op, 0, x.type(), dims);
    Pool<W, W>(op, w, wide.data<W>(), planes, y.data(), Lowest<W>(),
               [](W* to, const W* from, int64_t step, int64_t n, int64_t) { TakeMax(to, from, step, n); });
    y.Store();
    return;
  }
  // With indices: the first of equal maxima, -1 for a window that holds no element.
  std::vector<std::pair<W, int64_t>> best(static_cast<size_t>(Count(dims)));
  Pool<W, std::pair<W, int64_t>>(
      op, w, wide.data<W>(), planes, best.data(), {Lowest<W>(), -1},
      [](std::pair<W, int64_t>* to, const W* from, int64_t step, int64_t n, int64_t at) {
        for (int64_t i = 0; i < n; ++i) {
          const W v = from[i * step];
          if (to[i].second < 0 || v > to[i].first || (v != v && to[i].first == to[i].first))
            to[i] = {v, at + i * step};
        }
      });
  const bool column_major = op.Int("storage_order", 0) != 0;
  OutputAs<W> y(op, 0, x.type(), dims);
  int64_t* indices = op.Output(1, kInt64, dims).data<int64_t>();
  const int64_t out_plane = w.out_size();
  for (int64_t i = 0; i < y.size(); ++i) {
    auto [value, at] = best[static_cast<size_t>(i)];
    y.data()[i] = value;
    indices[i] = at < 0 ? -1 : i / out_plane * in_plane + (column_major ? ColumnMajor(w.in, at) : at);
  }
  y.Store();
}

// MaxPool-22. Elements in the padding do not count; a window of padding alone gives the type's lowest value.
void MaxPool(OpContext& op) {
  const Tensor& x = op.input(0);
  const int64_t order = op.Int("storage_order", 0);
  op.Check(order == 0 || order == 1, "storage_order is " + std::to_string(order) + ", it must be 0 or 1");
  Dims dims;
  Window w = ReadPool(op, x, &dims);
  if (x.type() == kInt8 || x.type() == kUint8)
    MaxPoolOf<float>(op, w, dims);
  else
    ComputeIn(x.type(), [&]<class W>() { MaxPoolOf<W>(op, w, dims); });
}

// How many elements of the window at each output position count: those inside, or with `padding` those in it
// too (but none beyond it, where ceil_mode lets the last window reach).
std::vector<double> Divisors(const Window& w, bool padding) {
  std::vector<double> all = {1};
  for (size_t i = 0; i < w.rank(); ++i) {
    std::vector<double> next;
    next.reserve(all.size() * static_cast<size_t>(w.out[i]));
    for (double d : all)
      for (int64_t o = 0; o < w.out[i]; ++o) {
        const int64_t start = o * w.stride[i] - w.begin[i], low = padding ? -w.begin[i] : 0;
        const int64_t high = w.in[i] + (padding ? w.end[i] : 0);
        int64_t first = start >= low ? 0 : (low - start + w.dilation[i] - 1) / w.dilation[i];
        int64_t last = start >= high ? 0 : std::min(w.kernel[i], (high - start - 1) / w.dilation[i] + 1);
        next.push_back(d * static_cast<double>(std::max<int64_t>(0, last - first)));
      }
    all = std::move(next);
  }
  return all;
}

// AveragePool-22. A window of padding alone is 0 / 0 without count_include_pad.
void AveragePool(OpContext& op) {
  const Tensor& x = op.input(0);
  Dims dims;
  Window w = ReadPool(op, x, &dims);
  if (Count(dims) == 0) {
    op.Output(0, x.type(), dims);
    return;
  }
  const std::vector<double> divisors = Divisors(w, op.Int("count_include_pad", 0) != 0);
  ComputeIn(x.type(), [&]<class W>() {
    Tensor wide = As<W>(x);
    OutputAs<W> y(op, 0, x.type(), dims);
    Pool<W, W>(op, w, wide.data<W>(), x.dim(0) * x.dim(1), y.data(), W{},
               [](W* __restrict to, const W* __restrict from, int64_t step, int64_t n, int64_t) {
                 if (step == 1)
                   for (int64_t i = 0; i < n; ++i) to[i] += from[i];
                 else
                   for (int64_t i = 0; i < n; ++i) to[i] += from[i * step];
               });
    const int64_t plane = w.out_size();
    for (int64_t i = 0; i < y.size(); ++i)
      y.data()[i] = static_cast<W>(y.data()[i] / divisors[static_cast<size_t>(i % plane)]);
    y.Store();
  });
}

// |x|^p, and its inverse, in double.
double Power(double x, int64_t p) {
  x = std::fabs(x);
  return p == 1 ? x : p == 2 ? x * x : std::pow(x, static_cast<double>(p));
}
double Root(double sum, int64_t p) {
  return p == 1 ? sum : p == 2 ? std::sqrt(sum) : std::pow(sum, 1.0 / static_cast<double>(p));
}

int64_t ReadP(const OpContext& op) {
  int64_t p = op.Int("p", 2);
  op.Check(p >= 1, "p is " + std::to_string(p) + ", it must be at least 1");
  return p;
}

// LpPool-22: (sum |x|^p)^(1/p).
void LpPool(OpContext& op) {
  const Tensor& x = op.input(0);
  const int64_t p = ReadP(op);
  Dims dims;
  Window w = ReadPool(op, x, &dims);
  Tensor wide = As<double>(x);
  OutputAs<double> y(op, 0, x.type(), dims);
  Pool<double, double>(op, w, wide.data<double>(), x.dim(0) * x.dim(1), y.data(), 0.0,
                       [p](double* to, const double* from, int64_t step, int64_t n, int64_t) {
                         for (int64_t i = 0; i < n; ++i) to[i] += Power(from[i * step], p);
                       });
  for (int64_t i = 0; i < y.size(); ++i) y.data()[i] = Root(y.data()[i], p);
  y.Store();
}

// Each plane reduced to one value, computed in double: row(x, n).
template <class Reduce>
void Global(OpContext& op, const Reduce& reduce) {
  const Tensor& x = op.input(0);
  Dims in = SpatialDims(op, x, "the input"), dims = {x.dim(0), x.dim(1)};
  const int64_t plane = Count(in);
  dims.resize(x.dims().size(), 1);
  ComputeIn(x.type(), [&]<class W>() {
    Tensor wide = As<W>(x);
    OutputAs<W> y(op, 0, x.type(), dims);
    op.parallel().For(y.size(), plane, [&](int64_t i) {
      y.data()[i] = static_cast<W>(reduce(wide.data<W>() + i * plane, plane));
    });
    y.Store();
  });
}

// The sum of values in four double accumulators.
template <class W, class F>
double Sum(const W* x, int64_t n, const F& f) {
  double s[4] = {};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (int j = 0; j < 4; ++j) s[j] += f(static_cast<double>(x[i + j]));
  for (; i < n; ++i) s[0] += f(static_cast<double>(x[i]));
  return (s[0] + s[1]) + (s[2] + s[3]);
}

// GlobalAveragePool-22.
void GlobalAveragePool(OpContext& op) {
  Global(op, [](const auto* x, int64_t n) {
    return Sum(x, n, [](double v) { return v; }) / static_cast<double>(n);
  });
}

// GlobalLpPool-22.
void GlobalLpPool(OpContext& op) {
  const int64_t p = ReadP(op);
  Global(op,
         [p](const auto* x, int64_t n) { return Root(Sum(x, n, [p](double v) { return Power(v, p); }), p); });
}

// GlobalMaxPool-22.
void GlobalMaxPool(OpContext& op) {
  Global(op, [](const auto* x, int64_t n) {
    auto best = -std::numeric_limits<double>::infinity();
    for (int64_t i = 0; i < n; ++i)
      if (x[i] > best || x[i] != x[i]) best = static_cast<double>(x[i]);
    return best;
  });
}

// MaxUnpool-22: x's elements at the flat places that the indices name, 0 elsewhere. The indices count in the
// tensor that the pool's attributes give; with output_shape, that tensor is the corner of a larger (or equal)
// one.
void MaxUnpool(OpContext& op) {
  const Tensor &x = op.input(0), &places = op.input(1);
  Dims in = SpatialDims(op, x, "the input");
  op.Check(op.HasAttr("kernel_shape"), "the attribute kernel_shape is missing");
  op.Check(places.dims() == x.dims(), "the indices " + DimsText(places.dims()) +
                                          " have not the shape of the input " + DimsText(x.dims()));
  Window w = ReadWindow(op, in, op.Ints("kernel_shape"));
  Dims inner = {x.dim(0), x.dim(1)};
  for (size_t i = 0; i < in.size(); ++i) {
    op.Check(in[i] < int64_t{1} << 31, "the input's extents " + DimsText(in) + " are too large");
    inner.push_back((in[i] - 1) * w.stride[i] - w.begin[i] - w.end[i] + w.kernel[i]);
    op.Check(inner.back() >= 0, "the output's extent along spatial axis " + std::to_string(i) + " is " +
                                    std::to_string(inner.back()));
  }
  const int64_t count = Count(inner);
  Dims dims = op.has(2) ? op.input(2).AsInts() : inner;
  op.Check(dims.size() == inner.size(),
           "output_shape " + DimsText(dims) + " needs " + std::to_string(inner.size()) + " extents");
  for (size_t i = 0; i < dims.size(); ++i)
    op.Check(dims[i] >= inner[i],
             "output_shape " + DimsText(dims) + " is smaller than the unpooled " + DimsText(inner));
  Tensor& y = op.Output(0, x.type(), dims);
  const Dims from = StridesOf(inner), to = StridesOf(dims);
  DispatchBySize(x.type(), [&]<class T>() {
    if constexpr (!std::is_same_v<T, std::string>) {
      std::memset(y.raw(), 0, y.bytes());
      for (int64_t i = 0; i < x.size(); ++i) {
        int64_t at = places.data<int64_t>()[i], place = 0;
        if (at < 0 || at >= count)
          op.Fail("index " + std::to_string(at) + " (element " + std::to_string(i) + ") is not within the " +
                  std::to_string(count) + " elements of " + DimsText(inner));
        for (size_t a = 0; a < inner.size(); ++a) place += at / from[a] % inner[a] * to[a];
        y.data<T>()[place] = x.data<T>()[i];
      }
    }
  });
}

}  // namespace

std::span<const OpEntry> PoolOps() {
  static const OpEntry kOps[] = {
      {"", "AveragePool", 22, AveragePool, {kFloats}},
      {"", "MaxPool", 22, MaxPool, {kMaxPoolTypes}},
      {"", "LpPool", 22, LpPool, {kFloats}},
      {"", "GlobalAveragePool", 22, GlobalAveragePool, {kFloats}},
      {"", "GlobalMaxPool", 22, GlobalMaxPool, {kFloats}},
      {"", "GlobalLpPool", 22, GlobalLpPool, {kFloats}},
      {"", "MaxUnpool", 22, MaxUnpool, {kFloats, Types(kInt64)}},
      {"", "MaxRoiPool", 22, MaxRoiPool, {kFloats}},
      {"", "RoiAlign", 22, RoiAlign, {kFloats, kFloats, Types(kInt64)}},
  };
  return kOps;
}

}  // namespace braid::reference
