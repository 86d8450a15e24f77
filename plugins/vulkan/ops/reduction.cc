// SPDX-License-Identifier: Apache-2.0
//
// Reductions over any axes, Softmax, and normalisations of rows.
#include <algorithm>

#include "plugins/vulkan/ops/families.h"

namespace braid::vulkan {
namespace {

void ReduceOver(Lowering& l, const std::string& kernel, const Tensor& x, const Tensor& y,
                const std::vector<bool>& reduced, double work) {
  struct Params {
    uint32_t n, count, dim[4], stride[4], rdim[4], rstride[4];
  } p{};
  Dims strides = DenseStrides(x.dims);
  uint32_t kept = 0, folded = 0;
  int64_t count = 1;
  int last = -1;  // 0: the dimension before was kept, 1: reduced
  for (size_t i = 0; i < x.dims.size(); ++i) {
    if (reduced[i]) count *= x.dims[i];
    if (x.dims[i] == 1) continue;
    int which = reduced[i] ? 1 : 0;
    uint32_t& at = which == 1 ? folded : kept;
    uint32_t* dim = which == 1 ? p.rdim : p.dim;
    uint32_t* stride = which == 1 ? p.rstride : p.stride;
    if (last == which) {  // a neighbour of its kind: merged
      dim[at - 1] *= static_cast<uint32_t>(x.dims[i]);
      stride[at - 1] = static_cast<uint32_t>(strides[i]);
    } else {
      if (at == 4) l.RefuseShape("more than 4 alternations of kept and reduced dimensions");
      dim[at] = static_cast<uint32_t>(x.dims[i]);
      stride[at] = static_cast<uint32_t>(strides[i]);
      ++at;
    }
    last = which;
  }
  p.n = static_cast<uint32_t>(y.count);
  p.count = static_cast<uint32_t>(count);
  if (shaders::Find(kernel) == nullptr)
    throw Refusal{BRAID_NO_TYPE, "input 0 is of type " + NameOf(x.type), 0};
  l.Each(kernel, {kept, folded}, {&x}, {&y}, p, y.count, work * static_cast<double>(count), count);
}

void Reduce(Lowering& l) {
  const Tensor &x = l.In(0), &y = l.Out();
  std::string op(l.node().op().substr(6));  // after "Reduce"
  std::vector<bool> reduced(x.dims.size(), false);
  Dims axes;
  if (l.HasIn(1)) axes = l.Ints(1);
  if (axes.empty()) {
    if (l.node().Int("noop_with_empty_axes", 0) != 0) {
      if (op != "Sum" && op != "Mean" && op != "Max" && op != "Min" && op != "Prod")
        l.RefuseAttribute("noop_with_empty_axes", "with an operator that does more than reduce");
      return l.Alias(0, x);
    }
    reduced.assign(x.dims.size(), true);
  }
  for (int64_t axis : axes) reduced[static_cast<size_t>(Axis(axis, x.dims.size()))] = true;
  bool empty = x.count == 0;
  std::string_view tag = TagOf(x.type);
  if (empty && y.count > 0 && (op == "Max" || op == "Min") && tag != "f32" && tag != "f16")
    l.RefuseShape("an empty set has no extreme");
  ReduceOver(l, "reduce_" + op + "_" + std::string(tag), x, y, reduced, 2);
}

void ArgExtreme(Lowering& l) {
  const Tensor &x = l.In(0), &y = l.Out();
  std::string kernel(l.node().op());
  if (l.node().Int("select_last_index", 0) != 0) kernel += "Last";
  std::vector<bool> reduced(x.dims.size(), false);
  size_t axis = static_cast<size_t>(Axis(l.node().Int("axis", 0), x.dims.size()));
  if (x.dims.empty() || x.dims[axis] == 0) l.RefuseShape("nothing to choose from");
  reduced[axis] = true;
  ReduceOver(l, "reduce_" + kernel + "_" + TagOf(x.type), x, y, reduced, 2);
}

void GlobalPool(Lowering& l) {
  l.NeedType(0, {"f32", "f16"});
  const Tensor &x = l.In(0), &y = l.Out();
  if (x.dims.size() < 2) l.RefuseShape("rank below 2");
  std::vector<bool> reduced(x.dims.size(), true);
  reduced[0] = reduced[1] = false;
  ReduceOver(l,
             std::string(l.node().op() == "GlobalMaxPool" ? "reduce_Max_" : "reduce_Mean_") + TagOf(x.type),
             x, y, reduced, 2);
}

void Softmax(Lowering& l) {
  struct Params {
    uint32_t rows, inner, count;
  };
  l.NeedType(0, {"f32", "f16"});
  const Tensor &x = l.In(0), &y = l.Out();
  if (x.count == 0) return;
  Dims dims = x.dims.empty() ? Dims{1} : x.dims;
  size_t axis = static_cast<size_t>(Axis(l.node().Int("axis", -1), dims.size()));
  int64_t inner = Product(dims, axis + 1), rows = x.count / dims[axis];
  bool log = l.node().op() == "LogSoftmax";
  l.Each(std::string(log ? "log_softmax_" : "softmax_") + TagOf(x.type), {}, {&x}, {&y},
         Params{static_cast<uint32_t>(rows), static_cast<uint32_t>(inner), static_cast<uint32_t>(dims[axis])},
         rows, 60.0 * static_cast<double>(dims[axis]), 3 * dims[axis]);
}

struct NormParams {
  uint32_t rows, cols, sdiv, smod, has_bias, statistics;
  float epsilon, after;
};

void LayerNormalization(Lowering& l) {
  bool rms = l.node().op() == "RMSNormalization";
  l.NeedType(0, {"f32", "f16"});
  const Tensor &x = l.In(0), &scale = l.In(1), &y = l.Out();
  if (scale.type != x.type) throw Refusal{BRAID_NO_TYPE, "the scale is of another type than the input", 1};
  if (l.node().Int("stash_type", 1) != 1) l.RefuseAttribute("stash_type", "statistics are computed as float");
  size_t axis = static_cast<size_t>(Axis(l.node().Int("axis", -1), x.dims.size()));
  int64_t cols = Product(x.dims, axis), rows = Product(x.dims, 0, axis);
  Dims row(x.dims.begin() + static_cast<long>(axis), x.dims.end());
  auto whole = [&](uint32_t i) {
    if (l.In(i).count == cols) return l.In(i);
    if (l.In(i).dims.size() > row.size())
      throw Refusal{BRAID_NO_SHAPE, "scale and bias must have the shape of a row", i};
    return l.Expanded(l.In(i), row);
  };
  Tensor s = whole(1), bias = !rms && l.HasIn(2) ? whole(2) : s;
  if (bias.type != x.type) throw Refusal{BRAID_NO_TYPE, "the bias is of another type than the input", 2};
  bool statistics = !rms && (l.HasOut(1) || l.HasOut(2));
  Tensor mean = statistics && l.HasOut(1) ? l.Out(1) : l.Temporary(kF32, {statistics ? rows : 1});
  Tensor inverse = statistics && l.HasOut(2) ? l.Out(2) : l.Temporary(kF32, {statistics ? rows : 1});
  if (mean.type != kF32 || inverse.type != kF32) throw Refusal{BRAID_NO_TYPE, "the statistics are not float"};
  if (x.count == 0) return;
  NormParams p{static_cast<uint32_t>(rows),
               static_cast<uint32_t>(cols),
               1,
               static_cast<uint32_t>(cols),
               !rms && l.HasIn(2) ? 1u : 0u,
               statistics ? 1u : 0u,
               l.node().Float("epsilon", 1e-5f),
               0.0f};
  l.Each(std::string(rms ? "rms_norm_" : "norm_") + TagOf(x.type), {}, {&x, &s, &bias}, {&y, &mean, &inverse},
         p, rows, 8.0 * static_cast<double>(cols), 3 * cols);
}

// Instance: rows of one channel. Group: rows of a group of channels. Scale and bias one a channel.
void ChannelNormalization(Lowering& l) {
  l.NeedType(0, {"f32", "f16"});
  const Tensor &x = l.In(0), &y = l.Out();
  if (x.dims.size() < 2 || x.count == 0) l.RefuseShape("rank below 2, or no element");
  for (uint32_t i = 1; i < 3; ++i) {
    if (l.In(i).type != x.type)
      throw Refusal{BRAID_NO_TYPE, "input " + std::to_string(i) + " is of another type than input 0", i};
    if (l.In(i).count != x.dims[1]) l.RefuseShape("scale and bias must have one element a channel");
  }
  int64_t groups = l.node().op() == "GroupNormalization" ? l.node().Int("num_groups", 1) : x.dims[1];
  if (groups < 1 || x.dims[1] % groups != 0) l.RefuseAttribute("num_groups", "does not divide the channels");
  if (l.node().Int("stash_type", 1) != 1) l.RefuseAttribute("stash_type", "statistics are computed as float");
  int64_t rows = x.dims[0] * groups, cols = x.count / rows;
  Tensor none = l.Temporary(kF32, {1});
  NormParams p{static_cast<uint32_t>(rows),
               static_cast<uint32_t>(cols),
               static_cast<uint32_t>(Product(x.dims, 2)),
               static_cast<uint32_t>(x.dims[1]),
               1,
               0,
               l.node().Float("epsilon", 1e-5f),
               0.0f};
  Tensor none_too = l.Temporary(kF32, {1});
  l.Each(std::string("norm_") + TagOf(x.type), {}, {&x, &l.In(1), &l.In(2)}, {&y, &none, &none_too}, p, rows,
         8.0 * static_cast<double>(cols), 3 * cols);
}

// Not as its function, whose E[x^2] - E[x]^2 cancels: rows of what the axes reduce, made dense where they are
// not.
void MeanVarianceNormalization(Lowering& l) {
  l.NeedType(0, {"f32", "f16"});
  const Tensor &x = l.In(0), &y = l.Out();
  size_t rank = x.dims.size();
  std::vector<bool> reduced(rank, false);
  Dims axes{0, 2, 3};
  if (l.node().has("axes")) {
    auto given = l.node().Ints("axes");
    axes.assign(given.begin(), given.end());
  }
  for (int64_t axis : axes) reduced[static_cast<size_t>(Axis(axis, rank))] = true;
  if (x.count == 0) return;
  Dims strides = DenseStrides(x.dims), dims, from;
  int64_t rows = 1;
  bool dense = true;  // no kept dimension follows a reduced one
  for (size_t i = 0; i < rank; ++i) {
    if (reduced[i]) continue;
    rows *= x.dims[i];
    dense = dense && (x.dims[i] == 1 || strides[i] == x.count / rows);
    dims.push_back(x.dims[i]);
    from.push_back(strides[i]);
  }
  for (size_t i = 0; i < rank; ++i) {
    if (!reduced[i]) continue;
    dims.push_back(x.dims[i]);
    from.push_back(strides[i]);
  }
  Tensor row = x, result = y;
  if (!dense) {
    row = l.Temporary(x.type, dims);
    result = l.Temporary(x.type, dims);
    l.CopyStrided(x, 0, from, row, 0, DenseStrides(dims), dims);
  }
  int64_t cols = x.count / rows;
  Tensor one = x.type == kF32 ? l.LiteralOf<float>(kF32, {1.0f}) : l.LiteralOf<uint16_t>(kF16, {0x3c00});
  Tensor none = l.Temporary(kF32, {1}), none_too = l.Temporary(kF32, {1});
  NormParams p{static_cast<uint32_t>(rows), static_cast<uint32_t>(cols), 1, 1, 0, 0, 0.0f, 1e-9f};
  l.Each(std::string("norm_") + TagOf(x.type), {}, {&row, &one, &one}, {&result, &none, &none_too}, p, rows,
         8.0 * static_cast<double>(cols), 3 * cols);
  if (!dense) l.CopyStrided(result, 0, DenseStrides(dims), y, 0, from, dims);
}

void Lrn(Lowering& l) {
  struct Params {
    uint32_t n, inner;
    int32_t channels, before, after;
    float alpha_over_size, beta, bias;
  };
  l.NeedType(0, {"f32", "f16"});
  const Tensor &x = l.In(0), &y = l.Out();
  if (x.dims.size() < 2) l.RefuseShape("rank below 2");
  int64_t size = l.node().Int("size", 1);
  if (size < 1) l.RefuseAttribute("size", "must be positive");
  Params p{static_cast<uint32_t>(x.count),
           static_cast<uint32_t>(Product(x.dims, 2)),
           static_cast<int32_t>(x.dims[1]),
           static_cast<int32_t>((size - 1) / 2),
           static_cast<int32_t>(size - 1 - (size - 1) / 2),
           l.node().Float("alpha", 1e-4f) / static_cast<float>(size),
           l.node().Float("beta", 0.75f),
           l.node().Float("bias", 1.0f)};
  l.Each(std::string("lrn_") + TagOf(x.type), {}, {&x}, {&y}, p, x.count,
         60.0 + 2.0 * static_cast<double>(size), size);
}

const Operator kOperators[] = {
    {"ReduceL1", 18, Reduce},
    {"ReduceL2", 18, Reduce},
    {"ReduceLogSum", 28, Reduce},
    {"ReduceLogSumExp", 28, Reduce},
    {"ReduceMax", 20, Reduce},
    {"ReduceMean", 18, Reduce},
    {"ReduceMin", 20, Reduce},
    {"ReduceProd", 18, Reduce},
    {"ReduceSum", 13, Reduce},
    {"ReduceSumSquare", 18, Reduce},
    {"ArgMax", 13, ArgExtreme},
    {"ArgMin", 13, ArgExtreme},
    {"GlobalAveragePool", 22, GlobalPool},
    {"GlobalMaxPool", 22, GlobalPool},
    {"Softmax", 13, Softmax},
    {"LogSoftmax", 13, Softmax},
    {"LayerNormalization", 17, LayerNormalization},
    {"RMSNormalization", 23, LayerNormalization},
    {"InstanceNormalization", 22, ChannelNormalization},
    {"GroupNormalization", 21, ChannelNormalization},
    {"MeanVarianceNormalization", 13, MeanVarianceNormalization},
    {"LRN", 13, Lrn},
};

}  // namespace

std::span<const Operator> ReductionOperators() { return kOperators; }

}  // namespace braid::vulkan
