// SPDX-License-Identifier: Apache-2.0
//
// Operators that order elements: TopK, Unique, NonMaxSuppression. NaN is ordered behind every number, as in
// numpy, so that every order is a strict weak one.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "plugins/reference/ops/copy.h"
#include "plugins/reference/ops/op.h"
#include "plugins/reference/ops/pointwise.h"

namespace braid::reference {
namespace {

// <0, 0 or >0, as `a` comes before, with or behind `b`. Complex numbers by real, then by imaginary part.
template <class T>
int Order(const T& a, const T& b) {
  if constexpr (std::is_same_v<T, std::string>) {
    return a.compare(b);
  } else if constexpr (std::is_same_v<T, Complex64> || std::is_same_v<T, Complex128>) {
    const int real = Order(a.real(), b.real());
    return real != 0 ? real : Order(a.imag(), b.imag());
  } else {
    const Compute<T> x = a, y = b;
    if (x < y) return -1;
    if (x > y) return 1;
    return static_cast<int>(x != x) - static_cast<int>(y != y);
  }
}

// TopK-24: the k largest (or smallest) along an axis, in order; of equals the one with the lower index comes
// first.
void TopK(OpContext& op) {
  const Tensor& in = op.input(0);
  const int64_t k = ScalarInt(op, 1, "K");
  op.Check(in.rank() > 0, "the input is a scalar");
  const int64_t axis = op.Axis(op.Int("axis", -1), in.rank());
  const AxisView view(in.dims(), axis);
  op.Check(k >= 0 && k <= view.n, "K is " + std::to_string(k) + ", axis " + std::to_string(axis) +
                                      " has the extent " + std::to_string(view.n));
  const bool largest = op.Int("largest", 1) != 0;
  Dims dims = in.dims();
  dims[static_cast<size_t>(axis)] = k;
  Tensor values = op.wants(0) ? op.Output(0, in.type(), dims) : Tensor(in.type(), dims);
  Tensor indices = op.wants(1) ? op.Output(1, kInt64, dims) : Tensor(kInt64, dims);
  if (values.size() == 0) return;
  DispatchIn<kNumeric>(in.type(), [&]<class T>() {
    op.parallel().For(view.outer * view.inner, view.n * 8, [&](int64_t row) {
      const int64_t o = row / view.inner, i = row % view.inner;
      const T* from = in.data<T>() + o * view.n * view.inner + i;
      std::vector<Compute<T>> keys(static_cast<size_t>(view.n));
      for (int64_t j = 0; j < view.n; ++j) keys[static_cast<size_t>(j)] = from[j * view.inner];
      std::vector<int64_t> order(keys.size());
      std::iota(order.begin(), order.end(), 0);
      auto before = [&](int64_t a, int64_t b) {
        const int by_value = Order(keys[static_cast<size_t>(a)], keys[static_cast<size_t>(b)]);
        if (by_value != 0) return largest ? by_value > 0 : by_value < 0;
        return a < b;
      };
      if (k < view.n) std::nth_element(order.begin(), order.begin() + k, order.end(), before);
      std::sort(order.begin(), order.begin() + k, before);
      for (int64_t j = 0; j < k; ++j) {
        const int64_t source = order[static_cast<size_t>(j)], to = (o * k + j) * view.inner + i;
        values.data<T>()[to] = from[source * view.inner];
        indices.data<int64_t>()[to] = source;
      }
    });
  });
}

constexpr TypeSet kMovable = kNumeric | kComplexes | Types(kBool, kString);

// Unique-28: the distinct elements, or the distinct slices along an axis, sorted or in order of first
// occurrence; with the index of each one's first occurrence, each element's place among them, and their
// counts.
void Unique(OpContext& op) {
  const Tensor& in = op.input(0);
  const bool flat = !op.HasAttr("axis"), sorted = op.Int("sorted", 1) != 0;
  const Dims view_dims = flat ? Dims{in.size()} : in.dims();
  const int64_t axis = op.Axis(flat ? 0 : op.Int("axis", 0), static_cast<int64_t>(view_dims.size()));
  const AxisView view(view_dims, axis);
  const size_t n = static_cast<size_t>(view.n);
  const int64_t width = view.outer * view.inner;
  DispatchIn<kMovable>(in.type(), [&]<class T>() {
    // Slices as rows, so that they compare from their first element on.
    Tensor rows = in;
    if (view.outer > 1) {
      rows = Tensor(in.type(), {view.n, view.outer, view.inner});
      CopyStrided<T>(op.parallel(), in.data<T>(), rows.dims(), {view.inner, view.n * view.inner, 1},
                     rows.data<T>());
    }
    auto compare = [&](size_t a, size_t b) {
      const T *x = rows.data<T>() + static_cast<int64_t>(a) * width,
              *y = rows.data<T>() + static_cast<int64_t>(b) * width;
      for (int64_t i = 0; i < width; ++i)
        if (const int order = Order(x[i], y[i]); order != 0) return order;
      return 0;
    };
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return compare(a, b) < 0; });
    // Groups of equals; stable, so each begins with its first occurrence.
    std::vector<int64_t> first, counts, inverse(n);
    for (size_t i = 0; i < n; ++i) {
      if (i == 0 || compare(order[i - 1], order[i]) != 0) {
        first.push_back(static_cast<int64_t>(order[i]));
        counts.push_back(0);
      }
      ++counts.back();
      inverse[order[i]] = static_cast<int64_t>(first.size()) - 1;
    }
    if (!sorted) {
      std::vector<size_t> by_first(first.size());
      std::iota(by_first.begin(), by_first.end(), size_t{0});
      std::sort(by_first.begin(), by_first.end(), [&](size_t a, size_t b) { return first[a] < first[b]; });
      std::vector<int64_t> place(first.size()), new_first, new_counts;
      for (size_t i = 0; i < by_first.size(); ++i) {
        place[by_first[i]] = static_cast<int64_t>(i);
        new_first.push_back(first[by_first[i]]);
        new_counts.push_back(counts[by_first[i]]);
      }
      for (int64_t& i : inverse) i = place[static_cast<size_t>(i)];
      first = std::move(new_first);
      counts = std::move(new_counts);
    }
    const int64_t found = static_cast<int64_t>(first.size());
    if (op.wants(0)) {
      Dims dims = view_dims;
      dims[static_cast<size_t>(axis)] = found;
      Tensor& out = op.Output(0, in.type(), dims);
      for (int64_t o = 0; o < view.outer; ++o)
        for (int64_t i = 0; i < found; ++i)
          std::copy_n(in.data<T>() + (o * view.n + first[static_cast<size_t>(i)]) * view.inner, view.inner,
                      out.data<T>() + (o * found + i) * view.inner);
    }
    const std::vector<int64_t>* others[] = {&first, &inverse, &counts};
    for (size_t i = 0; i < 3; ++i) {
      if (!op.wants(i + 1)) continue;
      Tensor& out = op.Output(i + 1, kInt64, {static_cast<int64_t>(others[i]->size())});
      std::copy(others[i]->begin(), others[i]->end(), out.data<int64_t>());
    }
  });
}

// A box by its corners, whichever of the two forms it is given in.
struct Box {
  float low[2], high[2];
  Box(const float* p, bool center_and_size) {
    for (int i = 0; i < 2; ++i) {
      const float a = center_and_size ? p[i] - p[i + 2] / 2 : p[i],
                  b = center_and_size ? p[i] + p[i + 2] / 2 : p[i + 2];
      low[i] = center_and_size ? a : std::min(a, b);
      high[i] = center_and_size ? b : std::max(a, b);
    }
  }
  float area() const { return (high[0] - low[0]) * (high[1] - low[1]); }
};

// Intersection over union > threshold. Boxes without area, and those with NaN, overlap with nothing.
bool Overlap(const Box& a, const Box& b, float threshold) {
  float common = 1;
  for (int i = 0; i < 2; ++i) {
    const float extent = std::min(a.high[i], b.high[i]) - std::max(a.low[i], b.low[i]);
    if (!(extent > 0)) return false;
    common *= extent;
  }
  const float area_a = a.area(), area_b = b.area(), united = area_a + area_b - common;
  return area_a > 0 && area_b > 0 && united > 0 && common / united > threshold;
}

float ScalarFloat(const OpContext& op, size_t i, const char* what) {
  const Tensor& t = op.input(i);
  op.Check(t.size() == 1, std::string(what) + " must hold one element, its shape is " + DimsText(t.dims()));
  return t.data<float>()[0];
}

// NonMaxSuppression-11: of each batch and class the boxes by falling score, without those that overlap a
// chosen one.
void NonMaxSuppression(OpContext& op) {
  const Tensor &boxes = op.input(0), &scores = op.input(1);
  op.Check(boxes.rank() == 3 && boxes.dim(2) == 4,
           "boxes must have the shape [batches, boxes, 4], theirs is " + DimsText(boxes.dims()));
  op.Check(scores.rank() == 3 && scores.dim(0) == boxes.dim(0) && scores.dim(2) == boxes.dim(1),
           "scores must have the shape [batches, classes, boxes], theirs is " + DimsText(scores.dims()) +
               ", that of boxes is " + DimsText(boxes.dims()));
  const int64_t form = op.Int("center_point_box", 0);
  op.Check(form == 0 || form == 1, "center_point_box is " + std::to_string(form));
  const int64_t most =
      op.has(2) && op.input(2).size() > 0 ? ScalarInt(op, 2, "max_output_boxes_per_class") : 0;
  const float iou = op.has(3) && op.input(3).size() > 0 ? ScalarFloat(op, 3, "iou_threshold") : 0;
  op.Check(iou >= 0 && iou <= 1, "iou_threshold is " + std::to_string(iou) + ", not within [0, 1]");
  const bool has_threshold = op.has(4) && op.input(4).size() > 0;
  const float threshold = has_threshold ? ScalarFloat(op, 4, "score_threshold") : 0;
  const int64_t batches = scores.dim(0), classes = scores.dim(1), n = scores.dim(2);
  std::vector<std::vector<int64_t>> chosen(static_cast<size_t>(most > 0 && n > 0 ? batches * classes : 0));
  op.parallel().For(static_cast<int64_t>(chosen.size()), n * 16, [&](int64_t k) {
    const float* score = scores.data<float>() + k * n;
    const float* box = boxes.data<float>() + k / classes * n * 4;
    std::vector<int64_t> candidates;
    for (int64_t i = 0; i < n; ++i)
      if (!has_threshold || score[i] > threshold) candidates.push_back(i);
    // NaN scores come last.
    std::stable_sort(candidates.begin(), candidates.end(), [&](int64_t a, int64_t b) {
      return score[a] > score[b] || (std::isnan(score[b]) && !std::isnan(score[a]));
    });
    std::vector<Box> taken;
    for (int64_t i : candidates) {
      if (static_cast<int64_t>(taken.size()) >= most) break;
      const Box candidate(box + i * 4, form == 1);
      if (std::any_of(taken.begin(), taken.end(), [&](const Box& b) { return Overlap(candidate, b, iou); }))
        continue;
      taken.push_back(candidate);
      chosen[static_cast<size_t>(k)].push_back(i);
    }
  });
  int64_t count = 0;
  for (const auto& list : chosen) count += static_cast<int64_t>(list.size());
  Tensor& out = op.Output(0, kInt64, {count, 3});
  int64_t* to = out.data<int64_t>();
  for (size_t k = 0; k < chosen.size(); ++k) {
    for (int64_t i : chosen[k]) {
      *to++ = static_cast<int64_t>(k) / classes;
      *to++ = static_cast<int64_t>(k) % classes;
      *to++ = i;
    }
  }
}

}  // namespace

std::span<const OpEntry> SortingOps() {
  static const OpEntry kOps[] = {
      {"", "TopK", 24, TopK, {kNumeric, Types(kInt64)}},
      {"", "Unique", 28, Unique, {kMovable}},
      {"",
       "NonMaxSuppression",
       11,
       NonMaxSuppression,
       {Types(kFloat), Types(kFloat), Types(kInt64), Types(kFloat)}},
  };
  return kOps;
}

}  // namespace braid::reference
