// SPDX-License-Identifier: Apache-2.0
//
// A segment run by the reference operators, node after node. What the plugins `reference` and `sim` have in
// common.
#ifndef BRAID_PLUGINS_REFERENCE_RUNNER_H_
#define BRAID_PLUGINS_REFERENCE_RUNNER_H_

#include <braid/kit/graph_copy.h>
#include <braid/kit/plugin.h>

#include <initializer_list>
#include <string_view>
#include <vector>

#include "plugins/reference/ops/op.h"

namespace braid::reference {

// Fills verdicts by Judge: YES or why not.
void QueryByJudge(const braid_graph* view, std::vector<braid_verdict>& verdicts);

// Roofline of a plain CPU: each set's multiply-adds at `multiply_adds_per_ns`, its bytes at `bytes_per_ns`, a
// fixed time a node and a segment.
struct Speed {
  double multiply_adds_per_ns = 8, bytes_per_ns = 4, node_ns = 300, segment_ns = 1000;
};
void EstimateByRoofline(const braid_graph* view, const Speed& speed, const uint32_t* nodes,
                        const uint32_t* ends, std::vector<braid_cost>& costs);

// What runs the nodes of a Program in place of their operators' own functions: for devices that measure, or
// that have faults on purpose. [any]
class NodeHook {
 public:
  virtual ~NodeHook() = default;
  // Reads `context`'s inputs and makes its outputs, as `op.run` would. Throws kit::Error.
  virtual void Run(const OpEntry& op, OpContext& context) const = 0;
};

// Throws kit::Error(INVALID_ARGUMENT) that names an option that is not among `known`.
void CheckOptions(const braid_compile_options& options, std::initializer_list<std::string_view> known = {});
// Throws kit::Error(INVALID_ARGUMENT) if it is no power of two, nor 0.
void CheckAlignment(uint64_t alignment);

// Immutable once made: any number of threads may run it, each with its own State.
class Program {
 public:
  // Copies the graph; constants are held, in place where their layout allows. `hook`, where there is one,
  // must outlive the program.
  Program(const braid_graph* view, kit::Host host, const NodeHook* hook = nullptr);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  const braid_graph* view() const { return copy_.raw(); }

  // The values of one run: inputs are put in by index before, outputs are there after.
  struct State {
    std::vector<Tensor> values;        // by value of the graph, but for constants
    std::vector<Tensor> destinations;  // memory that outputs should be written to, where they fit
  };
  State NewState() const;
  // Throws kit::Error(INVALID_ARGUMENT) where the value is neither an input nor an output.
  kit::Value CheckIo(uint32_t value) const;
  // Throws kit::Error(INVALID_ARGUMENT) unless every input and output is bound, once.
  void CheckBound(kit::StructArray<braid_binding> bindings) const;
  // The value that a binding names, checked: it exists, it is an input or an output, an input has dims and
  // fits its type. Throws kit::Error(INVALID_ARGUMENT).
  kit::Value CheckBinding(const braid_binding& binding) const;
  // Throws kit::Error(INVALID_ARGUMENT) that names an input of the graph that has no value yet.
  void CheckInputs(const State& state) const;
  // The result for output `value` of a run, of the type that the graph says. Throws kit::Error(INTERNAL).
  Tensor& Result(State* state, uint32_t value) const;
  // Dims of an output where the graph says them, and the inputs bound are those of the graph; else
  // BRAID_UNSUPPORTED.
  braid_status OutputDims(kit::StructArray<braid_binding> inputs, uint32_t output, int32_t* rank,
                          int64_t* dims) const;
  // Throws kit::Error. `between` is called before each node, and may throw to end the run.
  template <class Between>
  void Run(State* state, const Between& between) const {
    CheckInputs(*state);
    for (const Step& step : steps_) {
      between();
      RunStep(step, state);
    }
  }

 private:
  struct Step {
    const OpEntry* op;
    kit::Node node;
    std::vector<Tensor> attribute_tensors;
    std::vector<uint32_t> done;  // values that nothing reads after this step
  };
  void RunStep(const Step& step, State* state) const;
  const Tensor& ValueAt(const State& state, uint32_t v) const {
    return constants_[v].present() ? constants_[v] : state.values[v];
  }
  kit::GraphCopy copy_;
  kit::Host host_;
  const NodeHook* hook_;
  std::vector<kit::Host::Bytes> held_;
  std::vector<Tensor> constants_;  // by value
  std::vector<Step> steps_;
};

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_RUNNER_H_
