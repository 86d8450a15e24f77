// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>

#include "tools/braid/command.h"
#include "tools/braid/graph.h"

namespace braid::cli {
namespace {

struct Options {
  std::string model, output_dir;
  LoadOptions load;
  InputOptions inputs;
  int repeat = 1;
  bool json = false;
};

std::string FileNameOf(std::string output) {
  std::replace(output.begin(), output.end(), '/', '_');
  return output + ".npy";
}

constexpr uint64_t kShown = 6;

// The first numbers of a tensor, the first items of what has such.
std::string Preview(const HostData& data) {
  if (data.kind == GRAPH_MAP) {
    const HostData& keys = data.items[0];
    const HostData& values = data.items[1];
    std::string text;
    for (uint64_t i = 0; i < std::min(kShown, ElementCount(keys)); ++i)
      text += (i > 0 ? ", " : "") + ElementText(keys, i) + ": " +
              (values.kind == GRAPH_TENSOR ? ElementText(values, i) : Preview(values.items[i]));
    return "{" + text + (ElementCount(keys) > kShown ? ", ...}" : "}");
  }
  if (data.kind == GRAPH_SPARSE_TENSOR)
    return fmt::format("{} values: {}", ElementCount(data.items[0]), Preview(data.items[0]));
  if (data.kind != GRAPH_TENSOR) {
    std::string text = fmt::format("{} item{}", data.items.size(), data.items.size() == 1 ? "" : "s");
    for (uint64_t i = 0; i < std::min(kShown, uint64_t{data.items.size()}); ++i)
      text += (i > 0 ? "; " : ": ") + Preview(data.items[i]);
    return text + (data.items.size() > kShown ? "; ..." : "");
  }
  std::string text;
  for (uint64_t i = 0; i < std::min(kShown, ElementCount(data)); ++i)
    text += (i > 0 ? " " : "") + ElementText(data, i);
  return text + (ElementCount(data) > kShown ? " ..." : "");
}

std::string TypeOf(const HostData& data) {
  switch (data.kind) {
    case GRAPH_SEQUENCE:
      return "sequence";
    case GRAPH_OPTIONAL:
      return "optional";
    case GRAPH_MAP:
      return fmt::format("map({},{})", TypeText(data.items[0].type), TypeOf(data.items[1]));
    case GRAPH_SPARSE_TENSOR:
      return "sparse " + TypeText(data.type);
    default:
      return TypeText(data.type);
  }
}

std::string Extents(const HostData& data) {
  const bool has = data.kind == GRAPH_TENSOR || data.kind == GRAPH_SPARSE_TENSOR;
  return has ? fmt::format("[{}]", fmt::join(data.dims, ",")) : "";
}

void Write(const HostData& data, const std::filesystem::path& folder, const std::string& name) {
  if (data.kind == GRAPH_TENSOR) return WriteNpy((folder / FileNameOf(name)).string(), data);
  for (size_t i = 0; i < data.items.size(); ++i) {
    const std::string part = data.kind == GRAPH_MAP             ? (i == 0 ? "keys" : "values")
                             : data.kind == GRAPH_SPARSE_TENSOR ? (i == 0 ? "values" : "indices")
                                                                : std::to_string(i);
    Write(data.items[i], folder, fmt::format("{}.{}", name, part));
  }
}

int Run(const Options& options) {
  LoadedGraph graph(options.model, options.load);
  std::vector<HostData> inputs = MakeInputs(graph, options.inputs);
  std::vector<HostData> outputs;
  std::vector<double> ms;
  for (int i = 0; i < options.repeat; ++i) {
    const auto start = std::chrono::steady_clock::now();
    outputs = graph.Run(inputs);
    ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  if (!options.output_dir.empty()) {
    std::map<std::string, std::string> files;
    for (const HostData& out : outputs)
      if (const auto [other, is_new] = files.emplace(FileNameOf(out.name), out.name); !is_new)
        throw UsageError(
            fmt::format("outputs '{}' and '{}' would both be {}", other->second, out.name, other->first));
    std::filesystem::create_directories(options.output_dir);
    for (const HostData& out : outputs) Write(out, options.output_dir, out.name);
  }
  const std::string summary = graph.Explain(GRAPH_EXPLAIN_SUMMARY);
  if (options.json) {
    nlohmann::json json;
    json["model"] = options.model;
    json["summary"] = summary;
    json["run_ms"] = ms;
    for (const auto* list : {&inputs, &outputs}) {
      auto& entry = json[list == &inputs ? "inputs" : "outputs"] = nlohmann::json::array();
      for (const HostData& t : *list)
        entry.push_back({{"name", t.name}, {"type", TypeOf(t)}, {"shape", t.dims}});
    }
    fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return kDone;
  }
  for (const HostData& t : inputs)
    fmt::print("input  {} {}{}: {}\n", t.name, TypeOf(t), Extents(t), Preview(t));
  for (const HostData& t : outputs)
    fmt::print("output {} {}{}: {}\n", t.name, TypeOf(t), Extents(t), Preview(t));
  fmt::print("first run {:.2f} ms", ms[0]);
  if (ms.size() > 1) {
    std::sort(ms.begin() + 1, ms.end());
    fmt::print(", later ones {:.2f} ms (median of {})", ms[1 + (ms.size() - 1) / 2], ms.size() - 1);
  }
  fmt::print("\n{}\n", summary);
  return kDone;
}

}  // namespace

std::function<int()> AddRun(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("model", options->model, "an .onnx file")->required();
  AddInputOptions(app, &options->inputs);
  AddLoadOptions(app, &options->load);
  app.add_option("--output-dir", options->output_dir, "folder for OUTPUTNAME.npy ('/' becomes '_')");
  app.add_option("--repeat", options->repeat, "number of runs")->check(NotBelow(1))->capture_default_str();
  app.add_flag("--json", options->json, "print JSON");
  return [options] { return Run(*options); };
}

}  // namespace braid::cli
