// SPDX-License-Identifier: Apache-2.0
//
// Values with the error that a device may have made on the way to them, and the evaluation of one node on
// such.
#ifndef BRAID_CONFORMANCE_ORACLE_WIDE_H_
#define BRAID_CONFORMANCE_ORACLE_WIDE_H_

#include <functional>
#include <string>
#include <vector>

#include "conformance/case/value.h"
#include "conformance/oracle/rules.h"
#include "plugins/reference/ops/op.h"

namespace braid::conformance {

struct Wide {
  Tensor value;      // exact: in its own type; else double
  Tensor error;      // absent: exact; else double, of the same shape
  Tensor deviation;  // of a sum of products: see Expected
  const char* basis = "widened";
  Wide() = default;
  explicit Wide(Tensor v) : value(std::move(v)) {}
  bool exact() const { return !error.present(); }
};

// float16, bfloat16, float, double.
bool IsFloat(int32_t type);
// Half of it bounds one rounding to `type` near v: the distance between neighbours.
double UnitAt(int32_t type, double v);
// The unit roundoff of `type`: 2^-24 for float.
double Roundoff(int32_t type);
// As double, whatever real type.
Tensor Widened(const Tensor& t);

class WideNode {
 public:
  WideNode(const kit::Node& node, const reference::OpEntry& op, std::vector<Tensor> attribute_tensors);
  // One for each output of the node. Throws std::runtime_error and kit::Error.
  std::vector<Wide> Run(const std::vector<Wide>& inputs);

 private:
  std::vector<Tensor> Call(std::vector<Tensor> inputs) const;
  int32_t TypeOf(size_t output) const;  // of a float output
  bool Keeps(size_t input) const;
  std::vector<Wide> RunWide(const std::vector<Wide>& inputs);
  std::vector<Wide> RunExact(const std::vector<Wide>& inputs);
  std::vector<Wide> RunOwn(const std::vector<Wide>& inputs);
  std::vector<Wide> RunOwnMoved(const std::vector<Wide>& inputs);
  std::vector<Wide> RunCode(const std::vector<Wide>& inputs);
  std::vector<Wide> RunMoved(const std::vector<Wide>& inputs);
  std::vector<Wide> RunCast(const std::vector<Wide>& inputs);
  Wide RunPointwise(const std::vector<Tensor>& wide, const std::vector<Wide>& inputs);
  Wide RunDot(const std::vector<Tensor>& wide, const std::vector<Wide>& inputs);
  Wide RunMagnitude(const std::vector<Tensor>& wide, const std::vector<Wide>& inputs);
  std::vector<Wide> RunSampled(const std::vector<Tensor>& wide, const std::vector<Wide>& inputs);

  const kit::Node node_;
  const reference::OpEntry& op_;
  std::vector<Tensor> attribute_tensors_;
  Rule rule_;
  int32_t type_ = 0;  // of the first float output
};

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_ORACLE_WIDE_H_
