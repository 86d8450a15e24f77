// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>

#include "tools/braid/command.h"
#include "tools/braid/graph.h"

namespace braid::cli {
namespace {

struct Options {
  std::string model;
  LoadOptions load;
  InputOptions inputs;
  bool json = false;
};

int Run(const Options& options) {
  LoadedGraph graph(options.model, options.load);
  graph.Prepare(MakeInputs(graph, options.inputs, false));
  fmt::print("{}\n", graph.Explain(options.json ? GRAPH_EXPLAIN_JSON : GRAPH_EXPLAIN_TEXT));
  return kDone;
}

}  // namespace

std::function<int()> AddPlan(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("model", options->model, "an .onnx file")->required();
  AddInputOptions(app, &options->inputs);
  AddLoadOptions(app, &options->load);
  app.add_flag("--json", options->json, "print JSON (docs/reference/plan.md has the schema)");
  return [options] { return Run(*options); };
}

}  // namespace braid::cli
