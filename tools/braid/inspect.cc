// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "core/graph/graph.h"
#include "core/onnx/model.h"
#include "tools/braid/command.h"
#include "tools/braid/operators.h"

namespace braid::cli {
namespace {

struct Options {
  std::string model;
  bool operators = false;
  std::string device = "reference";
  bool markdown = false;
  bool json = false;
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
    if (value.type.is_tensor()) ++totals->types[ElementTypeName(value.type.element)];
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

int Run(const Options& options) {
  auto model = LoadModelFile(options.model);
  if (!model.ok()) throw UsageError(std::string(model.status().message()));
  const Graph& graph = (*model)->graph();
  const ModelInfo& info = (*model)->info();
  Totals totals;
  Count(graph, &totals);
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
    json["operators"] = totals.operators;
    json["parameters"] = totals.parameters;
    json["parameter_bytes"] = totals.bytes;
    json["notes"] = info.notes;
    fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return kDone;
  }
  fmt::print("{}\n", options.model);
  fmt::print(
      "  IR version {}, made by {}\n", info.ir_version,
      info.producer_name.empty() ? "an unnamed producer" : info.producer_name + " " + info.producer_version);
  for (const auto& [domain, version] : info.opset_imports)
    fmt::print("  opset {} {}\n", domain.empty() ? "ai.onnx" : domain, version);
  for (const std::string& note : info.notes) fmt::print("  {}\n", note);
  for (ValueId v : graph.inputs)
    fmt::print("input  {} {}\n", graph.values[v].name, TypeString(graph.values[v].type, graph.symbols));
  for (ValueId v : graph.outputs)
    fmt::print("output {} {}\n", graph.values[v].name, TypeString(graph.values[v].type, graph.symbols));
  fmt::print("{} nodes{}, {} parameters in {:.1f} MiB\n", totals.nodes,
             totals.bodies > 0 ? fmt::format(" ({} bodies of control flow)", totals.bodies) : "",
             totals.parameters, static_cast<double>(totals.bytes) / (1 << 20));
  std::vector<std::pair<std::string, size_t>> operators(totals.operators.begin(), totals.operators.end());
  std::stable_sort(operators.begin(), operators.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [name, count] : operators) fmt::print("  {:>5} {}\n", count, name);
  return kDone;
}

}  // namespace

std::function<int()> AddInspect(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("model", options->model, "an .onnx file");
  app.add_flag("--json", options->json, "print JSON");
  auto* operators =
      app.add_flag("--operators", options->operators,
                   "no model: which operators of the newest opset a device runs, in which types");
  app.add_option("--device", options->device, "of --operators")->needs(operators)->capture_default_str();
  app.add_flag("--markdown", options->markdown, "of --operators: print a table for a page")->needs(operators);
  return [options] {
    if (options->operators) {
      if (!options->model.empty()) throw UsageError("--operators is about a device, not about a model");
      return PrintOperators(options->device, options->json       ? "json"
                                             : options->markdown ? "markdown"
                                                                 : "text");
    }
    if (options->model.empty()) throw UsageError("a model is wanted: braid inspect model.onnx");
    return Run(*options);
  };
}

}  // namespace braid::cli
