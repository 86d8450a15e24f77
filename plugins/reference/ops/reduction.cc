// SPDX-License-Identifier: Apache-2.0
//
// Reductions over axes, positions of extremes, cumulative sums. Float sums are kept in double (those of
// double in long double) and rounded once; integer sums and products wrap around. NaN wins every comparison,
// as in numpy.
#include <cmath>
#include <limits>

#include "plugins/reference/ops/copy.h"
#include "plugins/reference/ops/op.h"
#include "plugins/reference/ops/pointwise.h"

namespace braid::reference {
namespace {

template <class T>
inline constexpr bool kIsInteger = std::is_integral_v<T>;
// What sums of T are kept in.
template <class T>
using Sum = std::conditional_t<kIsInteger<T>, Wrapping<T>,
                               std::conditional_t<std::is_same_v<T, double>, long double, double>>;

// A reducer: Acc, Init, Add an element, Join two partial results, Finish with the number of elements.
template <class T>
struct SumReducer {
  using Acc = Sum<T>;
  static Acc Init() { return 0; }
  static void Add(Acc& acc, Compute<T> x) { acc += static_cast<Acc>(x); }
  static void Join(Acc& acc, Acc other) { acc += other; }
  static T Finish(Acc acc, int64_t) { return static_cast<T>(acc); }
};

template <class T>
struct SumSquareReducer : SumReducer<T> {
  using Acc = Sum<T>;
  static void Add(Acc& acc, Compute<T> x) { acc += static_cast<Acc>(x) * static_cast<Acc>(x); }
};

template <class T>
struct L1Reducer : SumReducer<T> {
  using Acc = Sum<T>;
  static void Add(Acc& acc, Compute<T> x) {
    if constexpr (kIsInteger<T>) {
      acc += x < 0 ? Acc(0) - static_cast<Acc>(x) : static_cast<Acc>(x);
    } else {
      acc += std::fabs(static_cast<Acc>(x));
    }
  }
};

// Of integers too, without overflow on the way; the result is truncated.
template <class T>
struct L2Reducer {
  using Acc = std::conditional_t<kIsInteger<T>, long double, Sum<T>>;
  static Acc Init() { return 0; }
  static void Add(Acc& acc, Compute<T> x) { acc += static_cast<Acc>(x) * static_cast<Acc>(x); }
  static void Join(Acc& acc, Acc other) { acc += other; }
  static T Finish(Acc acc, int64_t) {
    Acc root = std::sqrt(acc);
    if constexpr (kIsInteger<T>) {
      if (root >= static_cast<Acc>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    }
    return static_cast<T>(root);
  }
};

// Of integers: the exact sum divided, towards zero. Of nothing: NaN, or 0 for integers.
template <class T>
struct MeanReducer {
  using Acc = std::conditional_t<kIsInteger<T>, __int128, Sum<T>>;
  static Acc Init() { return 0; }
  static void Add(Acc& acc, Compute<T> x) { acc += static_cast<Acc>(x); }
  static void Join(Acc& acc, Acc other) { acc += other; }
  static T Finish(Acc acc, int64_t n) {
    if constexpr (kIsInteger<T>) {
      return n == 0 ? T(0) : static_cast<T>(acc / n);
    } else {
      return n == 0 ? T(std::numeric_limits<float>::quiet_NaN()) : static_cast<T>(acc / static_cast<Acc>(n));
    }
  }
};

template <class T>
struct ProdReducer {
  using Acc = Sum<T>;
  static Acc Init() { return 1; }
  static void Add(Acc& acc, Compute<T> x) { acc *= static_cast<Acc>(x); }
  static void Join(Acc& acc, Acc other) { acc *= other; }
  static T Finish(Acc acc, int64_t) { return static_cast<T>(acc); }
};

template <class T>
struct LogSumReducer : SumReducer<T> {
  using Acc = Sum<T>;
  static T Finish(Acc acc, int64_t) { return static_cast<T>(std::log(acc)); }
};

// log(sum(exp(x))) in one pass: the sum is relative to the largest element so far.
template <class T>
struct LogSumExpReducer {
  struct Acc {
    Sum<T> most, sum;
  };
  static Acc Init() { return {-std::numeric_limits<Sum<T>>::infinity(), 0}; }
  static void Add(Acc& acc, Compute<T> x) { Join(acc, {static_cast<Sum<T>>(x), 1}); }
  static void Join(Acc& acc, Acc other) {
    if (other.most > acc.most) std::swap(acc, other);
    // Equal ones, infinite or not, need no scaling (inf - inf is NaN).
    acc.sum += other.most == acc.most ? other.sum : other.sum * std::exp(other.most - acc.most);
  }
  static T Finish(Acc acc, int64_t) { return static_cast<T>(acc.most + std::log(acc.sum)); }
};

template <class T, bool kMax>
struct ExtremeReducer {
  using Acc = Compute<T>;
  static Acc Init() {
    if constexpr (std::is_floating_point_v<Acc>) {
      return kMax ? -std::numeric_limits<Acc>::infinity() : std::numeric_limits<Acc>::infinity();
    } else {
      return kMax ? std::numeric_limits<Acc>::lowest() : std::numeric_limits<Acc>::max();
    }
  }
  static void Add(Acc& acc, Acc x) {
    // Without branches, so that it becomes vectors; a NaN in acc is never beaten.
    const bool better = kMax ? x > acc : x < acc;
    acc = (better | (x != x)) ? x : acc;
  }
  static void Join(Acc& acc, Acc other) { Add(acc, other); }
  static T Finish(Acc acc, int64_t) { return static_cast<T>(acc); }
};
template <class T>
struct MaxReducer : ExtremeReducer<T, true> {};
template <class T>
struct MinReducer : ExtremeReducer<T, false> {};

// Neighbouring axes of one kind, joined.
struct Axes {
  Dims dims, strides;
  int64_t count() const { return ProductOf(dims, 0, dims.size()); }
  void Append(int64_t extent, int64_t stride) {
    if (!dims.empty() && strides.back() == stride * extent) {
      dims.back() *= extent;
      strides.back() = stride;
    } else {
      dims.push_back(extent);
      strides.push_back(stride);
    }
  }
  int64_t Offset(int64_t index) const {
    int64_t offset = 0;
    for (size_t i = dims.size(); i-- > 0;) {
      offset += index % dims[i] * strides[i];
      index /= dims[i];
    }
    return offset;
  }
};

// The offsets of each index of `axes` in row-major order: for (OffsetWalk at(axes); !at.done(); at.Next())
// at.offset().
class OffsetWalk {
 public:
  explicit OffsetWalk(const Axes& axes) : axes_(axes), left_(axes.count()) {
    if (axes.dims.size() > 1) index_.resize(axes.dims.size());
  }
  bool done() const { return left_ == 0; }
  int64_t offset() const { return offset_; }
  void Next() {
    --left_;
    if (axes_.dims.size() <= 1) {
      offset_ += axes_.dims.empty() ? 0 : axes_.strides[0];
    } else {
      NextOfMany();
    }
  }

 private:
  [[gnu::noinline]] void NextOfMany() {
    for (size_t i = axes_.dims.size(); i-- > 0;) {
      offset_ += axes_.strides[i];
      if (++index_[i] < axes_.dims[i]) return;
      offset_ -= axes_.strides[i] * axes_.dims[i];
      index_[i] = 0;
    }
  }
  const Axes& axes_;
  Dims index_;
  int64_t left_, offset_ = 0;
};

// A tensor split into kept and reduced axes; the innermost contiguous ones, of either kind, apart.
struct Plan {
  Axes kept, reduced;  // without the inner one
  int64_t inner = 1;
  bool inner_is_reduced = true;
  int64_t reduced_count = 1;
  Plan(const Dims& dims, const std::vector<bool>& reduce) {
    const Dims strides = StridesOf(dims);
    size_t last = dims.size();
    for (size_t i = 0; i < dims.size(); ++i) {
      if (reduce[i]) reduced_count *= dims[i];
      if (dims[i] != 1) last = i;
    }
    if (last < dims.size()) inner_is_reduced = reduce[last];
    bool at_inner = true;
    for (size_t i = dims.size(); i-- > 0;) {
      if (dims[i] == 1) continue;
      at_inner = at_inner && reduce[i] == inner_is_reduced;
      if (at_inner) inner *= dims[i];
    }
    // From the outside in, axes that are not part of `inner`.
    for (size_t i = 0; i < dims.size(); ++i)
      if (dims[i] != 1 && strides[i] >= inner) (reduce[i] ? reduced : kept).Append(dims[i], strides[i]);
  }
};

template <class T, class R>
void Reduce(const OpContext& op, const Plan& plan, const T* in, Tensor& out_tensor) {
  using Acc = typename R::Acc;
  T* out = out_tensor.data<T>();
  const int64_t n = plan.reduced_count;
  if (n == 0) {
    std::fill_n(out, out_tensor.size(), R::Finish(R::Init(), 0));
    return;
  }
  if (plan.inner_is_reduced) {
    // Independent partial sums in lanes, which the compiler turns into vectors.
    constexpr int64_t kLanes = 8;
    op.parallel().For(out_tensor.size(), n, [&](int64_t o) {
      Acc lanes[kLanes];
      for (Acc& lane : lanes) lane = R::Init();
      const T* base = in + plan.kept.Offset(o);
      for (OffsetWalk at(plan.reduced); !at.done(); at.Next()) {
        const T* p = base + at.offset();
        int64_t i = 0;
        for (; i + kLanes <= plan.inner; i += kLanes)
          for (int64_t l = 0; l < kLanes; ++l) R::Add(lanes[l], p[i + l]);
        for (int64_t l = 0; i < plan.inner; ++i, ++l) R::Add(lanes[l], p[i]);
      }
      for (int64_t l = 1; l < kLanes; ++l) R::Join(lanes[0], lanes[l]);
      out[o] = R::Finish(lanes[0], n);
    });
    return;
  }
  // Whole rows are added to a row of sums, a block at a time so that the sums stay in the nearest cache.
  constexpr int64_t kBlock = 256;
  const int64_t blocks = (plan.inner + kBlock - 1) / kBlock;
  op.parallel().For(plan.kept.count() * blocks, n * std::min(plan.inner, kBlock), [&](int64_t k) {
    const int64_t o = k / blocks, begin = k % blocks * kBlock, width = std::min(kBlock, plan.inner - begin);
    Acc sums[kBlock];
    for (int64_t j = 0; j < width; ++j) sums[j] = R::Init();
    const T* base = in + plan.kept.Offset(o) + begin;
    for (OffsetWalk at(plan.reduced); !at.done(); at.Next()) {
      const T* p = base + at.offset();
      for (int64_t j = 0; j < width; ++j) R::Add(sums[j], p[j]);
    }
    for (int64_t j = 0; j < width; ++j) out[o * plan.inner + begin + j] = R::Finish(sums[j], n);
  });
}

// The axes that a Reduce* operator reduces, from its optional second input; none with noop_with_empty_axes.
std::vector<bool> ReducedAxes(const OpContext& op) {
  const Tensor& in = op.input(0);
  std::vector<int64_t> axes;
  if (op.has(1)) axes = op.input(1).AsInts();
  std::vector<bool> reduce(in.dims().size(), axes.empty() && op.Int("noop_with_empty_axes", 0) == 0);
  for (int64_t axis : axes) {
    const size_t a = static_cast<size_t>(op.Axis(axis, in.rank()));
    op.Check(!reduce[a], "axis " + std::to_string(axis) + " is reduced twice");
    reduce[a] = true;
  }
  return reduce;
}

Dims ReducedDims(const Dims& dims, const std::vector<bool>& reduce, bool keep) {
  Dims out;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (!reduce[i]) {
      out.push_back(dims[i]);
    } else if (keep) {
      out.push_back(1);
    }
  }
  return out;
}

constexpr TypeSet kReducible = kFloats | Types(kInt32, kInt64, kUint32, kUint64);
constexpr TypeSet kComparable = kReducible | Types(kInt8, kUint8, kBool);

template <template <class> class R, TypeSet kTypes>
void ReduceBy(OpContext& op) {
  const Tensor& in = op.input(0);
  const std::vector<bool> reduce = ReducedAxes(op);
  Tensor& out = op.Output(0, in.type(), ReducedDims(in.dims(), reduce, op.Int("keepdims", 1) != 0));
  if (out.size() == 0) return;
  const Plan plan(in.dims(), reduce);
  DispatchIn<kTypes>(in.type(), [&]<class T>() { Reduce<T, R<T>>(op, plan, in.data<T>(), out); });
}

// ReduceSum-13 and the others of the family at 18, 20 and 28: one definition each, above.
constexpr auto ReduceSum = ReduceBy<SumReducer, kReducible>;
constexpr auto ReduceSumSquare = ReduceBy<SumSquareReducer, kReducible>;
constexpr auto ReduceL1 = ReduceBy<L1Reducer, kReducible>;
constexpr auto ReduceL2 = ReduceBy<L2Reducer, kReducible>;
constexpr auto ReduceMean = ReduceBy<MeanReducer, kReducible>;
constexpr auto ReduceProd = ReduceBy<ProdReducer, kReducible>;
constexpr auto ReduceLogSum = ReduceBy<LogSumReducer, kFloats>;
constexpr auto ReduceLogSumExp = ReduceBy<LogSumExpReducer, kFloats>;
constexpr auto ReduceMax = ReduceBy<MaxReducer, kComparable>;
constexpr auto ReduceMin = ReduceBy<MinReducer, kComparable>;

// ArgMax-13, ArgMin-13: position of the extreme, the first or (select_last_index) the last of equals.
template <bool kMax>
void ArgExtreme(OpContext& op) {
  const Tensor& in = op.input(0);
  // A scalar has one element, at position 0.
  const Dims view_dims = in.rank() == 0 ? Dims{1} : in.dims();
  const int64_t axis = op.Axis(op.Int("axis", 0), static_cast<int64_t>(view_dims.size()));
  const bool last = op.Int("select_last_index", 0) != 0;
  std::vector<bool> reduce(in.dims().size(), false);
  if (in.rank() > 0) reduce[static_cast<size_t>(axis)] = true;
  Tensor& out = op.Output(0, kInt64, ReducedDims(in.dims(), reduce, op.Int("keepdims", 1) != 0));
  if (out.size() == 0) return;
  const AxisView view(view_dims, axis);
  op.Check(view.n > 0,
           "axis " + std::to_string(axis) + " of " + DimsText(in.dims()) + " has no element to choose");
  DispatchIn<kNumeric>(in.type(), [&]<class T>() {
    // Whether x at a later position takes the place of b. Without branches, for vectors.
    auto takes = [last](Compute<T> x, Compute<T> b) {
      const bool better = kMax ? x > b : x < b, x_nan = x != x, b_nan = b != b;
      return better | (x_nan & !b_nan) | (last & ((x == b) | (x_nan & b_nan)));
    };
    if (view.inner == 1) {
      op.parallel().For(view.outer, view.n * 2, [&](int64_t o) {
        const T* p = in.data<T>() + o * view.n;
        Compute<T> best = p[0];
        int64_t at = 0;
        for (int64_t i = 1; i < view.n; ++i) {
          const Compute<T> x = p[i];
          if (takes(x, best)) best = x, at = i;
        }
        out.data<int64_t>()[o] = at;
      });
      return;
    }
    constexpr int64_t kBlock = 256;
    const int64_t blocks = (view.inner + kBlock - 1) / kBlock;
    op.parallel().For(view.outer * blocks, view.n * std::min(view.inner, kBlock), [&](int64_t k) {
      const int64_t o = k / blocks, begin = k % blocks * kBlock, width = std::min(kBlock, view.inner - begin);
      const T* p = in.data<T>() + o * view.n * view.inner + begin;
      Compute<T> best[kBlock];
      int64_t at[kBlock];
      for (int64_t j = 0; j < width; ++j) {
        best[j] = p[j];
        at[j] = 0;
      }
      for (int64_t i = 1; i < view.n; ++i) {
        p += view.inner;
        for (int64_t j = 0; j < width; ++j) {
          const Compute<T> x = p[j];
          const bool take = takes(x, best[j]);
          best[j] = take ? x : best[j];
          at[j] = take ? i : at[j];
        }
      }
      std::copy_n(at, width, out.data<int64_t>() + o * view.inner + begin);
    });
  });
}

// CumSum-14, CumProd-26: running sums or products along an axis; exclusive ones begin with 0 or 1.
template <template <class> class R>
void Cumulate(OpContext& op) {
  const Tensor& in = op.input(0);
  const int64_t asked = ScalarInt(op, 1, "axis");
  const int64_t axis = op.Axis(asked, in.rank());
  const bool exclusive = op.Int("exclusive", 0) != 0, reverse = op.Int("reverse", 0) != 0;
  Tensor& out = op.Output(0, in.type(), in.dims());
  if (out.size() == 0) return;
  const AxisView view(in.dims(), axis);
  DispatchIn<kReducible>(in.type(), [&]<class T>() {
    if (view.inner == 1) {
      op.parallel().For(view.outer, view.n * 2, [&](int64_t o) {
        const T* from = in.data<T>() + o * view.n;
        T* to = out.data<T>() + o * view.n;
        auto sum = R<T>::Init();
        for (int64_t i = 0; i < view.n; ++i) {
          const int64_t at = reverse ? view.n - 1 - i : i;
          const Compute<T> x = from[at];
          if (exclusive) to[at] = R<T>::Finish(sum, 0);
          R<T>::Add(sum, x);
          if (!exclusive) to[at] = R<T>::Finish(sum, 0);
        }
      });
      return;
    }
    constexpr int64_t kBlock = 256;
    const int64_t blocks = (view.inner + kBlock - 1) / kBlock;
    op.parallel().For(view.outer * blocks, view.n * std::min(view.inner, kBlock), [&](int64_t k) {
      const int64_t begin = k % blocks * kBlock, width = std::min(kBlock, view.inner - begin);
      const int64_t base = k / blocks * view.n * view.inner + begin;
      typename R<T>::Acc sums[kBlock];
      for (int64_t j = 0; j < width; ++j) sums[j] = R<T>::Init();
      for (int64_t i = 0; i < view.n; ++i) {
        const int64_t at = base + (reverse ? view.n - 1 - i : i) * view.inner;
        const T* from = in.data<T>() + at;
        T* to = out.data<T>() + at;
        for (int64_t j = 0; j < width; ++j) {
          const Compute<T> x = from[j];
          if (exclusive) to[j] = R<T>::Finish(sums[j], 0);
          R<T>::Add(sums[j], x);
          if (!exclusive) to[j] = R<T>::Finish(sums[j], 0);
        }
      }
    });
  });
}

}  // namespace

std::span<const OpEntry> ReductionOps() {
  static const OpEntry kOps[] = {
      {"", "ReduceSum", 13, ReduceSum, {kReducible, Types(kInt64)}},
      {"", "ReduceSumSquare", 18, ReduceSumSquare, {kReducible, Types(kInt64)}},
      {"", "ReduceL1", 18, ReduceL1, {kReducible, Types(kInt64)}},
      {"", "ReduceL2", 18, ReduceL2, {kReducible, Types(kInt64)}},
      {"", "ReduceMean", 18, ReduceMean, {kReducible, Types(kInt64)}},
      {"", "ReduceProd", 18, ReduceProd, {kReducible, Types(kInt64)}},
      {"", "ReduceLogSum", 28, ReduceLogSum, {kFloats, Types(kInt64)}},
      {"", "ReduceLogSumExp", 28, ReduceLogSumExp, {kFloats, Types(kInt64)}},
      {"", "ReduceMax", 20, ReduceMax, {kComparable, Types(kInt64)}},
      {"", "ReduceMin", 20, ReduceMin, {kComparable, Types(kInt64)}},
      {"", "ArgMax", 13, ArgExtreme<true>, {kNumeric}},
      {"", "ArgMin", 13, ArgExtreme<false>, {kNumeric}},
      {"", "CumSum", 14, Cumulate<SumReducer>, {kReducible, Types(kInt32, kInt64)}},
      {"", "CumProd", 26, Cumulate<ProdReducer>, {kReducible, Types(kInt32, kInt64)}},
  };
  return kOps;
}

}  // namespace braid::reference
