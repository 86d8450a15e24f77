// SPDX-License-Identifier: Apache-2.0
//
// What adds windows back into an image: ConvTranspose and Col2Im. The Window is that of the convolution whose
// input is the image: `in` is what these operators write, `out` are the blocks that they read.
#include "plugins/reference/ops/compute.h"
#include "plugins/reference/ops/conv_core.h"
#include "plugins/reference/ops/conv_kin.h"
#include "plugins/reference/ops/gemm.h"

namespace braid::reference {
namespace {

// image += blocks, of one channel: `columns` has a row of window.out_size() elements for each element of the
// kernel.
template <class T>
void AddBlocks(const Window& w, const T* columns, T* image) {
  const size_t last = w.rank() - 1;
  const int64_t out = w.out[last], in = w.in[last], kernel = w.kernel[last], step = w.stride[last];
  const int64_t positions = w.out_size(), rows = out == 0 ? 0 : positions / out;
  const int64_t first_k = w.LastKernel().first, last_k = w.LastKernel().second;
  for (int64_t row = 0; row < rows; ++row) {
    w.ForEachKernelRow(row, [&](int64_t kernel_row, int64_t image_row) {
      for (int64_t k = first_k; k < last_k; ++k) {
        const Window::Range r = w.LastAxis(k);
        const T* from = columns + (kernel_row * kernel + k) * positions + row * out;
        T* to = image + image_row * in + r.shift;
        for (int64_t o = r.first; o < r.last; ++o) {
          if constexpr (std::is_same_v<T, bool>)
            to[o * step] = to[o * step] || from[o];
          else
            to[o * step] += from[o];
        }
      }
    });
  }
}

// The output's extents and the pads, as the operator's description has them. Pads that come from an output
// shape larger than the windows reach are 0: the rest is bias alone.
void FitTransposed(const OpContext& op, Window& w) {
  const size_t n = w.rank();
  const std::string pad = AutoPad(op);
  Dims extra = op.HasAttr("output_padding") ? op.Ints("output_padding") : Dims(n, 0);
  op.Check(extra.size() == n,
           "output_padding " + DimsText(extra) + " needs " + std::to_string(n) + " values");
  Dims shape = op.Ints("output_shape");
  if (shape.size() == n + 2) shape.erase(shape.begin(), shape.begin() + 2);
  op.Check(shape.empty() || shape.size() == n,
           "output_shape " + DimsText(shape) + " needs " + std::to_string(n) + " values");
  for (int64_t d : shape)
    op.Check(d >= 1 && d <= int64_t{1} << 40,
             "output_shape " + DimsText(shape) + " has a value outside [1, 2^40]");
  w.in.assign(n, 0);
  constexpr int64_t kLargest = int64_t{1} << 31;
  for (size_t i = 0; i < n; ++i) {
    op.Check(extra[i] >= 0 && extra[i] < kLargest,
             "output_padding " + DimsText(extra) + " has a value outside [0, 2^31)");
    op.Check(w.out[i] < kLargest, "the input's extents " + DimsText(w.out) + " are too large");
    const int64_t full = w.stride[i] * (w.out[i] - 1) + extra[i] + w.extent(i);
    const bool same = pad == "SAME_UPPER" || pad == "SAME_LOWER";
    if (!shape.empty() || same) {
      const int64_t wanted = shape.empty() ? w.out[i] * w.stride[i] : shape[i];
      const int64_t total = std::max<int64_t>(0, full - wanted);
      w.begin[i] = pad == "SAME_UPPER" ? total / 2 : total - total / 2;
      w.end[i] = total - w.begin[i];
      w.in[i] = shape.empty() ? full - total : wanted;
    } else {
      if (pad == "VALID") w.begin[i] = w.end[i] = 0;
      w.in[i] = full - w.begin[i] - w.end[i];
    }
    op.Check(w.in[i] >= 1, "the output's extent along spatial axis " + std::to_string(i) + " is " +
                               std::to_string(w.in[i]) + ": " + std::to_string(full) + " less pads " +
                               std::to_string(w.begin[i]) + " and " + std::to_string(w.end[i]));
  }
}

template <class T>
void FoldBlocks(OpContext& op, const Window& w, const T* columns, T* image, int64_t images) {
  const int64_t plane = w.in_size(), blocks = w.kernel_size() * w.out_size();
  op.parallel().For(images, blocks, [&](int64_t i) {
    std::fill_n(image + i * plane, plane, T{});
    AddBlocks(w, columns + i * blocks, image + i * plane);
  });
}

}  // namespace

// ConvTranspose-22: the columns of a group are its weights, transposed, times its channels; then they are
// folded.
void ConvTranspose(OpContext& op) {
  const Tensor &x = op.input(0), &w = op.input(1);
  Dims in = SpatialDims(op, x, "the input");
  op.Check(w.rank() == x.rank(), "the weights " + DimsText(w.dims()) + " and the input " +
                                     DimsText(x.dims()) + " have different ranks");
  Dims kernel(w.dims().begin() + 2, w.dims().end());
  if (op.HasAttr("kernel_shape"))
    op.Check(op.Ints("kernel_shape") == kernel, "kernel_shape " + DimsText(op.Ints("kernel_shape")) +
                                                    " is not that of the weights " + DimsText(w.dims()));
  const int64_t batch = x.dim(0), channels = x.dim(1), group = op.Int("group", 1);
  op.Check(group >= 1, "group is " + std::to_string(group) + ", it must be at least 1");
  op.Check(channels == w.dim(0) && channels % group == 0, "the weights " + DimsText(w.dims()) +
                                                              " do not fit the input " + DimsText(x.dims()) +
                                                              " in " + std::to_string(group) + " groups");
  op.Check(w.dim(1) <= (int64_t{1} << 40) / group, "there are too many features");
  const int64_t own = w.dim(1), features = own * group;
  Window win = ReadWindow(op, in, kernel);
  win.out = win.in;
  FitTransposed(op, win);
  CheckBias(op, 2, features);
  Dims dims = {batch, features};
  dims.insert(dims.end(), win.in.begin(), win.in.end());
  Count(dims);
  const int64_t positions = win.out_size(), plane = win.in_size(), elements = win.kernel_size();
  const int64_t inputs = channels / group;
  ComputeIn(x.type(), [&]<class W>() {
    Tensor wide_x = As<W>(x), wide_w = As<W>(w), bias = op.has(2) ? As<W>(op.input(2)) : Tensor();
    OutputAs<W> y(op, 0, x.type(), dims);
    FillBias<W>(bias.data<W>(), batch, features, plane, y.data());
    // A few features at a time, so that the columns stay small.
    const int64_t strip = std::clamp<int64_t>(RoundUp(32, elements) / elements, 1, std::max<int64_t>(own, 1));
    const int64_t strips = (own + strip - 1) / strip;
    if (y.size() > 0 && inputs > 0 && positions > 0) {
      Count(Dims{strip, elements, positions});
      op.parallel().For(batch * group * strips, strip * elements * positions * inputs, [&](int64_t task) {
        const int64_t first = task % strips * strip, count = std::min(strip, own - first);
        const int64_t g = task / strips % group, n = task / strips / group;
        std::vector<W> columns(static_cast<size_t>(count * elements * positions));
        Gemm<W>(Parallel(), count * elements, positions, inputs,
                {wide_w.data<W>() + (g * inputs * own + first) * elements, 1, own * elements},
                {wide_x.data<W>() + (n * channels + g * inputs) * positions, positions, 1}, columns.data(),
                positions);
        for (int64_t f = 0; f < count; ++f)
          AddBlocks(win, columns.data() + f * elements * positions,
                    y.data() + (n * features + g * own + first + f) * plane);
      });
    }
    y.Store();
  });
}

// Col2Im-18: (N, C * prod(block), L) -> (N, C, image). Overlapping elements add up (bool: or; strings: are
// joined).
void Col2Im(OpContext& op) {
  const Tensor& x = op.input(0);
  op.Check(x.rank() == 3, "the input " + DimsText(x.dims()) + " is not of shape (N, C * block, L)");
  Dims image = op.input(1).AsInts(), block = op.input(2).AsInts();
  op.Check(!image.empty() && image.size() == block.size() && image.size() <= kMaxSpatial,
           "image_shape " + DimsText(image) + " and block_shape " + DimsText(block) + " differ in length");
  for (int64_t d : image)
    op.Check(d >= 1 && d <= int64_t{1} << 40, "image_shape " + DimsText(image) + " is not positive");
  Window w = ReadWindow(op, image, block);
  FitWindow(op, w);
  const int64_t elements = Count(block);
  op.Check(x.dim(1) % elements == 0, "axis 1 of the input " + DimsText(x.dims()) +
                                         " is no multiple of the block's " + std::to_string(elements) +
                                         " elements");
  op.Check(x.dim(2) == Count(w.out), "axis 2 of the input " + DimsText(x.dims()) + " should be " +
                                         std::to_string(Count(w.out)) + ": the blocks are " +
                                         DimsText(w.out));
  const int64_t images = x.dim(0) * (x.dim(1) / elements);
  Dims dims = {x.dim(0), x.dim(1) / elements};
  dims.insert(dims.end(), image.begin(), image.end());
  Count(dims);
  switch (x.type()) {
    case kString:
    case kBool:
    case kComplex64:
    case kComplex128: {
      Tensor& y = op.Output(0, x.type(), dims);
      DispatchIn<Types(kString, kBool) | kComplexes>(
          x.type(), [&]<class T>() { FoldBlocks(op, w, x.data<T>(), y.data<T>(), images); });
      return;
    }
    default:
      break;
  }
  auto fold = [&]<class W>() {
    Tensor wide = As<W>(x);
    OutputAs<W> y(op, 0, x.type(), dims);
    FoldBlocks(op, w, wide.data<W>(), y.data(), images);
    y.Store();
  };
  if (!Contains(kInts, x.type()))
    ComputeIn(x.type(), fold);
  else if (x.type() == kInt64 || x.type() == kUint64)
    fold.template operator()<uint64_t>();
  else
    fold.template operator()<uint32_t>();
}

}  // namespace braid::reference
