// SPDX-License-Identifier: Apache-2.0
//
// Operators that move elements without looking at them.
#include "plugins/reference/ops/copy.h"
#include "plugins/reference/ops/op.h"

namespace braid::reference {
namespace {

// Transpose-25: axis i of the output is axis perm[i] of the input; reversed by default.
void Transpose(OpContext& op) {
  const Tensor& in = op.input(0);
  const size_t rank = in.dims().size();
  std::vector<int64_t> perm = op.Ints("perm");
  if (!op.HasAttr("perm")) {
    for (size_t i = rank; i-- > 0;) perm.push_back(static_cast<int64_t>(i));
  }
  op.Check(perm.size() == rank,
           "perm " + DimsText(perm) + " does not fit an input of rank " + std::to_string(rank));
  const Dims own = StridesOf(in.dims());
  Dims dims(rank), strides(rank);
  std::vector<bool> seen(rank, false);
  for (size_t i = 0; i < rank; ++i) {
    const size_t axis = static_cast<size_t>(op.Axis(perm[i], in.rank()));
    op.Check(!seen[axis], "perm " + DimsText(perm) + " names axis " + std::to_string(axis) + " twice");
    seen[axis] = true;
    dims[i] = in.dims()[axis];
    strides[i] = own[axis];
  }
  Tensor& out = op.Output(0, in.type(), dims);
  CopyStrided(op, in, 0, dims, strides, out);
}

// Copies rows of `width` elements: row i of `from` (from_width apart) to row i of `to` (to_width apart).
template <class T>
void CopyRows(const Parallel& parallel, const T* from, int64_t from_width, T* to, int64_t to_width,
              int64_t width, int64_t rows) {
  parallel.For(rows, CopyCost<T>(width),
               [&](int64_t i) { std::copy_n(from + i * from_width, width, to + i * to_width); });
}

// Concat-13
void Concat(OpContext& op) {
  const Tensor& first = op.input(0);
  op.Check(first.rank() > 0, "scalars cannot be concatenated");
  const int64_t axis = op.Axis(op.Int("axis", 0), first.rank());
  Dims dims = first.dims();
  int64_t extent = 0;
  for (size_t i = 0; i < op.input_count(); ++i) {
    const Tensor& in = op.input(i);
    op.Check(in.type() == first.type(), "input " + std::to_string(i) + " is " + TypeName(in.type()) +
                                            ", input 0 is " + TypeName(first.type()));
    op.Check(in.rank() == first.rank(), "input " + std::to_string(i) + " has the shape " +
                                            DimsText(in.dims()) + ", input 0 has " + DimsText(first.dims()));
    for (int64_t a = 0; a < first.rank(); ++a)
      op.Check(a == axis || in.dim(a) == first.dim(a),
               "input " + std::to_string(i) + " has the shape " + DimsText(in.dims()) + ", input 0 has " +
                   DimsText(first.dims()) + "; they differ beside axis " + std::to_string(axis));
    if (__builtin_add_overflow(extent, in.dim(axis), &extent)) op.Fail("the output is too large");
  }
  dims[static_cast<size_t>(axis)] = extent;
  Tensor& out = op.Output(0, first.type(), dims);
  DispatchBySize(first.type(), [&]<class T>() {
    const AxisView all(dims, axis);
    T* to = out.data<T>();
    for (size_t i = 0; i < op.input_count(); ++i) {
      const Tensor& in = op.input(i);
      const int64_t width = in.dim(axis) * all.inner;
      CopyRows<T>(op.parallel(), in.data<T>(), width, to, extent * all.inner, width, all.outer);
      to += width;
    }
  });
}

// Split-18: sizes by `split`, or num_outputs equal parts of which the last may be smaller.
void Split(OpContext& op) {
  const Tensor& in = op.input(0);
  op.Check(in.rank() > 0, "a scalar cannot be split");
  const int64_t axis = op.Axis(op.Int("axis", 0), in.rank()), extent = in.dim(axis);
  const int64_t parts = static_cast<int64_t>(op.output_count());
  std::vector<int64_t> sizes;
  if (op.has(1)) {
    op.Check(!op.HasAttr("num_outputs"), "both split and num_outputs are given");
    sizes = op.input(1).AsInts();
    op.Check(static_cast<int64_t>(sizes.size()) == parts,
             "split " + DimsText(sizes) + " names " + std::to_string(sizes.size()) + " parts, the node has " +
                 std::to_string(parts) + " outputs");
    int64_t sum = 0;
    for (int64_t size : sizes) {
      op.Check(size >= 0, "negative size in split " + DimsText(sizes));
      if (__builtin_add_overflow(sum, size, &sum)) sum = INT64_MAX;
    }
    op.Check(sum == extent, "split " + DimsText(sizes) + " does not add up to the extent " +
                                std::to_string(extent) + " of axis " + std::to_string(axis));
  } else {
    const int64_t asked = op.Int("num_outputs", parts);
    op.Check(asked == parts, "num_outputs is " + std::to_string(asked) + ", the node has " +
                                 std::to_string(parts) + " outputs");
    const int64_t size = (extent + parts - 1) / std::max<int64_t>(parts, 1);
    for (int64_t i = 0, left = extent; i < parts; ++i) {
      sizes.push_back(std::min(size, left));
      left -= sizes.back();
    }
  }
  const AxisView view(in.dims(), axis);
  int64_t begin = 0;
  for (size_t i = 0; i < sizes.size(); begin += sizes[i++]) {
    if (!op.wants(i)) continue;
    Dims dims = in.dims();
    dims[static_cast<size_t>(axis)] = sizes[i];
    Tensor& out = op.Output(i, in.type(), dims);
    DispatchBySize(in.type(), [&]<class T>() {
      const int64_t width = sizes[i] * view.inner;
      CopyRows<T>(op.parallel(), in.data<T>() + begin * view.inner, extent * view.inner, out.data<T>(), width,
                  width, view.outer);
    });
  }
}

// Slice-13: numpy's data[start:end:step] on the given axes, with clamping.
void Slice(OpContext& op) {
  const Tensor& in = op.input(0);
  const std::vector<int64_t> starts = op.input(1).AsInts(), ends = op.input(2).AsInts();
  std::vector<int64_t> axes, steps;
  if (op.has(3)) {
    axes = op.input(3).AsInts();
  } else {
    for (size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  }
  steps = op.has(4) ? op.input(4).AsInts() : std::vector<int64_t>(starts.size(), 1);
  op.Check(ends.size() == starts.size() && axes.size() == starts.size() && steps.size() == starts.size(),
           "starts, ends, axes and steps have " + std::to_string(starts.size()) + ", " +
               std::to_string(ends.size()) + ", " + std::to_string(axes.size()) + " and " +
               std::to_string(steps.size()) + " elements");
  Dims dims = in.dims(), strides = StridesOf(in.dims());
  std::vector<bool> seen(dims.size(), false);
  int64_t offset = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    const size_t axis = static_cast<size_t>(op.Axis(axes[i], in.rank()));
    op.Check(!seen[axis], "axis " + std::to_string(axes[i]) + " is sliced twice");
    seen[axis] = true;
    const int64_t n = in.dims()[axis], step = steps[i];
    op.Check(step != 0, "the step of axis " + std::to_string(axis) + " is 0");
    const int64_t least = step > 0 ? 0 : -1, most = step > 0 ? n : n - 1;
    auto clamp = [&](int64_t at, int64_t low) {
      return std::clamp(at < 0 ? at + n : at, low, std::max(low, most));
    };
    // A start below the axis begins at 0, whatever the step's sign; an end before it includes element 0.
    const int64_t start = clamp(starts[i], 0), end = clamp(ends[i], least);
    int64_t count = 0;
    if (n > 0 && step > 0 && end > start) count = (end - start - 1) / step + 1;
    if (n > 0 && step < 0 && start > end) count = step == INT64_MIN ? 1 : (start - end - 1) / -step + 1;
    dims[axis] = count;
    if (count > 0) offset += start * strides[axis];
    strides[axis] = count > 1 ? strides[axis] * step : 0;
  }
  Tensor& out = op.Output(0, in.type(), dims);
  CopyStrided(op, in, offset, dims, strides, out);
}

// One axis of Pad: `lead` new elements, then `n` of the input from `from`, then `trail` new ones.
struct Padding {
  int64_t lead, from, n, trail;
  int64_t extent() const { return lead + n + trail; }
};

// The input element behind output position `at` - lead, for positions outside [0, n); n > 0.
int64_t PadSource(const Padding& axis, int64_t at, char mode) {
  const int64_t n = axis.n;
  if (mode == 'e') return axis.from + std::clamp<int64_t>(at, 0, n - 1);
  const int64_t period = mode == 'w' ? n : std::max<int64_t>(1, 2 * (n - 1));
  at %= period;
  if (at < 0) at += period;
  return axis.from + (at < n ? at : period - at);
}

// `mode`: first letter of the attribute: c(onstant), e(dge), r(eflect), w(rap).
template <class T>
void PadRows(const Parallel& parallel, const T* in, const Dims& in_strides, const std::vector<Padding>& axes,
             char mode, T value, T* out) {
  const size_t last = axes.size() - 1;
  const Padding& inner = axes[last];
  const int64_t width = inner.extent();
  int64_t rows = 1;
  for (size_t i = 0; i < last; ++i) rows *= axes[i].extent();
  parallel.For(rows, CopyCost<T>(width), [&](int64_t row) {
    T* to = out + row * width;
    const T* from = in;
    for (size_t i = last; i-- > 0;) {
      const Padding& axis = axes[i];
      const int64_t at = row % axis.extent() - axis.lead;
      row /= axis.extent();
      const bool inside = at >= 0 && at < axis.n;
      if (!inside && mode == 'c') {
        std::fill_n(to, width, value);
        return;
      }
      from += (inside ? axis.from + at : PadSource(axis, at, mode)) * in_strides[i];
    }
    for (int64_t j = 0; j < inner.lead; ++j)
      to[j] = mode == 'c' ? value : from[PadSource(inner, j - inner.lead, mode)];
    to += inner.lead;
    std::copy_n(from + inner.from, inner.n, to);
    to += inner.n;
    for (int64_t j = 0; j < inner.trail; ++j)
      to[j] = mode == 'c' ? value : from[PadSource(inner, inner.n + j, mode)];
  });
}

// Pad-25. Negative pads remove elements first; the mode then extends what is left.
void Pad(OpContext& op) {
  const Tensor& in = op.input(0);
  const std::vector<int64_t> pads = op.input(1).AsInts();
  const std::string mode = op.String("mode", "constant");
  op.Check(mode == "constant" || mode == "reflect" || mode == "edge" || mode == "wrap",
           "mode '" + mode + "' is not known");
  std::vector<int64_t> axes;
  if (op.has(3)) {
    axes = op.input(3).AsInts();
  } else {
    for (int64_t i = 0; i < in.rank(); ++i) axes.push_back(i);
  }
  op.Check(pads.size() == 2 * axes.size(),
           std::to_string(pads.size()) + " pads are given for " + std::to_string(axes.size()) + " axes");
  std::vector<Padding> paddings;
  for (int64_t extent : in.dims()) paddings.push_back({0, 0, extent, 0});
  Dims dims = in.dims();
  std::vector<bool> seen(dims.size(), false);
  for (size_t i = 0; i < axes.size(); ++i) {
    const size_t axis = static_cast<size_t>(op.Axis(axes[i], in.rank()));
    op.Check(!seen[axis], "axis " + std::to_string(axes[i]) + " is padded twice");
    seen[axis] = true;
    const int64_t begin = pads[i], end = pads[axes.size() + i], n = in.dims()[axis];
    const std::string where = "pads " + std::to_string(begin) + " and " + std::to_string(end) + " of axis " +
                              std::to_string(axis) + " of extent " + std::to_string(n);
    int64_t extent;
    if (__builtin_add_overflow(n, begin, &extent) || __builtin_add_overflow(extent, end, &extent))
      op.Fail(where + " overflow");
    // What is removed at one end may be more than is there only where the other end adds; then nothing of the
    // input is left.
    op.Check(extent >= 0, where + " leave a negative extent");
    Padding& p = paddings[axis];
    const int64_t low = std::clamp<int64_t>(begin < 0 ? (begin < -n ? n : -begin) : 0, 0, n);
    const int64_t high = end < 0 ? std::max(low, end < -n ? 0 : n + end) : n;
    p.from = low;
    p.n = high - low;
    p.lead = std::max<int64_t>(begin, 0);
    p.trail = extent - p.lead - p.n;
    if (p.trail < 0) {  // begin adds what end takes away again
      p.lead += p.trail;
      p.trail = 0;
    }
    dims[axis] = extent;
    op.Check(mode == "constant" || p.n > 0 || extent == 0,
             where + ": mode " + mode + " has no element to repeat");
  }
  Tensor& out = op.Output(0, in.type(), dims);
  if (out.size() == 0) return;
  // Axes behind the last padded one are one row.
  size_t used = paddings.size();
  while (used > 0 && paddings[used - 1].n == in.dims()[used - 1] &&
         paddings[used - 1].extent() == paddings[used - 1].n)
    --used;
  const int64_t row = ProductOf(in.dims(), used, in.dims().size());
  Dims strides = StridesOf(in.dims());
  paddings.resize(used);
  strides.resize(used);
  paddings.push_back({0, 0, row, 0});
  strides.push_back(1);
  if (used > 0 && row == 1) {
    paddings.pop_back();
    strides.pop_back();
  }
  const bool has_value = op.has(2) && op.input(2).size() > 0;
  if (has_value) {
    op.Check(op.input(2).type() == in.type(),
             "the constant value is " + TypeName(op.input(2).type()) + ", the input " + TypeName(in.type()));
    op.Check(op.input(2).size() == 1,
             "the constant value must be a scalar, its shape is " + DimsText(op.input(2).dims()));
  }
  DispatchBySize(in.type(), [&]<class T>() {
    PadRows<T>(op.parallel(), in.data<T>(), strides, paddings, mode[0],
               has_value ? op.input(2).data<T>()[0] : T(), out.data<T>());
  });
}

// Tile-13: the output as [r0, d0, r1, d1, ...], where the repeats stride over nothing.
void Tile(OpContext& op) {
  const Tensor& in = op.input(0);
  const std::vector<int64_t> repeats = op.input(1).AsInts();
  op.Check(static_cast<int64_t>(repeats.size()) == in.rank(), std::to_string(repeats.size()) +
                                                                  " repeats are given for an input of rank " +
                                                                  std::to_string(in.rank()));
  const Dims own = StridesOf(in.dims());
  Dims dims, walk, strides;
  for (size_t i = 0; i < repeats.size(); ++i) {
    int64_t extent;
    op.Check(repeats[i] >= 0, "negative repeats " + DimsText(repeats));
    if (__builtin_mul_overflow(repeats[i], in.dims()[i], &extent))
      op.Fail("repeats " + DimsText(repeats) + " overflow");
    dims.push_back(extent);
    walk.insert(walk.end(), {repeats[i], in.dims()[i]});
    strides.insert(strides.end(), {0, own[i]});
  }
  Tensor& out = op.Output(0, in.type(), dims);
  if (out.size() > 0) CopyStrided(op, in, 0, walk, strides, out);
}

// The axes `order` of a view of input 0 under `view` dims, as the output's elements.
void Rearrange(OpContext& op, const Dims& view, const std::vector<size_t>& order, Dims out_dims) {
  const Dims own = StridesOf(view);
  Dims dims, strides;
  for (size_t axis : order) {
    dims.push_back(view[axis]);
    strides.push_back(own[axis]);
  }
  Tensor& out = op.Output(0, op.input(0).type(), std::move(out_dims));
  CopyStrided(op, op.input(0), 0, dims, strides, out);
}

struct Blocks {
  int64_t n, c, h, w, size;
  bool crd;
  explicit Blocks(const OpContext& op) {
    const Tensor& in = op.input(0);
    op.Check(in.rank() == 4, "the input must have the axes N, C, H, W, its shape is " + DimsText(in.dims()));
    n = in.dim(0), c = in.dim(1), h = in.dim(2), w = in.dim(3);
    size = op.Int("blocksize", 0);
    op.Check(size > 0 && size < (int64_t{1} << 20), "blocksize is " + std::to_string(size));
    const std::string mode = op.String("mode", "DCR");
    op.Check(mode == "DCR" || mode == "CRD", "mode '" + mode + "' is not known");
    crd = mode == "CRD";
  }
};

// DepthToSpace-28
void DepthToSpace(OpContext& op) {
  const Blocks b(op);
  const int64_t s = b.size, c = b.c / (s * s);
  op.Check(b.c % (s * s) == 0,
           std::to_string(b.c) + " channels are no multiple of blocksize^2 = " + std::to_string(s * s));
  const Dims out = {b.n, c, b.h * s, b.w * s};
  if (b.crd) {
    Rearrange(op, {b.n, c, s, s, b.h, b.w}, {0, 1, 4, 2, 5, 3}, out);
  } else {
    Rearrange(op, {b.n, s, s, c, b.h, b.w}, {0, 3, 4, 1, 5, 2}, out);
  }
}

// SpaceToDepth-28
void SpaceToDepth(OpContext& op) {
  const Blocks b(op);
  const int64_t s = b.size, h = b.h / s, w = b.w / s;
  op.Check(b.h % s == 0 && b.w % s == 0, "the extents " + std::to_string(b.h) + " x " + std::to_string(b.w) +
                                             " are no multiples of blocksize " + std::to_string(s));
  const Dims view = {b.n, b.c, h, s, w, s}, out = {b.n, b.c * s * s, h, w};
  if (b.crd) {
    Rearrange(op, view, {0, 1, 3, 5, 2, 4}, out);
  } else {
    Rearrange(op, view, {0, 3, 5, 1, 2, 4}, out);
  }
}

// ReverseSequence-28: the first sequence_lens[b] steps of each batch element in reverse order.
void ReverseSequence(OpContext& op) {
  const Tensor& in = op.input(0);
  const int64_t batch_axis = op.Int("batch_axis", 1), time_axis = op.Int("time_axis", 0);
  op.Check(in.rank() >= 2, "the input must have at least two axes, its shape is " + DimsText(in.dims()));
  op.Check((batch_axis == 0 && time_axis == 1) || (batch_axis == 1 && time_axis == 0),
           "batch_axis " + std::to_string(batch_axis) + " and time_axis " + std::to_string(time_axis) +
               " must be 0 and 1 or 1 and 0");
  const std::vector<int64_t> lengths = op.input(1).AsInts();
  const int64_t batches = in.dim(batch_axis), steps = in.dim(time_axis);
  op.Check(static_cast<int64_t>(lengths.size()) == batches,
           std::to_string(lengths.size()) + " sequence lengths are given for a batch of " +
               std::to_string(batches));
  for (int64_t length : lengths)
    op.Check(length >= 0 && length <= steps, "sequence length " + std::to_string(length) +
                                                 " is not within [0, " + std::to_string(steps) + "]");
  Tensor& out = op.Output(0, in.type(), in.dims());
  const int64_t inner = ProductOf(in.dims(), 2, in.dims().size());
  const int64_t batch_stride = batch_axis == 0 ? steps * inner : inner,
                time_stride = batch_axis == 0 ? inner : batches * inner;
  DispatchBySize(in.type(), [&]<class T>() {
    op.parallel().For(batches * steps, CopyCost<T>(inner), [&](int64_t k) {
      const int64_t batch = k / steps, t = k % steps, length = lengths[static_cast<size_t>(batch)];
      const int64_t source = t < length ? length - 1 - t : t;
      std::copy_n(in.data<T>() + batch * batch_stride + source * time_stride, inner,
                  out.data<T>() + batch * batch_stride + t * time_stride);
    });
  });
}

// Trilu-14: keeps what lies on and above (upper) or on and below diagonal k; the rest is 0.
void Trilu(OpContext& op) {
  const Tensor& in = op.input(0);
  op.Check(in.rank() >= 2, "the input must have at least two axes, its shape is " + DimsText(in.dims()));
  const bool upper = op.Int("upper", 1) != 0;
  const int64_t rows = in.dim(in.rank() - 2), columns = in.dim(in.rank() - 1);
  const int64_t k = std::clamp(op.has(1) ? ScalarInt(op, 1, "k") : 0, -rows - 1, columns + 1);
  Tensor& out = op.Output(0, in.type(), in.dims());
  if (out.size() == 0) return;
  DispatchBySize(in.type(), [&]<class T>() {
    op.parallel().For(out.size() / columns, CopyCost<T>(columns), [&](int64_t r) {
      const T* from = in.data<T>() + r * columns;
      T* to = out.data<T>() + r * columns;
      // Columns [0, split) are below the diagonal; the diagonal itself is kept either way.
      const int64_t row = r % rows, split = std::clamp<int64_t>(row + k + (upper ? 0 : 1), 0, columns);
      if (upper) {
        std::fill_n(to, split, T());
        std::copy_n(from + split, columns - split, to + split);
      } else {
        std::copy_n(from, split, to);
        std::fill_n(to + split, columns - split, T());
      }
    });
  });
}

constexpr TypeSet kMovable = kNumeric | kComplexes | Types(kBool, kString);
constexpr TypeSet kIndex = Types(kInt32, kInt64);

}  // namespace

std::span<const OpEntry> MovementOps() {
  static const OpEntry kOps[] = {
      {"", "Transpose", 25, Transpose, {kAllTypes}},
      {"", "Concat", 13, Concat, {kMovable}},
      {"", "Split", 18, Split, {kMovable, Types(kInt64)}},
      {"", "Slice", 13, Slice, {kMovable, kIndex}},
      {"", "Pad", 25, Pad, {kAllTypes, Types(kInt64), kAllTypes, kIndex}},
      {"", "Tile", 13, Tile, {kMovable, Types(kInt64)}},
      {"", "DepthToSpace", 28, DepthToSpace, {kMovable}},
      {"", "SpaceToDepth", 28, SpaceToDepth, {kMovable}},
      {"", "ReverseSequence", 28, ReverseSequence, {kMovable, Types(kInt64)}},
      {"", "Trilu", 14, Trilu, {kMovable, Types(kInt64)}},
  };
  return kOps;
}

}  // namespace braid::reference
