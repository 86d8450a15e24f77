// SPDX-License-Identifier: Apache-2.0
#include "core/place/arithmetic.h"

#include <algorithm>
#include <string_view>

namespace braid {
namespace {

double Extent(const Value& value, size_t axis) {
  return axis < value.type.dims.size() && value.type.dims[axis].value >= 0
             ? static_cast<double>(value.type.dims[axis].value)
             : 1;
}

double Elements(const Value& value) {
  double n = 1;
  for (size_t i = 0; i < value.type.dims.size(); ++i) n *= Extent(value, i);
  return n;
}

// Multiply-adds of an operator that sums products, from its inputs a, b and output y.
double SumsOfProducts(const Graph& graph, const Node& node) {
  auto in = [&](size_t i) -> const Value* {
    return i < node.inputs.size() && node.inputs[i] != kNone ? &graph.values[node.inputs[i]] : nullptr;
  };
  const Value* y =
      node.outputs.empty() || node.outputs[0] == kNone ? nullptr : &graph.values[node.outputs[0]];
  const std::string_view op = node.op;
  if (op == "Conv" || op == "ConvInteger" || op == "QLinearConv") {
    const Value* w = in(op == "QLinearConv" ? 3 : 1);  // [M, C/group, kernel...]
    if (w == nullptr || y == nullptr) return 0;
    return Elements(*y) * Elements(*w) / std::max(1.0, Extent(*w, 0));
  }
  if (op == "ConvTranspose") {
    if (in(0) == nullptr || in(1) == nullptr) return 0;
    return Elements(*in(0)) * Elements(*in(1)) / std::max(1.0, Extent(*in(1), 0));
  }
  if (op == "MatMul" || op == "MatMulInteger" || op == "QLinearMatMul") {
    const Value* a = in(0);
    if (a == nullptr || y == nullptr || a->type.dims.empty()) return 0;
    return Elements(*y) * Extent(*a, a->type.dims.size() - 1);
  }
  if (op == "Gemm") {
    const Value* a = in(0);
    if (a == nullptr || y == nullptr) return 0;
    const Attribute* transposed = node.attribute("transA");
    return Elements(*y) * Extent(*a, transposed != nullptr && transposed->i != 0 ? 0 : 1);
  }
  if (op == "LSTM" || op == "GRU" || op == "RNN") {
    // X [sequence, batch, input], W [directions, gates*hidden, input], R [directions, gates*hidden, hidden]
    if (in(0) == nullptr || in(1) == nullptr || in(2) == nullptr) return 0;
    return Extent(*in(0), 0) * Extent(*in(0), 1) * (Elements(*in(1)) + Elements(*in(2)));
  }
  if (op == "Attention") {
    // Scores and their product with V: 2 x queries x keys x channels.
    if (in(0) == nullptr || in(1) == nullptr || in(0)->type.dims.empty()) return 0;
    size_t r = in(1)->type.dims.size();
    return 2 * Elements(*in(0)) * (r >= 2 ? Extent(*in(1), r - 2) : 1);
  }
  if (op == "Einsum") {
    double product = 1;  // an upper bound that holds for a contraction over the largest operand
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (in(i) != nullptr) product = std::max(product, Elements(*in(i)));
    return y == nullptr ? 0 : std::max(product, Elements(*y));
  }
  return 0;
}

}  // namespace

uint64_t ValueBytes(const Value& value) {
  // A shape may say any number. Beyond this one no device has the memory, and sums stay within 64 bits.
  constexpr double kMost = 0x1p50;
  return TensorBytes(value.type.element, static_cast<uint64_t>(std::min(Elements(value), kMost)));
}

Arithmetic CountArithmetic(const Graph& graph, const Node& node) {
  Arithmetic out;
  auto visit = [&](ValueId v) {
    if (v == kNone) return;
    const Value& value = graph.values[v];
    out.elements = std::max(out.elements, Elements(value));
    out.bytes += ValueBytes(value);
    out.known = out.known && value.type.is_static();
  };
  for (ValueId v : node.inputs) visit(v);
  for (ValueId v : node.outputs) visit(v);
  out.multiply_adds = SumsOfProducts(graph, node);
  return out;
}

}  // namespace braid
