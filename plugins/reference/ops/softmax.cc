// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/softmax.h"

#include "plugins/reference/ops/compute.h"

namespace braid::reference {
namespace {

// Calls row(x, y, n, step) for each line of the input along the attribute `axis`, converted to the computing
// type.
template <class Row>
void AlongAxis(OpContext& op, const Row& row) {
  const Tensor& x = op.input(0);
  // A scalar is a line of one element.
  const int64_t axis = x.rank() == 0 ? op.Axis(op.Int("axis", -1), 1) : op.Axis(op.Int("axis", -1), x.rank());
  int64_t outer = 1, inner = 1;
  for (int64_t i = 0; i < x.rank(); ++i) (i < axis ? outer : inner) *= i == axis ? 1 : x.dim(i);
  const int64_t n = x.rank() == 0 ? 1 : x.dim(axis);
  ComputeIn(x.type(), [&]<class W>() {
    Tensor wide = As<W>(x);
    OutputAs<W> y(op, 0, x.type(), x.dims());
    if (n > 0)
      op.parallel().For(outer * inner, n * 16, [&](int64_t i) {
        const int64_t at = i / inner * n * inner + i % inner;
        row(wide.data<W>() + at, y.data() + at, n, inner);
      });
    y.Store();
  });
}

template <class W>
W Largest(const W* x, int64_t n, int64_t step) {
  W largest = -std::numeric_limits<W>::infinity();
  for (int64_t i = 0; i < n; ++i) largest = x[i * step] > largest ? x[i * step] : largest;
  return largest;
}

}  // namespace

// Softmax-13: exp(x - max) / sum.
void Softmax(OpContext& op) {
  AlongAxis(op, []<class W>(const W* x, W* y, int64_t n, int64_t step) {
    const W largest = Largest(x, n, step);
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(y[i * step] = std::exp(x[i * step] - largest));
    const W inverse = static_cast<W>(1 / sum);
    for (int64_t i = 0; i < n; ++i) y[i * step] *= inverse;
  });
}

// LogSoftmax-13: x - max - log sum exp(x - max).
void LogSoftmax(OpContext& op) {
  AlongAxis(op, []<class W>(const W* x, W* y, int64_t n, int64_t step) {
    const W largest = Largest(x, n, step);
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(std::exp(x[i * step] - largest));
    const double log = std::log(sum);
    for (int64_t i = 0; i < n; ++i)
      y[i * step] = static_cast<W>(static_cast<double>(x[i * step] - largest) - log);
  });
}

// Hardmax-13: 1 at the first of the largest, 0 elsewhere.
void Hardmax(OpContext& op) {
  AlongAxis(op, []<class W>(const W* x, W* y, int64_t n, int64_t step) {
    int64_t at = 0;
    for (int64_t i = 1; i < n; ++i)
      if (x[i * step] > x[at * step] || (std::isnan(x[i * step]) && !std::isnan(x[at * step]))) at = i;
    for (int64_t i = 0; i < n; ++i) y[i * step] = static_cast<W>(i == at ? 1 : 0);
  });
}

}  // namespace braid::reference
