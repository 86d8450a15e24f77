// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "conformance/case/schema.h"
#include "conformance/mutants/graph_edit.h"
#include "conformance/mutants/mutant.h"
#include "conformance/mutants/node_run.h"
#include "conformance/mutants/score.h"
#include "plugins/reference/ops/testing.h"

namespace braid::mutants {
namespace {

using reference::Ints;
using reference::TestGraph;

// The outputs of one node on a mutant.
std::vector<Tensor> RunOn(std::string_view mutant, std::string_view op, const std::vector<Tensor>& inputs,
                          const std::vector<reference::Attr>& attrs = {}, uint32_t outputs = 1) {
  const Mutant* m = FindMutant(mutant);
  if (m == nullptr) throw std::runtime_error("no mutant " + std::string(mutant));
  TestGraph graph;
  reference::MakeOneNode(graph, op, inputs, attrs, outputs, "");
  GraphEdit edit(graph.view());
  if (m->graph) m->graph(edit);
  const kit::Node node(edit.raw(), 0);
  reference::OpContext context(node, inputs, std::vector<Tensor>(node.raw().attrs.count));
  NodeRun run(*reference::FindOp("", op), context);
  if (m->node)
    m->node(run);
  else
    run.Compute();
  run.Finish();
  return context.outputs();
}

std::vector<double> Doubles(const Tensor& t) {
  std::vector<double> out;
  for (int64_t i = 0; i < t.size(); ++i) out.push_back(t.AsDouble(i));
  return out;
}

using testing::ElementsAre;

TEST(Mutants, HaveNamesOfTheirOwnAndOneFault) {
  std::set<std::string> names;
  for (const Mutant& m : AllMutants()) {
    EXPECT_TRUE(names.insert(m.name).second) << m.name;
    EXPECT_FALSE(m.what.empty()) << m.name;
    EXPECT_EQ(1, (m.node ? 1 : 0) + (m.graph ? 1 : 0) + (m.tables ? 1 : 0)) << m.name;
    EXPECT_EQ(FindMutant(m.name), &m);
  }
  EXPECT_GE(names.size(), 200u);
  EXPECT_EQ(FindMutant("no_such"), nullptr);
}

TEST(Mutants, TouchOperatorsThatThereAre) {
  for (const Mutant& m : AllMutants())
    for (const std::string& op : OperatorsOf(m))
      EXPECT_NE(reference::FindOp("", op), nullptr) << m.name << ": " << op;
}

TEST(Mutants, IgnoreAttributesThatTheNewestVersionHas) {
  for (const Mutant& m : AllMutants()) {
    if (m.family != Family::kAttribute) continue;
    bool has = false;
    for (const auto& v : conformance::AllOperatorVersions())
      if (v.newest && v.domain.empty() && v.name == m.operators)
        has = v.attribute(m.first == "axis=-" ? "axis" : m.first) != nullptr;
    EXPECT_TRUE(has) << m.name;
  }
}

TEST(Mutants, HalfOfThemScore) {
  size_t score = 0;
  for (const Mutant& m : AllMutants()) score += IsForScore(m.name) ? 1 : 0;
  EXPECT_GT(score * 10, AllMutants().size() * 4);
  EXPECT_LT(score * 10, AllMutants().size() * 6);
}

TEST(Mutants, RoundTheirResults) {
  const Tensor x = Tensor::Of<float>({2}, {1.0001f, 3});
  EXPECT_THAT(Doubles(RunOn("round_fp16_Relu", "Relu", {x})[0]), ElementsAre(1, 3));
  EXPECT_EQ(ToTf32(1 + 0x1p-11), 1.0);  // a tie, to even
  EXPECT_EQ(ToTf32(1 + 0x1.8p-10), 1 + 0x1p-9);
  EXPECT_EQ(ToBrain(1 + 0x1p-9), 1.0);
}

TEST(Mutants, AccumulateWithFewBits) {
  // 2048 + 1 is no float16.
  const Tensor a = Tensor::Of<float>({1, 3}, {2048, 1, 1}), b = Tensor::Of<float>({3, 1}, {1, 1, 1});
  EXPECT_THAT(Doubles(RunOn("fp16_accumulate_MatMul", "MatMul", {a, b})[0]), ElementsAre(2048));
  EXPECT_THAT(Doubles(RunOn("fp16_accumulate_Gemm", "Gemm", {a, b, Tensor::Of<float>({1}, {5})})[0]),
              ElementsAre(2053));
}

TEST(Mutants, LeaveTailsUnwritten) {
  const Tensor x = Tensor::Of<float>({6}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(Doubles(RunOn("tail_4_Exp", "Exp", {x})[0])[4], 0);
  EXPECT_THAT(Doubles(RunOn("tail_4_Exp", "Exp", {x})[0])[3], testing::DoubleNear(54.598, 1e-3));
}

TEST(Mutants, ComputeInAnotherType) {
  const Tensor x = Tensor::Of<int64_t>({2}, {(int64_t{1} << 32) + 7, 5});
  EXPECT_THAT(Doubles(RunOn("int64_by_int32_Abs", "Abs", {x})[0]), ElementsAre(7, 5));
  const Tensor byte = Tensor::Of<uint8_t>({2}, {200, 3}), zero = Tensor::Of<uint8_t>({1}, {0});
  EXPECT_THAT(Doubles(RunOn("uint8_as_int8_Max", "Max", {byte, zero})[0]), ElementsAre(0, 3));
}

TEST(Mutants, IgnoreWhatTheyAreGiven) {
  const Tensor x = Tensor::Of<float>({2, 2}, {1, 2, 3, 4});
  EXPECT_THAT(Doubles(RunOn("ignores_Transpose_perm", "Transpose", {x}, {{"perm", Ints{0, 1}}})[0]),
              ElementsAre(1, 3, 2, 4));
  const Tensor low = Tensor::Scalar<float>(2), high = Tensor::Scalar<float>(3);
  EXPECT_THAT(Doubles(RunOn("ignores_input_Clip_min", "Clip", {x, low, high})[0]), ElementsAre(1, 2, 3, 3));
}

TEST(Mutants, BroadcastWrongly) {
  const Tensor a = Tensor::Of<float>({2, 3}, {0, 0, 0, 0, 0, 0}), column = Tensor::Of<float>({2, 1}, {1, 2});
  EXPECT_THAT(Doubles(RunOn("broadcast_flat_Add", "Add", {a, column})[0]), ElementsAre(1, 2, 1, 2, 1, 2));
}

TEST(Mutants, BreakTiesTheOtherWay) {
  const Tensor x = Tensor::Of<float>({4}, {1, 5, 5, 2});
  EXPECT_THAT(Doubles(RunOn("other_tie_ArgMax", "ArgMax", {x})[0]), ElementsAre(2));
  EXPECT_THAT(Doubles(RunOn("half_away_Round", "Round", {Tensor::Of<float>({3}, {0.5f, 2.5f, -0.5f})})[0]),
              ElementsAre(1, 3, -1));
}

TEST(Mutants, WithoutFaultAreTheOperator) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::Of<float>({2}, {nan, -2});
  EXPECT_THAT(Doubles(RunOn("nodes", "Relu", {x})[0]), ElementsAre(testing::IsNan(), 0));
  EXPECT_THAT(Doubles(RunOn("drops_nan_Relu", "Relu", {x})[0]), ElementsAre(0, 0));
}

TEST(Mutants, TakeOverShapesOfTheGraph) {
  const Tensor x = Tensor::Of<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  TestGraph graph;
  const uint32_t in = graph.Input("x", reference::kFloat, {2, 3}),
                 out = graph.Output("y", reference::kFloat, {2, 2});
  graph.Node("Identity", {in}, {out});
  const kit::Node node(graph.view(), 0);
  reference::OpContext context(node, {x}, {});
  NodeRun run(*reference::FindOp("", "Identity"), context);
  run.Compute();
  run.Finish();
  EXPECT_THAT(Doubles(context.outputs()[0]), ElementsAre(1, 2, 4, 5));
}

TEST(Mutants, AreCountedByHalves) {
  std::vector<conformance::Kill> kills;
  for (const Mutant& m : AllMutants()) {
    conformance::Kill k;
    k.mutant = &m;
    if (IsForScore(m.name)) k.by = "case";
    kills.push_back(k);
  }
  const conformance::Score half = conformance::ScoreOf(kills, true),
                           other = conformance::ScoreOf(kills, false);
  EXPECT_EQ(half.ours, half.mutants);
  EXPECT_EQ(other.ours, 0u);
  EXPECT_EQ(half.mutants + other.mutants, AllMutants().size());
}

}  // namespace
}  // namespace braid::mutants
