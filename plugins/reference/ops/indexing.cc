// SPDX-License-Identifier: Apache-2.0
//
// Operators that take elements from, or put them at, positions given by other tensors. Every index is
// checked: one out of bounds is an error that names it, its place and the axis.
#include <array>

#include "plugins/reference/ops/broadcast.h"
#include "plugins/reference/ops/copy.h"
#include "plugins/reference/ops/op.h"
#include "plugins/reference/ops/pointwise.h"

namespace braid::reference {
namespace {

constexpr TypeSet kMovable = kNumeric | kComplexes | Types(kBool, kString);
constexpr TypeSet kIndex = Types(kInt32, kInt64);

// Indices into one axis, checked and made non-negative.
std::vector<int64_t> CheckedIndices(const OpContext& op, const Tensor& indices, int64_t extent,
                                    int64_t axis) {
  std::vector<int64_t> out = indices.AsInts();
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = CheckedIndex(op, out[i], extent, static_cast<int64_t>(i), axis);
  return out;
}

// Gather-13: slices of data along an axis; data.dims[:axis] + indices.dims + data.dims[axis+1:].
void Gather(OpContext& op) {
  const Tensor& data = op.input(0);
  op.Check(data.rank() > 0, "nothing can be gathered from a scalar");
  const int64_t axis = op.Axis(op.Int("axis", 0), data.rank());
  const std::vector<int64_t> indices = CheckedIndices(op, op.input(1), data.dim(axis), axis);
  Dims dims(data.dims().begin(), data.dims().begin() + axis);
  dims.insert(dims.end(), op.input(1).dims().begin(), op.input(1).dims().end());
  dims.insert(dims.end(), data.dims().begin() + axis + 1, data.dims().end());
  Tensor& out = op.Output(0, data.type(), dims);
  const AxisView view(data.dims(), axis);
  const int64_t count = static_cast<int64_t>(indices.size());
  if (out.size() == 0) return;
  DispatchBySize(data.type(), [&]<class T>() {
    const T* from = data.data<T>();
    T* to = out.data<T>();
    op.parallel().For(view.outer * count, CopyCost<T>(view.inner), [&](int64_t k) {
      const int64_t source = k / count * view.n + indices[static_cast<size_t>(k % count)];
      std::copy_n(from + source * view.inner, view.inner, to + k * view.inner);
    });
  });
}

// Calls f(i, row) for each element i of a tensor of `dims`, where row is the offset in a tensor with
// `strides` of the element with the same index, but 0 along `axis`.
template <class F>
void ForEachAlong(const Dims& dims, const Dims& strides, size_t axis, const F& f) {
  const int64_t total = Count(dims);
  Dims index(dims.size(), 0);
  int64_t row = 0;
  for (int64_t k = 0; k < total; ++k) {
    f(k, row);
    for (size_t i = dims.size(); i-- > 0;) {
      const int64_t step = i == axis ? 0 : strides[i];
      row += step;
      if (++index[i] < dims[i]) break;
      row -= step * dims[i];
      index[i] = 0;
    }
  }
}

void CheckElementDims(const OpContext& op, const Tensor& data, const Tensor& indices, int64_t axis) {
  op.Check(indices.rank() == data.rank(), "indices " + DimsText(indices.dims()) + " and data " +
                                              DimsText(data.dims()) + " have not the same rank");
  for (int64_t i = 0; i < data.rank(); ++i)
    op.Check(i == axis || indices.dim(i) <= data.dim(i), "indices " + DimsText(indices.dims()) +
                                                             " reach beyond data " + DimsText(data.dims()) +
                                                             " in axis " + std::to_string(i));
}

// GatherElements-13: out[i][j][k] = data[i][indices[i][j][k]][k] for axis 1.
void GatherElements(OpContext& op) {
  const Tensor &data = op.input(0), &indices = op.input(1);
  op.Check(data.rank() > 0, "nothing can be gathered from a scalar");
  const int64_t axis = op.Axis(op.Int("axis", 0), data.rank());
  CheckElementDims(op, data, indices, axis);
  const std::vector<int64_t> at = CheckedIndices(op, indices, data.dim(axis), axis);
  Tensor& out = op.Output(0, data.type(), indices.dims());
  const Dims strides = StridesOf(data.dims());
  const int64_t step = strides[static_cast<size_t>(axis)];
  DispatchBySize(data.type(), [&]<class T>() {
    ForEachAlong(indices.dims(), strides, static_cast<size_t>(axis), [&](int64_t i, int64_t row) {
      out.data<T>()[i] = data.data<T>()[row + at[static_cast<size_t>(i)] * step];
    });
  });
}

// Offsets in data of the slices that the index tuples (last axis of `indices`) name, counted from axis
// `first`.
std::vector<int64_t> TupleOffsets(const OpContext& op, const Tensor& indices, const Dims& data_dims,
                                  size_t first, int64_t width) {
  const std::vector<int64_t> values = indices.AsInts();
  const Dims strides = StridesOf(data_dims);
  const size_t tuples = values.size() / static_cast<size_t>(width);
  std::vector<int64_t> offsets(tuples, 0);
  for (size_t i = 0, k = 0; i < tuples; ++i)
    for (size_t j = first; j < first + static_cast<size_t>(width); ++j, ++k)
      offsets[i] += strides[j] * CheckedIndex(op, values[k], data_dims[j], static_cast<int64_t>(k),
                                              static_cast<int64_t>(j));
  return offsets;
}

// GatherND-13: slices named by index tuples, within each of the batch_dims leading axes.
void GatherND(OpContext& op) {
  const Tensor &data = op.input(0), &indices = op.input(1);
  const int64_t batch_dims = op.Int("batch_dims", 0);
  op.Check(data.rank() > 0 && indices.rank() > 0, "data and indices must have at least one axis");
  op.Check(batch_dims >= 0 && batch_dims < std::min(data.rank(), indices.rank()),
           "batch_dims " + std::to_string(batch_dims) + " must be less than the ranks of data " +
               DimsText(data.dims()) + " and indices " + DimsText(indices.dims()));
  const size_t b = static_cast<size_t>(batch_dims);
  for (size_t i = 0; i < b; ++i)
    op.Check(data.dims()[i] == indices.dims()[i], "data " + DimsText(data.dims()) + " and indices " +
                                                      DimsText(indices.dims()) + " differ in batch axis " +
                                                      std::to_string(i));
  const int64_t width = indices.dims().back();
  op.Check(width > 0 && width <= data.rank() - batch_dims,
           "index tuples of " + std::to_string(width) + " do not fit data " + DimsText(data.dims()) +
               " (batch_dims " + std::to_string(batch_dims) + ")");
  const size_t behind = b + static_cast<size_t>(width);
  Dims dims(indices.dims().begin(), indices.dims().end() - 1);
  dims.insert(dims.end(), data.dims().begin() + static_cast<int64_t>(behind), data.dims().end());
  const std::vector<int64_t> offsets = TupleOffsets(op, indices, data.dims(), b, width);
  Tensor& out = op.Output(0, data.type(), dims);
  if (out.size() == 0) return;
  const int64_t slice = ProductOf(data.dims(), behind, data.dims().size());
  const int64_t batch_size = ProductOf(data.dims(), b, data.dims().size());
  const int64_t per_batch = static_cast<int64_t>(offsets.size()) / ProductOf(data.dims(), 0, b);
  DispatchBySize(data.type(), [&]<class T>() {
    op.parallel().For(static_cast<int64_t>(offsets.size()), CopyCost<T>(slice), [&](int64_t k) {
      std::copy_n(data.data<T>() + k / per_batch * batch_size + offsets[static_cast<size_t>(k)], slice,
                  out.data<T>() + k * slice);
    });
  });
}

enum class Reduction { kNone, kAdd, kMul, kMax, kMin };

Reduction ReductionOf(const OpContext& op) {
  const std::string name = op.String("reduction", "none");
  if (name == "none") return Reduction::kNone;
  if (name == "add") return Reduction::kAdd;
  if (name == "mul") return Reduction::kMul;
  if (name == "max") return Reduction::kMax;
  if (name == "min") return Reduction::kMin;
  op.Fail("reduction '" + name + "' is not known");
}

// What a reduction makes of an element and its update. Integers wrap; bool adds as "or", multiplies as "and";
// NaN wins max and min.
template <Reduction kHow, class T>
T Combine(const T& old_value, const T& update) {
  const Compute<T> a = old_value, b = update;
  if constexpr (kHow == Reduction::kAdd) {
    if constexpr (std::is_same_v<T, bool>) return a || b;
    return static_cast<T>(Plus()(a, b));
  } else if constexpr (kHow == Reduction::kMul) {
    if constexpr (std::is_same_v<T, bool>) return a && b;
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
    return static_cast<T>(a * b);
  } else if constexpr (kHow == Reduction::kMax) {
    return b > a || b != b ? update : old_value;
  } else {
    return b < a || b != b ? update : old_value;
  }
}

// Calls body(combine) where combine(old, update) gives the new element; body is a template on the element's
// type, and combine a function object. Strings cannot be combined, complex numbers only added and multiplied.
template <class Body>
void WithReduction(const OpContext& op, int32_t type, Reduction how, const Body& body) {
  if (how == Reduction::kNone) {
    DispatchBySize(type, [&]<class T>() {
      body.template operator()<T>([](const T&, const T& update) -> const T& { return update; });
    });
    return;
  }
  constexpr TypeSet kOrdered = kNumeric | Types(kBool);
  bool done;
  switch (how) {
    case Reduction::kAdd:
      done = DispatchIn<kOrdered | kComplexes>(
          type, [&]<class T>() { body.template operator()<T>(Combine<Reduction::kAdd, T>); });
      break;
    case Reduction::kMul:
      done = DispatchIn<kOrdered | kComplexes>(
          type, [&]<class T>() { body.template operator()<T>(Combine<Reduction::kMul, T>); });
      break;
    case Reduction::kMax:
      done = DispatchIn<kOrdered>(
          type, [&]<class T>() { body.template operator()<T>(Combine<Reduction::kMax, T>); });
      break;
    default:
      done = DispatchIn<kOrdered>(
          type, [&]<class T>() { body.template operator()<T>(Combine<Reduction::kMin, T>); });
  }
  op.Check(done, "reduction '" + op.String("reduction", "none") + "' is not defined for " + TypeName(type));
}

void CheckUpdates(const OpContext& op, const Tensor& data, const Tensor& updates, const Dims& wanted) {
  op.Check(updates.type() == data.type(),
           "updates are " + TypeName(updates.type()) + ", data are " + TypeName(data.type()));
  op.Check(updates.dims() == wanted,
           "updates have the shape " + DimsText(updates.dims()) + ", " + DimsText(wanted) + " is needed");
}

// ScatterElements-18 (and Scatter-11, the same without a reduction): a copy of data in which element
// [i][indices[i][j][k]][k] (axis 1) is combined with updates[i][j][k], in the order of the updates.
void ScatterElements(OpContext& op) {
  const Tensor &data = op.input(0), &indices = op.input(1), &updates = op.input(2);
  op.Check(data.rank() > 0, "nothing can be scattered into a scalar");
  const int64_t axis = op.Axis(op.Int("axis", 0), data.rank());
  CheckElementDims(op, data, indices, axis);
  CheckUpdates(op, data, updates, indices.dims());
  const std::vector<int64_t> at = CheckedIndices(op, indices, data.dim(axis), axis);
  const Reduction how = ReductionOf(op);
  Tensor& out = op.Output(0, data.type(), data.dims());
  CopyAll(op, data, out);
  const Dims strides = StridesOf(data.dims());
  const int64_t step = strides[static_cast<size_t>(axis)];
  WithReduction(op, data.type(), how, [&]<class T>(const auto& combine) {
    ForEachAlong(indices.dims(), strides, static_cast<size_t>(axis), [&](int64_t i, int64_t row) {
      T& element = out.data<T>()[row + at[static_cast<size_t>(i)] * step];
      element = combine(element, updates.data<T>()[i]);
    });
  });
}

// ScatterND-18: a copy of data in which the slices that index tuples name are combined with slices of
// updates.
void ScatterND(OpContext& op) {
  const Tensor &data = op.input(0), &indices = op.input(1), &updates = op.input(2);
  op.Check(data.rank() > 0 && indices.rank() > 0, "data and indices must have at least one axis");
  const int64_t width = indices.dims().back();
  op.Check(width > 0 && width <= data.rank(),
           "index tuples of " + std::to_string(width) + " do not fit data " + DimsText(data.dims()));
  Dims wanted(indices.dims().begin(), indices.dims().end() - 1);
  wanted.insert(wanted.end(), data.dims().begin() + width, data.dims().end());
  CheckUpdates(op, data, updates, wanted);
  const std::vector<int64_t> offsets = TupleOffsets(op, indices, data.dims(), 0, width);
  const Reduction how = ReductionOf(op);
  Tensor& out = op.Output(0, data.type(), data.dims());
  CopyAll(op, data, out);
  const int64_t slice = ProductOf(data.dims(), static_cast<size_t>(width), data.dims().size());
  WithReduction(op, data.type(), how, [&]<class T>(const auto& combine) {
    const T* update = updates.data<T>();
    for (int64_t offset : offsets) {
      T* to = out.data<T>() + offset;
      for (int64_t i = 0; i < slice; ++i) to[i] = combine(to[i], *update++);
    }
  });
}

// TensorScatter-24: a cache in which `update` is written along the sequence axis from write_indices[batch]
// on.
void TensorScatter(OpContext& op) {
  const Tensor &cache = op.input(0), &update = op.input(1);
  const int64_t axis = op.Axis(op.Int("axis", -2), cache.rank());
  const std::string mode = op.String("mode", "linear");
  op.Check(axis != 0, "axis is the batch axis");
  op.Check(mode == "linear" || mode == "circular", "mode '" + mode + "' is not known");
  Dims wanted = cache.dims();
  if (update.rank() == cache.rank()) wanted[static_cast<size_t>(axis)] = update.dim(axis);
  CheckUpdates(op, cache, update, wanted);
  const AxisView view(cache.dims(), axis);
  const int64_t steps = update.dim(axis), batch = cache.dim(0);
  op.Check(steps <= view.n,
           "the update has " + std::to_string(steps) + " steps, the cache " + std::to_string(view.n));
  std::vector<int64_t> write(static_cast<size_t>(batch), 0);
  if (op.has(2)) {
    write = op.input(2).AsInts();
    op.Check(
        static_cast<int64_t>(write.size()) == batch,
        std::to_string(write.size()) + " write indices are given for a batch of " + std::to_string(batch));
  }
  for (int64_t& at : write) {
    if (mode == "circular") {
      if (view.n > 0) at = (at % view.n + view.n) % view.n;
    } else {
      op.Check(at >= 0 && at <= view.n - steps, "write index " + std::to_string(at) + " and " +
                                                    std::to_string(steps) + " steps do not fit a cache of " +
                                                    std::to_string(view.n));
    }
  }
  Tensor& out = op.Output(0, cache.type(), cache.dims());
  CopyAll(op, cache, out);
  if (update.size() == 0) return;
  const int64_t rows_per_batch = view.outer / batch;
  DispatchBySize(cache.type(), [&]<class T>() {
    op.parallel().For(view.outer * steps, CopyCost<T>(view.inner), [&](int64_t k) {
      const int64_t row = k / steps,
                    at = (write[static_cast<size_t>(row / rows_per_batch)] + k % steps) % view.n;
      std::copy_n(update.data<T>() + k * view.inner, view.inner,
                  out.data<T>() + (row * view.n + at) * view.inner);
    });
  });
}

// A real number as int64, towards zero; NaN and what int64 cannot hold become INT64_MIN (out of every range).
int64_t ToInt(double value) {
  return value > -0x1p63 && value < 0x1p63 ? static_cast<int64_t>(value) : INT64_MIN;
}

std::vector<int64_t> RealsAsInts(const Tensor& t) {
  if (Contains(kInts, t.type())) return t.AsInts();
  std::vector<int64_t> out(static_cast<size_t>(t.size()));
  for (size_t i = 0; i < out.size(); ++i) out[i] = ToInt(t.AsDouble(static_cast<int64_t>(i)));
  return out;
}

constexpr TypeSet kOneHotReals = kInts | Types(kFloat, kDouble, kFloat16);

// OneHot-28: values[1] at the index along a new axis of extent `depth`, values[0] elsewhere; indices outside
// [-depth, depth) give a row of values[0].
void OneHot(OpContext& op) {
  const Tensor &indices = op.input(0), &depth_tensor = op.input(1), &values = op.input(2);
  op.Check(depth_tensor.size() == 1,
           "depth must hold one element, its shape is " + DimsText(depth_tensor.dims()));
  op.Check(values.size() == 2, "values must hold two elements, its shape is " + DimsText(values.dims()));
  const int64_t depth = RealsAsInts(depth_tensor)[0];
  op.Check(depth >= 0, "depth is " + std::to_string(depth));
  const int64_t axis = op.Axis(op.Int("axis", -1), indices.rank() + 1);
  Dims dims = indices.dims();
  dims.insert(dims.begin() + axis, depth);
  Tensor& out = op.Output(0, values.type(), dims);
  if (out.size() == 0) return;
  const std::vector<int64_t> at = RealsAsInts(indices);
  const AxisView view(dims, axis);
  DispatchBySize(values.type(), [&]<class T>() {
    const T off = values.data<T>()[0], on = values.data<T>()[1];
    op.parallel().For(view.outer, CopyCost<T>(view.n * view.inner), [&](int64_t o) {
      T* to = out.data<T>() + o * view.n * view.inner;
      std::fill_n(to, view.n * view.inner, off);
      for (int64_t i = 0; i < view.inner; ++i) {
        int64_t index = at[static_cast<size_t>(o * view.inner + i)];
        if (index < -depth || index >= depth) continue;
        to[(index < 0 ? index + depth : index) * view.inner + i] = on;
      }
    });
  });
}

// NonZero-13: indices of the elements that are not 0 (not empty, for strings), one column each: [rank,
// count].
void NonZero(OpContext& op) {
  const Tensor& in = op.input(0);
  std::vector<int64_t> found;
  DispatchIn<kMovable>(in.type(), [&]<class T>() {
    const T* p = in.data<T>();
    for (int64_t i = 0; i < in.size(); ++i) {
      bool set;
      if constexpr (std::is_same_v<T, std::string>) {
        set = !p[i].empty();
      } else {
        set = Compute<T>(p[i]) != Compute<T>(0);
      }
      if (set) found.push_back(i);
    }
  });
  const int64_t count = static_cast<int64_t>(found.size());
  Tensor& out = op.Output(0, kInt64, {in.rank(), count});
  // The index of each is found from that of the one before: most are near.
  Dims index(in.dims().size(), 0);
  int64_t before = 0;
  for (int64_t i = 0; i < count; ++i) {
    int64_t carry = found[static_cast<size_t>(i)] - before;
    before += carry;
    for (size_t axis = index.size(); axis-- > 0 && carry > 0;) {
      index[axis] += carry;
      carry = 0;
      if (index[axis] >= in.dims()[axis]) {
        carry = index[axis] / in.dims()[axis];
        index[axis] %= in.dims()[axis];
      }
    }
    for (size_t axis = 0; axis < index.size(); ++axis)
      out.data<int64_t>()[static_cast<int64_t>(axis) * count + i] = index[axis];
  }
}

// Compress-28: the slices along an axis (of the flattened input without one) whose condition is true.
void Compress(OpContext& op) {
  const Tensor &in = op.input(0), &condition = op.input(1);
  op.Check(condition.rank() == 1,
           "the condition must have one axis, its shape is " + DimsText(condition.dims()));
  const bool flat = !op.HasAttr("axis");
  const Dims view_dims = flat ? Dims{in.size()} : in.dims();
  const int64_t axis = op.Axis(flat ? 0 : op.Int("axis", 0), static_cast<int64_t>(view_dims.size()));
  const AxisView view(view_dims, axis);
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < condition.size(); ++i) {
    if (!condition.data<bool>()[i]) continue;
    op.Check(i < view.n, "the condition selects element " + std::to_string(i) + " of an axis of extent " +
                             std::to_string(view.n));
    kept.push_back(i);
  }
  const int64_t count = static_cast<int64_t>(kept.size());
  Dims dims = view_dims;
  dims[static_cast<size_t>(axis)] = count;
  Tensor& out = op.Output(0, in.type(), dims);
  if (out.size() == 0) return;
  DispatchBySize(in.type(), [&]<class T>() {
    op.parallel().For(view.outer * count, CopyCost<T>(view.inner), [&](int64_t k) {
      const int64_t source = k / count * view.n + kept[static_cast<size_t>(k % count)];
      std::copy_n(in.data<T>() + source * view.inner, view.inner, out.data<T>() + k * view.inner);
    });
  });
}

// Where-16: condition ? X : Y, all three broadcast.
void Where(OpContext& op) {
  const Tensor &condition = op.input(0), &x = op.input(1), &y = op.input(2);
  op.Check(x.type() == y.type(), "X is " + TypeName(x.type()) + ", Y is " + TypeName(y.type()));
  const Dims shapes[] = {condition.dims(), x.dims(), y.dims()};
  const Dims dims = BroadcastDims(op, shapes);
  Tensor& out = op.Output(0, x.type(), dims);
  const std::array<Dims, 3> strides = {BroadcastStrides(shapes[0], dims), BroadcastStrides(shapes[1], dims),
                                       BroadcastStrides(shapes[2], dims)};
  DispatchBySize(x.type(), [&]<class T>() {
    const bool* c = condition.data<bool>();
    ForEachRow(
        dims, strides,
        [&](int64_t at, const std::array<int64_t, 3>& from, int64_t n, const std::array<int64_t, 3>& step) {
          T* to = out.data<T>() + at;
          const bool* choose = c + from[0];
          const T *a = x.data<T>() + from[1], *b = y.data<T>() + from[2];
          if (step[0] == 0) {  // one side for the whole row
            const T* side = *choose ? a : b;
            if ((*choose ? step[1] : step[2]) == 0) {
              std::fill_n(to, n, *side);
            } else {
              std::copy_n(side, n, to);
            }
          } else if (step[1] == 1 && step[2] == 1) {
            for (int64_t i = 0; i < n; ++i) to[i] = choose[i] ? a[i] : b[i];
          } else if (step[1] == 1) {
            for (int64_t i = 0; i < n; ++i) to[i] = choose[i] ? a[i] : *b;
          } else if (step[2] == 1) {
            for (int64_t i = 0; i < n; ++i) to[i] = choose[i] ? *a : b[i];
          } else {
            for (int64_t i = 0; i < n; ++i) to[i] = choose[i] ? *a : *b;
          }
        });
  });
}

Judgement JudgeScatter(const kit::Node& node) {
  const std::string_view how = node.String("reduction", "none");
  const int32_t type = node.has_input(0) ? static_cast<int32_t>(node.input_value(0).type()) : int32_t{kFloat};
  const bool ordered = how == "max" || how == "min";
  if (how != "none" && (type == kString || (ordered && Contains(kComplexes, type))))
    return {BRAID_NO_ATTRIBUTE, BRAID_NONE, node.attribute_index("reduction"),
            std::string(node.op()) + ": reduction '" + std::string(how) + "' is not defined for " +
                TypeName(type)};
  return {};
}

}  // namespace

std::span<const OpEntry> IndexingOps() {
  static const OpEntry kOps[] = {
      {"", "Gather", 13, Gather, {kMovable, kIndex}},
      {"", "GatherElements", 13, GatherElements, {kMovable, kIndex}},
      {"", "GatherND", 13, GatherND, {kMovable, Types(kInt64)}},
      {"", "Scatter", 11, ScatterElements, {kMovable, kIndex, kMovable}},
      {"", "ScatterElements", 18, ScatterElements, {kMovable, kIndex, kMovable}, JudgeScatter},
      {"", "ScatterND", 18, ScatterND, {kMovable, Types(kInt64), kMovable}, JudgeScatter},
      {"", "TensorScatter", 24, TensorScatter, {kAllTypes, kAllTypes, Types(kInt64)}},
      {"", "OneHot", 28, OneHot, {kOneHotReals, kOneHotReals, kMovable}},
      {"", "NonZero", 13, NonZero, {kMovable}},
      {"", "Compress", 28, Compress, {kMovable, Types(kBool)}},
      {"", "Where", 16, Where, {Types(kBool), kMovable}},
  };
  return kOps;
}

}  // namespace braid::reference
