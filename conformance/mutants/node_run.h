// SPDX-License-Identifier: Apache-2.0
//
// One run of one node on a mutant:
//
//   [](NodeRun& run) {
//     run.input(1) = Tensor();                                      // what the operator sees
//     run.Compute();                                                // as the operator is
//     MapFloats(run.output(0), [](double v) { return ToHalf(v); });  // what becomes of it
//   }
#ifndef BRAID_CONFORMANCE_MUTANTS_NODE_RUN_H_
#define BRAID_CONFORMANCE_MUTANTS_NODE_RUN_H_

#include <functional>
#include <optional>
#include <vector>

#include "plugins/reference/ops/op.h"

namespace braid::mutants {

using reference::Dims;
using reference::Tensor;

class NodeRun {
 public:
  NodeRun(const reference::OpEntry& op, reference::OpContext& context);

  const kit::Node& node() const { return context_.node(); }
  size_t input_count() const { return inputs_.size(); }
  bool has(size_t i) const { return i < inputs_.size() && inputs_[i].present(); }
  // To be replaced, not written to: its elements may be the caller's.
  Tensor& input(size_t i) { return inputs_[i]; }
  std::vector<Tensor>& inputs() { return inputs_; }
  // The same with elements that may be written to.
  Tensor& OwnInput(size_t i);

  // Makes the outputs by the operator, from the inputs as they are now; each has memory of its own.
  void Compute();
  // The outputs for other inputs.
  std::vector<Tensor> Compute(std::vector<Tensor> inputs) const;
  Tensor& output(size_t i) { return outputs_[i]; }
  std::vector<Tensor>& outputs() { return outputs_; }

  // The node that makes input i, and whether it is `op`; the only node that reads output 0.
  std::optional<kit::Node> Producer(uint32_t i) const;
  bool IsMadeBy(uint32_t i, std::string_view op) const;
  std::optional<kit::Node> Consumer() const;

  // Hands the outputs on, in the shapes and types that the graph says: a device writes into the memory that
  // it was given, whatever its kernel thinks the shape is. What the kernel does not reach is zero.
  void Finish();

 private:
  const reference::OpEntry& op_;
  reference::OpContext& context_;
  std::vector<Tensor> inputs_, attribute_tensors_, outputs_;
};

// ---- Tools for faults ----

Tensor Copied(const Tensor& t);
bool IsFloat(const Tensor& t);    // float16, bfloat16, float, double
bool IsInteger(const Tensor& t);  // of a byte or more
// Each element of a float tensor, in place; others stay.
void MapFloats(Tensor& t, const std::function<double(double)>& f);
// Element by element from the first to the last: f(i, value).
void MapFloatsAt(Tensor& t, const std::function<double(int64_t, double)>& f);
// Each element of an integer tensor, in place, as int64 (uint64 by its bits).
void MapIntegers(Tensor& t, const std::function<int64_t(int64_t)>& f);
double FloatAt(const Tensor& t, int64_t i);
void SetFloat(Tensor& t, int64_t i, double value);
// Elements [from, to) become zero bytes (empty strings).
void Zero(Tensor& t, int64_t from, int64_t to);
void CopyElement(const Tensor& from, int64_t i, Tensor& to, int64_t k);
// [begin, end) along an axis.
Tensor Sliced(const Tensor& t, int64_t axis, int64_t begin, int64_t end);
// The same elements as another type of the same size.
Tensor Relabelled(const Tensor& t, int32_t type);
// Real numbers converted (toward zero to integers).
Tensor Converted(const Tensor& t, int32_t type);

double ToHalf(double v);   // rounded to float16
double ToBrain(double v);  // to bfloat16
double ToTf32(double v);   // to 10 bits after the point, float's exponents

}  // namespace braid::mutants

#endif  // BRAID_CONFORMANCE_MUTANTS_NODE_RUN_H_
