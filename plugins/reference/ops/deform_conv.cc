// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/compute.h"
#include "plugins/reference/ops/conv_core.h"
#include "plugins/reference/ops/conv_kin.h"
#include "plugins/reference/ops/gemm.h"

namespace braid::reference {

// DeformConv-22: as Conv, but each element of a window is sampled, by linear interpolation, at a place that
// `offset` moves; what lies outside the input counts as 0. For a tile of windows the samples are gathered
// into columns, which the weights multiply.
void DeformConv(OpContext& op) {
  const Tensor &x = op.input(0), &w = op.input(1), &offset = op.input(2);
  ConvShape s = ReadConv(op, x, w);
  CheckBias(op, 3, s.features);
  const Window& win = s.window;
  const size_t n = win.rank();
  op.Check(n <= 8, "more than 8 spatial axes are not supported");
  const int64_t elements = win.kernel_size(), positions = win.out_size(), plane = win.in_size();
  const int64_t groups = op.Int("offset_group", 1), axes = static_cast<int64_t>(n);
  op.Check(groups >= 1 && s.channels % groups == 0, "offset_group " + std::to_string(groups) +
                                                        " does not divide the " + std::to_string(s.channels) +
                                                        " channels");
  auto check = [&](const Tensor& t, const char* what, int64_t planes) {
    Dims want = {s.batch, planes};
    want.insert(want.end(), win.out.begin(), win.out.end());
    op.Check(t.dims() == want, std::string(what) + " is " + DimsText(t.dims()) + ", not " + DimsText(want));
  };
  op.Check(groups <= (int64_t{1} << 40) / (elements * axes), "there are too many offset groups");
  check(offset, "offset", groups * elements * axes);
  if (op.has(4)) check(op.input(4), "mask", groups * elements);
  const int64_t group_channels = s.channels / groups, inputs = s.channels / s.group,
                outputs = s.features / s.group;
  ComputeIn(x.type(), [&]<class W>() {
    Tensor wide_x = As<W>(x), wide_w = As<W>(w), shifts = As<W>(offset);
    Tensor bias = op.has(3) ? As<W>(op.input(3)) : Tensor(), mask = op.has(4) ? As<W>(op.input(4)) : Tensor();
    OutputAs<W> y(op, 0, x.type(), s.dims());
    FillBias<W>(bias.data<W>(), s.batch, s.features, positions, y.data());
    constexpr int64_t kTile = 64;
    const int64_t tiles = (positions + kTile - 1) / kTile;
    Count(Dims{s.channels, elements, kTile});
    if (y.size() > 0 && s.channels > 0)
      op.parallel().For(s.batch * tiles, kTile * elements * (s.channels << n), [&](int64_t task) {
        const int64_t b = task / tiles, first = task % tiles * kTile,
                      count = std::min(kTile, positions - first);
        std::vector<W> columns(static_cast<size_t>(s.channels * elements * count));
        const W* image = wide_x.data<W>() + b * s.channels * plane;
        for (int64_t g = 0; g < groups; ++g)
          for (int64_t e = 0; e < elements; ++e)
            for (int64_t p = 0; p < count; ++p) {
              const int64_t at = first + p, row = (b * groups + g) * elements + e;
              // The corners around the sampling place, and their weights.
              std::array<int64_t, 8> low{};
              std::array<W, 8> part{};
              bool outside = false;
              int64_t o = at, k = e;
              for (size_t i = n; i-- > 0; o /= win.out[i], k /= win.kernel[i]) {
                W place = static_cast<W>(o % win.out[i] * win.stride[i] - win.begin[i] +
                                         k % win.kernel[i] * win.dilation[i]) +
                          shifts.data<W>()[(row * axes + static_cast<int64_t>(i)) * positions + at];
                if (!(place > -1 && place < static_cast<W>(win.in[i]))) {
                  outside = true;
                  break;
                }
                W floor = std::floor(place);
                low[i] = static_cast<int64_t>(floor);
                part[i] = place - floor;
              }
              if (outside) continue;
              const W scale = mask.present() ? mask.data<W>()[row * positions + at] : W{1};
              for (int corner = 0; corner < 1 << n; ++corner) {
                int64_t from = 0;
                W weight = scale;
                bool inside = true;
                for (size_t i = 0; i < n && inside; ++i) {
                  const bool high = ((corner >> i) & 1) != 0;
                  const int64_t c = low[i] + (high ? 1 : 0);
                  inside = c >= 0 && c < win.in[i];
                  weight *= high ? part[i] : 1 - part[i];
                  from = from * win.in[i] + c;
                }
                if (!inside) continue;
                for (int64_t c = g * group_channels; c < (g + 1) * group_channels; ++c)
                  columns[static_cast<size_t>((c * elements + e) * count + p)] +=
                      weight * image[c * plane + from];
              }
            }
        for (int64_t g = 0; g < s.group; ++g)
          Gemm<W>(Parallel(), outputs, count, inputs * elements,
                  {wide_w.data<W>() + g * outputs * inputs * elements, inputs * elements, 1},
                  {columns.data() + g * inputs * elements * count, count, 1},
                  y.data() + (b * s.features + g * outputs) * positions + first, positions);
      });
    y.Store();
  });
}

}  // namespace braid::reference
