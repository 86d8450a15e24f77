// SPDX-License-Identifier: Apache-2.0
#include "core/place/explain.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/place/arithmetic.h"

namespace braid {
namespace {

std::string DeviceName(const Placement& p, int device) {
  return device == kHost     ? "host"
         : device == kUnused ? "unused"
                             : p.devices[static_cast<size_t>(device)].device->name();
}

// By device (index + 1, 0 the host): nodes, segments, multiply-adds.
struct Share {
  size_t nodes = 0, segments = 0;
  double multiply_adds = 0;
};
std::vector<Share> SharesOf(const Placement& p) {
  std::vector<Share> shares(p.devices.size() + 1);
  for (const auto& segment : p.segments) {
    Share& share = shares[static_cast<size_t>(segment.device + 1)];
    ++share.segments;
    share.nodes += segment.nodes.size();
    for (NodeId n : segment.nodes)
      share.multiply_adds += CountArithmetic(*p.graph, p.graph->nodes[n]).multiply_adds;
  }
  return shares;
}

double Total(const std::vector<Share>& shares) {
  double sum = 0;
  for (const Share& s : shares) sum += s.multiply_adds;
  return sum;
}

std::string Plural(size_t n, absl::string_view what) { return absl::StrCat(n, " ", what, n == 1 ? "" : "s"); }

const char* Confidence(int32_t confidence) {
  return confidence == BRAID_MEASURED ? "measured" : confidence == BRAID_MODELLED ? "modelled" : "guessed";
}

// Whether the device would take the node though another could.
bool Wants(const braid_verdict& verdict) { return Accepts(verdict) && verdict.code != BRAID_NOT_WORTH_IT; }

// Why a node is not on device d, though it is there: its verdict, or that it costs more.
std::string WhyNot(const Placement& p, size_t d, NodeId n) {
  const DeviceView& view = p.devices[d];
  if (!Wants(view.verdicts[n])) return VerdictText(view.verdicts[n]);
  if (view.cost_ns[n] == kImpossible) return "its group of nodes could not be kept together there";
  if (p.random) return "placed at random";
  return absl::StrFormat("could, at %.1f us alone; with transfers and launches the plan is faster without",
                         view.cost_ns[n] / 1e3);
}

}  // namespace

std::string SummaryOf(const Placement& p) {
  std::vector<Share> shares = SharesOf(p);
  const double total = Total(shares);
  std::string out;
  for (size_t i = 0; i < shares.size(); ++i) {
    if (shares[i].nodes == 0) continue;
    if (!out.empty()) out += "; ";
    if (i == 0) {
      absl::StrAppend(&out, "host: ", Plural(shares[i].nodes, "node"));
      continue;
    }
    absl::StrAppend(&out, p.devices[i - 1].device->name(), ": ", Plural(shares[i].nodes, "node"), " in ",
                    Plural(shares[i].segments, "segment"));
    if (total > 0)
      absl::StrAppendFormat(&out, ", %.1f%% of the multiply-adds", 100 * shares[i].multiply_adds / total);
  }
  // Accelerators that run nothing, and the reason that holds for most nodes.
  const std::string kSlower = "predicted slower";
  for (size_t d = 0; d < p.devices.size(); ++d) {
    if (!p.devices[d].left_out.empty()) {
      absl::StrAppend(&out, out.empty() ? "" : "; ", p.devices[d].device->name(),
                      " left out: ", p.devices[d].left_out);
      continue;
    }
    if (shares[d + 1].nodes > 0 || p.devices[d].device->info().kind == BRAID_DEVICE_CPU) continue;
    std::map<std::string, size_t> reasons;
    size_t nodes = 0;
    double there = 0, here = 0;  // predicted times of the nodes that it could run
    for (NodeId n = 0; n < p.graph->nodes.size(); ++n) {
      if (p.device_of[n] < 0) continue;
      ++nodes;
      const braid_verdict& verdict = p.devices[d].verdicts[n];
      ++reasons[!Wants(verdict) ? VerdictName(verdict.code)
                : p.random      ? "placed at random elsewhere"
                                : kSlower];
      if (Wants(verdict) && p.devices[d].cost_ns[n] < kImpossible) {
        there += p.devices[d].cost_ns[n];
        here += p.devices[static_cast<size_t>(p.device_of[n])].cost_ns[n];
      }
    }
    auto most = std::max_element(reasons.begin(), reasons.end(),
                                 [](auto& a, auto& b) { return a.second < b.second; });
    if (most == reasons.end()) continue;
    absl::StrAppend(&out, "; ", p.devices[d].device->name(), " unused: ", most->first, " (", most->second,
                    " of ", Plural(nodes, "node"));
    if (most->first == kSlower)
      absl::StrAppendFormat(&out, ", %.1f us there and the moving, %.1f us where they are", there / 1e3,
                            here / 1e3);
    out += ")";
  }
  return out.empty() ? "nothing to run: the outputs are inputs or constants" : out;
}

std::string ReasonsOf(const Placement& p, size_t limit) {
  std::map<std::string, size_t> counts;  // nodes, by device and reason
  for (NodeId n = 0; n < p.graph->nodes.size(); ++n)
    for (size_t d = 0; d < p.devices.size() && p.device_of[n] >= 0; ++d)
      if (p.device_of[n] != static_cast<int>(d) && !p.graph->nodes[n].is_host)
        ++counts[absl::StrCat(
            p.devices[d].device->name(), ": ", p.graph->nodes[n].op, ": ",
            Accepts(p.devices[d].verdicts[n]) && p.devices[d].cost_ns[n] < kImpossible && !p.random
                ? "could; the plan is faster without"
                : WhyNot(p, d, n))];
  std::vector<std::pair<std::string, size_t>> most(counts.begin(), counts.end());
  std::stable_sort(most.begin(), most.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string out;
  size_t rest = 0;
  for (size_t i = 0; i < most.size(); ++i) {
    if (i < limit) {
      absl::StrAppend(&out, "  not on ", most[i].first, " (", Plural(most[i].second, "node"), ")\n");
    } else {
      rest += most[i].second;
    }
  }
  if (rest > 0) absl::StrAppend(&out, "  and ", Plural(rest, "reason"), " more\n");
  return out;
}

std::string TextOf(const Placement& p) {
  const Graph& graph = *p.graph;
  std::string out = absl::StrCat(SummaryOf(p), "\n");
  absl::StrAppendFormat(&out, "predicted %.3f ms, %s\n", p.predicted_ns / 1e6,
                        p.random ? "placed at random" : "placed by cost");
  for (size_t s = 0; s < p.segments.size(); ++s) {
    const auto& segment = p.segments[s];
    double cost = 0;
    if (segment.device >= 0)
      for (NodeId n : segment.nodes) cost += p.devices[static_cast<size_t>(segment.device)].cost_ns[n];
    absl::StrAppendFormat(&out, "segment %d on %s: %s, %.1f us\n", s, DeviceName(p, segment.device),
                          Plural(segment.nodes.size(), "node"), cost / 1e3);
    for (NodeId n : segment.nodes) {
      const Node& node = graph.nodes[n];
      ValueId first = node.outputs.empty() ? kNone : node.outputs[0];
      absl::StrAppend(&out, "  ", node.op, node.name.empty() ? "" : " '" + node.name + "'",
                      first == kNone ? "" : " -> " + TypeString(graph.values[first].type, graph.symbols),
                      "\n");
      for (size_t d = 0; d < p.devices.size(); ++d)
        if (segment.device != static_cast<int>(d) && !node.is_host && p.devices[d].left_out.empty() &&
            !Wants(p.devices[d].verdicts[n]))
          absl::StrAppend(&out, "    not on ", p.devices[d].device->name(), ": ",
                          VerdictText(p.devices[d].verdicts[n]), "\n");
    }
  }
  return out;
}

std::string JsonOf(const Placement& p) {
  using nlohmann::json;
  const Graph& graph = *p.graph;
  std::vector<Share> shares = SharesOf(p);
  const double total = Total(shares);
  json out;
  out["summary"] = SummaryOf(p);
  out["predicted_ns"] = p.predicted_ns;
  out["method"] = p.random ? "random" : "cost";
  out["multiply_adds"] = total;
  out["devices"] = json::array();
  for (size_t d = 0; d < p.devices.size(); ++d) {
    const Share& share = shares[d + 1];
    out["devices"].push_back({{"id", p.devices[d].device->name()},
                              {"name", p.devices[d].device->info().name},
                              {"nodes", share.nodes},
                              {"segments", share.segments},
                              {"multiply_adds", share.multiply_adds},
                              {"launch_ns", p.devices[d].launch_ns}});
    if (!p.devices[d].left_out.empty()) out["devices"].back()["left_out"] = p.devices[d].left_out;
  }
  out["host_nodes"] = shares[0].nodes;
  out["segments"] = json::array();
  std::vector<int> segment_of(graph.nodes.size(), -1);
  for (size_t s = 0; s < p.segments.size(); ++s) {
    json nodes = json::array();
    double cost = 0;
    for (NodeId n : p.segments[s].nodes) {
      nodes.push_back(n);
      segment_of[n] = static_cast<int>(s);
      if (p.segments[s].device >= 0) cost += p.devices[static_cast<size_t>(p.segments[s].device)].cost_ns[n];
    }
    out["segments"].push_back(
        {{"device", DeviceName(p, p.segments[s].device)}, {"nodes", nodes}, {"cost_ns", cost}});
  }
  out["nodes"] = json::array();
  for (NodeId n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    json entry = {{"index", n},
                  {"name", node.name},
                  {"op", node.op},
                  {"domain", node.domain},
                  {"version", node.version},
                  {"min_version", node.min_version},
                  {"device", DeviceName(p, p.device_of[n])},
                  {"segment", segment_of[n]},
                  {"multiply_adds", CountArithmetic(graph, node).multiply_adds}};
    entry["outputs"] = json::array();
    for (ValueId v : node.outputs)
      if (v != kNone)
        entry["outputs"].push_back(
            {{"name", graph.values[v].name}, {"type", TypeString(graph.values[v].type, graph.symbols)}});
    entry["verdicts"] = json::array();
    for (size_t d = 0; d < p.devices.size() && !node.is_host; ++d) {
      const DeviceView& view = p.devices[d];
      json verdict = {{"device", view.device->name()}, {"verdict", VerdictName(view.verdicts[n].code)}};
      if (std::string text = VerdictText(view.verdicts[n]); text != VerdictName(view.verdicts[n].code))
        verdict["reason"] = text;
      if (view.cost_ns[n] < kImpossible) {
        verdict["cost_ns"] = view.cost_ns[n];
        verdict["cost_source"] = Confidence(view.confidence[n]);
      }
      if (p.device_of[n] != static_cast<int>(d) && p.device_of[n] >= 0) verdict["why_not"] = WhyNot(p, d, n);
      entry["verdicts"].push_back(verdict);
    }
    out["nodes"].push_back(entry);
  }
  // Names in a model may be any bytes; what is no UTF-8 is replaced.
  return out.dump(2, ' ', false, json::error_handler_t::replace);
}

}  // namespace braid
