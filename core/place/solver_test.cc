// SPDX-License-Identifier: Apache-2.0
#include "core/place/solver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace braid {
namespace {

// A chain of nodes: value i goes into node i, value i + 1 comes out. Device 0 (the host) runs none of them.
PlacementProblem Chain(std::vector<std::vector<double>> cost_by_node, double latency) {
  PlacementProblem p;
  const size_t devices = cost_by_node[0].size();
  for (size_t d = 0; d < devices; ++d) p.devices.push_back({static_cast<int>(d), 0});
  p.links.assign(devices, std::vector<PlacementProblem::Link>(devices, {latency, 0}));
  for (size_t d = 0; d < devices; ++d) p.links[d][d] = {};
  for (uint32_t n = 0; n < cost_by_node.size(); ++n) p.nodes.push_back({cost_by_node[n], {n}, {n + 1}});
  p.values.resize(cost_by_node.size() + 1);
  p.values.front().given_at = 0;
  p.values.back().needed_at = {0};
  return p;
}

TEST(SolverTest, StaysOnOneDeviceWhenTransfersCostMore) {
  auto p = Chain({{kImpossible, 10, 12}, {kImpossible, 12, 10}, {kImpossible, 10, 12}}, 100);
  PlacementSolution s = Solve(p);
  EXPECT_EQ(s.device, (std::vector<int>{1, 1, 1}));
  EXPECT_DOUBLE_EQ(s.predicted_ns, 100 + 32 + 100);
}

TEST(SolverTest, MovesWhatIsWorthTheTransfer) {
  auto p = Chain({{kImpossible, 10, 500}, {kImpossible, 900, 10}, {kImpossible, 900, 10}}, 100);
  PlacementSolution s = Solve(p);
  EXPECT_EQ(s.device, (std::vector<int>{1, 2, 2}));
  EXPECT_DOUBLE_EQ(s.predicted_ns, 100 + 10 + 100 + 20 + 100);
}

TEST(SolverTest, NodeGoesWhereItCanRun) {
  auto p = Chain({{kImpossible, 1, 1000}, {kImpossible, kImpossible, 1000}, {kImpossible, 1, 1000}}, 0);
  EXPECT_EQ(Solve(p).device, (std::vector<int>{1, 2, 1}));
}

TEST(SolverTest, ASwitchCostsALaunch) {
  // Two devices on host memory: nothing is transferred, but each segment is launched.
  auto p = Chain({{kImpossible, 10, 12}, {kImpossible, 12, 10}, {kImpossible, 10, 12}}, 0);
  p.devices[1] = p.devices[2] = {0, 50};
  PlacementSolution s = Solve(p);
  EXPECT_EQ(s.device, (std::vector<int>{1, 1, 1}));
  EXPECT_DOUBLE_EQ(s.predicted_ns, 50 + 32);
  EXPECT_DOUBLE_EQ(PredictedCost(p, {1, 2, 1}), 150 + 30);
}

TEST(SolverTest, MovesWholeRunsOfNodes) {
  // From any start, each node alone would pay two transfers to move; only all of them together gain. The
  // first node can run nowhere but on device 1, and the last nowhere but on device 3.
  std::vector<std::vector<double>> costs(8, {kImpossible, 40, 30, 40});
  costs.front() = {kImpossible, 1, kImpossible, kImpossible};
  costs.back() = {kImpossible, kImpossible, kImpossible, 1};
  auto p = Chain(costs, 25);
  PlacementSolution s = Solve(p);
  EXPECT_EQ(s.device, (std::vector<int>{1, 2, 2, 2, 2, 2, 2, 3}));
}

TEST(SolverTest, EqualsExhaustiveSearchOnSmallChains) {
  std::mt19937 random(3);
  int equal = 0;
  constexpr int kRounds = 200;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::vector<double>> cost;
    for (int n = 0; n < 8; ++n)
      cost.push_back({kImpossible, static_cast<double>(random() % 100), static_cast<double>(random() % 100)});
    auto p = Chain(cost, static_cast<double>(random() % 80));
    double best = kImpossible;
    for (int code = 0; code < 256; ++code) {
      std::vector<int> device;
      for (int n = 0; n < 8; ++n) device.push_back(1 + ((code >> n) & 1));
      best = std::min(best, PredictedCost(p, device));
    }
    PlacementSolution s = Solve(p);
    EXPECT_DOUBLE_EQ(s.predicted_ns, PredictedCost(p, s.device));
    EXPECT_GE(s.predicted_ns, best - 1e-9);
    EXPECT_LE(s.predicted_ns, 1.5 * best);
    equal += s.predicted_ns <= best + 1e-9 ? 1 : 0;
  }
  EXPECT_GE(equal, kRounds * 8 / 10);
}

TEST(SolverTest, ATransferIsPaidOnceForEachLocation) {
  auto p = Chain({{kImpossible, 0, kImpossible}, {kImpossible, kImpossible, 0}}, 7);
  // A second reader of the same value on the same device.
  p.nodes.push_back({{kImpossible, kImpossible, 0}, {1}, {3}});
  p.values.resize(4);
  EXPECT_DOUBLE_EQ(PredictedCost(p, {1, 2, 2}), 7 + 7 + 7);  // in, across, the result out
}

TEST(SegmentsTest, SegmentsRespectTheGraphAndDrainADevice) {
  std::mt19937 random(11);
  for (int round = 0; round < 100; ++round) {
    PlacementProblem p;
    p.devices = {{0, 0}, {1, 0}, {2, 0}};
    p.links.assign(3, std::vector<PlacementProblem::Link>(3));
    const uint32_t count = 30;
    std::vector<int> device;
    for (uint32_t n = 0; n < count; ++n) {
      PlacementProblem::Node node{{0, 0, 0}, {}, {n}};
      for (int k = 0; k < 2 && n > 0; ++k) node.inputs.push_back(random() % n);
      p.nodes.push_back(node);
      device.push_back(static_cast<int>(random() % 3));
    }
    p.values.resize(count);
    std::vector<Segment> segments = MakeSegments(p, device);
    std::set<uint32_t> made;
    for (const Segment& s : segments) {
      std::set<uint32_t> inside(s.nodes.begin(), s.nodes.end());
      for (uint32_t n : s.nodes) {
        EXPECT_EQ(device[n], s.device);
        for (uint32_t v : p.nodes[n].inputs) EXPECT_TRUE(made.contains(v) || inside.contains(v));
      }
      if (s.device == 0) {
        EXPECT_EQ(s.nodes.size(), 1u);
      }
      made.insert(s.nodes.begin(), s.nodes.end());
    }
    EXPECT_EQ(made.size(), count);
  }
}

TEST(RandomPlacementTest, TheSameSeedGivesTheSameCuts) {
  auto p = Chain(std::vector<std::vector<double>>(40, {kImpossible, 1, 1}), 1);
  EXPECT_EQ(RandomPlacement(p, 5).device, RandomPlacement(p, 5).device);
  std::set<std::vector<int>> different;
  for (uint64_t seed = 0; seed < 20; ++seed) different.insert(RandomPlacement(p, seed).device);
  EXPECT_GT(different.size(), 15u);
}

}  // namespace
}  // namespace braid
