// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/conv_core.h"

#include "plugins/reference/ops/gemm.h"

namespace braid::reference {
namespace {

// Few features a group (depthwise and the like): each output row is a sum of scaled input rows.
template <class W>
void ConvolveRows(const Parallel& parallel, const ConvShape& s, const W* x, const W* w, W* y) {
  const Window& win = s.window;
  const size_t last = win.rank() - 1;
  const int64_t in = win.in[last], out = win.out[last], kernel = win.kernel[last], step = win.stride[last];
  const int64_t in_plane = win.in_size(), out_plane = win.out_size(), kernel_size = win.kernel_size();
  const int64_t rows = out == 0 ? 0 : out_plane / out;
  const int64_t channels = s.channels / s.group, features = s.features / s.group;
  const int64_t first_k = win.LastKernel().first, last_k = win.LastKernel().second;
  parallel.For(s.batch * s.features, out_plane * kernel_size * channels, [&](int64_t i) {
    const int64_t batch = i / s.features, f = i % s.features, group = f / features;
    const W* image = x + (batch * s.channels + group * channels) * in_plane;
    const W* weights = w + f * channels * kernel_size;
    W* to = y + i * out_plane;
    for (int64_t row = 0; row < rows; ++row, to += out) {
      win.ForEachKernelRow(row, [&](int64_t kernel_row, int64_t input_row) {
        for (int64_t k = first_k; k < last_k; ++k) {
          Window::Range r = win.LastAxis(k);
          if (r.first >= r.last) continue;
          for (int64_t c = 0; c < channels; ++c)
            AddScaled(image + c * in_plane + input_row * in + r.first * step + r.shift, step,
                      weights[c * kernel_size + kernel_row * kernel + k], r.last - r.first, to + r.first);
        }
      });
    }
  });
}

// Writes one row of the matrix of windows - channel and kernel element `at` of `image` - for the windows
// [begin, end).
template <class W>
void WindowRow(const Window& win, const W* image, int64_t at, int64_t begin, int64_t end, W* line) {
  const size_t n = win.rank() - 1;
  const int64_t out = win.out[n], in = win.in[n], step = win.stride[n];
  std::array<int64_t, kMaxSpatial> k{};
  for (size_t i = n + 1; i-- > 0; at /= win.kernel[i]) k[i] = at % win.kernel[i];
  image += at * win.in_size();  // what is left is the channel
  const Window::Range r = win.LastAxis(k[n]);
  for (int64_t o = begin; o < end;) {
    int64_t row = o / out, first = o % out, count = std::min(end - o, out - first);
    int64_t input_row = 0, scale = 1;
    bool inside = true;
    for (size_t i = n; i-- > 0 && inside; row /= win.out[i]) {
      int64_t p = row % win.out[i] * win.stride[i] - win.begin[i] + k[i] * win.dilation[i];
      inside = p >= 0 && p < win.in[i];
      input_row += p * scale;
      scale *= win.in[i];
    }
    const int64_t from = inside ? std::clamp(r.first, first, first + count) : first + count;
    const int64_t to = inside ? std::clamp(r.last, from, first + count) : from;
    std::fill(line, line + (from - first), W{});
    const W* source = image + input_row * in + from * step + r.shift;
    W* target = line + (from - first);
    if (step == 1) {
      if (to > from) std::memcpy(target, source, static_cast<size_t>(to - from) * sizeof(W));
    } else {
      for (int64_t j = 0; j < to - from; ++j) target[j] = source[j * step];
    }
    std::fill(line + (to - first), line + count, W{});
    o += count;
    line += count;
  }
}

// As a matrix product: weights [features x (channels * kernel)] times windows [(channels * kernel) x
// positions].
template <class W>
void ConvolveMatrix(const Parallel& parallel, const ConvShape& s, const W* x, const W* w, W* y) {
  const Window& win = s.window;
  const int64_t in_plane = win.in_size(), positions = win.out_size();
  const int64_t channels = s.channels / s.group, features = s.features / s.group;
  const int64_t k = channels * win.kernel_size();
  // Few positions: share the features out too, or there is no work for a second core.
  const int64_t tiles = (positions + kGemmTile - 1) / kGemmTile;
  const int64_t strip =
      tiles * s.batch * s.group >= 4 ? features : std::max<int64_t>(96, RoundUp(features / 4 + 1, kGemmRows));
  const int64_t strips = (features + strip - 1) / strip;
  std::vector<std::unique_ptr<W[]>> packed(static_cast<size_t>(s.group * strips));
  parallel.For(s.group * strips, strip * k, [&](int64_t i) {
    const int64_t group = i / strips, first = i % strips * strip;
    packed[static_cast<size_t>(i)] =
        PackRows<W>({w + (group * features + first) * k, k, 1}, std::min(strip, features - first), k);
  });
  parallel.For(
      s.batch * s.group * strips * tiles, std::min(kGemmTile, positions) * strip * k, [&](int64_t task) {
        const int64_t begin = task % tiles * kGemmTile, end = std::min(positions, begin + kGemmTile);
        const int64_t part = task / tiles % (s.group * strips), batch = task / tiles / (s.group * strips);
        const int64_t group = part / strips, first = part % strips * strip;
        const W* image = x + (batch * s.channels + group * channels) * in_plane;
        auto fill = [&](int64_t at, int64_t from, int64_t to, W* line) {
          WindowRow(win, image, at, from, to, line);
        };
        GemmColumns(packed[static_cast<size_t>(part)].get(), std::min(strip, features - first), k, begin, end,
                    fill, y + (batch * s.features + group * features + first) * positions, positions);
      });
}

}  // namespace

template <class W>
void Convolve(const Parallel& parallel, const ConvShape& s, const W* x, const W* w, W* y) {
  if (s.batch * s.features * s.window.out_size() == 0 || s.channels == 0) return;
  if (s.features / s.group < 4)
    ConvolveRows(parallel, s, x, w, y);
  else
    ConvolveMatrix(parallel, s, x, w, y);
}
template void Convolve<float>(const Parallel&, const ConvShape&, const float*, const float*, float*);
template void Convolve<double>(const Parallel&, const ConvShape&, const double*, const double*, double*);
template void Convolve<uint32_t>(const Parallel&, const ConvShape&, const uint32_t*, const uint32_t*,
                                 uint32_t*);

ConvShape ReadConv(const OpContext& op, const Tensor& x, const Tensor& w) {
  ConvShape s;
  Dims in = SpatialDims(op, x, "the input");
  op.Check(w.rank() == x.rank(), "the weights " + DimsText(w.dims()) + " and the input " +
                                     DimsText(x.dims()) + " have different ranks");
  Dims kernel(w.dims().begin() + 2, w.dims().end());
  if (op.HasAttr("kernel_shape"))
    op.Check(op.Ints("kernel_shape") == kernel, "kernel_shape " + DimsText(op.Ints("kernel_shape")) +
                                                    " is not that of the weights " + DimsText(w.dims()));
  s.batch = x.dim(0), s.channels = x.dim(1), s.features = w.dim(0), s.group = op.Int("group", 1);
  op.Check(s.group >= 1, "group is " + std::to_string(s.group) + ", it must be at least 1");
  op.Check(s.channels % s.group == 0 && s.features % s.group == 0 && w.dim(1) == s.channels / s.group,
           "the weights " + DimsText(w.dims()) + " do not fit the input " + DimsText(x.dims()) + " in " +
               std::to_string(s.group) + " groups");
  s.window = ReadWindow(op, in, kernel);
  FitWindow(op, s.window);
  Count(s.dims());
  return s;
}

void CheckBias(const OpContext& op, size_t i, int64_t features) {
  if (op.has(i))
    op.Check(
        op.input(i).size() == features && op.input(i).rank() == 1,
        "the bias " + DimsText(op.input(i).dims()) + " is not of shape [" + std::to_string(features) + "]");
}

}  // namespace braid::reference
