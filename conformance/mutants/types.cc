// SPDX-License-Identifier: Apache-2.0
//
// Computed in another type than the tensor's: 64-bit integers on devices of 32 bits, signed for unsigned.
#include <limits>

#include "conformance/mutants/mutant.h"
#include "conformance/mutants/node_run.h"

namespace braid::mutants {
namespace {

using reference::kDouble;
using reference::kFloat;
using reference::kInt32;
using reference::kInt64;

// Inputs and outputs of `type` go through `narrow`.
void Through(NodeRun& run, int32_t type, const std::function<int64_t(int64_t)>& narrow) {
  for (size_t i = 0; i < run.input_count(); ++i)
    if (run.has(i) && run.input(i).type() == type) MapIntegers(run.OwnInput(i), narrow);
  run.Compute();
  for (Tensor& t : run.outputs())
    if (t.present() && t.type() == type) MapIntegers(t, narrow);
}

int64_t ToInt32(int64_t v) { return static_cast<int32_t>(static_cast<uint32_t>(v)); }
template <class Float>
int64_t ByFloat(int64_t v) {
  const Float f = static_cast<Float>(v);
  return f >= static_cast<Float>(0x1p63) ? std::numeric_limits<int64_t>::max() : static_cast<int64_t>(f);
}

// As another type of the same size, and back (the graph says which).
void As(NodeRun& run, int32_t from, int32_t to) {
  for (size_t i = 0; i < run.input_count(); ++i)
    if (run.has(i) && run.input(i).type() == from) run.input(i) = Relabelled(run.input(i), to);
  run.Compute();
}

void DoubleAsFloat(NodeRun& run) {
  bool any = false;
  for (size_t i = 0; i < run.input_count(); ++i)
    if (run.has(i) && run.input(i).type() == kDouble) {
      any = true;
      run.input(i) = Converted(run.input(i), kFloat);
    }
  run.Compute();
  if (!any) return;
  for (Tensor& t : run.outputs())
    if (t.present() && t.type() == kFloat) t = Converted(t, kDouble);
}

// Results at the end of the type's range wrap around, as if they had been cut instead of saturated.
void Wrap(NodeRun& run) {
  run.Compute();
  Tensor& y = run.output(0);
  reference::DispatchIn<reference::Types(reference::kInt8, reference::kUint8)>(y.type(), [&]<class T>() {
    for (int64_t i = 0; i < y.size(); ++i) {
      T& v = y.data<T>()[i];
      if (v == std::numeric_limits<T>::max()) v = std::numeric_limits<T>::min();
    }
  });
}

}  // namespace

void AddTypes(std::vector<Mutant>* all) {
  const auto add = [&](const std::string& name, const std::string& what, const std::string& op,
                       const std::string& first, std::function<void(NodeRun&)> node) {
    all->push_back({.name = name,
                    .what = what,
                    .family = Family::kType,
                    .operators = op,
                    .first = first,
                    // What every device of 32 bits does.
                    .smoke = name.starts_with("int64_by_int32_") && op != "CumSum",
                    .node = std::move(node)});
  };
  for (const char* op : {"Add", "Mul", "Concat", "Gather", "Where", "ReduceSum", "ReduceMax", "Equal", "Cast",
                         "Abs", "Max", "Div", "Sub", "Min", "Sign", "Slice", "Pad", "ScatterND", "CumSum"})
    add(std::string("int64_by_int32_") + op, "int64 is computed in 32 bits", op,
        "int64 to=", [](NodeRun& run) { Through(run, kInt64, ToInt32); });
  for (const char* op : {"Add", "Sub", "ReduceSum", "Mod", "Neg", "TopK", "Clip", "Less"})
    add(std::string("int64_by_float_") + op, "int64 is computed in float", op, "int64",
        [](NodeRun& run) { Through(run, kInt64, ByFloat<float>); });
  for (const char* op : {"Mul"})
    add(std::string("int64_by_double_") + op, "int64 is computed in double", op, "int64",
        [](NodeRun& run) { Through(run, kInt64, ByFloat<double>); });
  for (const char* op : {"Add", "Mul", "Greater", "Cast"})
    add(std::string("int32_by_float_") + op, "int32 is computed in float", op, "int32",
        [](NodeRun& run) { Through(run, kInt32, ByFloat<float>); });
  for (const char* op : {"Max", "Div", "Cast", "Less"})
    add(std::string("uint64_as_int64_") + op, "uint64 is taken for int64", op, "uint64",
        [](NodeRun& run) { As(run, reference::kUint64, kInt64); });
  for (const char* op : {"Max", "Div", "Cast", "ReduceMax"})
    add(std::string("uint8_as_int8_") + op, "uint8 is taken for int8", op, "uint8",
        [](NodeRun& run) { As(run, reference::kUint8, reference::kInt8); });
  for (const char* op : {"Add", "MatMul", "Exp", "Conv", "Softmax"})
    add(std::string("double_by_float_") + op, "double is computed in float", op, "double", DoubleAsFloat);
  for (const char* op : {"QuantizeLinear", "QLinearMatMul", "QLinearConv"})
    add(std::string("wraps_") + op, "results beyond the range of int8 wrap around instead of saturating", op,
        "saturate overflow range", Wrap);
}

}  // namespace braid::mutants
