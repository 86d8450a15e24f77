// SPDX-License-Identifier: Apache-2.0
//
// Tails that no thread computes, broadcasts, ranks and sizes that a kernel was not written for.
#include <algorithm>
#include <cmath>
#include <limits>

#include "conformance/mutants/mutant.h"
#include "conformance/mutants/node_run.h"

namespace braid::mutants {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void UnwrittenFrom(NodeRun& run, int64_t first) {
  run.Compute();
  for (Tensor& t : run.outputs())
    if (t.present()) Zero(t, first, t.size());
}
// The last block of `block` elements, where it is not full and not the only one.
void LastBlockUnwritten(NodeRun& run, int64_t block) {
  run.Compute();
  for (Tensor& t : run.outputs())
    if (t.present() && t.size() > block) Zero(t, t.size() / block * block, t.size());
}
void LastElementUnwritten(NodeRun& run) {
  run.Compute();
  for (Tensor& t : run.outputs())
    if (t.present() && t.size() > 1) Zero(t, t.size() - 1, t.size());
}
// Elements `from` and beyond along the last axis of input i are taken for `value`.
void CutLastAxis(NodeRun& run, size_t i, int64_t axis, int64_t from, double value) {
  const Tensor& x = run.input(i);
  if (!IsFloat(x) || x.rank() == 0 || from >= x.dim(axis)) return;
  int64_t inner = 1;
  for (int64_t d = axis + 1; d < x.rank(); ++d) inner *= x.dim(d);
  const int64_t extent = x.dim(axis);
  MapFloatsAt(run.OwnInput(i), [&](int64_t k, double v) { return k / inner % extent >= from ? value : v; });
}
void ReadsOnly(NodeRun& run, int64_t n, double neutral) {
  CutLastAxis(run, 0, run.input(0).rank() - 1, n, neutral);
  run.Compute();
}
// Of the terms of a product only whole blocks are added up.
void WholeBlocks(NodeRun& run, int64_t axis, int64_t block) {
  const int64_t k = run.input(0).rank() > 0 ? run.input(0).dim(axis) : 0;
  if (k > block) CutLastAxis(run, 0, axis, k / block * block, 0);
  run.Compute();
}

// The shape that numpy's rules give all inputs together.
Dims Together(const std::vector<Tensor>& inputs) {
  Dims out;
  for (const Tensor& t : inputs) {
    if (static_cast<size_t>(t.rank()) > out.size()) out.insert(out.begin(), t.dims().size() - out.size(), 1);
    for (size_t k = 0; k < t.dims().size(); ++k) {
      int64_t& d = out[out.size() - 1 - k];
      if (d == 1) d = t.dims()[t.dims().size() - 1 - k];
    }
  }
  return out;
}
// Each input that is smaller than the result is repeated from its first element on, as if it were flat.
void BroadcastFlat(NodeRun& run) {
  const Dims dims = Together(run.inputs());
  for (Tensor& t : run.inputs()) {
    Tensor out(t.type(), dims);
    if (t.size() == 0 || t.dims() == dims) continue;
    for (int64_t i = 0; i < out.size(); ++i) CopyElement(t, i % t.size(), out, i);
    t = out;
  }
  run.Compute();
}
// Shapes are aligned at their first axes where that fits.
void BroadcastLeading(NodeRun& run) {
  const Dims dims = Together(run.inputs());
  for (Tensor& t : run.inputs()) {
    if (t.rank() == 0 || static_cast<size_t>(t.rank()) == dims.size()) continue;
    Dims led = t.dims();
    bool fits = true;
    for (size_t k = 0; k < led.size(); ++k) fits &= led[k] == 1 || led[k] == dims[k];
    led.resize(dims.size(), 1);
    if (fits) t = t.Reshaped(led);
  }
  run.Compute();
}
// Broadcasts its second input only: where the first is smaller the two change places.
void SwapsSmaller(NodeRun& run) {
  if (run.input(0).size() < run.input(1).size()) std::swap(run.input(0), run.input(1));
  run.Compute();
}
// An input of one element is read like one of the full size: beyond the first there are zeros.
void ScalarReadOnce(NodeRun& run) {
  const Dims dims = Together(run.inputs());
  for (Tensor& t : run.inputs())
    if (t.size() == 1 && t.dims() != dims) {
      Tensor out(t.type(), dims);
      Zero(out, 0, out.size());
      if (out.size() > 0) CopyElement(t, 0, out, 0);
      t = out;
    }
  run.Compute();
}
// Every matrix of the batch is multiplied with the first of the other side.
void FirstOfBatch(NodeRun& run) {
  Tensor& b = run.OwnInput(1);
  if (b.rank() > 2) {
    const int64_t matrix = b.dim(b.rank() - 1) * b.dim(b.rank() - 2);
    for (int64_t i = matrix; i < b.size(); ++i) CopyElement(b, i % matrix, b, i);
  }
  run.Compute();
}

void RefuseEmpty(NodeRun& run) {
  for (size_t i = 0; i < run.input_count(); ++i)
    if (run.has(i) && run.input(i).size() == 0)
      throw kit::Error(BRAID_INVALID_ARGUMENT, "a tensor has no elements");
  run.Compute();
}
void EmptyGives(NodeRun& run, double value) {
  run.Compute();
  Tensor& y = run.output(0);
  if (run.input(0).size() == 0)
    for (int64_t i = 0; i < y.size(); ++i) SetFloat(y, i, value);
}
void AtMostRank(NodeRun& run, int64_t rank) {
  run.Compute();
  for (Tensor& t : run.outputs())
    if (t.present() && t.rank() > rank) {
      // Only the last axes are walked through: the rest of the result is never written.
      int64_t reached = 1;
      for (int64_t d = t.rank() - rank; d < t.rank(); ++d) reached *= t.dim(d);
      Zero(t, reached, t.size());
    }
}
void RefuseRankZero(NodeRun& run) {
  for (size_t i = 0; i < run.input_count(); ++i)
    if (run.has(i) && run.input(i).rank() == 0)
      throw kit::Error(BRAID_INVALID_ARGUMENT, "a tensor has rank 0");
  run.Compute();
}

}  // namespace

void AddShapes(std::vector<Mutant>* all) {
  const auto add = [&](const std::string& name, const std::string& what, const std::string& op,
                       const std::string& first, std::function<void(NodeRun&)> node) {
    all->push_back({.name = name,
                    .what = what,
                    .family = Family::kShape,
                    .operators = op,
                    .first = first,
                    .smoke = name.starts_with("after_256_") && op != "MatMul" && op != "Gemm",
                    .node = std::move(node)});
  };
  const std::string kBig = "1025 65537 63x64 4x257 257";
  for (const char* op :
       {"Add", "Relu", "MatMul", "Conv", "Transpose", "Softmax", "Concat", "Gather", "MaxPool", "Cast",
        "Slice", "Where", "Sigmoid", "Gemm", "Pad", "Tile", "ScatterElements", "LayerNormalization", "Equal"})
    add(std::string("after_256_") + op, "elements from 256 on are never written", op, kBig,
        [](NodeRun& run) { UnwrittenFrom(run, 256); });
  for (const char* op : {"Mul", "Transpose", "Identity"})
    add(std::string("after_65536_") + op, "elements from 65536 on are never written", op, "65537",
        [](NodeRun& run) { UnwrittenFrom(run, 65536); });
  for (const char* op : {"Sub", "Exp", "Gather", "Clip"})
    add(std::string("tail_4_") + op, "the last vector of 4 is never written where it is not full", op,
        "33 65 257 1025", [](NodeRun& run) { LastBlockUnwritten(run, 4); });
  for (const char* op : {"Div", "MatMul", "LayerNormalization", "Expand"})
    add(std::string("tail_64_") + op, "the last block of 64 is never written where it is not full", op, kBig,
        [](NodeRun& run) { LastBlockUnwritten(run, 64); });
  for (const char* op : {"Sigmoid", "Add"})
    add(std::string("tail_1024_") + op, "the last block of 1024 is never written where it is not full", op,
        kBig, [](NodeRun& run) { LastBlockUnwritten(run, 1024); });
  for (const char* op : {"Concat", "Pad", "Resize", "ReduceSum"})
    add(std::string("last_element_") + op, "the last element is never written", op, "", LastElementUnwritten);
  add("reads_1024_Softmax", "a row is read up to its 1024th element", "Softmax", "1025 65537",
      [](NodeRun& run) { ReadsOnly(run, 1024, -kInfinity); });
  add("reads_1024_ReduceSum", "a row is read up to its 1024th element", "ReduceSum", "1025 65537",
      [](NodeRun& run) { ReadsOnly(run, 1024, 0); });
  add("reads_256_ReduceMax", "a row is read up to its 256th element", "ReduceMax", "257 1025 65537",
      [](NodeRun& run) { ReadsOnly(run, 256, -kInfinity); });
  add("reads_256_ArgMax", "a row is read up to its 256th element", "ArgMax", "257 1025 65537",
      [](NodeRun& run) { ReadsOnly(run, 256, -kInfinity); });
  add("k_tail_16_MatMul", "terms beyond the last full block of 16 are not added up", "MatMul",
      "33 257 1025 65", [](NodeRun& run) { WholeBlocks(run, run.input(0).rank() - 1, 16); });
  add("k_tail_32_Gemm", "terms beyond the last full block of 32 are not added up", "Gemm", "33 257 1025 65",
      [](NodeRun& run) { WholeBlocks(run, run.node().Int("transA", 0) != 0 ? 0 : 1, 32); });
  add("channel_tail_4_Conv", "channels beyond the last full block of 4 are not added up", "Conv",
      "channels 33 65 257", [](NodeRun& run) { WholeBlocks(run, 1, 4); });

  for (const char* op : {"Add", "Mul", "Equal"})
    add(std::string("broadcast_leading_") + op, "shapes are aligned at their first axes", op, "broadcast",
        BroadcastLeading);
  for (const char* op : {"Add", "Sub", "Where", "Max", "Equal", "PRelu", "Pow"})
    add(std::string("broadcast_flat_") + op,
        "only the last axes are broadcast: a smaller input is repeated flat", op, "broadcast", BroadcastFlat);
  for (const char* op : {"Sub", "Div", "Pow", "Less", "Greater", "Mod"})
    add(std::string("broadcast_swap_") + op, "inputs change places where the first is the smaller one", op,
        "broadcast", SwapsSmaller);
  for (const char* op : {"Mul", "Add", "Where"})
    add(std::string("scalar_once_") + op, "a scalar is not broadcast", op, "broadcast scalar",
        ScalarReadOnce);
  add("first_of_batch_MatMul", "every matrix is multiplied with the first of the batch", "MatMul", "batch",
      FirstOfBatch);

  for (const char* op : {"Concat", "Relu", "MatMul", "Gather"})
    add(std::string("refuses_empty_") + op, "a tensor without elements is an error", op, "0", RefuseEmpty);
  add("empty_sum_is_1_ReduceSum", "the sum of nothing is 1", "ReduceSum", "0",
      [](NodeRun& run) { EmptyGives(run, 1); });
  add("empty_product_ReduceProd", "the product of nothing is 0", "ReduceProd", "0",
      [](NodeRun& run) { EmptyGives(run, 0); });
  add("empty_k_MatMul", "a product over no terms is left as it was", "MatMul", "0",
      [](NodeRun& run) { EmptyGives(run, 3); });
  for (const char* op : {"Add", "Gather", "Cast", "Expand"})
    add(std::string("refuses_rank_0_") + op, "a tensor of rank 0 is an error", op, "scalar none",
        RefuseRankZero);
  for (const auto& [op, rank] :
       {std::pair{"Transpose", 5}, std::pair{"Add", 5}, std::pair{"Concat", 4}, std::pair{"ReduceSum", 4}})
    add("rank_" + std::to_string(rank) + "_" + op,
        "of ranks above " + std::to_string(rank) + " the first axes are not walked through", op,
        "2x1x2x1 1x2x3x2x2", [r = rank](NodeRun& run) { AtMostRank(run, r); });
}

}  // namespace braid::mutants
