// SPDX-License-Identifier: Apache-2.0
//
// QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear. An element is x or (q - zero_point) * scale
// exactly in double and rounded once to the precision that the specification names.
#include "plugins/reference/ops/quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "plugins/reference/ops/pointwise.h"

namespace braid::reference {
namespace {

constexpr TypeSet kQuantized = Types(kInt8, kUint8, kInt16, kUint16) | kNarrowInts | kFloat8s | kSmallFloats;
constexpr TypeSet kDequantizable = kQuantized | Types(kInt32);
constexpr TypeSet kScaled = Types(kFloat, kFloat16, kBFloat16);
constexpr TypeSet kQuantizable = kScaled | Types(kInt32);
constexpr TypeSet kQuantizeScales = kQuantizable | Types(kFloat8E8M0);
constexpr TypeSet kDequantizeScales = kScaled | Types(kFloat8E8M0);
constexpr int64_t kBlock = 256;
constexpr int64_t kCost = 8;

// `t` repeated `block` times along `axis`, cut off at `extent`: what a blocked scale is for each element.
Tensor Repeated(const Tensor& t, int64_t axis, int64_t block, int64_t extent) {
  Dims dims = t.dims();
  const int64_t parts = dims[static_cast<size_t>(axis)];
  dims[static_cast<size_t>(axis)] = extent;
  Tensor out(t.type(), dims);
  int64_t outer = 1, inner = static_cast<int64_t>(HeldBytes(t.type()));
  for (int64_t i = 0; i < t.rank(); ++i) (i < axis ? outer : inner) *= i == axis ? 1 : t.dim(i);
  const char* from = static_cast<const char*>(t.raw());
  char* to = static_cast<char*>(out.raw());
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t d = 0; d < extent; ++d)
      std::copy_n(from + (o * parts + d / block) * inner, inner, to + (o * extent + d) * inner);
  return out;
}

// A scale or zero point in a shape that broadcasts to x: a scalar, one along `axis`, or one an element.
Tensor Spread(const OpContext& op, const Tensor& x, const Tensor& t, const char* name) {
  const int64_t block = op.Int("block_size", 0);
  op.Check(block >= 0, "block_size is " + std::to_string(block) + ", below 0");
  if (t.rank() == 0) return t;
  if (t.rank() == 1 && t.size() == 1) return t.Reshaped({});
  op.Check(x.rank() > 0, std::string(name) + " has shape " + DimsText(t.dims()) + ", x is a scalar");
  // A vector has no axis to choose (the attribute's default, 1, is beyond it).
  const int64_t axis = x.rank() == 1 ? 0 : op.Axis(op.Int("axis", 1), x.rank());
  const int64_t extent = x.dim(axis);
  if (block == 0) {
    if (t.rank() != 1 || t.size() != extent)
      op.Fail(std::string(name) + " has shape " + DimsText(t.dims()) + ", but axis " + std::to_string(axis) +
              " of x " + DimsText(x.dims()) + " has " + std::to_string(extent) +
              " elements and block_size is 0");
    Dims dims(static_cast<size_t>(x.rank()), 1);
    dims[static_cast<size_t>(axis)] = extent;
    return t.Reshaped(dims);
  }
  Dims want = x.dims();
  want[static_cast<size_t>(axis)] = extent / block + (extent % block != 0);
  if (t.dims() != want)
    op.Fail(std::string(name) + " has shape " + DimsText(t.dims()) + ", not " + DimsText(want) +
            ", that of x " + DimsText(x.dims()) + " in blocks of " + std::to_string(block) + " along axis " +
            std::to_string(axis));
  return Repeated(t, axis, block, extent);
}

// The elements as doubles, which hold every type of Set exactly.
template <TypeSet Set>
Tensor AsDoubles(const OpContext& op, const Tensor& t) {
  Tensor out(kDouble, t.dims());
  Dispatch<Set>(op, t.type(), [&]<class T>() {
    Map<T, double>(op, t, out, [](auto v) { return static_cast<double>(v); });
  });
  return out;
}

// A quotient in double, rounded to `precision`. Of two values of that precision it is as if divided in it: a
// double has more than twice the bits.
double RoundTo(int32_t precision, double v) {
  switch (precision) {
    case kFloat16:
      return static_cast<float>(Float16::From(v, false));
    case kBFloat16:
      return static_cast<float>(BFloat16::From(v, false));
    case kFloat:
      return static_cast<float>(v);
    default:
      return v;
  }
}

int32_t TypeAttribute(const kit::Node& node, std::string_view name) {
  const int64_t v = node.Int(name, 0);
  return v >= 0 && v < 64 ? static_cast<int32_t>(v) : -1;
}

// The output's type: of the zero point, else output_dtype, else uint8.
int32_t QuantizedType(const OpContext& op, int32_t zero_point) {
  const int32_t asked = TypeAttribute(op.node(), "output_dtype");
  if (zero_point != kUndefined) {
    if (asked != kUndefined && asked != zero_point)
      op.Fail("output_dtype is " + TypeName(asked) + ", but y_zero_point is " + TypeName(zero_point));
    return zero_point;
  }
  return asked == kUndefined ? kUint8 : asked;
}

// What each element of x is scaled and shifted by, in double: of its own shape, or spread by strides of 0.
struct Scaling {
  Tensor scale, zero;  // zero is all 0 where there is no zero point
};

// `of`: "x" or "y", which the inputs' names start with.
template <TypeSet ScaleSet, TypeSet ZeroSet>
Scaling ScalingOf(const OpContext& op, const std::string& of) {
  const Tensor& x = op.input(0);
  const Tensor& given = op.input(1);
  Scaling s{AsDoubles<ScaleSet>(op, Spread(op, x, given, (of + "_scale").c_str())), {}};
  if (!op.has(2)) {
    s.zero = Tensor(kDouble, s.scale.dims());
    std::fill_n(s.zero.data<double>(), s.zero.size(), 0.0);
    return s;
  }
  const Tensor& z = op.input(2);
  if (z.dims() != given.dims() && !(z.size() == 1 && given.size() == 1))
    op.Fail(of + "_zero_point has shape " + DimsText(z.dims()) + ", " + of + "_scale has " +
            DimsText(given.dims()));
  s.zero = AsDoubles<ZeroSet>(op, Spread(op, x, z, (of + "_zero_point").c_str()));
  return s;
}

// Some elements of x that lie side by side, as doubles to be worked on in place; scale[i * step] and
// zero[i * step] belong to values[i].
struct Block {
  double* values;
  int64_t first, count;  // position in x
  const double *scale, *zero;
  int64_t step;
};

// Calls f(Block) for all of x, on several threads.
template <TypeSet Set, class F>
void ForEachBlock(const OpContext& op, const Tensor& x, const Scaling& scaling, F f) {
  ForEachPairRow(op, x.dims(), x.dims(), scaling.scale.dims(), kCost, [&](const PairRow& row) {
    double values[kBlock];
    const int64_t step = row.inner[1];
    for (int64_t done = 0; done < row.count; done += kBlock) {
      const int64_t first = row.offsets[0] + done, count = std::min(kBlock, row.count - done);
      const int64_t at = row.offsets[1] + done * step;
      Dispatch<Set>(op, x.type(), [&]<class T>() {
        const T* from = x.data<T>() + first;
        for (int64_t i = 0; i < count; ++i) values[i] = static_cast<double>(static_cast<Compute<T>>(from[i]));
      });
      f(Block{values, first, count, scaling.scale.data<double>() + at, scaling.zero.data<double>() + at,
              step});
    }
  });
}

// QuantizeLinear-28: y = saturate(round(x / y_scale) + y_zero_point). The quotient has the precision of
// `precision`, else of y_scale; float32 for a scale of float8e8m0, exact for int32.
void QuantizeLinear(OpContext& op) {
  const Tensor& x = op.input(0);
  const int32_t scale_type = op.input(1).type();
  const int32_t type = QuantizedType(op, op.has(2) ? op.input(2).type() : kUndefined);
  op.Check(Contains(kQuantized, type), "cannot quantize to " + TypeName(type));
  int32_t precision = TypeAttribute(op.node(), "precision");
  if (precision == kUndefined) precision = scale_type == kFloat8E8M0 ? int32_t{kFloat} : scale_type;
  op.Check(Contains(kFloats | Types(kInt32), precision), "cannot divide in precision " + TypeName(precision));
  const bool saturate = op.Int("saturate", 1) != 0;
  const bool integers = !Contains(kFloat8s | kSmallFloats, type);
  // x is first rounded to the precision, as the division's other operand is.
  const bool narrow = Contains(Types(kFloat16, kBFloat16), precision);
  const Scaling scaling = ScalingOf<kQuantizeScales, kQuantized>(op, "y");
  Tensor& y = op.Output(0, type, x.dims());
  ForEachBlock<kQuantizable>(op, x, scaling, [&](const Block& b) {
    double* v = b.values;
    if (narrow)
      for (int64_t i = 0; i < b.count; ++i)
        v[i] = RoundTo(precision, RoundTo(precision, v[i]) / RoundTo(precision, b.scale[i * b.step]));
    else if (precision == kFloat)
      for (int64_t i = 0; i < b.count; ++i)
        v[i] = static_cast<float>(static_cast<float>(v[i]) / static_cast<float>(b.scale[i * b.step]));
    else
      for (int64_t i = 0; i < b.count; ++i) v[i] = v[i] / b.scale[i * b.step];
    if (integers)
      for (int64_t i = 0; i < b.count; ++i) v[i] = RoundedToEven(v[i]);
    for (int64_t i = 0; i < b.count; ++i) v[i] += b.zero[i * b.step];
    Dispatch<kQuantized>(op, type, [&]<class Q>() {
      Q* to = y.data<Q>() + b.first;
      for (int64_t i = 0; i < b.count; ++i) to[i] = ToQuantized<Q>(v[i], saturate);
    });
  });
}

// DequantizeLinear-28: y = (x - x_zero_point) x_scale, in the output's precision.
void DequantizeLinear(OpContext& op) {
  const Tensor& x = op.input(0);
  int32_t type = TypeAttribute(op.node(), "output_dtype");
  if (type == kUndefined) type = op.input(1).type();
  if (!Contains(kScaled, type))
    op.Fail("cannot dequantize to " + TypeName(type) +
            (type == kFloat8E8M0 ? "; output_dtype must name a float type" : ""));
  if (op.has(2))
    op.Check(op.input(2).type() == x.type(),
             "x_zero_point is " + TypeName(op.input(2).type()) + ", x is " + TypeName(x.type()));
  const Scaling scaling = ScalingOf<kDequantizeScales, kDequantizable>(op, "x");
  Tensor& y = op.Output(0, type, x.dims());
  ForEachBlock<kDequantizable>(op, x, scaling, [&](const Block& b) {
    double* v = b.values;
    for (int64_t i = 0; i < b.count; ++i) v[i] = (v[i] - b.zero[i * b.step]) * b.scale[i * b.step];
    Dispatch<kScaled>(op, type, [&]<class T>() {
      T* to = y.data<T>() + b.first;
      for (int64_t i = 0; i < b.count; ++i) to[i] = static_cast<T>(v[i]);
    });
  });
}

// DynamicQuantizeLinear-11: the range of x and 0 onto [0, 255]. All zeros give a scale of 0, as the formula
// says, with zero point and elements 0.
void DynamicQuantizeLinear(OpContext& op) {
  const Tensor& x = op.input(0);
  op.Check(x.type() == kFloat, "does not take type " + TypeName(x.type()));
  const float* from = x.data<float>();
  float low = 0, high = 0;
  for (int64_t i = 0; i < x.size(); ++i) {
    low = std::min(low, from[i]);
    high = std::max(high, from[i]);
  }
  const float scale = (high - low) / 255.0f;
  const float zero = scale > 0 ? RoundedToEven(std::clamp(0.0f - low / scale, 0.0f, 255.0f)) : 0.0f;
  Tensor& y = op.Output(0, kUint8, x.dims());
  if (scale > 0)
    Map<float, uint8_t>(
        op, x, y, [=](float v) { return ToQuantized<uint8_t>(RoundedToEven(v / scale) + zero, true); },
        kCost);
  else
    std::fill_n(y.data<uint8_t>(), y.size(), uint8_t{0});
  op.Output(1, kFloat, {}).data<float>()[0] = scale;
  op.Output(2, kUint8, {}).data<uint8_t>()[0] = static_cast<uint8_t>(zero);
}

Judgement Refuse(const kit::Node& node, std::string_view attribute, const std::string& text) {
  return {BRAID_NO_ATTRIBUTE, BRAID_NONE, node.attribute_index(attribute),
          std::string(attribute) + " is " + std::to_string(node.Int(attribute, 0)) + ", " + text};
}
Judgement JudgeQuantize(const kit::Node& node) {
  const int32_t type = TypeAttribute(node, "output_dtype"), precision = TypeAttribute(node, "precision");
  if (type != kUndefined && !Contains(kQuantized, type))
    return Refuse(node, "output_dtype", "no type to quantize to");
  if (precision != kUndefined && !Contains(kFloats, precision))
    return Refuse(node, "precision", "no float type");
  if (node.Int("block_size", 0) < 0) return Refuse(node, "block_size", "below 0");
  return {};
}
Judgement JudgeDequantize(const kit::Node& node) {
  const int32_t type = TypeAttribute(node, "output_dtype");
  if (type != kUndefined && !Contains(kScaled, type))
    return Refuse(node, "output_dtype", "no type to dequantize to");
  if (node.Int("block_size", 0) < 0) return Refuse(node, "block_size", "below 0");
  return {};
}

}  // namespace

std::span<const OpEntry> QuantizeOps() {
  static const std::vector<OpEntry> ops = [] {
    std::vector<OpEntry> all = {
        {"",
         "QuantizeLinear",
         28,
         QuantizeLinear,
         {kQuantizable, kQuantizeScales, kQuantized},
         JudgeQuantize},
        {"",
         "DequantizeLinear",
         28,
         DequantizeLinear,
         {kDequantizable, kDequantizeScales, kDequantizable},
         JudgeDequantize},
        {"", "DynamicQuantizeLinear", 11, DynamicQuantizeLinear, {Types(kFloat)}},
    };
    const std::span<const OpEntry> products = QuantizedMatMulOps();
    all.insert(all.end(), products.begin(), products.end());
    return all;
  }();
  return ops;
}

}  // namespace braid::reference
