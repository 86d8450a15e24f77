// SPDX-License-Identifier: Apache-2.0
//
// Normalisation by statistics of the data; the softmax family is in softmax.cc. Means and variances are
// summed in double.
#include "plugins/reference/ops/broadcast.h"
#include "plugins/reference/ops/compute.h"
#include "plugins/reference/ops/softmax.h"

namespace braid::reference {
namespace {

struct Moments {
  double mean = 0, variance = 0;  // of the population
};

// Eight accumulators, so that the sums vectorise.
template <class W, class F>
double SumOf(const W* x, int64_t n, const F& f) {
  double s[8] = {};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int j = 0; j < 8; ++j) s[j] += f(static_cast<double>(x[i + j]));
  for (; i < n; ++i) s[0] += f(static_cast<double>(x[i]));
  return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

template <class W>
Moments MomentsOf(const W* x, int64_t n) {
  Moments m;
  m.mean = SumOf(x, n, [](double v) { return v; }) / static_cast<double>(n);
  m.variance = SumOf(x, n, [&](double v) { return (v - m.mean) * (v - m.mean); }) / static_cast<double>(n);
  return m;
}

// Batch, channels and elements of a plane of (N, C, D1 ... Dn).
struct Planes {
  int64_t batch = 1, channels = 1, plane = 1;
};

Planes PlanesOf(const OpContext& op, const Tensor& x, int64_t least_rank) {
  op.Check(x.rank() >= least_rank,
           "the input " + DimsText(x.dims()) + " has a rank below " + std::to_string(least_rank));
  Planes p;
  if (x.rank() >= 1) p.batch = x.dim(0);
  if (x.rank() >= 2) p.channels = x.dim(1);
  for (int64_t i = 2; i < x.rank(); ++i) p.plane *= x.dim(i);
  return p;
}

// Input i as W, of shape [channels].
template <class W>
Tensor PerChannel(const OpContext& op, size_t i, int64_t channels, const char* what) {
  const Tensor& t = op.input(i);
  op.Check(t.rank() == 1 && t.size() == channels, std::string(what) + " " + DimsText(t.dims()) +
                                                      " is not of shape [" + std::to_string(channels) + "]");
  return As<W>(t);
}

// y = (x - mean) * scale + bias.
template <class W>
void Affine(const W* __restrict x, int64_t n, double mean, double scale, double bias, W* __restrict y) {
  const W m = static_cast<W>(mean), a = static_cast<W>(scale), b = static_cast<W>(bias);
  for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - m) * a + b;
}

// BatchNormalization-15. A tensor of rank 1 has one channel.
void BatchNormalization(OpContext& op) {
  const Tensor& x = op.input(0);
  const Planes p = PlanesOf(op, x, 1);
  const double epsilon = op.Float("epsilon", 1e-5f), momentum = op.Float("momentum", 0.9f);
  const bool training = op.Int("training_mode", 0) != 0;
  op.Check(training || (!op.wants(1) && !op.wants(2)),
           "running_mean and running_var are outputs of training_mode = 1 only");
  Tensor scale = PerChannel<double>(op, 1, p.channels, "scale"),
         bias = PerChannel<double>(op, 2, p.channels, "B");
  Tensor mean = PerChannel<double>(op, 3, p.channels, "input_mean"),
         variance = PerChannel<double>(op, 4, p.channels, "input_var");
  ComputeIn(x.type(), [&]<class W>() {
    Tensor wide = As<W>(x);
    std::vector<Moments> moments(static_cast<size_t>(p.channels));
    for (size_t c = 0; c < moments.size(); ++c)
      moments[c] = {mean.data<double>()[c], variance.data<double>()[c]};
    if (training) {
      op.parallel().For(p.channels, p.batch * p.plane * 2, [&](int64_t c) {
        const double count = static_cast<double>(p.batch * p.plane);
        auto over = [&](const auto& f) {
          double sum = 0;
          for (int64_t n = 0; n < p.batch; ++n)
            sum += SumOf(wide.data<W>() + (n * p.channels + c) * p.plane, p.plane, f);
          return sum / count;
        };
        Moments& m = moments[static_cast<size_t>(c)];
        m.mean = over([](double v) { return v; });
        m.variance = over([&](double v) { return (v - m.mean) * (v - m.mean); });
      });
      for (size_t out = 1; out <= 2; ++out) {
        if (!op.wants(out)) continue;
        OutputAs<double> running(op, out, op.input(2 + out).type(), {p.channels});
        const double* before = (out == 1 ? mean : variance).data<double>();
        for (size_t c = 0; c < moments.size(); ++c)
          running.data()[c] =
              before[c] * momentum + (out == 1 ? moments[c].mean : moments[c].variance) * (1 - momentum);
        running.Store();
      }
    }
    OutputAs<W> y(op, 0, x.type(), x.dims());
    op.parallel().For(p.batch * p.channels, p.plane, [&](int64_t i) {
      const int64_t c = i % p.channels;
      const Moments& m = moments[static_cast<size_t>(c)];
      Affine(wide.data<W>() + i * p.plane, p.plane, m.mean,
             scale.data<double>()[c] / std::sqrt(m.variance + epsilon), bias.data<double>()[c],
             y.data() + i * p.plane);
    });
    y.Store();
  });
}

// InstanceNormalization-22 and GroupNormalization-21: each of `groups` groups of channels by its own moments.
void NormalizeGroups(OpContext& op, const Planes& p, int64_t groups) {
  const Tensor& x = op.input(0);
  const double epsilon = op.Float("epsilon", 1e-5f);
  Tensor scale = PerChannel<double>(op, 1, p.channels, "scale"),
         bias = PerChannel<double>(op, 2, p.channels, "bias");
  const int64_t own = groups == 0 ? 0 : p.channels / groups;
  ComputeIn(x.type(), [&]<class W>() {
    Tensor wide = As<W>(x);
    OutputAs<W> y(op, 0, x.type(), x.dims());
    op.parallel().For(p.batch * groups, own * p.plane * 3, [&](int64_t i) {
      const Moments m = MomentsOf(wide.data<W>() + i * own * p.plane, own * p.plane);
      const double inverse = 1 / std::sqrt(m.variance + epsilon);
      for (int64_t k = 0; k < own; ++k) {
        const int64_t c = i % groups * own + k, at = (i * own + k) * p.plane;
        Affine(wide.data<W>() + at, p.plane, m.mean, inverse * scale.data<double>()[c],
               bias.data<double>()[c], y.data() + at);
      }
    });
    y.Store();
  });
}

void InstanceNormalization(OpContext& op) {
  const Planes p = PlanesOf(op, op.input(0), 2);
  NormalizeGroups(op, p, p.channels);
}

// The type of stage one: float unless stash_type says otherwise. This library computes it in double and
// rounds where the model can see it; any other type than a float's is an error.
int32_t StashType(const OpContext& op) {
  const int64_t type = op.Int("stash_type", kFloat);
  op.Check(type >= 0 && type < 64 && Contains(kFloats, static_cast<int32_t>(type)),
           "stash_type " + std::to_string(type) + " is no float type");
  return static_cast<int32_t>(type);
}

void GroupNormalization(OpContext& op) {
  const Planes p = PlanesOf(op, op.input(0), 2);
  StashType(op);
  const int64_t groups = op.Int("num_groups", 0);
  op.Check(groups >= 1 && groups <= std::max<int64_t>(p.channels, 1) && p.channels % groups == 0,
           "num_groups " + std::to_string(groups) + " does not divide the " + std::to_string(p.channels) +
               " channels");
  NormalizeGroups(op, p, groups);
}

// Strides with which a tensor is walked as one of `dims`; an error if it does not stretch to it.
Dims Stretch(const OpContext& op, const Tensor& t, const Dims& dims, const char* what) {
  bool fits = t.dims().size() <= dims.size();
  for (size_t i = 1; fits && i <= t.dims().size(); ++i) {
    int64_t d = t.dims()[t.dims().size() - i];
    fits = d == 1 || d == dims[dims.size() - i];
  }
  op.Check(fits, std::string(what) + " " + DimsText(t.dims()) + " does not broadcast to " + DimsText(dims));
  return BroadcastStrides(t.dims(), dims);
}

// LayerNormalization-17 and RMSNormalization-23: rows of the axes from `axis` on are normalised, then scaled
// and shifted.
void NormalizeRows(OpContext& op, bool centred, size_t outputs) {
  const Tensor &x = op.input(0), &scale = op.input(1);
  const int64_t axis = op.Axis(op.Int("axis", -1), x.rank());
  const double epsilon = op.Float("epsilon", 1e-5f);
  const int32_t stash = StashType(op);
  const Dims outer(x.dims().begin(), x.dims().begin() + axis);
  Dims reduced = x.dims();
  int64_t rows = 1, n = 1;
  for (int64_t i = 0; i < x.rank(); ++i) {
    (i < axis ? rows : n) *= x.dim(i);
    if (i >= axis) reduced[static_cast<size_t>(i)] = 1;
  }
  const bool has_bias = centred && op.has(2);
  const Dims zero(x.dims().size(), 0);
  Dims scale_strides = Stretch(op, scale, x.dims(), "Scale");
  Dims bias_strides = has_bias ? Stretch(op, op.input(2), x.dims(), "B") : zero;
  const int32_t type = centred ? x.type() : scale.type();
  ComputeIn(type == kDouble ? type : x.type(), [&]<class W>() {
    Tensor wide = As<W>(x), factor = As<W>(scale), bias = has_bias ? As<W>(op.input(2)) : Tensor();
    OutputAs<W> y(op, 0, type, x.dims());
    std::vector<double> means(static_cast<size_t>(rows)), inverses(static_cast<size_t>(rows));
    op.parallel().For(rows, n * 4, [&](int64_t r) {
      const W* from = wide.data<W>() + r * n;
      Moments m;
      if (centred)
        m = MomentsOf(from, n);
      else
        m.variance = SumOf(from, n, [](double v) { return v * v; }) / static_cast<double>(n);
      const double inverse = 1 / std::sqrt(m.variance + epsilon);
      means[static_cast<size_t>(r)] = m.mean, inverses[static_cast<size_t>(r)] = inverse;
      Affine(from, n, m.mean, inverse, 0, y.data() + r * n);
    });
    W* to = y.data();
    ForEachRow<2>(x.dims(), {scale_strides, bias_strides},
                  [&](int64_t first, const auto& at, int64_t count, const auto& step) {
                    const W* a = factor.data<W>() + at[0];
                    if (!has_bias) {
                      for (int64_t i = 0; i < count; ++i) to[first + i] *= a[i * step[0]];
                    } else {
                      const W* b = bias.data<W>() + at[1];
                      for (int64_t i = 0; i < count; ++i)
                        to[first + i] = to[first + i] * a[i * step[0]] + b[i * step[1]];
                    }
                  });
    y.Store();
    for (size_t i = 1; i < outputs; ++i) {
      if (!op.wants(i)) continue;
      OutputAs<double> out(op, i, stash, reduced);
      std::copy_n((i == 1 ? means : inverses).data(), out.size(), out.data());
      out.Store();
    }
  });
}

void LayerNormalization(OpContext& op) { NormalizeRows(op, true, 3); }
void RmsNormalization(OpContext& op) { NormalizeRows(op, false, 1); }

// LRN-13: y = x / (bias + alpha / size * sum of squares over the channels around it) ^ beta.
void Lrn(OpContext& op) {
  const Tensor& x = op.input(0);
  const Planes p = PlanesOf(op, x, 2);
  const int64_t size = op.Int("size", 0);
  op.Check(size >= 1, "size is " + std::to_string(size) + ", it must be at least 1");
  const double alpha = op.Float("alpha", 1e-4f), beta = op.Float("beta", 0.75f), bias = op.Float("bias", 1);
  const int64_t below = (size - 1) / 2, above = size - 1 - below;
  ComputeIn(x.type(), [&]<class W>() {
    Tensor wide = As<W>(x);
    OutputAs<W> y(op, 0, x.type(), x.dims());
    op.parallel().For(p.batch * p.channels, p.plane * std::min(size, p.channels) * 4, [&](int64_t i) {
      const int64_t c = i % p.channels;
      const int64_t first = std::max<int64_t>(0, c - below),
                    last = above >= p.channels - 1 - c ? p.channels - 1 : c + above;
      std::vector<double> sums(static_cast<size_t>(p.plane), 0.0);
      for (int64_t k = first; k <= last; ++k) {
        const W* from = wide.data<W>() + (i - c + k) * p.plane;
        for (int64_t j = 0; j < p.plane; ++j)
          sums[static_cast<size_t>(j)] += static_cast<double>(from[j]) * static_cast<double>(from[j]);
      }
      const W* from = wide.data<W>() + i * p.plane;
      for (int64_t j = 0; j < p.plane; ++j)
        y.data()[i * p.plane + j] = static_cast<W>(
            static_cast<double>(from[j]) /
            std::pow(bias + alpha / static_cast<double>(size) * sums[static_cast<size_t>(j)], beta));
    });
    y.Store();
  });
}

// LpNormalization-22: x / norm along the axis; 0 where the norm is 0.
void LpNormalization(OpContext& op) {
  const Tensor& x = op.input(0);
  const int64_t axis = op.Axis(op.Int("axis", -1), x.rank()), p = op.Int("p", 2);
  op.Check(p == 1 || p == 2, "p is " + std::to_string(p) + ", it must be 1 or 2");
  int64_t outer = 1, inner = 1;
  for (int64_t i = 0; i < x.rank(); ++i) (i < axis ? outer : inner) *= i == axis ? 1 : x.dim(i);
  const int64_t n = x.dim(axis);
  Tensor wide = As<double>(x);
  OutputAs<double> y(op, 0, x.type(), x.dims());
  if (x.size() == 0) outer = 0;  // one extent is 0, the others may be anything
  op.parallel().For(outer, n * inner * 4, [&](int64_t o) {
    for (int64_t j = 0; j < inner; ++j) {
      const double* from = wide.data<double>() + o * n * inner + j;
      double* to = y.data() + o * n * inner + j;
      double norm = 0;
      for (int64_t i = 0; i < n; ++i)
        norm += p == 1 ? std::fabs(from[i * inner]) : from[i * inner] * from[i * inner];
      if (p == 2) norm = std::sqrt(norm);
      for (int64_t i = 0; i < n; ++i) to[i * inner] = norm == 0 ? 0 : from[i * inner] / norm;
    }
  });
  y.Store();
}

// MeanVarianceNormalization-13: (x - E x) / (sqrt(E (x - E x)^2) + 1e-9), the means over `axes`; the small
// term is that of the operator's function body.
void MeanVarianceNormalization(OpContext& op) {
  const Tensor& x = op.input(0);
  Dims axes = op.HasAttr("axes") ? op.Ints("axes") : Dims{0, 2, 3};
  std::vector<bool> over(x.dims().size(), false);
  for (int64_t a : axes) over[static_cast<size_t>(op.Axis(a, x.rank()))] = true;
  Dims kept = x.dims();
  double count = 1;
  for (size_t i = 0; i < kept.size(); ++i)
    if (over[i]) count *= static_cast<double>(kept[i]), kept[i] = 1;
  const Dims strides = BroadcastStrides(kept, x.dims());
  std::vector<double> means(static_cast<size_t>(Count(kept))), variances(means.size());
  Tensor wide = As<double>(x);
  OutputAs<double> y(op, 0, x.type(), x.dims());
  const double* from = wide.data<double>();
  auto each = [&](const auto& body) {
    ForEachRow<1>(x.dims(), {strides}, [&](int64_t first, const auto& at, int64_t n, const auto& step) {
      for (int64_t i = 0; i < n; ++i) body(first + i, static_cast<size_t>(at[0] + i * step[0]));
    });
  };
  each([&](int64_t i, size_t k) { means[k] += from[i] / count; });
  each([&](int64_t i, size_t k) { variances[k] += (from[i] - means[k]) * (from[i] - means[k]) / count; });
  each([&](int64_t i, size_t k) { y.data()[i] = (from[i] - means[k]) / (std::sqrt(variances[k]) + 1e-9); });
  y.Store();
}

}  // namespace

std::span<const OpEntry> NormalizationOps() {
  static const OpEntry kOps[] = {
      {"", "Softmax", 13, Softmax, {kFloats}},
      {"", "LogSoftmax", 13, LogSoftmax, {kFloats}},
      {"", "Hardmax", 13, Hardmax, {kFloats}},
      {"", "BatchNormalization", 15, BatchNormalization, {kFloats}},
      {"", "InstanceNormalization", 22, InstanceNormalization, {kFloats}},
      {"", "LayerNormalization", 17, LayerNormalization, {kFloats}},
      {"", "GroupNormalization", 21, GroupNormalization, {kFloats}},
      {"", "RMSNormalization", 23, RmsNormalization, {kFloats}},
      {"", "LRN", 13, Lrn, {kFloats}},
      {"", "LpNormalization", 22, LpNormalization, {kFloats}},
      {"", "MeanVarianceNormalization", 13, MeanVarianceNormalization, {kFloats}},
  };
  return kOps;
}

}  // namespace braid::reference
