// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "plugins/reference/ops/ml.h"

namespace braid::reference {
namespace {

// The model's arrays, checked against each other, and its kernel function.
struct Svm {
  std::vector<float> coefficients, vectors, rho;
  std::string kernel;
  double gamma = 0, coef0 = 0, degree = 0;

  explicit Svm(const OpContext& op)
      : coefficients(op.Floats("coefficients")),
        vectors(op.Floats("support_vectors")),
        rho(op.Floats("rho")),
        kernel(op.String("kernel_type", "LINEAR")) {
    op.Check(kernel == "LINEAR" || kernel == "POLY" || kernel == "RBF" || kernel == "SIGMOID",
             "kernel_type '" + kernel + "' is not known");
    const std::vector<float> params = op.Floats("kernel_params");
    op.Check(params.empty() || params.size() == 3,
             std::to_string(params.size()) + " kernel_params are given, not 3");
    if (!params.empty())
      gamma = static_cast<double>(params[0]), coef0 = static_cast<double>(params[1]),
      degree = static_cast<double>(params[2]);
    op.Check(!rho.empty(), "rho is empty");
  }
  double Dot(std::span<const double> x, const float* v, const std::string& how) const {
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double d = x[i] - static_cast<double>(v[i]);
      sum += how == "RBF" ? d * d : x[i] * static_cast<double>(v[i]);
    }
    if (how == "RBF") return std::exp(-gamma * sum);
    if (how == "POLY") return std::pow(sum * gamma + coef0, degree);
    if (how == "SIGMOID") return std::tanh(sum * gamma + coef0);
    return sum;
  }
};

// Pairwise probabilities r[i][j] = P(i | i or j) coupled to one distribution: Wu, Lin and Weng (JMLR 2004),
// second method.
std::vector<double> Couple(const std::vector<std::vector<double>>& r) {
  const size_t k = r.size();
  std::vector<std::vector<double>> q(k, std::vector<double>(k, 0));
  std::vector<double> p(k, 1 / static_cast<double>(k)), qp(k);
  for (size_t t = 0; t < k; ++t) {
    for (size_t j = 0; j < k; ++j) {
      if (j == t) continue;
      q[t][t] += r[j][t] * r[j][t];
      q[t][j] = -r[j][t] * r[t][j];
    }
  }
  for (size_t iteration = 0; iteration < std::max<size_t>(100, k); ++iteration) {
    double pqp = 0, worst = 0;
    for (size_t t = 0; t < k; ++t) {
      qp[t] = 0;
      for (size_t j = 0; j < k; ++j) qp[t] += q[t][j] * p[j];
      pqp += p[t] * qp[t];
    }
    for (size_t t = 0; t < k; ++t) worst = std::max(worst, std::fabs(qp[t] - pqp));
    if (worst < 0.005 / static_cast<double>(k)) break;
    for (size_t t = 0; t < k; ++t) {
      const double diff = (pqp - qp[t]) / q[t][t];
      p[t] += diff;
      pqp = (pqp + diff * (diff * q[t][t] + 2 * qp[t])) / ((1 + diff) * (1 + diff));
      for (size_t j = 0; j < k; ++j) {
        qp[j] = (qp[j] + diff * q[t][j]) / (1 + diff);
        p[j] /= 1 + diff;
      }
    }
  }
  return p;
}

}  // namespace

// SVMRegressor-1
void SVMRegressor(OpContext& op) {
  const Rows rows(op);
  const Svm svm(op);
  const PostTransform transform = PostTransformOf(op);
  const int64_t supports = op.Int("n_supports", 0);
  const bool one_class = op.Int("one_class", 0) != 0, linear = supports <= 0;
  if (linear) {
    op.Check(static_cast<int64_t>(svm.coefficients.size()) == rows.width,
             std::to_string(svm.coefficients.size()) + " coefficients are given for " +
                 std::to_string(rows.width) + " features");
  } else {
    op.Check(static_cast<int64_t>(svm.coefficients.size()) == supports,
             std::to_string(svm.coefficients.size()) + " coefficients are given for " +
                 std::to_string(supports) + " support vectors");
    op.Check(rows.width == 0 ? svm.vectors.empty()
                             : static_cast<int64_t>(svm.vectors.size()) / rows.width == supports &&
                                   static_cast<int64_t>(svm.vectors.size()) % rows.width == 0,
             std::to_string(svm.vectors.size()) + " elements of support_vectors do not fit " +
                 std::to_string(supports) + " of " + std::to_string(rows.width) + " features");
  }
  Tensor& out = op.Output(0, kFloat, {rows.count, 1});
  for (int64_t i = 0; i < rows.count; ++i) {
    double sum = static_cast<double>(svm.rho[0]);
    if (linear) {
      sum += svm.Dot(rows.row(i), svm.coefficients.data(), "LINEAR");
    } else {
      for (int64_t j = 0; j < supports; ++j)
        sum += static_cast<double>(svm.coefficients[static_cast<size_t>(j)]) *
               svm.Dot(rows.row(i), svm.vectors.data() + j * rows.width, svm.kernel);
    }
    if (one_class) {
      sum = sum > 0 ? 1 : -1;
    } else {
      Transform(transform, {&sum, 1});
    }
    out.data<float>()[i] = static_cast<float>(sum);
  }
}

// SVMClassifier-1: one-against-one votes with support vectors (libsvm's arrangement), or a linear score a
// class.
void SVMClassifier(OpContext& op) {
  const Rows rows(op);
  const Svm svm(op);
  const PostTransform transform = PostTransformOf(op);
  const ClassLabels labels(op, "classlabels_ints", "classlabels_strings");
  const std::vector<int64_t> per_class = op.Ints("vectors_per_class");
  const std::vector<float> prob_a = op.Floats("prob_a"), prob_b = op.Floats("prob_b");
  const int64_t classes = std::max<int64_t>(static_cast<int64_t>(labels.size()), 1),
                pairs = classes * (classes - 1) / 2;
  std::vector<int64_t> starts;
  int64_t supports = 0;
  for (int64_t n : per_class) {
    op.Check(n >= 0 && n <= static_cast<int64_t>(svm.vectors.size()),
             "vectors_per_class hold " + std::to_string(n));
    starts.push_back(supports);
    supports += n;
  }
  const bool linear = supports == 0;
  const int64_t have = static_cast<int64_t>(svm.coefficients.size());
  if (linear) {
    op.Check(have == classes * rows.width, std::to_string(have) + " coefficients are given for " +
                                               std::to_string(classes) + " classes of " +
                                               std::to_string(rows.width) + " features");
  } else {
    op.Check(static_cast<int64_t>(per_class.size()) == classes && classes > 1,
             std::to_string(per_class.size()) + " vectors_per_class are given for " +
                 std::to_string(classes) + " classes");
    op.Check(have == (classes - 1) * supports, std::to_string(have) + " coefficients do not fit " +
                                                   std::to_string(supports) + " support vectors of " +
                                                   std::to_string(classes) + " classes");
    op.Check(static_cast<int64_t>(svm.vectors.size()) == supports * rows.width,
             std::to_string(svm.vectors.size()) + " elements of support_vectors do not fit " +
                 std::to_string(supports) + " of " + std::to_string(rows.width) + " features");
    op.Check(static_cast<int64_t>(svm.rho.size()) >= pairs, std::to_string(svm.rho.size()) +
                                                                " elements of rho are given for " +
                                                                std::to_string(pairs) + " pairs of classes");
  }
  const bool probable = !linear && !prob_a.empty();
  op.Check(!probable || (static_cast<int64_t>(prob_a.size()) >= pairs && prob_b.size() == prob_a.size()),
           std::to_string(prob_a.size()) + " prob_a and " + std::to_string(prob_b.size()) +
               " prob_b are given for " + std::to_string(pairs) + " pairs of classes");
  const bool opposite =
      !probable && (linear ? classes : pairs) == 1;  // one score: the other class has its opposite
  const int64_t columns = probable ? classes : opposite ? 2 : linear ? classes : pairs;
  Tensor z(kFloat, {rows.count, columns});
  std::vector<size_t> picked;
  for (int64_t i = 0; i < rows.count; ++i) {
    std::vector<double> scores, votes(static_cast<size_t>(classes), 0);
    if (linear) {
      for (int64_t c = 0; c < classes; ++c)
        scores.push_back(static_cast<double>(svm.rho[0]) +
                         svm.Dot(rows.row(i), svm.coefficients.data() + c * rows.width, "LINEAR"));
    } else {
      std::vector<double> kernels;
      for (int64_t j = 0; j < supports; ++j)
        kernels.push_back(svm.Dot(rows.row(i), svm.vectors.data() + j * rows.width, svm.kernel));
      for (int64_t a = 0; a < classes; ++a) {
        for (int64_t b = a + 1; b < classes; ++b) {
          double sum = static_cast<double>(svm.rho[scores.size()]);
          // Row b - 1 of the coefficients weighs a's vectors against b, row a weighs b's against a.
          auto add = [&](int64_t row, int64_t of) {
            for (int64_t k = starts[static_cast<size_t>(of)], n = per_class[static_cast<size_t>(of)]; n > 0;
                 ++k, --n)
              sum += static_cast<double>(svm.coefficients[static_cast<size_t>(row * supports + k)]) *
                     kernels[static_cast<size_t>(k)];
          };
          add(b - 1, a);
          add(a, b);
          scores.push_back(sum);
          ++votes[static_cast<size_t>(sum > 0 ? a : b)];
        }
      }
    }
    const std::vector<double>& deciding = linear ? scores : votes;
    picked.push_back(
        static_cast<size_t>(std::max_element(deciding.begin(), deciding.end()) - deciding.begin()));
    if (linear && classes == 1) picked.back() = scores[0] > 0 ? 1 : 0;
    if (probable) {
      std::vector<std::vector<double>> r(static_cast<size_t>(classes),
                                         std::vector<double>(static_cast<size_t>(classes), 0));
      size_t pair = 0;
      for (size_t a = 0; a < r.size(); ++a) {
        for (size_t b = a + 1; b < r.size(); ++b, ++pair) {
          const double p = 1 / (1 + std::exp(scores[pair] * static_cast<double>(prob_a[pair]) +
                                             static_cast<double>(prob_b[pair])));
          r[a][b] = std::clamp(p, 1e-7, 1 - 1e-7);
          r[b][a] = 1 - r[a][b];
        }
      }
      scores = Couple(r);
    } else if (opposite) {
      scores = {-scores[0], scores[0]};
    }
    Transform(transform, scores);
    std::transform(scores.begin(), scores.end(), z.data<float>() + i * columns,
                   [](double s) { return static_cast<float>(s); });
  }
  labels.Write(op, picked);
  if (op.wants(1)) op.SetOutput(1, z);
}

}  // namespace braid::reference
