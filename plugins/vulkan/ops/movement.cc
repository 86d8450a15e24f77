// SPDX-License-Identifier: Apache-2.0
//
// Operators that move elements without looking at them; by the size of an element, so of every type of whole
// bytes.
#include <algorithm>

#include "plugins/vulkan/ops/families.h"

namespace braid::vulkan {
namespace {

// The output's shape says it all.
void SameBytes(Lowering& l) { l.Alias(0, l.In(0)); }

void Dropout(Lowering& l) {
  if (l.HasIn(2)) throw Refusal{BRAID_NO_RUNTIME_VALUE, "training mode is not known to be off", 2};
  l.Alias(0, l.In(0));
  if (!l.HasOut(1)) return;
  // Nothing is dropped in inference.
  const Tensor& mask = l.Out(1);
  l.CopyStrided(l.Literal(kBool, {1}, {1}), 0, Dims(mask.dims.size(), 0), mask, 0, DenseStrides(mask.dims),
                mask.dims);
}

void Transpose(Lowering& l) {
  const Tensor& x = l.In(0);
  size_t rank = x.dims.size();
  Dims perm(rank);
  if (l.node().has("perm")) {
    auto given = l.node().Ints("perm");
    if (given.size() != rank) l.RefuseAttribute("perm", "perm has not the input's rank");
    std::copy(given.begin(), given.end(), perm.begin());
  } else {
    for (size_t i = 0; i < rank; ++i) perm[i] = static_cast<int64_t>(rank - 1 - i);
  }
  Dims strides = DenseStrides(x.dims), from(rank), dims(rank);
  for (size_t i = 0; i < rank; ++i) {
    size_t at = static_cast<size_t>(Axis(perm[i], rank));
    from[i] = strides[at];
    dims[i] = x.dims[at];
  }
  const Tensor& y = l.Out();
  if (y.dims != dims) l.RefuseShape("the output's shape is not the transposed input's");
  // Where only dimensions of extent 1 move, the bytes stay.
  Dims seen;
  for (size_t i = 0; i < rank; ++i)
    if (dims[i] != 1) seen.push_back(perm[i]);
  if (std::is_sorted(seen.begin(), seen.end())) return l.Alias(0, x);
  l.CopyStrided(x, 0, from, y, 0, DenseStrides(dims), dims);
}

void Concat(Lowering& l) {
  const Tensor& y = l.Out();
  size_t axis = static_cast<size_t>(Axis(l.node().Int("axis", 0), y.dims.size()));
  Dims to = DenseStrides(y.dims);
  int64_t at = 0;
  for (uint32_t i = 0; i < l.node().input_count(); ++i) {
    const Tensor& x = l.In(i);
    if (x.dims.size() != y.dims.size()) l.RefuseShape("the inputs' ranks differ");
    l.CopyStrided(x, 0, DenseStrides(x.dims), y, at * to[axis], to, x.dims);
    at += x.dims[axis];
  }
  if (at != y.dims[axis]) l.RefuseShape("the inputs do not fill the output");
}

void Split(Lowering& l) {
  const Tensor& x = l.In(0);
  size_t axis = static_cast<size_t>(Axis(l.node().Int("axis", 0), x.dims.size()));
  if (l.HasIn(1)) l.Ints(1);  // known at compile time; the outputs' shapes hold the same
  Dims from = DenseStrides(x.dims);
  int64_t at = 0;
  for (uint32_t i = 0; i < l.node().output_count(); ++i) {
    if (!l.HasOut(i)) throw Refusal{BRAID_NO_OP, "an output is missing"};
    const Tensor& y = l.Out(i);
    l.CopyStrided(x, at * from[axis], from, y, 0, DenseStrides(y.dims), y.dims);
    at += y.dims[axis];
  }
  if (at != x.dims[axis]) l.RefuseShape("the outputs do not hold the input");
}

void Slice(Lowering& l) {
  const Tensor &x = l.In(0), &y = l.Out();
  size_t rank = x.dims.size();
  Dims starts = l.Ints(1), ends = l.Ints(2), axes, steps;
  if (l.HasIn(3)) axes = l.Ints(3);
  if (l.HasIn(4)) steps = l.Ints(4);
  if (!l.HasIn(3))
    for (size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  if (steps.empty()) steps.assign(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    l.RefuseShape("starts, ends, axes and steps differ in length");
  Dims dims = x.dims, strides = DenseStrides(x.dims);
  int64_t offset = 0;
  for (size_t i = 0; i < starts.size(); ++i) {
    size_t axis = static_cast<size_t>(Axis(axes[i], rank));
    int64_t n = x.dims[axis], step = steps[i];
    if (step == 0) l.RefuseShape("a step is 0");
    auto within = [&](int64_t v, int64_t lo, int64_t hi) {
      return std::clamp(v < 0 ? std::max(v, -n - 1) + n : v, lo, hi);
    };
    int64_t start = step > 0 ? within(starts[i], 0, n) : within(starts[i], 0, n - 1);
    int64_t end = step > 0 ? within(ends[i], 0, n) : within(ends[i], -1, n - 1);
    int64_t length =
        step > 0 ? (end > start ? (end - start - 1) / step + 1 : 0)
                 : (start > end ? (start - end - 1) / (step == INT64_MIN ? INT64_MAX : -step) + 1 : 0);
    if (n == 0) length = 0;
    dims[axis] = length;
    if (length > 0) offset += start * strides[axis];
    // A step beyond the extent is taken at most once.
    strides[axis] *= length > 1 ? step : 1;
  }
  if (y.dims != dims) l.RefuseShape("the output's shape is not the slice's");
  l.CopyStrided(x, offset, strides, y, 0, DenseStrides(dims), dims);
}

void Gather(Lowering& l) {
  struct Params {
    uint32_t n, inner, count;
    int32_t extent;
    uint32_t axis, dim[8], sx[8];
  } p{};
  bool elements = l.node().op() == "GatherElements";
  const Tensor &x = l.In(0), &index = l.In(1), &y = l.Out();
  l.NeedType(1, {"i32", "i64"});
  size_t axis = static_cast<size_t>(Axis(l.node().Int("axis", 0), x.dims.size()));
  p.n = static_cast<uint32_t>(y.count);
  p.extent = static_cast<int32_t>(x.dims[axis]);
  if (p.extent == 0 && y.count > 0) l.RefuseShape("nothing to gather from");
  uint32_t rank = 1;
  if (elements) {
    rank = static_cast<uint32_t>(x.dims.size());
    if (rank > 8) l.RefuseShape("rank above 8");
    if (index.dims != y.dims) l.RefuseShape("the output has not the indices' shape");
    Dims strides = DenseStrides(x.dims);
    for (uint32_t i = 0; i < rank; ++i) {
      p.dim[i] = static_cast<uint32_t>(y.dims[i]);
      p.sx[i] = static_cast<uint32_t>(strides[i]);
    }
    p.axis = static_cast<uint32_t>(axis);
  } else {
    p.inner = static_cast<uint32_t>(Product(x.dims, axis + 1));
    p.count = static_cast<uint32_t>(index.count);
    if (Product(x.dims, 0, axis) * p.inner * p.count != y.count)
      l.RefuseShape("the output's shape does not fit");
  }
  l.Each("gather_w" + std::to_string(BytesOf(x.type)) + "_" + TagOf(index.type), {rank, elements ? 1u : 0u},
         {&x, &index}, {&y}, p, y.count, 6);
}

void Expand(Lowering& l) {
  const Tensor &x = l.In(0), &y = l.Out();
  if (x.dims.size() > y.dims.size()) l.RefuseShape("the output has a smaller rank than the input");
  Dims strides(y.dims.size(), 0), dense = DenseStrides(x.dims);
  for (size_t i = 0; i < x.dims.size(); ++i) {
    size_t at = y.dims.size() - x.dims.size() + i;
    if (x.dims[i] != 1 && x.dims[i] != y.dims[at])
      l.RefuseShape("the input does not broadcast to the output's shape");
    strides[at] = x.dims[i] == 1 ? 0 : dense[i];
  }
  if (x.count == y.count) return l.Alias(0, x);
  l.CopyStrided(x, 0, strides, y, 0, DenseStrides(y.dims), y.dims);
}

void Tile(Lowering& l) {
  const Tensor &x = l.In(0), &y = l.Out();
  Dims from, to, dims, dense = DenseStrides(x.dims), out = DenseStrides(y.dims);
  for (size_t i = 0; i < x.dims.size(); ++i) {
    int64_t times = x.dims[i] == 0 ? 0 : y.dims[i] / x.dims[i];
    dims.insert(dims.end(), {times, x.dims[i]});
    from.insert(from.end(), {0, dense[i]});
    to.insert(to.end(), {x.dims[i] * out[i], out[i]});
  }
  if (Product(dims) != y.count) l.RefuseShape("the output is not a whole number of inputs");
  l.CopyStrided(x, 0, from, y, 0, to, dims);
}

void Pad(Lowering& l) {
  struct Params {
    uint32_t n, dim[8];
    int32_t in_dim[8], lo[8];
  } p{};
  const Tensor &x = l.In(0), &y = l.Out();
  std::string_view mode = l.node().String("mode", "constant");
  uint32_t kind =
      mode == "constant" ? 0u : (mode == "reflect" ? 1u : (mode == "edge" ? 2u : (mode == "wrap" ? 3u : 4u)));
  if (kind == 4) l.RefuseAttribute("mode", "unknown mode " + std::string(mode));
  uint32_t rank = static_cast<uint32_t>(x.dims.size());
  if (rank > 8) l.RefuseShape("rank above 8");
  Dims pads = l.Ints(1), axes;
  if (l.HasIn(3)) {
    axes = l.Ints(3);
  } else {
    for (uint32_t i = 0; i < rank; ++i) axes.push_back(i);
  }
  if (pads.size() != 2 * axes.size()) l.RefuseShape("pads has not two elements an axis");
  p.n = static_cast<uint32_t>(y.count);
  Dims expect = x.dims;
  for (size_t i = 0; i < axes.size(); ++i) {
    size_t axis = static_cast<size_t>(Axis(axes[i], rank));
    p.lo[axis] = static_cast<int32_t>(pads[i]);
    expect[axis] += pads[i] + pads[i + axes.size()];
  }
  if (expect != y.dims) l.RefuseShape("the output's shape is not the padded input's");
  for (uint32_t i = 0; i < rank; ++i) {
    p.dim[i] = static_cast<uint32_t>(y.dims[i]);
    p.in_dim[i] = static_cast<int32_t>(x.dims[i]);
    if (kind != 0 && x.dims[i] == 0 && y.dims[i] > 0) l.RefuseShape("an empty dimension has no edge");
  }
  Tensor value = l.HasIn(2) ? l.In(2) : l.Literal(x.type, {1}, std::vector<uint8_t>(8, 0));
  if (rank == 0) return l.Alias(0, x);
  l.Each("pad_w" + std::to_string(BytesOf(x.type)), {rank, kind}, {&x, &value}, {&y}, p, y.count, 8);
}

void DepthToSpace(Lowering& l) {
  const Tensor &x = l.In(0), &y = l.Out();
  if (x.dims.size() != 4) l.RefuseShape("rank 4 only");
  int64_t b = l.node().Int("blocksize", 0), n = x.dims[0], c = x.dims[1], h = x.dims[2], w = x.dims[3];
  if (b < 1 || c % (b * b) != 0)
    l.RefuseAttribute("blocksize", "the channels are not a multiple of its square");
  int64_t oc = c / (b * b);
  bool crd = l.node().String("mode", "DCR") == "CRD";
  if (l.node().has("mode") && !crd && l.node().String("mode", "DCR") != "DCR")
    l.RefuseAttribute("mode", "unknown mode");
  // Elements (n, oc, bh, bw, h, w), from and to.
  Dims dims{n, oc, b, b, h, w}, from, to{oc * b * b * h * w, b * b * h * w, b * w, 1, b * b * w, b};
  from = crd ? Dims{c * h * w, b * b * h * w, b * h * w, h * w, w, 1}
             : Dims{c * h * w, h * w, b * oc * h * w, oc * h * w, w, 1};
  if (y.count != x.count) l.RefuseShape("the output's shape does not fit");
  l.CopyStrided(x, 0, from, y, 0, to, dims);
}

void SpaceToDepth(Lowering& l) {
  const Tensor &x = l.In(0), &y = l.Out();
  if (x.dims.size() != 4) l.RefuseShape("rank 4 only");
  int64_t b = l.node().Int("blocksize", 0), n = x.dims[0], c = x.dims[1];
  if (b < 1 || x.dims[2] % b != 0 || x.dims[3] % b != 0)
    l.RefuseAttribute("blocksize", "does not divide the image");
  if (l.node().String("mode", "DCR") != "DCR") l.RefuseAttribute("mode", "DCR only");
  int64_t h = x.dims[2] / b, w = x.dims[3] / b;
  // Elements (n, bh, bw, c, h, w).
  Dims dims{n, b, b, c, h, w};
  Dims from{c * h * b * w * b, w * b, 1, h * b * w * b, b * w * b, b};
  Dims to{c * b * b * h * w, b * c * h * w, c * h * w, h * w, w, 1};
  if (y.count != x.count) l.RefuseShape("the output's shape does not fit");
  l.CopyStrided(x, 0, from, y, 0, to, dims);
}

// The dims are known when the segment is compiled, so these are constants of the device.
void Shape(Lowering& l) {
  const Tensor& y = l.Out();
  Dims dims = l.In(0).dims, chosen;
  int64_t rank = static_cast<int64_t>(dims.size());
  auto within = [&](int64_t v) { return std::clamp<int64_t>(v < 0 ? v + rank : v, 0, rank); };
  int64_t start = within(l.node().Int("start", 0)), end = within(l.node().Int("end", rank));
  if (l.node().op() == "Size") {
    chosen = {l.In(0).count};
  } else {
    for (int64_t i = start; i < end; ++i) chosen.push_back(dims[static_cast<size_t>(i)]);
  }
  if (y.type != kI64 || y.count != static_cast<int64_t>(chosen.size()))
    l.RefuseShape("the output's shape does not fit");
  l.CopyBytes(l.LiteralOf<int64_t>(kI64, chosen), y);
}

void ConstantOfShape(Lowering& l) {
  const Tensor& y = l.Out();
  uint32_t width = BytesOf(y.type);
  std::vector<uint8_t> bytes(width, 0);
  uint32_t value = l.node().Tensor("value");
  if (value != BRAID_NONE) {
    kit::Host::Bytes given = l.device().host().Constant(l.node().graph(), value);
    if (given.size() < width) l.RefuseAttribute("value", "has no element");
    std::memcpy(bytes.data(), given.data(), width);
  }
  Tensor one = l.Literal(y.type, {1}, bytes);
  l.CopyStrided(one, 0, Dims(y.dims.size(), 0), y, 0, DenseStrides(y.dims), y.dims);
}

const Operator kOperators[] = {
    {"Shape", 25, Shape},
    {"Size", 25, Shape},
    {"ConstantOfShape", 25, ConstantOfShape},
    {"Reshape", 25, SameBytes},
    {"Flatten", 25, SameBytes},
    {"Squeeze", 25, SameBytes},
    {"Unsqueeze", 25, SameBytes},
    {"Identity", 25, SameBytes},
    {"Dropout", 22, Dropout},
    {"Transpose", 25, Transpose},
    {"Concat", 13, Concat},
    {"Split", 18, Split},
    {"Slice", 13, Slice},
    {"Gather", 13, Gather},
    {"GatherElements", 13, Gather},
    {"Expand", 13, Expand},
    {"Tile", 13, Tile},
    {"Pad", 25, Pad},
    {"DepthToSpace", 28, DepthToSpace},
    {"SpaceToDepth", 28, SpaceToDepth},
};

}  // namespace

std::span<const Operator> MovementOperators() { return kOperators; }

}  // namespace braid::vulkan
