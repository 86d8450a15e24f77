// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/random.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <random>

#include "plugins/reference/ops/pointwise.h"

namespace braid::reference {

PhiloxCounter Philox(PhiloxCounter c, PhiloxKey key) {
  constexpr uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57, kWeyl0 = 0x9E3779B9,
                     kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{kMultiplier0} * c[0], p1 = uint64_t{kMultiplier1} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ key[0], static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ key[1], static_cast<uint32_t>(p0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return c;
}

namespace {

double Unit(uint32_t high, uint32_t low) {
  return static_cast<double>(((uint64_t{high} << 32) | low) >> 11) * 0x1p-53;
}

}  // namespace

RandomStream RandomStream::Unseeded() {
  static const uint64_t entropy = [] {
    std::random_device device;
    return (uint64_t{device()} << 32) | device();
  }();
  static std::atomic<uint64_t> streams{0};
  constexpr uint64_t kGolden = 0x9E3779B97F4A7C15;
  return RandomStream(entropy + kGolden * streams.fetch_add(1, std::memory_order_relaxed));
}

double RandomStream::Uniform(int64_t i) const {
  const PhiloxCounter w = Block(i);
  return Unit(w[1], w[0]);
}

double RandomStream::Normal(int64_t i) const {
  const PhiloxCounter w = Block(i);
  constexpr double kTwoPi = 6.283185307179586476925;
  return std::sqrt(-2 * std::log(1 - Unit(w[1], w[0]))) * std::cos(kTwoPi * Unit(w[3], w[2]));
}

namespace {

constexpr TypeSet kBernoulliTypes = kNumeric | Types(kBool);
constexpr TypeSet kLikeTypes = kNumeric | Types(kBool, kString) | kComplexes;
constexpr TypeSet kDropoutTypes = kFloats | kFloat8s;
constexpr int64_t kDraw = 60;  // cost, in additions

RandomStream StreamOf(const OpContext& op) {
  if (!op.HasAttr("seed")) return RandomStream::Unseeded();
  return RandomStream(std::bit_cast<uint64_t>(static_cast<double>(op.Float("seed", 0))));
}

// The dtype attribute; undefined if it is absent or 0.
int32_t DtypeOf(const kit::Node& node) {
  const int64_t v = node.Int("dtype", 0);
  return v >= 0 && v < 64 ? static_cast<int32_t>(v) : -1;
}

// Fills output 0 with draw(i) for element i.
template <class Draw>
void Fill(OpContext& op, int32_t type, const Dims& dims, const Draw& draw) {
  Dispatch<kFloats>(op, type, [&]<class T>() {
    Tensor& y = op.Output(0, type, dims);
    T* to = y.data<T>();
    ForChunks(op, y.size(), kDraw, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) to[i] = static_cast<T>(draw(i));
    });
  });
}

void FillNormal(OpContext& op, int32_t type, const Dims& dims) {
  const double mean = op.Float("mean", 0), scale = op.Float("scale", 1);
  const RandomStream stream = StreamOf(op);
  Fill(op, type, dims, [=](int64_t i) { return mean + scale * stream.Normal(i); });
}

void FillUniform(OpContext& op, int32_t type, const Dims& dims) {
  const double low = op.Float("low", 0), high = op.Float("high", 1);
  const RandomStream stream = StreamOf(op);
  Fill(op, type, dims, [=](int64_t i) { return low + (high - low) * stream.Uniform(i); });
}

int32_t FloatType(const OpContext& op, int32_t otherwise) {
  const int32_t dtype = DtypeOf(op.node());
  return dtype == kUndefined ? otherwise : dtype;
}

void RandomNormal(OpContext& op) { FillNormal(op, FloatType(op, kFloat), op.Ints("shape")); }
void RandomUniform(OpContext& op) { FillUniform(op, FloatType(op, kFloat), op.Ints("shape")); }
void RandomNormalLike(OpContext& op) {
  FillNormal(op, FloatType(op, op.input(0).type()), op.input(0).dims());
}
void RandomUniformLike(OpContext& op) {
  FillUniform(op, FloatType(op, op.input(0).type()), op.input(0).dims());
}

// Bernoulli-22: 1 with the probability that the element is, else 0.
void Bernoulli(OpContext& op) {
  const Tensor& x = op.input(0);
  const int32_t type = FloatType(op, x.type());
  const RandomStream stream = StreamOf(op);
  Tensor p(kDouble, x.dims());
  Dispatch<kFloats>(op, x.type(), [&]<class T>() {
    Map<T, double>(op, x, p, [](auto v) { return static_cast<double>(v); });
  });
  const double* chance = p.data<double>();
  for (int64_t i = 0; i < p.size(); ++i)
    if (!(chance[i] >= 0 && chance[i] <= 1))
      op.Fail("element " + std::to_string(i) + " is " + std::to_string(chance[i]) +
              ", which is no probability");
  Dispatch<kBernoulliTypes>(op, type, [&]<class T>() {
    T* to = op.Output(0, type, x.dims()).template data<T>();
    ForChunks(op, p.size(), kDraw, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) to[i] = static_cast<T>(stream.Uniform(i) < chance[i] ? 1 : 0);
    });
  });
}

// Multinomial-22: for each row of unnormalised log-probabilities, sample_size classes, each drawn with its
// probability.
void Multinomial(OpContext& op) {
  const Tensor& x = op.input(0);
  op.Check(x.rank() == 2, "input has shape " + DimsText(x.dims()) + ", not [batch, classes]");
  const int64_t samples = op.Int("sample_size", 1), rows = x.dim(0), classes = x.dim(1);
  op.Check(samples >= 0, "sample_size is " + std::to_string(samples) + ", below 0");
  op.Check(classes > 0 || rows == 0 || samples == 0, "there is no class to draw");
  const int32_t type = DtypeOf(op.node()) == kUndefined ? int32_t{kInt32} : DtypeOf(op.node());
  const RandomStream stream = StreamOf(op);
  Dispatch<kFloats>(op, x.type(), [&]<class T>() {
    Dispatch<Types(kInt32, kInt64)>(op, type, [&]<class I>() {
      I* to = op.Output(0, type, {rows, samples}).template data<I>();
      std::vector<double> until(static_cast<size_t>(classes));  // cumulative weights
      for (int64_t r = 0; r < rows && samples > 0; ++r) {
        const T* logits = x.data<T>() + r * classes;
        double most = -HUGE_VAL;
        for (int64_t c = 0; c < classes; ++c)
          most = std::max(most, static_cast<double>(static_cast<Compute<T>>(logits[c])));
        double total = 0;
        for (int64_t c = 0; c < classes; ++c)
          until[static_cast<size_t>(c)] = total +=
              std::exp(static_cast<double>(static_cast<Compute<T>>(logits[c])) - most);
        op.Check(total > 0 && std::isfinite(total),
                 "row " + std::to_string(r) + " gives no class a finite probability");
        for (int64_t s = 0; s < samples; ++s) {
          auto at = std::upper_bound(until.begin(), until.end(), stream.Uniform(r * samples + s) * total);
          to[r * samples + s] = static_cast<I>(std::min<int64_t>(at - until.begin(), classes - 1));
        }
      }
    });
  });
}

// Dropout-22: in training, each element is dropped with probability `ratio` and the others are scaled by 1 /
// (1 - ratio); otherwise the data itself and a mask of ones.
void Dropout(OpContext& op) {
  const Tensor& x = op.input(0);
  op.Check(Contains(kDropoutTypes, x.type()), "does not take type " + TypeName(x.type()));
  bool training = false;
  if (op.has(2)) {
    op.Check(op.input(2).type() == kBool && op.input(2).size() == 1, "training_mode is no boolean scalar");
    training = op.input(2).data<bool>()[0];
  }
  double ratio = 0.5;
  if (op.has(1)) {
    op.Check(op.input(1).size() == 1,
             "ratio has shape " + DimsText(op.input(1).dims()) + ", not that of a scalar");
    ratio = op.input(1).AsDouble(0);
  }
  if (!training || ratio == 0) {
    op.SetOutput(0, x);
    if (op.wants(1)) std::fill_n(op.Output(1, kBool, x.dims()).data<bool>(), x.size(), true);
    return;
  }
  op.Check(ratio >= 0 && ratio < 1, "ratio is " + std::to_string(ratio) + ", not in [0, 1)");
  const RandomStream stream =
      op.HasAttr("seed") ? RandomStream(static_cast<uint64_t>(op.Int("seed", 0))) : RandomStream::Unseeded();
  bool* mask = op.wants(1) ? op.Output(1, kBool, x.dims()).data<bool>() : nullptr;
  Tensor& y = op.Output(0, x.type(), x.dims());
  Dispatch<kDropoutTypes>(op, x.type(), [&]<class T>() {
    const T* from = x.data<T>();
    T* to = y.data<T>();
    const double scale = 1 / (1 - ratio);
    ForChunks(op, x.size(), kDraw, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const bool kept = stream.Uniform(i) >= ratio;
        to[i] = static_cast<T>(kept ? static_cast<double>(static_cast<Compute<T>>(from[i])) * scale : 0.0);
        if (mask != nullptr) mask[i] = kept;
      }
    });
  });
}

template <TypeSet Set>
Judgement JudgeDtype(const kit::Node& node) {
  const int32_t dtype = DtypeOf(node);
  if (dtype == kUndefined || Contains(Set, dtype)) return {};
  return {BRAID_NO_ATTRIBUTE, BRAID_NONE, node.attribute_index("dtype"),
          "dtype is " + std::to_string(node.Int("dtype", 0))};
}
// Without a dtype the output has the input's type, which then must be a float.
Judgement JudgeLike(const kit::Node& node) {
  if (DtypeOf(node) == kUndefined && !Contains(kFloats, node.input_value(0).type()))
    return {BRAID_NO_TYPE, 0, BRAID_NONE, "without dtype the input must be of a float type"};
  return JudgeDtype<kFloats>(node);
}

}  // namespace

std::span<const OpEntry> RandomOps() {
  static const OpEntry kOps[] = {
      {"", "RandomNormal", 22, RandomNormal, {}, JudgeDtype<kFloats>},
      {"", "RandomUniform", 22, RandomUniform, {}, JudgeDtype<kFloats>},
      {"", "RandomNormalLike", 22, RandomNormalLike, {kLikeTypes}, JudgeLike},
      {"", "RandomUniformLike", 22, RandomUniformLike, {kLikeTypes}, JudgeLike},
      {"", "Bernoulli", 22, Bernoulli, {kFloats}, JudgeDtype<kBernoulliTypes>},
      {"", "Multinomial", 22, Multinomial, {kFloats}, JudgeDtype<Types(kInt32, kInt64)>},
      {"", "Dropout", 22, Dropout, {kDropoutTypes, kDropoutTypes, Types(kBool)}},
  };
  return kOps;
}

}  // namespace braid::reference
