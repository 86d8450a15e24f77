// SPDX-License-Identifier: Apache-2.0
#include "core/place/solver.h"

#include <algorithm>
#include <deque>
#include <random>

namespace braid {
namespace {

// Edges in both directions, computed once a problem.
struct Topology {
  explicit Topology(const PlacementProblem& p) : producer(p.values.size(), -1), consumers(p.values.size()) {
    for (size_t n = 0; n < p.nodes.size(); ++n) {
      for (uint32_t v : p.nodes[n].outputs) producer[v] = static_cast<int>(n);
      for (uint32_t v : p.nodes[n].inputs)
        if (consumers[v].empty() || consumers[v].back() != n)
          consumers[v].push_back(static_cast<uint32_t>(n));
    }
  }
  std::vector<int> producer;
  std::vector<std::vector<uint32_t>> consumers;
};

// The model's cost in parts that one node's move changes only locally.
class Cost {
 public:
  Cost(const PlacementProblem& p, const Topology& t) : p_(p), t_(t), stamp_(p.links.size(), 0) {}

  double Node(const std::vector<int>& device, size_t n) const {
    return p_.nodes[n].cost_ns[static_cast<size_t>(device[n])];
  }

  // A node that no node of its own device feeds begins a segment.
  double Launch(const std::vector<int>& device, size_t n) const {
    for (uint32_t v : p_.nodes[n].inputs)
      if (int from = t_.producer[v]; from >= 0 && device[static_cast<size_t>(from)] == device[n]) return 0;
    return p_.devices[static_cast<size_t>(device[n])].launch_ns;
  }

  // Value v goes once to each location where it is wanted and not made.
  double Transfers(const std::vector<int>& device, uint32_t v) {
    const auto& value = p_.values[v];
    int from = t_.producer[v] >= 0 ? LocationOf(device[static_cast<size_t>(t_.producer[v])]) : value.given_at;
    if (from < 0) return 0;  // a constant: each device has its own
    ++now_;
    stamp_[static_cast<size_t>(from)] = now_;
    double sum = 0;
    auto to = [&](int location) {
      if (stamp_[static_cast<size_t>(location)] == now_) return;
      stamp_[static_cast<size_t>(location)] = now_;
      const auto& link = p_.links[static_cast<size_t>(from)][static_cast<size_t>(location)];
      sum += link.latency_ns + link.ns_per_byte * static_cast<double>(value.bytes);
    };
    for (uint32_t n : t_.consumers[v]) to(LocationOf(device[n]));
    for (int location : value.needed_at) to(location);
    return sum;
  }

  double Total(const std::vector<int>& device) {
    double sum = 0;
    for (size_t n = 0; n < p_.nodes.size(); ++n) sum += Node(device, n) + Launch(device, n);
    for (uint32_t v = 0; v < p_.values.size(); ++v) sum += Transfers(device, v);
    return sum;
  }

  // What the total changes by if `group` moves to device `to`. All of it must be able to run there.
  double Move(std::vector<int>& device, const std::vector<uint32_t>& group, int to) {
    touched_nodes_.clear();
    touched_values_.clear();
    for (uint32_t n : group) {
      touched_nodes_.push_back(n);
      for (uint32_t v : p_.nodes[n].inputs) touched_values_.push_back(v);
      for (uint32_t v : p_.nodes[n].outputs) {
        touched_values_.push_back(v);
        for (uint32_t c : t_.consumers[v]) touched_nodes_.push_back(c);
      }
    }
    auto unique = [](std::vector<uint32_t>& list) {
      std::sort(list.begin(), list.end());
      list.erase(std::unique(list.begin(), list.end()), list.end());
    };
    unique(touched_nodes_);
    unique(touched_values_);
    auto local = [&] {
      double sum = 0;
      for (uint32_t n : touched_nodes_) sum += Node(device, n) + Launch(device, n);
      for (uint32_t v : touched_values_) sum += Transfers(device, v);
      return sum;
    };
    double before = local();
    before_.clear();
    for (uint32_t n : group) {
      before_.push_back(device[n]);
      device[n] = to;
    }
    double after = local();
    for (size_t i = 0; i < group.size(); ++i) device[group[i]] = before_[i];
    return after - before;
  }

 private:
  int LocationOf(int device) const { return p_.devices[static_cast<size_t>(device)].location; }
  const PlacementProblem& p_;
  const Topology& t_;
  std::vector<uint64_t> stamp_;
  uint64_t now_ = 0;
  std::vector<uint32_t> touched_nodes_, touched_values_;
  std::vector<int> before_;
};

bool CanRun(const PlacementProblem& p, const std::vector<uint32_t>& group, int device) {
  return std::all_of(group.begin(), group.end(), [&](uint32_t n) {
    return p.nodes[n].cost_ns[static_cast<size_t>(device)] < kImpossible;
  });
}

// Connected nodes of one device, each a list in topological order.
std::vector<std::vector<uint32_t>> Regions(const PlacementProblem& p, const Topology& t,
                                           const std::vector<int>& device) {
  std::vector<uint32_t> root(p.nodes.size());
  for (uint32_t n = 0; n < root.size(); ++n) root[n] = n;
  auto find = [&](uint32_t n) {
    while (root[n] != n) n = root[n] = root[root[n]];
    return n;
  };
  for (uint32_t n = 0; n < p.nodes.size(); ++n)
    for (uint32_t v : p.nodes[n].inputs)
      if (int from = t.producer[v]; from >= 0 && device[static_cast<size_t>(from)] == device[n])
        root[find(n)] = find(static_cast<uint32_t>(from));
  std::vector<std::vector<uint32_t>> regions(p.nodes.size());
  for (uint32_t n = 0; n < p.nodes.size(); ++n) regions[find(n)].push_back(n);
  std::erase_if(regions, [](const auto& r) { return r.empty(); });
  return regions;
}

void Improve(const PlacementProblem& p, const Topology& t, Cost& cost, std::vector<int>& device) {
  constexpr double kWorthwhileNs = 1;  // below this a move is noise, and the search might not end
  auto try_moves = [&](const std::vector<uint32_t>& group) {
    bool moved = false;
    for (int to = 0; to < static_cast<int>(p.devices.size()); ++to) {
      if (device[group[0]] == to || !CanRun(p, group, to)) continue;
      if (cost.Move(device, group, to) >= -kWorthwhileNs) continue;
      for (uint32_t n : group) device[n] = to;
      moved = true;
    }
    return moved;
  };
  for (int round = 0; round < 16; ++round) {
    bool moved = false;
    for (uint32_t n = 0; n < p.nodes.size(); ++n) moved |= try_moves({n});
    for (const auto& region : Regions(p, t, device))
      if (region.size() > 1) moved |= try_moves(region);
    if (!moved) return;
  }
}

// Every node on `preferred` where it can run there, else on the device that is cheapest for it alone.
std::vector<int> Seed(const PlacementProblem& p, int preferred) {
  std::vector<int> device;
  for (const auto& node : p.nodes) {
    if (preferred >= 0 && node.cost_ns[static_cast<size_t>(preferred)] < kImpossible) {
      device.push_back(preferred);
    } else {
      device.push_back(static_cast<int>(std::min_element(node.cost_ns.begin(), node.cost_ns.end()) -
                                        node.cost_ns.begin()));
    }
  }
  return device;
}

}  // namespace

double PredictedCost(const PlacementProblem& problem, const std::vector<int>& device) {
  Topology topology(problem);
  return Cost(problem, topology).Total(device);
}

PlacementSolution Solve(const PlacementProblem& problem) {
  Topology topology(problem);
  Cost cost(problem, topology);
  PlacementSolution best;
  best.predicted_ns = kImpossible;
  for (int seed = -1; seed < static_cast<int>(problem.devices.size()); ++seed) {
    std::vector<int> device = Seed(problem, seed);
    Improve(problem, topology, cost, device);
    double total = cost.Total(device);
    if (total < best.predicted_ns) best = {std::move(device), total, false};
  }
  if (problem.devices.size() <= 2) {
    // One device beside the host: whatever can run in two places has only these two, and no choice is left
    // where the host takes nothing but its own nodes.
    bool forced = std::all_of(problem.nodes.begin(), problem.nodes.end(), [](const auto& node) {
      return std::count_if(node.cost_ns.begin(), node.cost_ns.end(),
                           [](double c) { return c < kImpossible; }) == 1;
    });
    best.optimal = forced;
  }
  return best;
}

PlacementSolution RandomPlacement(const PlacementProblem& problem, uint64_t seed) {
  std::mt19937_64 random(seed);
  constexpr double kSwitch[] = {0.05, 0.15, 0.4, 0.8};
  double probability = kSwitch[random() % 4];
  PlacementSolution solution;
  int current = -1;
  for (const auto& node : problem.nodes) {
    std::vector<int> possible;
    for (size_t d = 0; d < node.cost_ns.size(); ++d)
      if (node.cost_ns[d] < kImpossible) possible.push_back(static_cast<int>(d));
    bool stays = std::find(possible.begin(), possible.end(), current) != possible.end();
    bool wants_switch = static_cast<double>(random() >> 11) * 0x1p-53 < probability;
    uint64_t choice = random();
    if (!stays || wants_switch) current = possible[choice % possible.size()];
    solution.device.push_back(current);
  }
  solution.predicted_ns = PredictedCost(problem, solution.device);
  return solution;
}

std::vector<Segment> MakeSegments(const PlacementProblem& problem, const std::vector<int>& device) {
  Topology topology(problem);
  std::vector<uint32_t> waiting(problem.nodes.size(), 0);  // inputs that a node has not got yet
  std::vector<std::deque<uint32_t>> ready(problem.devices.size());
  for (uint32_t n = 0; n < problem.nodes.size(); ++n) {
    std::vector<uint32_t> inputs = problem.nodes[n].inputs;
    std::sort(inputs.begin(), inputs.end());
    inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());
    for (uint32_t v : inputs) waiting[n] += topology.producer[v] >= 0 ? 1 : 0;
    if (waiting[n] == 0) ready[static_cast<size_t>(device[n])].push_back(n);
  }
  std::vector<Segment> segments;
  size_t current = 0;
  for (size_t done = 0; done < problem.nodes.size();) {
    if (ready[current].empty()) {
      // The device with the earliest ready node: closest to the order of the model.
      size_t next = current;
      for (size_t d = 0; d < ready.size(); ++d)
        if (!ready[d].empty() && (ready[next].empty() || ready[d].front() < ready[next].front())) next = d;
      if (ready[next].empty()) break;  // a cycle: the graph was not topologically ordered
      current = next;
    }
    Segment segment;
    segment.device = static_cast<int>(current);
    while (!ready[current].empty()) {
      uint32_t n = ready[current].front();
      ready[current].pop_front();
      segment.nodes.push_back(n);
      ++done;
      for (uint32_t v : problem.nodes[n].outputs)
        for (uint32_t c : topology.consumers[v])
          if (--waiting[c] == 0) ready[static_cast<size_t>(device[c])].push_back(c);
      if (current == 0) break;
    }
    segments.push_back(std::move(segment));
  }
  return segments;
}

}  // namespace braid
