// SPDX-License-Identifier: Apache-2.0
//
// Random operators: no element is fixed, but their distribution is.
#ifndef BRAID_CONFORMANCE_ORACLE_STATISTICS_H_
#define BRAID_CONFORMANCE_ORACLE_STATISTICS_H_

#include <braid/kit/graph_view.h>

#include <optional>
#include <string>
#include <vector>

#include "conformance/case/value.h"

namespace braid::conformance {

struct Distribution {
  enum Kind { kUniform, kNormal, kBernoulli, kMultinomial } kind = kUniform;
  double a = 0, b = 1;  // low and high, or mean and scale
  Dims dims;
  // Of Bernoulli the chance of 1 for each element; of Multinomial [rows, classes] the classes' chances.
  std::vector<double> chances;
};
// Of the node's output: the Random* operators, Bernoulli, Multinomial; none for other operators. `first`: the
// first input, absent if there is none.
std::optional<Distribution> DistributionOf(const kit::Node& node, const Tensor& first);

// "" if the numbers may well be drawn from it: shape, range, mean, variance and the greatest distance between
// the distribution functions (Kolmogorov and Smirnov), each at a level of about 1e-6.
std::string JudgeDraws(const Tensor& draws, const Distribution& distribution);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_ORACLE_STATISTICS_H_
