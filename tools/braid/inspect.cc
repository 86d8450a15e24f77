// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <set>

#include "core/graph/graph.h"
#include "core/graph/names.h"
#include "core/onnx/model.h"
#include "tools/braid/command.h"
#include "tools/braid/graph.h"
#include "tools/braid/operators.h"
#include "tools/braid/page.h"

namespace braid::cli {
namespace {

struct Options {
  std::string model;
  LoadOptions load;
  InputOptions inputs;
  std::string html;
  bool operators = false, markdown = false, json = false;
};

// What a graph and its bodies hold.
struct Totals {
  std::map<std::string, size_t> operators, types;
  std::set<uint64_t> constants;  // by id: shared ones count once
  uint64_t parameters = 0, bytes = 0;
  size_t nodes = 0, bodies = 0;
};

void Count(const Graph& graph, Totals* totals) {
  for (const Value& value : graph.values) {
    if (value.type.is_tensor()) ++totals->types[TypeText(value.type.element)];
    if (value.constant == nullptr || !totals->constants.insert(value.constant->id).second) continue;
    totals->parameters += static_cast<uint64_t>(std::max<int64_t>(0, ElementCount(value.type.dims)));
    totals->bytes += value.constant->bytes;
  }
  for (const Node& node : graph.nodes) {
    ++totals->nodes;
    ++totals->operators[node.domain.empty() ? node.op : node.domain + "." + node.op];
    for (const Attribute& a : node.attributes) {
      if (a.body.graph == nullptr) continue;
      ++totals->bodies;
      Count(*a.body.graph, totals);
    }
  }
}

nlohmann::json ValuesJson(const Graph& graph, const std::vector<ValueId>& ids) {
  nlohmann::json out = nlohmann::json::array();
  for (ValueId v : ids)
    out.push_back(
        {{"name", graph.values[v].name}, {"type", TypeString(graph.values[v].type, graph.symbols)}});
  return out;
}

// What the values that are made between the inputs and the outputs take at most at a time, each from its
// making to its last use. `unknown`: how many have extents that only a run tells, and do not count.
struct Activations {
  uint64_t bytes = 0;
  size_t unknown = 0;
};

Activations ActivationsOf(const Graph& graph) {
  Activations out;
  // A shape may say any number. With no value beyond this one their sum stays within 64 bits.
  const uint64_t most = std::numeric_limits<uint64_t>::max() / std::max<size_t>(graph.values.size(), 1);
  std::vector<uint64_t> bytes(graph.values.size(), 0);
  std::vector<size_t> last(graph.values.size(), 0);
  std::vector<bool> made(graph.values.size(), false);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    for (const ValueId v : graph.nodes[n].inputs)
      if (v != kNone) last[v] = n;
    for (const Attribute& a : graph.nodes[n].attributes)
      for (const ValueId v : a.body.captures) last[v] = n;
    for (const ValueId v : graph.nodes[n].outputs) {
      if (v == kNone) continue;
      last[v] = n;
      made[v] = true;
      const Type& type = graph.values[v].type;
      if (type.is_static() && ElementBits(type.element) > 0) {
        bytes[v] = std::min(most, TensorBytes(type.element, static_cast<uint64_t>(ElementCount(type.dims))));
      } else {
        ++out.unknown;
      }
    }
  }
  for (const ValueId v : graph.outputs) last[v] = graph.nodes.size();
  uint64_t now = 0;
  std::vector<std::vector<ValueId>> ends(graph.nodes.size() + 1);
  for (size_t v = 0; v < graph.values.size(); ++v)
    if (made[v]) ends[last[v]].push_back(static_cast<ValueId>(v));
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    for (const ValueId v : graph.nodes[n].outputs)
      if (v != kNone) now += bytes[v];
    out.bytes = std::max(out.bytes, now);
    for (const ValueId v : ends[n]) now -= bytes[v];
  }
  return out;
}

std::string MemoryText(uint64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::vector<std::pair<std::string, size_t>> ByCount(const std::map<std::string, size_t>& counts) {
  std::vector<std::pair<std::string, size_t>> out(counts.begin(), counts.end());
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return out;
}

// Names come from the file: nothing in them moves the cursor.
std::vector<std::pair<std::string, std::string>> Summary(const ModelInfo& info, const Totals& totals,
                                                         const Activations& activations) {
  std::vector<std::pair<std::string, std::string>> out;
  out.emplace_back("IR version", std::to_string(info.ir_version));
  out.emplace_back("made by",
                   info.producer_name.empty()
                       ? "an unnamed producer"
                       : Printable(info.producer_name +
                                   (info.producer_version.empty() ? "" : " " + info.producer_version)));
  for (const auto& [domain, version] : info.opset_imports)
    out.emplace_back("opset", Printable(domain.empty() ? "ai.onnx" : domain) + " " + std::to_string(version));
  for (const std::string& note : info.notes) out.emplace_back("loading", Printable(note));
  out.emplace_back(
      "nodes",
      fmt::format("{}{}", totals.nodes,
                  totals.bodies > 0 ? fmt::format(" ({} bodies of control flow)", totals.bodies) : ""));
  out.emplace_back("parameters", fmt::format("{} in {}", totals.parameters, MemoryText(totals.bytes)));
  out.emplace_back("activations",
                   fmt::format("at most {} at a time{}", MemoryText(activations.bytes),
                               activations.unknown > 0
                                   ? fmt::format(", without {} values of unknown size", activations.unknown)
                                   : ""));
  std::string types;
  for (const auto& [name, count] : ByCount(totals.types))
    types += fmt::format("{}{} {}", types.empty() ? "" : ", ", count, name);
  out.emplace_back("values", types);
  return out;
}

nlohmann::json PlanOf(const Options& options) {
  try {
    LoadedGraph graph(options.model, options.load);
    graph.Prepare(MakeInputs(graph, options.inputs, false));
    return nlohmann::json::parse(graph.Explain(GRAPH_EXPLAIN_JSON));
  } catch (const RunError& error) {
    fmt::print(stderr, "braid: the page shows no devices: {}\n", error.what());
    return nullptr;
  } catch (const UsageError& error) {
    fmt::print(stderr, "braid: the page shows no devices: {}\n", error.what());
    return nullptr;
  }
}

void WritePage(const Options& options, const std::string& page) {
  std::ofstream file(options.html, std::ios::binary);
  file << page;
  file.close();
  if (!file) throw UsageError(fmt::format("{}: can't be written: {}", options.html, std::strerror(errno)));
}

int Run(const Options& options) {
  auto model = LoadModelFile(options.model);
  if (!model.ok()) throw UsageError(std::string(model.status().message()));
  const Graph& graph = (*model)->graph();
  const ModelInfo& info = (*model)->info();
  Totals totals;
  Count(graph, &totals);
  const Activations activations = ActivationsOf(graph);
  const auto summary = Summary(info, totals, activations);
  if (!options.html.empty()) WritePage(options, GraphPage(options.model, summary, graph, PlanOf(options)));
  if (options.json) {
    nlohmann::json json;
    json["model"] = options.model;
    json["ir_version"] = info.ir_version;
    json["producer"] =
        info.producer_name + (info.producer_version.empty() ? "" : " " + info.producer_version);
    for (const auto& [domain, version] : info.opset_imports)
      json["opset_imports"][domain.empty() ? "ai.onnx" : domain] = version;
    for (const auto& [key, value] : info.metadata) json["metadata"][key] = value;
    json["inputs"] = ValuesJson(graph, graph.inputs);
    json["outputs"] = ValuesJson(graph, graph.outputs);
    json["nodes"] = totals.nodes;
    json["bodies"] = totals.bodies;
    json["operators"] = totals.operators;
    json["types"] = totals.types;
    json["parameters"] = totals.parameters;
    json["parameter_bytes"] = totals.bytes;
    json["activation_bytes"] = activations.bytes;
    json["values_of_unknown_size"] = activations.unknown;
    json["notes"] = info.notes;
    fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return kDone;
  }
  fmt::print("{}\n", options.model);
  for (const auto& [name, value] : summary) fmt::print("  {:<12} {}\n", name, value);
  for (ValueId v : graph.inputs)
    fmt::print("input  {} {}\n", Printable(graph.values[v].name),
               Printable(TypeString(graph.values[v].type, graph.symbols)));
  for (ValueId v : graph.outputs)
    fmt::print("output {} {}\n", Printable(graph.values[v].name),
               Printable(TypeString(graph.values[v].type, graph.symbols)));
  for (const auto& [name, count] : ByCount(totals.operators))
    fmt::print("  {:>5} {}\n", count, Printable(name));
  return kDone;
}

}  // namespace

std::function<int()> AddInspect(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("model", options->model, "an .onnx file");
  app.add_flag("--json", options->json, "print JSON");
  app.add_option("--html", options->html,
                 "also write a page with the graph drawn, and where its nodes run, to this file");
  auto* operators = app.add_flag("--operators", options->operators,
                                 "no model: which operators of the newest opset a device (of --device, else "
                                 "reference) runs, in which types");
  app.add_flag("--markdown", options->markdown, "of --operators: print a table for a page")->needs(operators);
  AddInputOptions(app, &options->inputs);
  AddLoadOptions(app, &options->load);
  return [options] {
    if (options->operators) {
      if (!options->model.empty()) throw UsageError("--operators is about a device, not about a model");
      return PrintOperators(options->load.device == "auto" ? "reference" : options->load.device,
                            options->json       ? "json"
                            : options->markdown ? "markdown"
                                                : "text");
    }
    if (options->model.empty()) throw UsageError("a model is wanted: braid inspect model.onnx");
    return Run(*options);
  };
}

}  // namespace braid::cli
