// SPDX-License-Identifier: Apache-2.0
//
// Conv and ConvTranspose. Which kernel: 1x1 without padding is a matrix product; depthwise and
// two-dimensional ones have tiled kernels that read a padded copy of the input; the rest goes the direct way.
#include <algorithm>

#include "plugins/vulkan/ops/families.h"
#include "plugins/vulkan/ops/matrix.h"
#include "plugins/vulkan/ops/window.h"

namespace braid::vulkan {
namespace {

// What a node asks for: its window, and the channels of one group.
struct Geometry {
  Window window;
  int64_t batch = 0, groups = 0, channels = 0, outputs = 0, taps = 0;
  bool transposed = false;
};

Geometry ReadGeometry(Lowering& l, bool transposed) {
  l.NeedF32(0);
  l.NeedF32(1);
  if (l.HasIn(2)) l.NeedF32(2);
  const Tensor &x = l.In(0), &weight = l.In(1), &y = l.Out();
  if (weight.dims.size() != x.dims.size() || x.dims.size() < 3)
    l.RefuseShape("input and weights differ in rank, or have no spatial dimension");
  Geometry g;
  g.transposed = transposed;
  g.window = ReadWindow(l, Dims(weight.dims.begin() + 2, weight.dims.end()), transposed);
  g.taps = int64_t{g.window.kernel[0]} * g.window.kernel[1] * g.window.kernel[2];
  g.batch = x.dims[0];
  g.groups = l.node().Int("group", 1);
  int64_t divided = transposed ? x.dims[1] : weight.dims[0];  // the weights' channels of all groups
  if (g.groups < 1 || x.dims[1] % g.groups != 0 || divided % g.groups != 0)
    l.RefuseAttribute("group", "does not divide the channels");
  g.channels = x.dims[1] / g.groups;
  g.outputs = transposed ? weight.dims[1] : weight.dims[0] / g.groups;
  if (transposed ? weight.dims[0] != x.dims[1] : weight.dims[1] != g.channels)
    l.RefuseShape("the weights' channels do not fit the input's");
  if (y.dims[1] != g.outputs * g.groups) l.RefuseShape("the output's channels do not fit");
  if (l.HasIn(2) && l.In(2).count != y.dims[1])
    l.RefuseShape("the bias has not one element an output channel");
  if (y.count > 0 && x.count == 0) l.RefuseShape("an empty input");
  return g;
}

// For the cost, in operations of a matrix product: on lavapipe the tiled kernels reach half of its speed, the
// direct ones an eighth.
constexpr double kTiledCost = 2, kDirectCost = 8;
double Work(Lowering& l, const Geometry& g) {
  return 2.0 * static_cast<double>(l.Out().count) * static_cast<double>(g.channels * g.taps);
}

// Weights as vectors of four output channels: [group][block][input channel][tap].
Tensor PackWeights(Lowering& l, const Geometry& geometry) {
  const Tensor& w = l.In(1);
  int64_t groups = geometry.groups, outputs = geometry.outputs, channels = geometry.channels,
          taps = geometry.taps;
  // Element (group g, output k, channel c, tap t) of the source lies at g*sg + k*sk + c*sc + t.
  int64_t sg = outputs * channels * taps, sk = geometry.transposed ? taps : channels * taps,
          sc = geometry.transposed ? outputs * taps : taps;
  int64_t blocks = (outputs + 3) / 4;
  Dims dims{groups, blocks, channels, taps, 4};
  if (l.IsConstant(1)) {
    std::string form = "conv";
    for (int64_t v : {groups, outputs, channels, taps, sg, sk, sc}) form += "/" + std::to_string(v);
    return l.Prepared(w, form, kF32, dims, [=](const uint8_t* from, uint8_t* to) {
      const float* x = reinterpret_cast<const float*>(from);
      float* y = reinterpret_cast<float*>(to);
      for (int64_t g = 0; g < groups; ++g)
        for (int64_t b = 0; b < blocks; ++b)
          for (int64_t c = 0; c < channels; ++c)
            for (int64_t t = 0; t < taps; ++t)
              for (int64_t q = 0; q < 4; ++q)
                *y++ = b * 4 + q < outputs ? x[g * sg + (b * 4 + q) * sk + c * sc + t] : 0.0f;
    });
  }
  Tensor packed = l.Temporary(kF32, dims);
  Dims to = DenseStrides(dims);
  int64_t full = outputs / 4, rest = outputs % 4;
  if (rest != 0) l.Fill(packed, 0);
  l.CopyStrided(w, 0, {sg, 4 * sk, sc, 1, sk}, packed, 0, to, {groups, full, channels, taps, 4});
  l.CopyStrided(w, 4 * full * sk, {sg, 4 * sk, sc, 1, sk}, packed, full * to[1], to,
                {groups, 1, channels, taps, rest});
  return packed;
}

// The input with zeroes around it: planes of rows x row elements, the image from (top, left).
Tensor PadInput(Lowering& l, const Tensor& x, int64_t planes, int64_t h, int64_t w, int64_t rows, int64_t row,
                int64_t top, int64_t left) {
  Tensor padded = l.Temporary(kF32, {planes, rows, row});
  l.Fill(padded, 0);
  int64_t copy_h = std::min(h, rows - top), copy_w = std::min(w, row - left);
  if (copy_h > 0 && copy_w > 0)
    l.CopyStrided(x, 0, {h * w, w, 1}, padded, top * row + left, {rows * row, row, 1},
                  {planes, copy_h, copy_w});
  return padded;
}

struct DirectParams {
  uint32_t places;
  int32_t channels, blocks, outputs;
  uint32_t groups;
  int32_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3];
  float alpha, beta;
};

void Direct(Lowering& l, const Geometry& g) {
  const Tensor &x = l.In(0), &y = l.Out();
  const Window& w = g.window;
  DirectParams p{};
  p.places = static_cast<uint32_t>(int64_t{w.out[0]} * w.out[1] * w.out[2]);
  p.channels = static_cast<int32_t>(g.channels);
  p.outputs = static_cast<int32_t>(g.outputs);
  p.blocks = static_cast<int32_t>((g.outputs + 3) / 4);
  p.groups = static_cast<uint32_t>(g.groups);
  std::copy(w.in, w.in + 3, p.in);
  std::copy(w.out, w.out + 3, p.out);
  std::copy(w.kernel, w.kernel + 3, p.kernel);
  std::copy(w.stride, w.stride + 3, p.stride);
  std::copy(w.dilation, w.dilation + 3, p.dilation);
  std::copy(w.pad, w.pad + 3, p.pad);
  l.NeedLoops((g.channels + 3) * g.taps);
  Tensor weights = PackWeights(l, g);
  l.Dispatch(
      g.transposed ? "conv_transpose" : "conv_direct", {0, l.HasIn(2) ? 1u : 0u},
      {&x, &weights, l.HasIn(2) ? &l.In(2) : &x}, {&y}, p,
      {(p.places + 31) / 32, static_cast<uint32_t>(p.blocks), static_cast<uint32_t>(g.batch * g.groups)},
      kDirectCost * Work(l, g));
}

// What the tiled kernels have in common: the padded input's planes and rows (in vectors where the kernel is
// made for the width of its window), the output's extents, tiles of a row, and the window.
struct Tiles {
  uint32_t plane, row, out_h, out_w, tiles, k_h, k_w, s_h, s_w, l_h, l_w;
  float alpha, beta;
};

void Tiled(Lowering& l, const Geometry& g) {
  const Tensor &x = l.In(0), &y = l.Out(), &bias = l.HasIn(2) ? l.In(2) : x;
  const Window& w = g.window;
  bool depthwise = g.channels == 1 && g.groups > 1;
  std::string width = std::to_string(w.kernel[2]) + "s" + std::to_string(w.stride[2]);
  static constexpr std::string_view kTileWidths[] = {"1s1", "1s2", "3s1", "3s2", "5s1", "7s2"},
                                    kDepthwiseWidths[] = {"3s1", "3s2", "5s1", "5s2"};
  std::span<const std::string_view> widths = kTileWidths;
  if (depthwise) widths = kDepthwiseWidths;
  bool vectors = w.dilation[2] == 1 && std::find(widths.begin(), widths.end(), width) != widths.end();
  std::string variant = vectors ? "_" + width : "";
  l.NeedLoops(g.channels * (1 + w.kernel[1] * (1 + int64_t{w.kernel[2]})));

  int64_t tile = depthwise ? 8 : 4, unit = vectors ? 4 : 1;
  int64_t tiles = (w.out[2] + tile - 1) / tile;
  int64_t rows = int64_t{w.out[1] - 1} * w.stride[1] + int64_t{w.kernel[1] - 1} * w.dilation[1] + 1;
  int64_t row = (tiles * tile - 1) * w.stride[2] + int64_t{w.kernel[2] - 1} * w.dilation[2] + 1;
  row = (row + unit - 1) / unit * unit;
  Tensor input = x;
  if (w.pad[1] != 0 || w.pad[2] != 0 || rows > w.in[1] || row > w.in[2] || w.in[2] % unit != 0) {
    input = PadInput(l, x, g.batch * g.groups * g.channels, w.in[1], w.in[2], rows, row, w.pad[1], w.pad[2]);
  } else {
    rows = w.in[1];
    row = w.in[2];
  }
  auto u = [](int64_t v) { return static_cast<uint32_t>(v); };
  Tiles common{u(rows * row / unit),
               u(row / unit),
               u(w.out[1]),
               u(w.out[2]),
               u(tiles),
               u(w.kernel[1]),
               u(w.kernel[2]),
               u(w.stride[1]),
               u(w.stride[2]),
               u(w.dilation[1]),
               u(w.dilation[2]),
               0,
               0};
  std::vector<uint32_t> constants{0, l.HasIn(2) ? 1u : 0u, w.out[2] % 4 == 0 ? 1u : 0u};
  if (depthwise) {
    struct Params {
      uint32_t n, outputs, multiplier;
      Tiles common;
    } p{u(g.batch * y.dims[1] * w.out[1] * tiles), u(y.dims[1]), u(g.outputs), common};
    return l.Each("conv_depthwise" + variant, constants, {&input, &l.In(1), &bias}, {&y}, p, p.n,
                  kTiledCost * Work(l, g) / p.n, w.kernel[1] * (1 + int64_t{w.kernel[2]}));
  }
  Tensor packed = PackWeights(l, g);
  struct Params {
    uint32_t channels, blocks, outputs, groups;
    Tiles common;
  } p{u(g.channels), u((g.outputs + 3) / 4), u(g.outputs), u(g.groups), common};
  uint32_t tm = p.blocks >= 3 ? 4 : p.blocks;
  l.Dispatch("conv_tile_" + std::to_string(tm) + variant, constants, {&input, &packed, &bias}, {&y}, p,
             {u((w.out[1] * tiles + 15) / 16), (p.blocks + tm - 1) / tm, u(g.batch * g.groups)},
             kTiledCost * Work(l, g));
}

void Conv(Lowering& l) {
  Geometry g = ReadGeometry(l, false);
  const Tensor &x = l.In(0), &y = l.Out();
  if (y.count == 0) return;
  Window& w = g.window;
  bool pointwise = g.taps == 1 && w.stride[0] == 1 && w.stride[1] == 1 && w.stride[2] == 1;
  for (int d = 0; d < 3; ++d) pointwise = pointwise && w.pad[d] == 0 && w.pad_end[d] == 0;
  int64_t places = int64_t{w.out[0]} * w.out[1] * w.out[2];
  if (pointwise && g.groups == 1 && g.channels % 4 == 0 && places % 4 == 0) {
    Matrix a{l.In(1), 1, {}, g.outputs, g.channels, g.channels, 1};
    Matrix b{x, 0, {g.batch}, g.channels, places, places, 1};
    return MatrixProduct(l, a, b, y, {g.batch}, 1.0f, Bias{l.HasIn(2) ? &l.In(2) : nullptr, 1, 0});
  }
  if (pointwise) {  // one long row: fewer tiles that hang over
    w.in[2] = w.out[2] = static_cast<int32_t>(places);
    w.in[0] = w.in[1] = w.out[0] = w.out[1] = 1;
  }
  bool flat = w.in[0] == 1 && w.out[0] == 1 && w.kernel[0] == 1;
  return flat ? Tiled(l, g) : Direct(l, g);
}

void ConvTranspose(Lowering& l) {
  Geometry g = ReadGeometry(l, true);
  if (l.Out().count > 0) Direct(l, g);
}

const Operator kOperators[] = {{"Conv", 22, Conv}, {"ConvTranspose", 22, ConvTranspose}};

}  // namespace

std::span<const Operator> ConvolutionOperators() { return kOperators; }

}  // namespace braid::vulkan
