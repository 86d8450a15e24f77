// SPDX-License-Identifier: Apache-2.0
//
// Formulas that are good for most values, and those of other versions of the operator.
#include <algorithm>
#include <cmath>

#include "conformance/mutants/mutant.h"
#include "conformance/mutants/node_run.h"

namespace braid::mutants {
namespace {

using Function = double (*)(double);

// The function in its operator's place, for float inputs.
void By(NodeRun& run, Function f) {
  if (!IsFloat(run.input(0))) return run.Compute();
  run.Compute();
  const Tensor x = run.input(0);
  MapFloatsAt(run.output(0), [&](int64_t i, double) { return f(FloatAt(x, i)); });
}
double F(double v) { return static_cast<double>(static_cast<float>(v)); }

// [begin, end) of each row along `axis`, to the end.
struct Rows {
  int64_t outer, extent, inner;
};
Rows RowsOf(const Tensor& t, int64_t axis) {
  if (axis < 0) axis += t.rank();
  Rows r{1, t.rank() == 0 ? 1 : t.dim(axis), 1};
  for (int64_t d = 0; d < axis; ++d) r.outer *= t.dim(d);
  for (int64_t d = axis + 1; d < t.rank(); ++d) r.inner *= t.dim(d);
  return r;
}

void PlainSoftmax(NodeRun& run, bool logarithm) {
  run.Compute();
  const Tensor x = run.input(0);
  if (!IsFloat(x) || x.rank() == 0) return;
  const Rows r = RowsOf(x, run.node().Int("axis", -1));
  for (int64_t o = 0; o < r.outer; ++o)
    for (int64_t k = 0; k < r.inner; ++k) {
      float sum = 0;
      const auto at = [&](int64_t e) { return (o * r.extent + e) * r.inner + k; };
      for (int64_t e = 0; e < r.extent; ++e) sum += std::exp(static_cast<float>(FloatAt(x, at(e))));
      for (int64_t e = 0; e < r.extent; ++e) {
        const float share = std::exp(static_cast<float>(FloatAt(x, at(e)))) / sum;
        SetFloat(run.output(0), at(e), static_cast<double>(logarithm ? std::log(share) : share));
      }
    }
}
// As before opset 13: all axes from `axis` on are one.
void Flattened(NodeRun& run) {
  const Tensor x = run.input(0);
  const int64_t given = run.node().Int("axis", -1), axis = given < 0 ? given + x.rank() : given;
  if (x.rank() < 2 || axis == x.rank() - 1) return run.Compute();
  // Rows of that length, whose axis keeps its place in a tensor of the same rank.
  int64_t outer = 1;
  for (int64_t d = 0; d < axis; ++d) outer *= x.dim(d);
  Dims dims(static_cast<size_t>(x.rank()), 1);
  dims[0] = axis == 0 ? 1 : outer;
  dims[static_cast<size_t>(axis)] = outer == 0 ? 0 : x.size() / outer;
  run.input(0) = x.Reshaped(dims);
  run.Compute();
  run.output(0) = run.output(0).Reshaped(x.dims());
}

// E[x^2] - E[x]^2 in float, over the elements of each group of `n`, for what is normalised by it.
void VarianceOfSquares(NodeRun& run, int64_t n) {
  run.Compute();
  const Tensor x = run.input(0);
  if (!IsFloat(x) || n <= 0) return;
  const double epsilon = static_cast<double>(run.node().Float("epsilon", 1e-5f));
  for (int64_t g = 0; g + n <= x.size(); g += n) {
    float sum = 0, squares = 0;
    double mean = 0, variance = 0;
    for (int64_t i = g; i < g + n; ++i) {
      const auto v = static_cast<float>(FloatAt(x, i));
      sum += v;
      squares += v * v;
      mean += FloatAt(x, i);
    }
    mean /= static_cast<double>(n);
    for (int64_t i = g; i < g + n; ++i) variance += (FloatAt(x, i) - mean) * (FloatAt(x, i) - mean);
    variance /= static_cast<double>(n);
    const float m = sum / static_cast<float>(n);
    const auto wrong = static_cast<double>(squares / static_cast<float>(n) - m * m);
    const double factor = std::sqrt((variance + epsilon) / (wrong + epsilon));
    for (int64_t i = g; i < g + n; ++i) {
      const double y = FloatAt(run.output(0), i);
      SetFloat(run.output(0), i, y * factor);
    }
  }
}

double CrudeExp(double v) {
  // 2^i by shifting, 2^f by a parabola: good to 3e-3.
  const double t = v * 1.4426950408889634, i = std::floor(t), f = t - i;
  if (!std::isfinite(v)) return std::exp(v);
  return std::ldexp(1 + f * (0.6565 + 0.3435 * f), static_cast<int>(std::clamp(i, -2000.0, 2000.0)));
}
double CrudeErf(double v) {
  // Abramowitz and Stegun 7.1.25: good to 2.5e-5.
  const double t = 1 / (1 + 0.47047 * std::fabs(v));
  return std::copysign(1 - t * (0.3480242 + t * (-0.0958798 + t * 0.7478556)) * std::exp(-v * v), v);
}
double CrudeTanh(double v) {
  const double c = std::clamp(v, -4.97, 4.97), q = c * c;
  return c * (135135 + q * (17325 + q * (378 + q))) / (135135 + q * (62370 + q * (3150 + q * 28)));
}
double CrudeLog(double v) {
  if (!(v > 0) || std::isinf(v)) return std::log(v);
  int e = 0;
  const double m = std::frexp(v, &e) * 2 - 1;  // [0, 1)
  return (e - 1 + m * (1.4142 - 0.4142 * m)) * 0.6931471805599453;
}
double HardSigmoid(double v) { return std::clamp(0.2 * v + 0.5, 0.0, 1.0); }
double SinUnreduced(double v) {
  // The multiple of pi is subtracted in float16.
  const double k = std::nearbyint(v / 3.141592653589793);
  const double r = v - k * 3.140625;
  return std::fmod(k, 2) == 0 ? std::sin(r) : -std::sin(r);
}
double SinhCancels(double v) { return F(F(std::exp(v)) - F(std::exp(-v))) / 2; }
double AtanhCancels(double v) { return F(std::log(F(F(1 + v) / F(1 - v)))) / 2; }
double AsinhCancels(double v) { return F(std::log(F(v + F(std::sqrt(F(F(v * v) + 1)))))); }
double SoftplusCancels(double v) { return v > 20 ? v : F(std::log(F(1 + F(std::exp(v))))); }
double RootOf12Bits(double v) { return std::sqrt(v) * (1 + 0x1p-12); }
double ReciprocalOf12Bits(double v) { return 1 / v * (1 + 0x1p-12); }

double GeluTanh(double v) {
  return 0.5 * v * (1 + std::tanh(0.7978845608028654 * (v + 0.044715 * v * v * v)));
}

void DivideByHalf(NodeRun& run) {
  if (IsFloat(run.input(1)))
    MapFloats(run.OwnInput(1), [](double v) {
      const double r = ToHalf(1 / v);
      return r == 0 || !std::isfinite(r) ? v : 1 / r;
    });
  run.Compute();
}
// The results are off by a factor that a coarse reciprocal gives.
void Scaled(NodeRun& run, double factor) {
  run.Compute();
  MapFloats(run.output(0), [&](double v) { return v * factor; });
}

void PowByFloats(NodeRun& run) {
  run.Compute();
  const Tensor &a = run.input(0), &b = run.input(1);
  if (!IsFloat(a) || !IsFloat(b) || (a.dims() != b.dims() && b.size() != 1)) return;
  MapFloatsAt(run.output(0), [&](int64_t i, double v) {
    const double x = FloatAt(a, i), y = FloatAt(b, b.size() == 1 ? 0 : i);
    return x > 0 ? std::exp2(ToHalf(y * std::log2(x))) : v;
  });
}
// log(sum(exp(x))) as it is written: it overflows beyond 88.
void PlainLogSumExp(NodeRun& run) {
  run.Compute();
  MapFloats(run.output(0), [](double v) { return v > 88.7 ? HUGE_VAL : v; });
}

}  // namespace

void AddFormulas(std::vector<Mutant>* all) {
  const auto add = [&](const std::string& name, const std::string& what, const std::string& op,
                       const std::string& first, std::function<void(NodeRun&)> node,
                       Family family = Family::kFormula) {
    all->push_back({.name = name,
                    .what = what,
                    .family = family,
                    .operators = op,
                    .first = first,
                    .node = std::move(node)});
  };
  struct Crude {
    const char *name, *what, *op;
    Function f;
  };
  constexpr Crude kCrude[] = {
      {"crude_Exp", "a parabola between powers of two", "Exp", CrudeExp},
      {"crude_Erf", "an approximation of 2.5e-5", "Erf", CrudeErf},
      {"crude_Tanh", "a rational approximation, good up to 5", "Tanh", CrudeTanh},
      {"crude_Log", "a parabola between powers of two", "Log", CrudeLog},
      {"hard_Sigmoid", "three straight lines", "Sigmoid", HardSigmoid},
      {"unreduced_Sin", "large angles lose their digits", "Sin", SinUnreduced},
      {"cancels_Sinh", "(e^x-e^-x)/2 in float: no digits near 0", "Sinh", SinhCancels},
      {"cancels_Atanh", "log((1+x)/(1-x))/2 in float: no digits near 0", "Atanh", AtanhCancels},
      {"cancels_Asinh", "log(x+sqrt(x^2+1)) in float: no digits where x is negative", "Asinh", AsinhCancels},
      {"cancels_Softplus", "log(1+e^x) in float: no digits where x is negative", "Softplus", SoftplusCancels},
      {"coarse_Sqrt", "an estimate of 12 bits without a Newton step", "Sqrt", RootOf12Bits},
      {"coarse_Reciprocal", "an estimate of 12 bits without a Newton step", "Reciprocal", ReciprocalOf12Bits},
  };
  for (const Crude& c : kCrude) add(c.name, c.what, c.op, "special", [f = c.f](NodeRun& run) { By(run, f); });
  add("coarse_Div", "multiplication with a reciprocal in float16", "Div", "", DivideByHalf);
  add("coarse_Pow", "exp2(y log2 x) with the product in float16", "Pow", "fractions", PowByFloats);
  add("plain_Softmax", "no maximum is subtracted: e^89 overflows", "Softmax", "special large range",
      [](NodeRun& run) { PlainSoftmax(run, false); });
  add("log_of_softmax_LogSoftmax", "log(softmax(x)): underflows below -88", "LogSoftmax",
      "special large range", [](NodeRun& run) { PlainSoftmax(run, true); });
  add("plain_ReduceLogSumExp", "no maximum is subtracted: e^89 overflows", "ReduceLogSumExp",
      "special large range", PlainLogSumExp);
  add("tanh_Gelu", "the tanh form where approximate is none", "Gelu", "approximate",
      [](NodeRun& run) { By(run, GeluTanh); });
  add("squares_LayerNormalization", "the variance is E[x^2]-E[x]^2 in float", "LayerNormalization",
      "mean offset large", [](NodeRun& run) {
        const Tensor& x = run.input(0);
        const int64_t given = run.node().Int("axis", -1);
        int64_t n = 1;
        for (int64_t d = given < 0 ? given + x.rank() : given; d < x.rank(); ++d) n *= x.dim(d);
        VarianceOfSquares(run, n);
      });
  add("squares_InstanceNormalization", "the variance is E[x^2]-E[x]^2 in float", "InstanceNormalization",
      "mean offset large", [](NodeRun& run) {
        const Tensor& x = run.input(0);
        const int64_t rows = x.rank() < 2 ? 1 : x.dim(0) * x.dim(1);
        VarianceOfSquares(run, rows == 0 ? 0 : x.size() / rows);
      });
  add("coarse_rsqrt_RMSNormalization", "the root is an estimate of 12 bits", "RMSNormalization", "",
      [](NodeRun& run) { Scaled(run, 1 + 0x1p-12); });
  add("coarse_rsqrt_BatchNormalization", "the root is an estimate of 12 bits", "BatchNormalization", "",
      [](NodeRun& run) { Scaled(run, 1 + 0x1p-12); });
  add("coarse_mean_ReduceMean", "the sum is multiplied with 1/n in float16", "ReduceMean", "",
      [](NodeRun& run) {
        run.Compute();
        const int64_t n = run.output(0).size();
        if (n == 0 || run.input(0).size() == 0) return;
        const double count = static_cast<double>(run.input(0).size() / n), wrong = ToHalf(1 / count) * count;
        MapFloats(run.output(0), [&](double v) { return v * wrong; });
      });
  add("alpha_last_Gemm", "alpha is a factor of C too", "Gemm", "alpha", [](NodeRun& run) {
    const double alpha = static_cast<double>(run.node().Float("alpha", 1));
    if (run.has(2) && IsFloat(run.input(2))) MapFloats(run.OwnInput(2), [&](double v) { return v * alpha; });
    run.Compute();
  });
  add("divides_by_all_AveragePool", "padding counts where it should not", "AveragePool", "pads",
      [](NodeRun& run) {
        const Tensor x = run.input(0);
        run.Compute();
        if (!IsFloat(x) || run.node().Int("count_include_pad", 0) != 0) return;
        const auto kernel = run.node().Ints("kernel_shape"), pads = run.node().Ints("pads");
        if (pads.empty()) return;
        // The first element of each row is the one whose window lies in the padding the most.
        const int64_t inner = run.output(0).rank() > 0 ? run.output(0).dim(run.output(0).rank() - 1) : 1;
        const int64_t k = kernel[kernel.size() - 1], p = pads[kernel.size() - 1];
        if (p == 0 || inner == 0) return;
        MapFloatsAt(run.output(0), [&](int64_t i, double v) {
          return i % inner == 0 ? v * static_cast<double>(k - p) / static_cast<double>(k) : v;
        });
      });

  // Semantics of other versions.
  for (const char* op : {"Softmax", "LogSoftmax", "Hardmax"})
    add(std::string("before_13_") + op, "all axes from axis on are one, as before opset 13", op, "axis",
        Flattened, Family::kOpset);
  add(
      "before_21_GroupNormalization", "scale and bias are by group, as before opset 21", "GroupNormalization",
      "groups",
      [](NodeRun& run) {
        const int64_t groups = run.node().Int("num_groups", 1);
        for (size_t i : {1u, 2u}) {
          Tensor& t = run.OwnInput(i);
          const Tensor before = Copied(t);
          for (int64_t c = 0; c < t.size(); ++c) CopyElement(before, c * groups / t.size(), t, c);
        }
        run.Compute();
      },
      Family::kOpset);
  add(
      "before_11_Clip", "min is the stronger where it is above max", "Clip", "crossed",
      [](NodeRun& run) {
        run.Compute();
        if (!run.has(1) || !run.has(2) || !IsFloat(run.input(0))) return;
        const double low = FloatAt(run.input(1), 0), high = FloatAt(run.input(2), 0);
        if (low > high) MapFloats(run.output(0), [&](double) { return low; });
      },
      Family::kOpset);
  add(
      "before_11_Gather", "negative indices are taken for 0", "Gather", "indices negative",
      [](NodeRun& run) {
        MapIntegers(run.OwnInput(1), [](int64_t i) { return std::max<int64_t>(i, 0); });
        run.Compute();
      },
      Family::kOpset);
  add(
      "before_13_Pad", "negative pads are taken for 0", "Pad", "pads",
      [](NodeRun& run) {
        MapIntegers(run.OwnInput(1), [](int64_t i) { return std::max<int64_t>(i, 0); });
        run.Compute();
      },
      Family::kOpset);
  add(
      "before_10_Slice", "negative starts and ends are not counted from the end", "Slice", "starts ends",
      [](NodeRun& run) {
        MapIntegers(run.OwnInput(1), [](int64_t i) { return std::max<int64_t>(i, 0); });
        run.Compute();
      },
      Family::kOpset);
  add(
      "before_14_Reshape", "0 in the shape is no extent to copy", "Reshape", "0",
      [](NodeRun& run) {
        // The element count is right all the same: only a shape that is told shows it.
        run.Compute();
        const auto shape = run.input(1).AsInts();
        if (std::find(shape.begin(), shape.end(), 0) != shape.end())
          Zero(run.output(0), 0, run.output(0).size());
      },
      Family::kOpset);
  add(
      "trains_Dropout", "scales at inference too", "Dropout", "ratio",
      [](NodeRun& run) {
        run.Compute();
        const double ratio = run.has(1) ? FloatAt(run.input(1), 0) : 0.5;
        if (!run.has(2) && ratio < 1) MapFloats(run.output(0), [&](double v) { return v / (1 - ratio); });
      },
      Family::kOpset);
  add(
      "trains_BatchNormalization", "normalises by the batch's own statistics at inference",
      "BatchNormalization", "",
      [](NodeRun& run) {
        run.Compute();
        const Tensor& x = run.input(0);
        if (run.node().Int("training_mode", 0) != 0 || x.rank() < 2 || x.size() == 0) return;
        const Rows r = RowsOf(x, 1);
        Tensor &mean = run.OwnInput(3), &variance = run.OwnInput(4);
        for (int64_t c = 0; c < r.extent; ++c) {
          double sum = 0, squares = 0;
          for (int64_t o = 0; o < r.outer; ++o)
            for (int64_t i = 0; i < r.inner; ++i) {
              const double v = FloatAt(x, (o * r.extent + c) * r.inner + i);
              sum += v;
              squares += v * v;
            }
          const auto n = static_cast<double>(r.outer * r.inner);
          SetFloat(mean, c, sum / n);
          SetFloat(variance, c, squares / n - sum / n * (sum / n));
        }
        run.Compute();
      },
      Family::kOpset);
}

}  // namespace braid::mutants
