// SPDX-License-Identifier: Apache-2.0
//
// Graphs for the contract's cases, with inputs and, where they are simple, what must come out.
#ifndef BRAID_CONFORMANCE_CONTRACT_WORKLOAD_H_
#define BRAID_CONFORMANCE_CONTRACT_WORKLOAD_H_

#include <braid/kit/testing/graph.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "conformance/case/schema.h"

namespace braid::conformance {

struct BuiltCase;

struct Workload {
  std::string name;
  std::shared_ptr<void> owner;               // of the view
  const braid_graph* view = nullptr;         // its host_data is a kit::testing::Constants
  std::vector<kit::testing::Array> inputs;   // in the order of the view's
  std::vector<kit::testing::Array> outputs;  // what must come out; empty: not known
  // Of an operator's case: what the oracle is asked.
  std::shared_ptr<const BuiltCase> built;
  size_t run = 0;
};

// An elementwise operator in one type, whose results on small integers are exact in every type.
struct Kind {
  const char* op;
  int32_t min_version;  // the oldest that means the same
  int operands;
  int (*apply)(int x, int y);
  braid_type type = 1;
};
// In the order in which they are tried on a device: those that most have come first.
std::vector<Kind> Kinds();

// One node. `seed` changes the inputs' values.
Workload Elementwise(const Kind& kind, const std::vector<int64_t>& dims, int seed = 0);
// Likewise, with a version from the future for the node and today's for its older form.
Workload OlderElementwise(const Kind& kind, const std::vector<int64_t>& dims);
// Likewise, with a second operand of one element. Only of binary operators.
Workload ElementwiseWithOne(const Kind& kind, const std::vector<int64_t>& dims);
// One node of which the extents are unknown, each for itself, with rank -1 the rank too. It has no inputs:
// those are of WithGraphOf.
Workload UnknownElementwise(const Kind& kind, int32_t rank);
// Inputs and outputs of `data` for the graph of `graph`.
Workload WithGraphOf(const Workload& graph, Workload data);
// Up to so many nodes the results of a chain are exact, and told.
inline constexpr uint32_t kExactChain = 8;
// `nodes` of them, one after the other. A binary operator's second operand is the graph's second input.
Workload Chain(const Kind& kind, const std::vector<int64_t>& dims, uint32_t nodes);
// The second operand is a constant. Only of binary operators.
Workload WithConstant(const Kind& kind, const std::vector<int64_t>& dims);
// Two nodes side by side, with an output each.
Workload Twins(const Kind& kind, const std::vector<int64_t>& dims);

// The operator has no case of the kind that is asked for.
struct NoCase : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// An operator's plain case: the graph whole and its inputs. Throws NoCase where it cannot be made or core
// runs part of it.
Workload PlainCase(const OperatorVersion& op);
// The same with each node twice, the second one's outputs beside the first one's.
Workload PlainCaseTwice(const OperatorVersion& op);
// Workloads of one graph. Of an operator's case with symbols: not specialised, so that its extents are
// unknown, with inputs of two shapes. Throws as PlainCase.
std::vector<Workload> SymbolicCase(const OperatorVersion& op);
// Of its plain case, or with weights and all but the first input constant: with `sets` sets of inputs.
std::vector<Workload> CaseOfSets(const OperatorVersion& op, bool constants, int sets);
// The operators of that label, or, without labels, the newest version of each.
std::vector<const OperatorVersion*> OperatorsOf(const std::vector<std::string>& labels);

// The version of an operator of ai.onnx in the newest opset.
int32_t NewestVersion(const std::string& op);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CONTRACT_WORKLOAD_H_
