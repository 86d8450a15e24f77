// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "plugins/reference/ops/ml.h"

namespace braid::reference {
namespace {

// X * coefficients^T + intercepts: [rows, targets].
std::vector<double> LinearScores(const OpContext& op, const Rows& rows,
                                 const std::vector<float>& coefficients, const std::vector<float>& intercepts,
                                 int64_t targets) {
  op.Check(targets > 0 && static_cast<int64_t>(coefficients.size()) / targets == rows.width &&
               static_cast<int64_t>(coefficients.size()) % targets == 0,
           std::to_string(coefficients.size()) + " coefficients do not fit " + std::to_string(targets) +
               " targets of " + std::to_string(rows.width) + " features");
  op.Check(intercepts.empty() || static_cast<int64_t>(intercepts.size()) == targets,
           std::to_string(intercepts.size()) + " intercepts are given for " + std::to_string(targets) +
               " targets");
  std::vector<double> scores(static_cast<size_t>(rows.count * targets));
  for (int64_t i = 0; i < rows.count; ++i) {
    for (int64_t t = 0; t < targets; ++t) {
      double sum = intercepts.empty() ? 0 : static_cast<double>(intercepts[static_cast<size_t>(t)]);
      for (int64_t k = 0; k < rows.width; ++k)
        sum += rows.row(i)[static_cast<size_t>(k)] *
               static_cast<double>(coefficients[static_cast<size_t>(t * rows.width + k)]);
      scores[static_cast<size_t>(i * targets + t)] = sum;
    }
  }
  return scores;
}

}  // namespace

// LinearRegressor-1
void LinearRegressor(OpContext& op) {
  const Rows rows(op);
  const int64_t targets = op.Int("targets", 1);
  const PostTransform transform = PostTransformOf(op);
  std::vector<double> scores =
      LinearScores(op, rows, op.Floats("coefficients"), op.Floats("intercepts"), targets);
  Tensor& out = op.Output(0, kFloat, {rows.count, targets});
  for (int64_t i = 0; i < rows.count; ++i)
    Transform(transform,
              std::span(scores).subspan(static_cast<size_t>(i * targets), static_cast<size_t>(targets)));
  std::transform(scores.begin(), scores.end(), out.data<float>(),
                 [](double s) { return static_cast<float>(s); });
}

// LinearClassifier-1. One set of coefficients for two classes scores the second; the first has the opposite.
void LinearClassifier(OpContext& op) {
  const Rows rows(op);
  const PostTransform transform = PostTransformOf(op);
  const ClassLabels labels(op, "classlabels_ints", "classlabels_strings");
  const std::vector<float> coefficients = op.Floats("coefficients");
  op.Check(rows.width > 0 && !coefficients.empty(), "there are no features or no coefficients");
  op.Check(static_cast<int64_t>(coefficients.size()) % rows.width == 0,
           std::to_string(coefficients.size()) + " coefficients do not fit " + std::to_string(labels.size()) +
               " labels of " + std::to_string(rows.width) + " features");
  const int64_t targets = static_cast<int64_t>(coefficients.size()) / rows.width;
  const std::vector<double> scores = LinearScores(op, rows, coefficients, op.Floats("intercepts"), targets);
  const bool binary = targets == 1 && labels.size() == 2;
  op.Check(binary || labels.size() == 0 || targets == 1 || static_cast<int64_t>(labels.size()) == targets,
           std::to_string(labels.size()) + " labels are given for " + std::to_string(targets) + " classes");
  const int64_t columns = binary ? 2 : targets;
  Tensor z(kFloat, {rows.count, columns});
  std::vector<size_t> picked;
  for (int64_t i = 0; i < rows.count; ++i) {
    const double* from = scores.data() + i * targets;
    std::vector<double> row =
        binary ? std::vector<double>{-from[0], from[0]} : std::vector<double>(from, from + targets);
    Transform(transform, row);
    // One class alone is picked where its score is not negative.
    const bool none = columns == 1 && from[0] < 0;
    picked.push_back(none ? SIZE_MAX
                          : static_cast<size_t>(std::max_element(row.begin(), row.end()) - row.begin()));
    std::transform(row.begin(), row.end(), z.data<float>() + i * columns,
                   [](double s) { return static_cast<float>(s); });
  }
  if (columns == 1 && op.wants(0)) {
    if (!labels.strings.empty()) {
      labels.Write(op, picked);
    } else {
      Tensor& out = op.Output(0, kInt64, {rows.count});
      for (size_t i = 0; i < picked.size(); ++i)
        out.data<int64_t>()[i] = picked[i] != 0 ? 0 : labels.ints.empty() ? 1 : labels.ints[0];
    }
  } else {
    labels.Write(op, picked);
  }
  if (op.wants(1)) op.SetOutput(1, z);
}

}  // namespace braid::reference
