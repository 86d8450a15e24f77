// SPDX-License-Identifier: Apache-2.0
//
// Which device runs each node, at the least predicted time. The problem is plain numbers: the solver knows no
// plugin and no ONNX, so that another solver can take its place behind the same function.
#ifndef BRAID_CORE_PLACE_SOLVER_H_
#define BRAID_CORE_PLACE_SOLVER_H_

#include <cstdint>
#include <limits>
#include <vector>

namespace braid {

inline constexpr double kImpossible = std::numeric_limits<double>::infinity();

// Device 0 is the host itself (control flow, sequences); its location is 0, host memory.
struct PlacementProblem {
  struct Device {
    int location = 0;      // memory where it reads and writes; devices of one location share values
    double launch_ns = 0;  // of a segment, over the sum of its nodes
  };
  struct Node {
    std::vector<double> cost_ns;            // by device; kImpossible where it can't run
    std::vector<uint32_t> inputs, outputs;  // values
  };
  struct Value {
    uint64_t bytes = 0;
    int given_at = -1;           // location where it is before the run (a graph input); -1: a node makes it
    std::vector<int> needed_at;  // locations where it must be after the run (a graph output)
  };
  struct Link {
    double latency_ns = 0, ns_per_byte = 0;
  };
  std::vector<Device> devices;
  std::vector<Node> nodes;  // topologically ordered
  std::vector<Value> values;
  std::vector<std::vector<Link>> links;  // [from location][to location]
};

struct PlacementSolution {
  std::vector<int> device;  // of each node
  double predicted_ns = 0;
  bool optimal = false;  // under the model
};

// The cost of an assignment under the model: nodes, launches, and each value's transfer once to each
// location.
double PredictedCost(const PlacementProblem& problem, const std::vector<int>& device);

// Seeds (each device first, the cheapest device of each node) improved by moving nodes and whole runs of
// nodes. Every node must have at least one possible device.
PlacementSolution Solve(const PlacementProblem& problem);

// Random runs of nodes on random devices of those that can run them; for tests of partitioning.
PlacementSolution RandomPlacement(const PlacementProblem& problem, uint64_t seed);

struct Segment {
  int device = 0;
  std::vector<uint32_t> nodes;  // in an order that respects the graph
};

// Segments in the order in which they run. Acyclic by construction: a topological order that drains one
// device before it switches; segments are intervals of that order. Each node of device 0 is a segment of its
// own.
std::vector<Segment> MakeSegments(const PlacementProblem& problem, const std::vector<int>& device);

}  // namespace braid

#endif  // BRAID_CORE_PLACE_SOLVER_H_
