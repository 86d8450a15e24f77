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

// Weights as vectors of four output channels: [group][block][input channel][tap]. Element (g, k, c, t) of the
// source lies at g*sg + k*sk + c*sc + t.
Tensor PackWeights(Lowering& l, int64_t groups, int64_t outputs, int64_t channels, int64_t taps, int64_t sg,
                   int64_t sk, int64_t sc) {
  const Tensor& w = l.In(1);
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

void Direct(Lowering& l, const char* kernel, const Window& w, int64_t batch, int64_t groups, int64_t channels,
            int64_t outputs, const Tensor& weights) {
  const Tensor &x = l.In(0), &y = l.Out();
  DirectParams p{};
  p.places = static_cast<uint32_t>(int64_t{w.out[0]} * w.out[1] * w.out[2]);
  p.channels = static_cast<int32_t>(channels);
  p.outputs = static_cast<int32_t>(outputs);
  p.blocks = static_cast<int32_t>((outputs + 3) / 4);
  p.groups = static_cast<uint32_t>(groups);
  std::copy(w.in, w.in + 3, p.in);
  std::copy(w.out, w.out + 3, p.out);
  std::copy(w.kernel, w.kernel + 3, p.kernel);
  std::copy(w.stride, w.stride + 3, p.stride);
  std::copy(w.dilation, w.dilation + 3, p.dilation);
  std::copy(w.pad, w.pad + 3, p.pad);
  l.NeedLoops((channels + 3) * w.kernel[0] * w.kernel[1] * w.kernel[2]);
  double taps = static_cast<double>(w.kernel[0]) * w.kernel[1] * w.kernel[2];
  l.Dispatch(kernel, {0, l.HasIn(2) ? 1u : 0u}, {&x, &weights, l.HasIn(2) ? &l.In(2) : &x}, {&y}, p,
             {(p.places + 31) / 32, static_cast<uint32_t>(p.blocks), static_cast<uint32_t>(batch * groups)},
             2.0 * static_cast<double>(y.count) * static_cast<double>(channels) * taps);
}

void Conv(Lowering& l) {
  l.NeedF32(0);
  l.NeedF32(1);
  if (l.HasIn(2)) l.NeedF32(2);
  const Tensor &x = l.In(0), &weight = l.In(1), &y = l.Out();
  if (weight.dims.size() != x.dims.size() || x.dims.size() < 3)
    l.RefuseShape("input and weights differ in rank, or have no spatial dimension");
  Window w = ReadWindow(l, Dims(weight.dims.begin() + 2, weight.dims.end()), false);
  int64_t groups = l.node().Int("group", 1), batch = x.dims[0], all_channels = x.dims[1],
          all_outputs = weight.dims[0];
  if (groups < 1 || all_channels % groups != 0 || all_outputs % groups != 0)
    l.RefuseAttribute("group", "does not divide the channels");
  int64_t channels = all_channels / groups, outputs = all_outputs / groups;
  if (weight.dims[1] != channels) l.RefuseShape("the weights' channels do not fit the input's");
  if (l.HasIn(2) && l.In(2).count != all_outputs)
    l.RefuseShape("the bias has not one element an output channel");
  if (y.count == 0) return;
  int64_t taps = int64_t{w.kernel[0]} * w.kernel[1] * w.kernel[2];
  if (x.count == 0) l.RefuseShape("an empty input");
  Tensor bias = l.HasIn(2) ? l.In(2) : x;
  uint32_t has_bias = l.HasIn(2) ? 1 : 0;
  double work = 2.0 * static_cast<double>(y.count) * static_cast<double>(channels * taps);

  bool pointwise = taps == 1 && w.stride[0] == 1 && w.stride[1] == 1 && w.stride[2] == 1;
  for (int d = 0; d < 3; ++d) pointwise = pointwise && w.pad[d] == 0 && w.pad_end[d] == 0;
  int64_t places = int64_t{w.out[0]} * w.out[1] * w.out[2];
  if (pointwise && groups == 1 && all_channels % 4 == 0 && places % 4 == 0) {
    Matrix a{weight, 1, {}, all_outputs, all_channels, all_channels, 1};
    Matrix b{x, 0, {batch}, all_channels, places, places, 1};
    return MatrixProduct(l, a, b, y, {batch}, 1.0f, Bias{has_bias ? &bias : nullptr, 1, 0});
  }
  if (pointwise) {  // one long row: fewer tiles that hang over
    w.in[2] = w.out[2] = static_cast<int32_t>(places);
    w.in[0] = w.in[1] = w.out[0] = w.out[1] = 1;
  }
  bool flat = w.in[0] == 1 && w.out[0] == 1 && w.kernel[0] == 1;
  if (!flat) {
    Tensor packed =
        PackWeights(l, groups, outputs, channels, taps, outputs * channels * taps, channels * taps, taps);
    return Direct(l, "conv_direct", w, batch, groups, channels, outputs, packed);
  }

  l.NeedLoops(channels * (1 + w.kernel[1] * (1 + int64_t{w.kernel[2]})));
  constexpr int64_t kTile = 4;
  int64_t tiles = (w.out[2] + kTile - 1) / kTile;
  int64_t rows = int64_t{w.out[1] - 1} * w.stride[1] + int64_t{w.kernel[1] - 1} * w.dilation[1] + 1;
  int64_t row = (tiles * kTile - 1) * w.stride[2] + int64_t{w.kernel[2] - 1} * w.dilation[2] + 1;
  Tensor input = x;
  if (w.pad[1] != 0 || w.pad[2] != 0 || rows > w.in[1] || row > w.in[2]) {
    input = PadInput(l, x, batch * all_channels, w.in[1], w.in[2], rows, row, w.pad[1], w.pad[2]);
  } else {
    rows = w.in[1];
    row = w.in[2];
  }
  std::string variant;
  bool close = w.dilation[2] == 1;
  auto u = [](int64_t v) { return static_cast<uint32_t>(v); };
  if (channels == 1 && groups > 1) {
    struct Params {
      uint32_t outputs, multiplier, plane, row, out_h, out_w, tiles, k_h, k_w, s_h, s_w, l_h, l_w;
      float alpha, beta;
    } p{u(all_outputs),
        u(outputs),
        u(rows * row),
        u(row),
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
    if (close && (w.kernel[2] == 3 || w.kernel[2] == 5) && w.stride[2] <= 2)
      variant = "_" + std::to_string(w.kernel[2]) + "s" + std::to_string(w.stride[2]);
    return l.Dispatch("conv_depthwise" + variant, {0, has_bias}, {&input, &weight, &bias}, {&y}, p,
                      {u((w.out[1] * tiles + 63) / 64), u(all_outputs), u(batch)}, work);
  }
  Tensor packed =
      PackWeights(l, groups, outputs, channels, taps, outputs * channels * taps, channels * taps, taps);
  struct Params {
    uint32_t channels, blocks, outputs, groups, plane, row, out_h, out_w, tiles, k_h, k_w, s_h, s_w, l_h, l_w;
    float alpha, beta;
  } p{u(channels),
      u((outputs + 3) / 4),
      u(outputs),
      u(groups),
      u(rows * row),
      u(row),
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
  uint32_t tm = p.blocks >= 2 ? 2 : 1;
  if (close && ((w.kernel[2] == 1 && w.stride[2] == 1) || (w.kernel[2] == 3 && w.stride[2] <= 2)))
    variant = "_" + std::to_string(w.kernel[2]) + "s" + std::to_string(w.stride[2]);
  l.Dispatch("conv_tile_" + std::to_string(tm) + "x4" + variant, {0, has_bias}, {&input, &packed, &bias},
             {&y}, p, {u((w.out[1] * tiles + 15) / 16), (p.blocks + tm - 1) / tm, u(batch * groups)}, work);
}

void ConvTranspose(Lowering& l) {
  l.NeedF32(0);
  l.NeedF32(1);
  if (l.HasIn(2)) l.NeedF32(2);
  const Tensor &x = l.In(0), &weight = l.In(1), &y = l.Out();
  if (weight.dims.size() != x.dims.size() || x.dims.size() < 3)
    l.RefuseShape("input and weights differ in rank, or have no spatial dimension");
  Window w = ReadWindow(l, Dims(weight.dims.begin() + 2, weight.dims.end()), true);
  int64_t groups = l.node().Int("group", 1), all_channels = x.dims[1], outputs = weight.dims[1];
  if (groups < 1 || all_channels % groups != 0 || weight.dims[0] != all_channels)
    l.RefuseAttribute("group", "does not divide the channels");
  if (y.dims[1] != outputs * groups) l.RefuseShape("the output's channels do not fit");
  if (l.HasIn(2) && l.In(2).count != outputs * groups)
    l.RefuseShape("the bias has not one element an output channel");
  if (y.count == 0) return;
  if (x.count == 0) l.RefuseShape("an empty input");
  int64_t channels = all_channels / groups, taps = int64_t{w.kernel[0]} * w.kernel[1] * w.kernel[2];
  Tensor packed =
      PackWeights(l, groups, outputs, channels, taps, channels * outputs * taps, taps, outputs * taps);
  Direct(l, "conv_transpose", w, x.dims[0], groups, channels, outputs, packed);
}

const Operator kOperators[] = {{"Conv", 22, Conv}, {"ConvTranspose", 22, ConvTranspose}};

}  // namespace

std::span<const Operator> ConvolutionOperators() { return kOperators; }

}  // namespace braid::vulkan
