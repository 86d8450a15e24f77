// SPDX-License-Identifier: Apache-2.0
//
// What the files of ai.onnx.ml share; the table is in ml.cc.
#ifndef BRAID_PLUGINS_REFERENCE_OPS_ML_H_
#define BRAID_PLUGINS_REFERENCE_OPS_ML_H_

#include <span>
#include <string>
#include <vector>

#include "plugins/reference/ops/op.h"

namespace braid::reference {

inline constexpr TypeSet kMlNumbers = Types(kFloat, kDouble, kInt32, kInt64);

// A tensor [N, C], or [C] as [1, C], as doubles.
struct Rows {
  int64_t count = 0, width = 0;
  std::vector<double> values;
  explicit Rows(const OpContext& op);
  std::span<const double> row(int64_t i) const {
    return std::span(values).subspan(static_cast<size_t>(i * width), static_cast<size_t>(width));
  }
};

enum class PostTransform { kNone, kSoftmax, kLogistic, kSoftmaxZero, kProbit };
PostTransform PostTransformOf(const OpContext& op);
void Transform(PostTransform how, std::span<double> scores);

// The labels of a classifier's classes, integers or strings, as the attributes have them.
struct ClassLabels {
  std::vector<int64_t> ints;
  std::vector<std::string> strings;
  ClassLabels(const OpContext& op, const char* ints_name, const char* strings_name);
  size_t size() const { return std::max(ints.size(), strings.size()); }
  // Writes output 0: the label of class picked[i] of each row; the class itself where there are no labels.
  void Write(OpContext& op, const std::vector<size_t>& picked) const;
};

void LinearClassifier(OpContext& op);        // ml_linear.cc
void LinearRegressor(OpContext& op);         // ml_linear.cc
void SVMClassifier(OpContext& op);           // ml_svm.cc
void SVMRegressor(OpContext& op);            // ml_svm.cc
void TreeEnsemble(OpContext& op);            // ml_tree.cc
void TreeEnsembleClassifier(OpContext& op);  // ml_tree.cc
void TreeEnsembleRegressor(OpContext& op);   // ml_tree.cc

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_ML_H_
