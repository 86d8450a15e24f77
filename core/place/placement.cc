// SPDX-License-Identifier: Apache-2.0
#include "core/place/placement.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "core/place/arithmetic.h"
#include "core/plugins/view.h"

namespace braid {
namespace {

// Nodes that some output of the graph depends on.
std::vector<bool> Needed(const Graph& graph) {
  std::vector<bool> needed(graph.nodes.size(), false);
  std::vector<bool> value_needed(graph.values.size(), false);
  for (ValueId v : graph.outputs) value_needed[v] = true;
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    for (ValueId v : node.outputs) needed[n] = needed[n] || (v != kNone && value_needed[v]);
    if (!needed[n]) continue;
    for (ValueId v : node.inputs)
      if (v != kNone) value_needed[v] = true;
    for (const Attribute& a : node.attributes)
      for (ValueId v : a.body.captures) value_needed[v] = true;
  }
  return needed;
}

std::string NodeText(const Graph& graph, const Node& node) {
  // A node without a name is told by its first output, as other tools do.
  std::string name = node.name;
  if (name.empty() && !node.outputs.empty() && node.outputs[0] != kNone)
    name = "of " + graph.values[node.outputs[0]].name;
  return absl::StrCat("node '", name, "' (", node.domain.empty() ? "" : node.domain + ".", node.op, "-",
                      node.version, ")");
}

// Time of a node where the plugin has no estimate: a roofline of a small device of that kind.
double Guess(const Arithmetic& work, int32_t kind) {
  bool cpu = kind == BRAID_DEVICE_CPU;
  double per_ns_multiply = cpu ? 10.0 : 200.0, per_ns_bytes = cpu ? 8.0 : 50.0;
  return std::max(work.multiply_adds / per_ns_multiply, static_cast<double>(work.bytes) / per_ns_bytes) +
         (cpu ? 200 : 2000);
}

// Operators that name or describe a value and compute nothing. What a device takes for them is a matter of
// its own (a view, a copy, a launch) and would tear segments apart where devices differ in it: they cost
// nothing anywhere.
bool OnlyDescribes(const Node& node) {
  static const std::set<std::string_view> kOps = {"Flatten", "Identity", "Reshape",  "Shape",
                                                  "Size",    "Squeeze",  "Unsqueeze"};
  return node.domain.empty() && kOps.contains(node.op);
}

// Costs of the nodes that the device accepts. One-node sets say what a node costs with a launch; the set of
// all of them says how much of that is launch.
void FillCosts(const Graph& graph, const GraphView& view, const CompileOptions& options, DeviceView* out) {
  std::vector<uint32_t> nodes, ends;
  for (uint32_t n = 0; n < out->verdicts.size(); ++n) {
    if (graph.nodes[n].is_host || !Accepts(out->verdicts[n])) continue;
    nodes.push_back(n);
    ends.push_back(static_cast<uint32_t>(nodes.size()));
  }
  out->cost_ns.assign(graph.nodes.size(), kImpossible);
  out->confidence.assign(graph.nodes.size(), BRAID_GUESSED);
  out->launch_ns = 0;
  if (nodes.empty()) return;
  size_t alone = nodes.size();
  for (size_t i = 0; i < alone; ++i) nodes.push_back(nodes[i]);
  ends.push_back(static_cast<uint32_t>(nodes.size()));
  auto costs = out->device->Estimate(view, options, nodes, ends);
  const int32_t kind = out->device->info().kind;
  out->launch_ns = kind == BRAID_DEVICE_CPU ? 1'000 : 20'000;
  auto describing_is_free = [&] {
    for (size_t i = 0; i < alone; ++i)
      if (OnlyDescribes(graph.nodes[nodes[i]])) out->cost_ns[nodes[i]] = 0;
  };
  if (!costs.ok() || costs->size() != ends.size()) {
    for (size_t i = 0; i < alone; ++i)
      out->cost_ns[nodes[i]] = Guess(CountArithmetic(graph, graph.nodes[nodes[i]]), kind);
    return describing_is_free();
  }
  // A time of 0 is none; the device should have answered that it cannot tell.
  for (size_t i = 0; i < costs->size(); ++i)
    if (braid_cost& cost = (*costs)[i]; cost.time_ns == 0) {
      cost.confidence = BRAID_GUESSED;
      for (size_t k = i < alone ? i : 0; k < (i < alone ? i + 1 : alone); ++k)
        cost.time_ns += static_cast<uint64_t>(Guess(CountArithmetic(graph, graph.nodes[nodes[k]]), kind) + 1);
    }
  double sum = 0;
  for (size_t i = 0; i < alone; ++i) sum += static_cast<double>((*costs)[i].time_ns);
  if (alone > 1) {
    double together = static_cast<double>(costs->back().time_ns);
    out->launch_ns = std::max(0.0, (sum - together) / static_cast<double>(alone - 1));
  }
  for (size_t i = 0; i < alone; ++i) {
    out->cost_ns[nodes[i]] = std::max(0.0, static_cast<double>((*costs)[i].time_ns) - out->launch_ns);
    out->confidence[nodes[i]] = (*costs)[i].confidence;
  }
  describing_is_free();
}

// From one location to another by way of the host where there is no link of their own.
std::vector<std::vector<PlacementProblem::Link>> Links(const std::vector<DeviceView>& devices) {
  size_t n = devices.size() + 1;
  std::vector<std::vector<PlacementProblem::Link>> links(n, std::vector<PlacementProblem::Link>(n));
  constexpr double kHostBytesPerNs = 8;
  std::vector<PlacementProblem::Link> to_host(n);
  for (size_t i = 0; i < devices.size(); ++i) {
    if (devices[i].location == 0) continue;
    const bool answers = devices[i].left_out.empty();
    PlacementProblem::Link link{20'000, 1 / kHostBytesPerNs};
    // What the device says of a peer in host memory: how host and device exchange data.
    for (const DeviceView& peer : devices) {
      if (peer.location != 0 || !answers) continue;
      if (auto said = devices[i].device->Link(*peer.device); said.ok() && said->bytes_per_second > 0)
        link = {static_cast<double>(said->latency_ns), 1e9 / static_cast<double>(said->bytes_per_second)};
    }
    to_host[i + 1] = link;
  }
  for (size_t a = 0; a < n; ++a) {
    for (size_t b = 0; b < n; ++b) {
      if (a == b) continue;
      links[a][b] = {to_host[a].latency_ns + to_host[b].latency_ns,
                     to_host[a].ns_per_byte + to_host[b].ns_per_byte};
      if (a == 0 || b == 0 || !devices[a - 1].left_out.empty() || !devices[b - 1].left_out.empty()) continue;
      if (auto said = devices[b - 1].device->Link(*devices[a - 1].device);
          said.ok() && said->kind == BRAID_LINK_NATIVE && said->bytes_per_second > 0)
        links[a][b] = {static_cast<double>(said->latency_ns),
                       1e9 / static_cast<double>(said->bytes_per_second)};
    }
  }
  return links;
}

PlacementProblem MakeProblem(const Graph& graph, const std::vector<DeviceView>& devices,
                             const std::vector<bool>& needed,
                             const std::vector<std::vector<PlacementProblem::Link>>& links,
                             absl::Span<const int> input_at, absl::Span<const int> output_at,
                             std::vector<NodeId>* node_ids) {
  PlacementProblem problem;
  problem.devices.push_back({0, 0});
  for (const DeviceView& d : devices) problem.devices.push_back({d.location, d.launch_ns});
  problem.links = links;
  problem.values.resize(graph.values.size());
  for (size_t v = 0; v < graph.values.size(); ++v)
    if (graph.values[v].type.is_tensor()) problem.values[v].bytes = ValueBytes(graph.values[v]);
  for (size_t i = 0; i < graph.inputs.size(); ++i)
    problem.values[graph.inputs[i]].given_at = i < input_at.size() ? input_at[i] : 0;
  for (size_t i = 0; i < graph.outputs.size(); ++i)
    problem.values[graph.outputs[i]].needed_at.push_back(i < output_at.size() ? output_at[i] : 0);
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    if (!needed[n]) continue;
    const Node& node = graph.nodes[n];
    PlacementProblem::Node p;
    auto read = [&](ValueId v) {
      if (v != kNone && graph.values[v].constant == nullptr) p.inputs.push_back(v);
    };
    for (ValueId v : node.inputs) read(v);
    for (const Attribute& a : node.attributes)
      for (ValueId v : a.body.captures) read(v);
    for (ValueId v : node.outputs)
      if (v != kNone) p.outputs.push_back(v);
    p.cost_ns.assign(problem.devices.size(), kImpossible);
    if (node.is_host) {
      p.cost_ns[0] = 0;
    } else {
      for (size_t d = 0; d < devices.size(); ++d) p.cost_ns[d + 1] = devices[d].cost_ns[n];
    }
    problem.nodes.push_back(std::move(p));
    node_ids->push_back(n);
  }
  return problem;
}

absl::Status NobodyRuns(const Graph& graph, const std::vector<NodeId>& nodes,
                        const std::vector<DeviceView>& devices) {
  constexpr size_t kShown = 3;
  std::string text;
  for (size_t i = 0; i < std::min(kShown, nodes.size()); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : "; ", "no device can run ", NodeText(graph, graph.nodes[nodes[i]]));
    for (const DeviceView& d : devices)
      if (d.left_out.empty()) {
        absl::StrAppend(&text, ": ", d.device->name(), " says ", VerdictText(d.verdicts[nodes[i]]));
      } else {
        absl::StrAppend(&text, ": ", d.device->name(), " is left out: ", d.left_out);
      }
  }
  if (nodes.size() > kShown) absl::StrAppend(&text, "; and ", nodes.size() - kShown, " more nodes");
  return absl::UnimplementedError(text);
}

// Nodes with no device that may run them.
std::vector<NodeId> Orphans(const Graph& graph, const std::vector<DeviceView>& devices,
                            const std::vector<bool>& needed) {
  std::vector<NodeId> orphans;
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    if (!needed[n] || graph.nodes[n].is_host) continue;
    if (std::none_of(devices.begin(), devices.end(),
                     [&](const DeviceView& d) { return d.cost_ns[n] < kImpossible; }))
      orphans.push_back(n);
  }
  return orphans;
}

// A device that says NOT_WORTH_IT gets a node only where no other says yes: its cost goes into `held` (by
// device and node) until nobody else is left.
void HoldBack(std::vector<DeviceView>* devices, std::vector<std::vector<double>>* held) {
  held->assign(devices->size(), {});
  const auto willing = [](const DeviceView& d, NodeId n) {
    return d.cost_ns[n] < kImpossible && d.verdicts[n].code != BRAID_NOT_WORTH_IT;
  };
  for (size_t d = 0; d < devices->size(); ++d) {
    DeviceView& view = (*devices)[d];
    (*held)[d].assign(view.cost_ns.size(), kImpossible);
    for (NodeId n = 0; n < view.cost_ns.size(); ++n) {
      if (view.verdicts[n].code != BRAID_NOT_WORTH_IT) continue;
      if (std::none_of(devices->begin(), devices->end(), [&](const DeviceView& o) { return willing(o, n); }))
        continue;
      std::swap(view.cost_ns[n], (*held)[d][n]);
    }
  }
}

// Gives `nodes` back to the devices that they were held back from. Whether there were any.
bool GiveBack(const std::vector<NodeId>& nodes, std::vector<DeviceView>* devices,
              std::vector<std::vector<double>>* held) {
  bool any = false;
  for (size_t d = 0; d < devices->size(); ++d)
    for (NodeId n : nodes) {
      if ((*held)[d][n] == kImpossible) continue;
      std::swap((*devices)[d].cost_ns[n], (*held)[d][n]);
      any = true;
    }
  return any;
}

// Overrules a verdict.
void Refuse(braid_verdict* verdict, int32_t code, const std::string& why) {
  verdict->code = code;
  verdict->input = verdict->attr = verdict->group = BRAID_NONE;
  std::snprintf(verdict->detail, sizeof verdict->detail, "%s", why.c_str());
}

// Nodes that core itself keeps from a device, whatever the device says.
void Overrule(const Graph& graph, const std::map<std::string, std::string>* failed, DeviceView* view) {
  const uint64_t max_buffer = view->location == 0 ? UINT64_MAX : view->device->info().max_buffer;
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    braid_verdict* verdict = &view->verdicts[n];
    if (node.is_host) continue;
    // Plugins do not see graphs in attributes, and would compute as if there were none.
    for (const Attribute& a : node.attributes)
      if (a.kind == Attribute::kGraph)
        Refuse(verdict, BRAID_NO_ATTRIBUTE, absl::StrCat("attribute '", a.name, "' is a graph"));
    if (!Accepts(*verdict)) continue;
    auto fits = [&](ValueId v) {
      if (v == kNone || graph.values[v].constant != nullptr || !graph.values[v].type.is_static()) return;
      const uint64_t bytes = ValueBytes(graph.values[v]);
      if (bytes > max_buffer)
        Refuse(
            verdict, BRAID_NO_MEMORY,
            absl::StrCat(bytes, " bytes of '", graph.values[v].name, "'; a buffer has at most ", max_buffer));
    };
    for (ValueId v : node.inputs) fits(v);
    for (ValueId v : node.outputs) fits(v);
    if (failed == nullptr || node.outputs.empty() || node.outputs[0] == kNone) continue;
    if (auto why = failed->find(graph.values[node.outputs[0]].name); why != failed->end())
      Refuse(verdict, kLeftOut, why->second);
  }
}

// What one device says of the graph. InvalidArgument: an option that was given for it is wrong.
absl::StatusOr<DeviceView> Ask(const Graph& graph, const GraphView& view, std::shared_ptr<Device> device,
                               size_t index, const PlaceOptions& options, const Exclusions& without) {
  DeviceView said;
  said.device = std::move(device);
  said.location = said.device->info().Has(BRAID_HOST_BINDINGS) ? 0 : static_cast<int>(index) + 1;
  if (auto failed = without.devices.find(index); failed != without.devices.end()) {
    said.left_out = failed->second;
  } else if (auto verdicts = said.device->Query(view, options.compile); verdicts.ok()) {
    said.verdicts = *std::move(verdicts);
  } else if (absl::IsInvalidArgument(verdicts.status()) && said.device->has_vendor_options()) {
    return verdicts.status();
  } else {
    said.left_out = std::string(verdicts.status().message());
  }
  if (!said.left_out.empty()) {
    said.verdicts.resize(graph.nodes.size());
    for (braid_verdict& verdict : said.verdicts) Refuse(&verdict, kLeftOut, said.left_out);
  }
  auto failed = without.nodes.find(index);
  Overrule(graph, failed != without.nodes.end() ? &failed->second : nullptr, &said);
  FillCosts(graph, view, options.compile, &said);
  return said;
}

// Takes a device's "only together" groups away from it where the solution tore them apart. Returns whether it
// did.
bool EnforceGroups(Placement* placement) {
  bool changed = false;
  for (size_t d = 0; d < placement->devices.size(); ++d) {
    DeviceView& view = placement->devices[d];
    std::vector<std::pair<uint32_t, NodeId>> grouped;
    for (NodeId n = 0; n < view.verdicts.size(); ++n)
      if (view.verdicts[n].group != BRAID_NONE && view.cost_ns[n] < kImpossible)
        grouped.push_back({view.verdicts[n].group, n});
    if (grouped.empty()) continue;
    std::vector<int> segment_of(view.verdicts.size(), -1);
    for (size_t s = 0; s < placement->segments.size(); ++s)
      if (placement->segments[s].device == static_cast<int>(d))
        for (NodeId n : placement->segments[s].nodes) segment_of[n] = static_cast<int>(s);
    std::sort(grouped.begin(), grouped.end());
    for (size_t i = 0; i < grouped.size();) {
      size_t end = i;
      bool apart = false, here = false;
      for (; end < grouped.size() && grouped[end].first == grouped[i].first; ++end) {
        apart = apart || segment_of[grouped[end].second] != segment_of[grouped[i].second];
        here = here || segment_of[grouped[end].second] >= 0;
      }
      if (apart && here) {
        for (size_t k = i; k < end; ++k) view.cost_ns[grouped[k].second] = kImpossible;
        changed = true;
      }
      i = end;
    }
  }
  return changed;
}

}  // namespace

bool Accepts(const braid_verdict& verdict) {
  return verdict.code == BRAID_YES || verdict.code == BRAID_YES_EMULATED ||
         verdict.code == BRAID_NOT_WORTH_IT;
}

std::string VerdictName(int32_t code) {
  switch (code) {
    case kLeftOut:
      return "LEFT_OUT";
    case BRAID_YES:
      return "YES";
    case BRAID_YES_EMULATED:
      return "YES_EMULATED";
    case BRAID_NOT_WORTH_IT:
      return "NOT_WORTH_IT";
    case BRAID_NO_OP:
      return "NO_OP";
    case BRAID_NO_OPSET:
      return "NO_OPSET";
    case BRAID_NO_TYPE:
      return "NO_TYPE";
    case BRAID_NO_ATTRIBUTE:
      return "NO_ATTRIBUTE";
    case BRAID_NO_SHAPE:
      return "NO_SHAPE";
    case BRAID_NO_DYNAMIC:
      return "NO_DYNAMIC";
    case BRAID_NO_MEMORY:
      return "NO_MEMORY";
    case BRAID_NO_RUNTIME_VALUE:
      return "NO_RUNTIME_VALUE";
    default:
      return absl::StrCat("verdict ", code);
  }
}

std::string VerdictText(const braid_verdict& verdict) {
  std::string text = VerdictName(verdict.code);
  if (verdict.input != BRAID_NONE) absl::StrAppend(&text, " input ", verdict.input);
  if (verdict.attr != BRAID_NONE) absl::StrAppend(&text, " attribute ", verdict.attr);
  absl::string_view detail(verdict.detail, strnlen(verdict.detail, sizeof verdict.detail));
  if (!detail.empty()) absl::StrAppend(&text, ": ", detail);
  return text;
}

namespace {

// Where the body of an operator that nobody runs does not go either: the model is right, but ONNX's body is
// not for its types or shapes.
absl::Status WithBody(const absl::Status& nobody, const absl::Status& body) {
  if (!absl::IsInvalidArgument(body)) return body;
  return absl::Status(
      nobody.code(), absl::StrCat(nobody.message(), "; and ONNX's body of it does not go: ", body.message()));
}

}  // namespace

absl::StatusOr<Placement> Place(std::shared_ptr<const Model> model, absl::Span<const InputShape> shapes,
                                absl::Span<const std::shared_ptr<Device>> devices,
                                const PlaceOptions& options, const Exclusions& without,
                                absl::Span<const int> input_at, absl::Span<const int> output_at) {
  Placement placement;
  placement.random = options.random;
  std::vector<bool> needed;
  absl::Status nobody;  // of the last round whose function operators were expanded
  // Function operators that nobody takes are expanded, and the parts offered again. Each round expands at
  // least one node, and function bodies do not contain themselves, so this ends.
  for (;;) {
    placement.model = model;
    if (shapes.empty()) {
      placement.graph = std::shared_ptr<const Graph>(model, &model->graph());
    } else {
      auto graph = model->Specialise(shapes);
      if (!graph.ok()) return nobody.ok() ? graph.status() : WithBody(nobody, graph.status());
      placement.graph = *std::move(graph);
    }
    const Graph& graph = *placement.graph;
    needed = Needed(graph);
    auto view = GraphView::Whole(graph);
    placement.devices.clear();
    for (size_t d = 0; d < devices.size(); ++d) {
      auto said = Ask(graph, *view, devices[d], d, options, without);
      if (!said.ok()) return said.status();
      placement.devices.push_back(*std::move(said));
    }
    std::vector<NodeId> orphans = Orphans(graph, placement.devices, needed);
    if (orphans.empty()) break;
    // Nodes are told by their first output, whose name is unique in a graph.
    std::set<std::string> outputs;
    // What fits into no device's memory does not do so in parts either.
    const auto too_large = [&](NodeId n) {
      return std::all_of(placement.devices.begin(), placement.devices.end(),
                         [n](const auto& d) { return d.verdicts[n].code == BRAID_NO_MEMORY; });
    };
    for (NodeId n : orphans)
      if (graph.nodes[n].is_function && !too_large(n))
        for (ValueId v : graph.nodes[n].outputs)
          if (v != kNone) outputs.insert(graph.values[v].name);
    std::shared_ptr<const Model> expanded;
    if (!outputs.empty()) {
      auto result = model->ExpandFunctions([&, source = model](const Node& node) {
        return std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId v) {
          return v != kNone && v < source->graph().values.size() &&
                 outputs.contains(source->graph().values[v].name);
        });
      });
      nobody = NobodyRuns(graph, orphans, placement.devices);
      if (!result.ok()) return WithBody(nobody, result.status());
      expanded = *std::move(result);
    }
    if (expanded == nullptr) return NobodyRuns(graph, orphans, placement.devices);
    model = std::move(expanded);
  }

  const Graph& graph = *placement.graph;
  placement.links = Links(placement.devices);
  std::vector<std::vector<double>> held;
  HoldBack(&placement.devices, &held);
  for (;;) {
    std::vector<NodeId> node_ids;
    PlacementProblem problem =
        MakeProblem(graph, placement.devices, needed, placement.links, input_at, output_at, &node_ids);
    PlacementSolution solution = options.random ? RandomPlacement(problem, options.seed) : Solve(problem);
    placement.predicted_ns = solution.predicted_ns;
    placement.device_of.assign(graph.nodes.size(), kUnused);
    for (size_t i = 0; i < node_ids.size(); ++i) placement.device_of[node_ids[i]] = solution.device[i] - 1;
    placement.segments.clear();
    for (const Segment& s : MakeSegments(problem, solution.device)) {
      Placement::Part part{s.device - 1, {}};
      for (uint32_t n : s.nodes) part.nodes.push_back(node_ids[n]);
      std::sort(part.nodes.begin(), part.nodes.end());
      placement.segments.push_back(std::move(part));
    }
    if (!EnforceGroups(&placement)) return placement;
    if (auto orphans = Orphans(graph, placement.devices, needed);
        !orphans.empty() && !GiveBack(orphans, &placement.devices, &held))
      return NobodyRuns(graph, orphans, placement.devices);
  }
}

}  // namespace braid
