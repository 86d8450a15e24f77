// SPDX-License-Identifier: Apache-2.0
#include "conformance/oracle/statistics.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "conformance/oracle/wide.h"

namespace braid::conformance {
namespace {

// Standard deviations that a statistic may be off: passed by chance once in two million.
constexpr double kDeviations = 5;
// The same for sqrt(n) times the distance between the distribution functions.
constexpr double kDistance = 2.7;

std::string Text(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", v);
  return text;
}

Distribution ChancesOf(const kit::Node& node, const Tensor& first) {
  Distribution d;
  for (int64_t i = 0; i < first.size(); ++i) d.chances.push_back(first.AsDouble(i));
  if (node.op() == "Bernoulli") {
    d.kind = Distribution::kBernoulli;
    d.dims = first.dims();
    return d;
  }
  d.kind = Distribution::kMultinomial;
  const auto classes = static_cast<size_t>(first.dim(1));
  d.dims = {first.dim(0), node.Int("sample_size", 1)};
  // The input has logarithms of chances that need not add up to 1.
  for (size_t row = 0; row < d.chances.size(); row += classes) {
    double most = d.chances[row], sum = 0;
    for (size_t i = row; i < row + classes; ++i) most = std::max(most, d.chances[i]);
    for (size_t i = row; i < row + classes; ++i) sum += d.chances[i] = std::exp(d.chances[i] - most);
    for (size_t i = row; i < row + classes; ++i) d.chances[i] /= sum;
  }
  return d;
}

// How often an event of that chance came, in `n` tries.
std::string JudgeCount(double count, double chance, double n, const std::string& what) {
  if (std::fabs(count - n * chance) <= kDeviations * std::sqrt(n * chance * (1 - chance)) + 1e-6) return "";
  return "has " + what + " " + Text(count) + " times in " + Text(n) + ", " + Text(n * chance) +
         " are expected";
}

std::string JudgeBernoulli(const Tensor& draws, const Distribution& d) {
  double count = 0, expected = 0, variance = 0;
  for (int64_t i = 0; i < draws.size(); ++i) {
    const double v = draws.AsDouble(i), p = d.chances[static_cast<size_t>(i)];
    if ((v != 0 && v != 1) || (p <= 0 && v != 0) || (p >= 1 && v != 1))
      return "has an element " + Text(v) + " where the chance of 1 is " + Text(p);
    count += v;
    expected += p;
    variance += p * (1 - p);
  }
  if (std::fabs(count - expected) <= kDeviations * std::sqrt(variance) + 1e-6) return "";
  return "has " + Text(count) + " ones, " + Text(expected) + " are expected";
}

std::string JudgeMultinomial(const Tensor& draws, const Distribution& d) {
  const auto classes = d.chances.size() / static_cast<size_t>(std::max<int64_t>(d.dims[0], 1));
  std::string text;
  for (int64_t row = 0; row < d.dims[0] && text.empty(); ++row) {
    std::vector<double> counts(classes);
    for (int64_t i = 0; i < d.dims[1]; ++i) {
      const double v = draws.AsDouble(row * d.dims[1] + i);
      if (!(v >= 0 && v < static_cast<double>(classes))) return "has an element " + Text(v) + ", no class";
      ++counts[static_cast<size_t>(v)];
    }
    for (size_t k = 0; k < classes && text.empty(); ++k)
      text = JudgeCount(counts[k], d.chances[static_cast<size_t>(row) * classes + k],
                        static_cast<double>(d.dims[1]), "class " + std::to_string(k));
  }
  return text;
}

}  // namespace

std::optional<Distribution> DistributionOf(const kit::Node& node, const Tensor& first) {
  if (!node.domain().empty()) return std::nullopt;
  const std::string_view op = node.op();
  Distribution d;
  if (op == "RandomNormal" || op == "RandomNormalLike") {
    d = {Distribution::kNormal, node.Float("mean", 0), node.Float("scale", 1), {}, {}};
  } else if (op == "RandomUniform" || op == "RandomUniformLike") {
    d = {Distribution::kUniform, node.Float("low", 0), node.Float("high", 1), {}, {}};
  } else {
    if (op == "Bernoulli" || op == "Multinomial") return ChancesOf(node, first);
    return std::nullopt;
  }
  const auto shape = node.Ints("shape");
  d.dims = op.ends_with("Like") ? first.dims() : Dims(shape.begin(), shape.end());
  return d;
}

std::string JudgeDraws(const Tensor& draws, const Distribution& d) {
  if (draws.dims() != d.dims)
    return "has the shape " + reference::DimsText(draws.dims()) + ", " + reference::DimsText(d.dims) +
           " is expected";
  if (draws.size() == 0) return "";
  if (d.kind == Distribution::kBernoulli) return JudgeBernoulli(draws, d);
  if (d.kind == Distribution::kMultinomial) return JudgeMultinomial(draws, d);
  const auto n = static_cast<double>(draws.size());
  std::vector<double> x(static_cast<size_t>(draws.size()));
  double sum = 0;
  const bool uniform = d.kind == Distribution::kUniform;
  // The type rounds what was drawn.
  const double rounding = UnitAt(draws.type(), std::max(std::fabs(d.a), std::fabs(d.b)) * (uniform ? 1 : 8));
  for (int64_t i = 0; i < draws.size(); ++i) {
    const double v = x[static_cast<size_t>(i)] = draws.AsDouble(i);
    if (!std::isfinite(v)) return "has an element " + Text(v);
    if (uniform && (v < d.a - rounding || v > d.b + rounding))
      return "has an element " + Text(v) + " outside " + Text(d.a) + " to " + Text(d.b);
    sum += v;
  }
  const double mean = uniform ? (d.a + d.b) / 2 : d.a;
  const double variance = uniform ? (d.b - d.a) * (d.b - d.a) / 12 : d.b * d.b;
  if (!(variance > 0)) return std::fabs(sum / n - mean) <= rounding ? "" : "has the mean " + Text(sum / n);
  if (std::fabs(sum / n - mean) > kDeviations * std::sqrt(variance / n) + rounding)
    return "has the mean " + Text(sum / n) + ", " + Text(mean) + " is expected";
  double squares = 0;
  for (const double v : x) squares += (v - mean) * (v - mean);
  // Of the fourth moment: 1.8 for uniform numbers, 3 for normal ones.
  const double spread = variance * std::sqrt(((uniform ? 1.8 : 3) - 1) / n);
  if (std::fabs(squares / n - variance) > kDeviations * spread + 2 * std::sqrt(variance) * rounding)
    return "has the variance " + Text(squares / n) + ", " + Text(variance) + " is expected";
  std::sort(x.begin(), x.end());
  double distance = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const auto cumulative = [&](double v) {
      return uniform ? std::clamp((v - d.a) / (d.b - d.a), 0.0, 1.0)
                     : 0.5 * std::erfc((d.a - v) / (d.b * std::sqrt(2)));
    };
    // Elements that the type rounded to one number are a step of their own.
    const auto rank = static_cast<double>(i);
    distance = std::max(
        {distance, rank / n - cumulative(x[i] + rounding), cumulative(x[i] - rounding) - (rank + 1) / n});
  }
  if (distance > kDistance / std::sqrt(n))
    return "is not distributed as it should be: the distribution functions differ by " + Text(distance);
  return "";
}

}  // namespace braid::conformance
