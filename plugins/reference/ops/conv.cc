// SPDX-License-Identifier: Apache-2.0
//
// Conv, ConvInteger and QLinearConv; the transposed and deformable ones are in conv_transpose.cc and
// deform_conv.cc.
#include "plugins/reference/ops/compute.h"
#include "plugins/reference/ops/conv_core.h"
#include "plugins/reference/ops/conv_kin.h"

namespace braid::reference {
namespace {

constexpr TypeSet kBytes = Types(kInt8, kUint8);

// Conv-22.
void Conv(OpContext& op) {
  const Tensor &x = op.input(0), &w = op.input(1);
  ConvShape s = ReadConv(op, x, w);
  CheckBias(op, 2, s.features);
  ComputeIn(x.type(), [&]<class W>() {
    Tensor wide_x = As<W>(x), wide_w = As<W>(w), bias = op.has(2) ? As<W>(op.input(2)) : Tensor();
    OutputAs<W> y(op, 0, x.type(), s.dims());
    FillBias<W>(bias.data<W>(), s.batch, s.features, s.window.out_size(), y.data());
    Convolve<W>(op.parallel(), s, wide_x.data<W>(), wide_w.data<W>(), y.data());
    y.Store();
  });
}

// The bytes less their zero point - one, or one for each of `rows` - as 32-bit integers.
Tensor LessZeroPoint(const OpContext& op, const Tensor& t, const Tensor* zero, int64_t rows,
                     const char* what) {
  Tensor out(kUint32, t.dims());
  Tensor wide = As<uint32_t>(t);
  Dims zeros = zero != nullptr ? zero->AsInts() : Dims{0};
  op.Check(zeros.size() == 1 || (static_cast<int64_t>(zeros.size()) == rows && zero->rank() == 1),
           std::string(what) + " zero point " + (zero != nullptr ? DimsText(zero->dims()) : "") +
               " is neither one value nor one a feature");
  const int64_t run = zeros.size() == 1 ? t.size() : t.size() / std::max<int64_t>(rows, 1);
  for (int64_t i = 0; i < t.size(); ++i)
    out.data<uint32_t>()[i] =
        wide.data<uint32_t>()[i] - static_cast<uint32_t>(zeros[static_cast<size_t>(i / run)]);
  return out;
}

// The sums of ConvInteger and QLinearConv.
Tensor ConvolveBytes(const OpContext& op, const ConvShape& s, const Tensor& x, const Tensor* x_zero,
                     const Tensor& w, const Tensor* w_zero) {
  op.Check(x_zero == nullptr || x_zero->size() == 1, "the input's zero point is not one value");
  Tensor a = LessZeroPoint(op, x, x_zero, 1, "the input's"),
         b = LessZeroPoint(op, w, w_zero, s.features, "the weights'");
  Tensor y(kUint32, s.dims());
  std::fill_n(y.data<uint32_t>(), y.size(), 0u);
  Convolve<uint32_t>(op.parallel(), s, a.data<uint32_t>(), b.data<uint32_t>(), y.data<uint32_t>());
  return y;
}

// ConvInteger-10. Padding is the zero point.
void ConvInteger(OpContext& op) {
  ConvShape s = ReadConv(op, op.input(0), op.input(1));
  Tensor sums = ConvolveBytes(op, s, op.input(0), op.has(2) ? &op.input(2) : nullptr, op.input(1),
                              op.has(3) ? &op.input(3) : nullptr);
  Tensor& y = op.Output(0, kInt32, s.dims());
  std::memcpy(y.raw(), sums.raw(), sums.bytes());
}

// QLinearConv-10: y = saturate(round(sum * x_scale * w_scale / y_scale) + y_zero_point), ties to even.
void QLinearConv(OpContext& op) {
  const Tensor &x = op.input(0), &w = op.input(3), &w_scale = op.input(4), &y_zero = op.input(7);
  ConvShape s = ReadConv(op, x, w);
  CheckBias(op, 8, s.features);
  op.Check(op.input(1).size() == 1 && op.input(6).size() == 1 && y_zero.size() == 1,
           "the scales and zero points of x and y must be one value each");
  op.Check(w_scale.size() == 1 || (w_scale.rank() == 1 && w_scale.size() == s.features),
           "w_scale " + DimsText(w_scale.dims()) + " is neither one value nor one a feature");
  Tensor sums = ConvolveBytes(op, s, x, &op.input(2), w, &op.input(5));
  Tensor bias = op.has(8) ? As<uint32_t>(op.input(8)) : Tensor();
  const double x_scale = op.input(1).AsDouble(0), y_scale = op.input(6).AsDouble(0),
               zero = y_zero.AsDouble(0);
  const double low = y_zero.type() == kInt8 ? -128 : 0, high = low + 255;
  Tensor& y = op.Output(0, y_zero.type(), s.dims());
  const int64_t plane = s.window.out_size();
  for (int64_t i = 0; i < y.size(); ++i) {
    const int64_t f = i / plane % s.features;
    uint32_t sum = sums.data<uint32_t>()[i] + (bias.present() ? bias.data<uint32_t>()[f] : 0);
    double v =
        static_cast<int32_t>(sum) * (x_scale * w_scale.AsDouble(w_scale.size() == 1 ? 0 : f) / y_scale);
    v = std::isnan(v) ? low : std::clamp(std::nearbyint(v) + zero, low, high);
    if (y_zero.type() == kInt8)
      y.data<int8_t>()[i] = static_cast<int8_t>(v);
    else
      y.data<uint8_t>()[i] = static_cast<uint8_t>(v);
  }
}

}  // namespace

std::span<const OpEntry> ConvOps() {
  static const OpEntry kOps[] = {
      {"", "Conv", 22, Conv, {kFloats}},
      {"", "ConvTranspose", 22, ConvTranspose, {kFloats}},
      {"", "DeformConv", 22, DeformConv, {kFloats}},
      {"",
       "Col2Im",
       18,
       Col2Im,
       {kAllTypes & ~kFloat8s & ~kNarrowInts & ~Types(kFloat4E2M1, kFloat8E8M0), Types(kInt64)}},
      {"", "ConvInteger", 10, ConvInteger, {kBytes}},
      {"",
       "QLinearConv",
       10,
       QLinearConv,
       {kBytes, Types(kFloat), kBytes, kBytes, Types(kFloat), kBytes, Types(kFloat), kBytes, Types(kInt32)}},
  };
  return kOps;
}

}  // namespace braid::reference
