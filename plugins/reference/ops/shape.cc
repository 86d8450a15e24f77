// SPDX-License-Identifier: Apache-2.0
//
// Operators on shapes, and those that make tensors from shapes or attributes.
#include <cmath>

#include "plugins/reference/ops/broadcast.h"
#include "plugins/reference/ops/copy.h"
#include "plugins/reference/ops/op.h"

namespace braid::reference {
namespace {

Tensor IntsTensor(const std::vector<int64_t>& values) {
  return Tensor::Of<int64_t>({static_cast<int64_t>(values.size())}, values);
}

// An output with the elements of input 0 under other dims: shared, not copied.
void OutputReshaped(OpContext& op, Dims dims) { op.SetOutput(0, op.input(0).Reshaped(std::move(dims))); }

// Shape-25: extents of axes [start, end); both clamped to [0, r].
void Shape(OpContext& op) {
  const Dims& dims = op.input(0).dims();
  const int64_t rank = op.input(0).rank();
  auto clamp = [&](int64_t axis) {
    return axis < 0 ? std::max<int64_t>(axis, -rank) + rank : std::min(axis, rank);
  };
  const int64_t start = clamp(op.Int("start", 0)), end = clamp(op.HasAttr("end") ? op.Int("end", 0) : rank);
  const int64_t count = std::max<int64_t>(end - start, 0);
  Tensor& out = op.Output(0, kInt64, {count});
  std::copy_n(dims.begin() + start, count, out.data<int64_t>());
}

// Size-25
void Size(OpContext& op) { op.Output(0, kInt64, {}).data<int64_t>()[0] = op.input(0).size(); }

// Identity-25
void Identity(OpContext& op) { op.SetOutput(0, op.input(0)); }

// Reshape-25: 0 copies the input's extent (unless allowzero), one -1 is inferred.
void Reshape(OpContext& op) {
  const Tensor& in = op.input(0);
  const Tensor& shape = op.input(1);
  op.Check(shape.rank() == 1, "the shape must have one axis, it is " + DimsText(shape.dims()));
  const bool allow_zero = op.Int("allowzero", 0) != 0;
  const Dims asked = shape.AsInts();
  Dims dims = asked;
  // Products of the output's known extents and of the input's, both without extents of 0 that are copied: so
  // that -1 beside one has a meaning.
  int64_t known = 1, available = 1;
  size_t inferred = dims.size();
  std::vector<bool> copied_zero(in.dims().size(), false);
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == -1) {
      op.Check(inferred == dims.size(), "more than one -1 in the shape " + DimsText(asked));
      inferred = i;
      continue;
    }
    op.Check(dims[i] >= 0, "negative extent in the shape " + DimsText(asked));
    if (dims[i] == 0 && !allow_zero) {
      op.Check(i < in.dims().size(), "the shape " + DimsText(asked) + " copies axis " + std::to_string(i) +
                                         ", which the input " + DimsText(in.dims()) + " does not have");
      dims[i] = in.dims()[i];
      copied_zero[i] = dims[i] == 0;
      if (copied_zero[i]) continue;
    }
    if (__builtin_mul_overflow(known, dims[i], &known))
      op.Fail("the shape " + DimsText(asked) + " is too large");
  }
  for (size_t i = 0; i < in.dims().size(); ++i)
    if (!copied_zero[i] && __builtin_mul_overflow(available, in.dims()[i], &available))
      op.Fail("an input of shape " + DimsText(in.dims()) + " is too large");
  if (inferred < dims.size()) {
    op.Check(known != 0, "-1 cannot be inferred beside 0 in the shape " + DimsText(asked));
    op.Check(available % known == 0,
             "an input of shape " + DimsText(in.dims()) + " does not fit the shape " + DimsText(asked));
    dims[inferred] = available / known;
  }
  op.Check(Count(dims) == in.size(),
           "an input of shape " + DimsText(in.dims()) + " does not fit the shape " + DimsText(asked));
  OutputReshaped(op, std::move(dims));
}

// Flatten-25: [product of dims[:axis], product of dims[axis:]].
void Flatten(OpContext& op) {
  const Tensor& in = op.input(0);
  int64_t axis = op.Int("axis", 1);
  op.Check(axis >= -in.rank() && axis <= in.rank(), "axis " + std::to_string(axis) +
                                                        " is not within [-r, r] of an input of rank " +
                                                        std::to_string(in.rank()));
  if (axis < 0) axis += in.rank();
  const size_t split = static_cast<size_t>(axis);
  OutputReshaped(op, {ProductOf(in.dims(), 0, split), ProductOf(in.dims(), split, in.dims().size())});
}

// Squeeze-25: drops the given axes of extent 1, or all of them.
void Squeeze(OpContext& op) {
  const Tensor& in = op.input(0);
  std::vector<bool> drop(in.dims().size(), false);
  if (op.has(1)) {
    for (int64_t asked : op.input(1).AsInts()) {
      const int64_t axis = op.Axis(asked, in.rank());
      op.Check(in.dim(axis) == 1,
               "axis " + std::to_string(asked) + " of " + DimsText(in.dims()) + " has not the extent 1");
      drop[static_cast<size_t>(axis)] = true;
    }
  } else {
    for (size_t i = 0; i < drop.size(); ++i) drop[i] = in.dims()[i] == 1;
  }
  Dims dims;
  for (size_t i = 0; i < drop.size(); ++i)
    if (!drop[i]) dims.push_back(in.dims()[i]);
  OutputReshaped(op, std::move(dims));
}

// Unsqueeze-25: axes are those of the output.
void Unsqueeze(OpContext& op) {
  const Tensor& in = op.input(0);
  const std::vector<int64_t> axes = op.input(1).AsInts();
  op.Check(axes.size() <= 1024, std::to_string(axes.size()) + " axes to insert");
  const int64_t rank = in.rank() + static_cast<int64_t>(axes.size());
  std::vector<bool> inserted(static_cast<size_t>(rank), false);
  for (int64_t asked : axes) {
    const size_t axis = static_cast<size_t>(op.Axis(asked, rank));
    op.Check(!inserted[axis], "axis " + std::to_string(asked) + " is inserted twice");
    inserted[axis] = true;
  }
  Dims dims;
  size_t next = 0;
  for (bool one : inserted) dims.push_back(one ? 1 : in.dims()[next++]);
  OutputReshaped(op, std::move(dims));
}

// Expand-13: broadcast with a shape; the output may be larger than the shape asks.
void Expand(OpContext& op) {
  const Tensor& in = op.input(0);
  op.Check(op.input(1).rank() == 1, "the shape must have one axis, it is " + DimsText(op.input(1).dims()));
  const Dims shapes[] = {in.dims(), op.input(1).AsInts()};
  for (int64_t extent : shapes[1])
    op.Check(extent >= 0, "negative extent in the shape " + DimsText(shapes[1]));
  Dims dims = BroadcastDims(op, shapes);
  Tensor& out = op.Output(0, in.type(), dims);
  CopyStrided(op, in, 0, dims, BroadcastStrides(in.dims(), dims), out);
}

// Constant-25. The core makes sparse values dense.
void Constant(OpContext& op) {
  if (Tensor value = op.TensorAttr("value"); value.present()) return op.SetOutput(0, value);
  if (op.HasAttr("value_int")) return op.SetOutput(0, Tensor::Scalar<int64_t>(op.Int("value_int", 0)));
  if (op.HasAttr("value_float")) return op.SetOutput(0, Tensor::Scalar<float>(op.Float("value_float", 0)));
  if (op.HasAttr("value_string"))
    return op.SetOutput(0, Tensor::Scalar<std::string>(op.String("value_string", "")));
  if (op.HasAttr("value_ints")) return op.SetOutput(0, IntsTensor(op.Ints("value_ints")));
  if (op.HasAttr("value_floats")) {
    std::vector<float> values = op.Floats("value_floats");
    return op.SetOutput(0, Tensor::Of<float>({static_cast<int64_t>(values.size())}, values));
  }
  if (op.HasAttr("value_strings")) {
    std::vector<std::string> values = op.Strings("value_strings");
    return op.SetOutput(0, Tensor::Of<std::string>({static_cast<int64_t>(values.size())}, values));
  }
  op.Fail(
      "none of the attributes value, value_int, value_float, value_string, value_ints, value_floats, "
      "value_strings is given");
}

// ConstantOfShape-25: one value everywhere, float32 0 by default.
void ConstantOfShape(OpContext& op) {
  const Tensor& shape = op.input(0);
  op.Check(shape.rank() == 1, "the shape must have one axis, it is " + DimsText(shape.dims()));
  Tensor value = op.TensorAttr("value");
  if (!value.present()) value = Tensor::Scalar<float>(0);
  op.Check(value.size() == 1, "the value must hold one element, its shape is " + DimsText(value.dims()));
  Dims dims = shape.AsInts();
  for (int64_t extent : dims) op.Check(extent >= 0, "negative extent in the shape " + DimsText(dims));
  Tensor& out = op.Output(0, value.type(), dims);
  CopyStrided(op, value, 0, {out.size()}, {0}, out);
}

constexpr TypeSet kRangeTypes = kFloats | Types(kInt16, kInt32, kInt64);

// Range-27: start + i * delta for i < ceil((limit - start) / delta).
void Range(OpContext& op) {
  const int32_t type = op.input(0).type();
  for (size_t i = 0; i < 3; ++i) {
    op.Check(op.input(i).size() == 1, "start, limit and delta must be scalars, input " + std::to_string(i) +
                                          " is " + DimsText(op.input(i).dims()));
    op.Check(op.input(i).type() == type, "start, limit and delta must be of one type");
  }
  const int64_t stash = op.Int("stash_type", kFloat);
  DispatchIn<kRangeTypes>(type, [&]<class T>() {
    const T start = op.input(0).data<T>()[0], limit = op.input(1).data<T>()[0],
            delta = op.input(2).data<T>()[0];
    if constexpr (std::is_integral_v<T>) {
      op.Check(delta != 0, "delta is 0");
      __int128 span = static_cast<__int128>(limit) - start, step = delta;
      __int128 count =
          (span + step + (step > 0 ? -1 : 1)) / step;  // rounds up, as span and step have one sign
      if ((step > 0) != (span > 0)) count = 0;
      op.Check(count <= (int64_t{1} << 40), "from " + std::to_string(start) + " to " + std::to_string(limit) +
                                                " by " + std::to_string(delta) +
                                                " are more than 2^40 elements");
      Tensor& out = op.Output(0, type, {static_cast<int64_t>(count)});
      using U = std::make_unsigned_t<T>;
      U value = static_cast<U>(start);
      for (int64_t i = 0; i < out.size(); ++i, value = static_cast<U>(value + static_cast<U>(delta)))
        out.data<T>()[i] = static_cast<T>(value);
    } else {
      const double first = static_cast<double>(start), last = static_cast<double>(limit),
                   step = static_cast<double>(delta);
      op.Check(std::isfinite(first) && std::isfinite(last) && std::isfinite(step) && step != 0,
               "from " + std::to_string(first) + " to " + std::to_string(last) + " by " +
                   std::to_string(step) + " is no range");
      const double count = std::max(0.0, std::ceil((last - first) / step));
      op.Check(count <= 0x1p40, "from " + std::to_string(first) + " to " + std::to_string(last) + " by " +
                                    std::to_string(step) + " are more than 2^40 elements");
      Tensor& out = op.Output(0, type, {static_cast<int64_t>(count)});
      // Half types step in the stash type (float unless it is double); others in their own, here in double
      // and rounded once.
      const bool in_float = sizeof(T) == 2 && stash != kDouble;
      for (int64_t i = 0; i < out.size(); ++i) {
        double value = first + static_cast<double>(i) * step;
        out.data<T>()[i] = T(in_float ? static_cast<float>(value) : value);
      }
    }
  });
}

constexpr TypeSet kEyeTypes = kNumeric | Types(kBool);

// EyeLike-22: ones on diagonal k (k > 0 above the main one), of `dtype` or the input's type.
void EyeLike(OpContext& op) {
  const Tensor& in = op.input(0);
  op.Check(in.rank() == 2, "the input must have two axes, it is " + DimsText(in.dims()));
  const int32_t type = op.HasAttr("dtype") ? static_cast<int32_t>(op.Int("dtype", 0)) : in.type();
  op.Check(Contains(kEyeTypes, type), "dtype " + std::to_string(type) + " is not allowed");
  const int64_t rows = in.dim(0), columns = in.dim(1), k = op.Int("k", 0);
  Tensor& out = op.Output(0, type, in.dims());
  DispatchIn<kEyeTypes>(type, [&]<class T>() {
    std::fill_n(out.data<T>(), out.size(), T(0));
    if (k <= -rows || k >= columns) return;
    for (int64_t row = std::max<int64_t>(0, -k); row < rows && row + k < columns; ++row)
      out.data<T>()[row * columns + row + k] = T(1);
  });
}

Judgement JudgeConstant(const kit::Node& node) {
  if (node.has("sparse_value"))
    return {BRAID_NO_ATTRIBUTE, BRAID_NONE, node.attribute_index("sparse_value"),
            "Constant: sparse_value is not made dense"};
  return {};
}

constexpr TypeSet kExpandTypes = kNumeric | kComplexes | Types(kBool, kString);

}  // namespace

std::span<const OpEntry> ShapeOps() {
  static const OpEntry kOps[] = {
      {"", "Shape", 25, Shape, {kAllTypes}},
      {"", "Size", 25, Size, {kAllTypes}},
      {"", "Identity", 25, Identity, {kAllTypes}},
      {"", "Reshape", 25, Reshape, {kAllTypes, Types(kInt64)}},
      {"", "Flatten", 25, Flatten, {kAllTypes}},
      {"", "Squeeze", 25, Squeeze, {kAllTypes, Types(kInt64)}},
      {"", "Unsqueeze", 25, Unsqueeze, {kAllTypes, Types(kInt64)}},
      {"", "Expand", 13, Expand, {kExpandTypes, Types(kInt64)}},
      {"", "Constant", 25, Constant, {}, JudgeConstant},
      {"", "ConstantOfShape", 25, ConstantOfShape, {Types(kInt64)}},
      {"", "Range", 27, Range, {kRangeTypes}},
      {"", "EyeLike", 22, EyeLike, {kEyeTypes}},
  };
  return kOps;
}

}  // namespace braid::reference
