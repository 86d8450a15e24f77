// SPDX-License-Identifier: Apache-2.0
#include "tools/braid/graph.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/braid/command.h"

namespace braid::cli {
namespace {

void Check(graph_status status) {
  if (status != GRAPH_OK) throw RunError(status, graph_last_error());
}

std::vector<std::string> NamesOf(const std::vector<graph_value_info>& infos) {
  std::vector<std::string> names;
  for (const graph_value_info& info : infos) names.push_back(info.name);
  return names;
}

// "NAME=VALUE", where NAME is one of `names`. A name may itself hold '='.
std::pair<std::string, std::string> Split(const std::string& text, const std::vector<std::string>& names,
                                          const char* option) {
  for (const std::string& name : names)
    if (text.size() > name.size() && text.compare(0, name.size(), name) == 0 && text[name.size()] == '=')
      return {name, text.substr(name.size() + 1)};
  const size_t at = text.find('=');
  if (at == std::string::npos)
    throw UsageError(fmt::format("{} '{}' has no '='; it is NAME=VALUE", option, text));
  const std::string wrong = text.substr(0, at);
  throw UsageError(fmt::format("{}: the model has no input '{}'{}; its inputs are {}", option, wrong,
                               NearestMatch(wrong, names), fmt::join(names, ", ")));
}

std::vector<int64_t> ParseShape(const std::string& text) {
  std::vector<int64_t> dims;
  if (text.empty() || text == "scalar") return dims;
  size_t at = 0;
  while (at <= text.size()) {
    const size_t end = std::min(text.find_first_of("x,", at), text.size());
    const std::string part = text.substr(at, end - at);
    if (part.empty() || part.size() > 15 || part.find_first_not_of("0123456789") != std::string::npos)
      throw UsageError(
          fmt::format("shape '{}': '{}' is no extent; a shape is written 1x3x640x640", text, part));
    dims.push_back(std::stoll(part));
    at = end + 1;
  }
  return dims;
}

}  // namespace

LoadedGraph::LoadedGraph(const std::string& path, const LoadOptions& given) {
  graph_options options = GRAPH_OPTIONS_INIT;
  options.devices = given.device.c_str();
  options.placement = given.placement.empty() ? nullptr : given.placement.c_str();
  options.threads = given.threads;
  options.precision = given.precision == "fast"       ? GRAPH_PRECISION_FAST
                      : given.precision == "balanced" ? GRAPH_PRECISION_BALANCED
                                                      : GRAPH_PRECISION_EXACT;
  graph_t* graph = nullptr;
  Check(graph_load(path.c_str(), &options, &graph));
  graph_.reset(graph);
  graph_value_info empty = GRAPH_VALUE_INFO_INIT;
  inputs_.assign(graph_inputs(graph, nullptr, 0), empty);
  graph_inputs(graph, inputs_.data(), static_cast<uint32_t>(inputs_.size()));
  outputs_.assign(graph_outputs(graph, nullptr, 0), empty);
  graph_outputs(graph, outputs_.data(), static_cast<uint32_t>(outputs_.size()));
}

std::vector<HostData> LoadedGraph::Run(const std::vector<HostData>& inputs) {
  std::vector<std::unique_ptr<std::vector<graph_tensor>>> items;
  std::vector<graph_tensor> in, out(outputs_.size(), graph_tensor GRAPH_TENSOR_INIT);
  for (const HostData& data : inputs) {
    in.push_back(Borrow(data, items));
    in.back().name = data.name.c_str();
  }
  Check(graph_run(get(), in.data(), static_cast<uint32_t>(in.size()), out.data(),
                  static_cast<uint32_t>(out.size())));
  std::vector<HostData> results;
  for (size_t i = 0; i < out.size(); ++i) {
    results.push_back(CopyOf(out[i]));
    results.back().name = outputs_[i].name;
    graph_tensor_release(&out[i]);
  }
  return results;
}

void LoadedGraph::Prepare(const std::vector<HostData>& inputs) {
  std::vector<std::unique_ptr<std::vector<graph_tensor>>> items;
  std::vector<graph_tensor> in;
  for (const HostData& data : inputs) {
    in.push_back(Borrow(data, items));
    in.back().name = data.name.c_str();
  }
  Check(graph_prepare(get(), in.data(), static_cast<uint32_t>(in.size())));
}

std::string LoadedGraph::Explain(int32_t format) {
  const char* text = nullptr;
  Check(graph_explain(get(), format, &text));
  return text;
}

void AddInputOptions(CLI::App& app, InputOptions* options) {
  app.add_option("--input", options->files,
                 "NAME=FILE.npy or NAME=FILE.pb (a TensorProto); others are made from the seed")
      ->allow_extra_args(false);
  app.add_option("--shape", options->shapes,
                 "NAME=1x3x640x640: extents of an input that is made from the seed")
      ->allow_extra_args(false);
  app.add_option("--symbol", options->symbols,
                 "SYMBOL=640: an unknown extent, wherever it occurs (others: 1)")
      ->allow_extra_args(false);
  app.add_option("--seed", options->seed, "of made inputs")->capture_default_str();
}

void AddLoadOptions(CLI::App& app, LoadOptions* options) {
  app.add_option("--device", options->device,
                 "auto, or a list of devices that may be used and no others: vulkan,reference")
      ->capture_default_str();
  app.add_option("--placement", options->placement,
                 "auto, or random:SEED (for tests: runs of nodes on random devices)");
  app.add_option("--threads", options->threads, "for CPU-like devices; 0: as many as there are cores")
      ->capture_default_str();
  app.add_option("--precision", options->precision, "exact, balanced or fast")
      ->check(CLI::IsMember({"exact", "balanced", "fast"}))
      ->capture_default_str();
}

std::vector<HostData> MakeInputs(const LoadedGraph& graph, const InputOptions& options) {
  const std::vector<std::string> names = NamesOf(graph.inputs());
  std::map<std::string, std::string> files, shapes;
  std::map<std::string, int64_t> symbols;
  std::vector<std::string> known;  // symbols of the inputs, each once
  for (const graph_value_info& info : graph.inputs())
    for (int32_t i = 0; i < info.rank; ++i)
      if (const char* symbol = info.symbols[i];
          symbol != nullptr && *symbol != 0 && std::find(known.begin(), known.end(), symbol) == known.end())
        known.push_back(symbol);
  for (const std::string& text : options.files) files.insert(Split(text, names, "--input"));
  for (const std::string& text : options.shapes) shapes.insert(Split(text, names, "--shape"));
  for (const std::string& text : options.symbols) {
    const size_t at = text.find('=');
    std::vector<int64_t> extent =
        at == std::string::npos ? std::vector<int64_t>() : ParseShape(text.substr(at + 1));
    if (extent.size() != 1) throw UsageError(fmt::format("--symbol '{}' is not SYMBOL=EXTENT", text));
    const std::string symbol = text.substr(0, at);
    if (std::find(known.begin(), known.end(), symbol) == known.end())
      throw UsageError(fmt::format("--symbol: no input has an extent named '{}'{}; there are {}", symbol,
                                   NearestMatch(symbol, known),
                                   known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", "))));
    symbols[symbol] = extent[0];
  }
  std::vector<HostData> inputs;
  for (const graph_value_info& info : graph.inputs()) {
    if (auto file = files.find(info.name); file != files.end()) {
      const std::string& path = file->second;
      const bool npy = path.size() > 4 && path.compare(path.size() - 4, 4, ".npy") == 0;
      inputs.push_back(npy ? ReadNpy(path) : ReadPb(path, info));
      inputs.back().name = info.name;
      TakeAsBfloat16(&inputs.back(), info);
      continue;
    }
    if (info.has_default != 0) continue;
    if (info.kind != GRAPH_TENSOR)
      throw UsageError(fmt::format("input '{}' ({}) can't be made from a seed: give --input {}=FILE.pb",
                                   info.name, InfoText(info), info.name));
    std::vector<int64_t> dims;
    if (auto shape = shapes.find(info.name); shape != shapes.end()) {
      dims = ParseShape(shape->second);
    } else {
      if (info.rank < 0)
        throw UsageError(
            fmt::format("the rank of input '{}' is not known: give --shape {}=...", info.name, info.name));
      for (int32_t i = 0; i < info.rank; ++i) {
        auto symbol = info.symbols[i] != nullptr ? symbols.find(info.symbols[i]) : symbols.end();
        dims.push_back(info.dims[i] >= 0 ? info.dims[i] : symbol != symbols.end() ? symbol->second : 1);
      }
    }
    inputs.push_back(Random(info.name, info.type, dims, options.seed));
  }
  return inputs;
}

}  // namespace braid::cli
