// SPDX-License-Identifier: Apache-2.0
#include "tools/braid/graph.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/braid/command.h"

namespace braid::cli {
namespace {

void CheckCall(graph_status status) {
  if (status != GRAPH_OK) throw RunError(status, graph_last_error());
}

// The number in a file of one, such as those of control groups; none if there is no such file or it says
// "max".
std::optional<uint64_t> NumberIn(const char* path) {
  std::ifstream file(path);
  uint64_t number = 0;
  if (file >> number) return number;
  return std::nullopt;
}

std::string GigabytesText(uint64_t bytes) {
  return bytes == UINT64_MAX ? "more than 2^64 bytes"
                             : fmt::format("{:.1f} GB", static_cast<double>(bytes) / 1e9);
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
  options.memory_limit = given.memory_limit;
  options.compile_timeout_ns = static_cast<uint64_t>(given.compile_timeout * 1e9);
  std::vector<const char*> device_options;
  for (const std::string& option : given.options) device_options.push_back(option.c_str());
  device_options.push_back(nullptr);
  options.device_options = device_options.data();
  graph_t* graph = nullptr;
  CheckCall(graph_load(path.c_str(), &options, &graph));
  graph_.reset(graph);
  graph_value_info empty = GRAPH_VALUE_INFO_INIT;
  inputs_.assign(graph_inputs(graph, nullptr, 0), empty);
  graph_inputs(graph, inputs_.data(), static_cast<uint32_t>(inputs_.size()));
  outputs_.assign(graph_outputs(graph, nullptr, 0), empty);
  graph_outputs(graph, outputs_.data(), static_cast<uint32_t>(outputs_.size()));
}

void LoadedGraph::Check(graph_status status) const {
  if (status == GRAPH_OK) return;
  std::string text = graph_last_error();
  for (const auto& [input, file] : files_)
    if (text.find("input '" + input + "'") != std::string::npos)
      text += fmt::format("; '{}' is {}", input, file);
  if (status == GRAPH_INVALID_ARGUMENT && !hint_.empty() &&
      text.find("there is no device") == std::string::npos)
    text += "; " + hint_;
  throw RunError(status, text);
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
      ->check(NotBelow(0))
      ->capture_default_str();
  app.add_option("--precision", options->precision, "exact, balanced or fast")
      ->check(CLI::IsMember({"exact", "balanced", "fast"}))
      ->capture_default_str();
  app.add_option("--option", options->options,
                 "PLUGIN:KEY=VALUE or PLUGIN:INDEX:KEY=VALUE: an option of the vendor's own for a device")
      ->allow_extra_args(false);
  app.add_option("--memory-limit", options->memory_limit,
                 "bytes that what is compiled for a device may take there (512MB will do); 0: none")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--compile-timeout", options->compile_timeout,
                 "seconds after which devices give up compiling; 0: none")
      ->check(NotBelow(0));
}

uint64_t Violations() {
  const char* text = nullptr;
  CheckCall(graph_plugins(&text));
  uint64_t sum = 0;
  const nlohmann::json json = nlohmann::json::parse(text);
  for (const auto& plugin : json["plugins"]) sum += plugin["violations"].get<uint64_t>();
  return sum;
}

uint64_t AvailableMemory() {
  uint64_t available = UINT64_MAX;
  std::ifstream info("/proc/meminfo");
  for (std::string line; std::getline(info, line);) {
    unsigned long long kib = 0;
    if (std::sscanf(line.c_str(), "MemAvailable: %llu", &kib) == 1) available = kib * 1024;
  }
  for (const auto& [most, used] : {std::pair("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
                                   std::pair("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                                             "/sys/fs/cgroup/memory/memory.usage_in_bytes")})
    if (const auto limit = NumberIn(most), now = NumberIn(used); limit.has_value() && now.has_value())
      available = std::min(available, *limit > *now ? *limit - *now : 0);
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    available = std::min<uint64_t>(available, limit.rlim_cur);
  return available;
}

std::vector<HostData> MakeInputs(LoadedGraph& graph, const InputOptions& options, bool with_data) {
  const std::vector<std::string> names = NamesOf(graph.inputs());
  std::map<std::string, std::string> files, shapes;
  std::map<std::string, int64_t> symbols;
  std::vector<std::string> known;  // symbols of the inputs, each once
  for (const graph_value_info& info : graph.inputs())
    for (int32_t i = 0; i < info.rank; ++i)
      if (const char* symbol = info.symbols[i];
          symbol != nullptr && *symbol != 0 && std::find(known.begin(), known.end(), symbol) == known.end())
        known.push_back(symbol);
  const auto twice = [](const char* option, const std::string& name) {
    return UsageError(fmt::format("{} {} is given twice", option, name));
  };
  for (const std::string& text : options.files)
    if (const auto [at, is_new] = files.insert(Split(text, names, "--input")); !is_new)
      throw twice("--input", at->first);
  for (const std::string& text : options.shapes)
    if (const auto [at, is_new] = shapes.insert(Split(text, names, "--shape")); !is_new)
      throw twice("--shape", at->first);
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
    if (!symbols.emplace(symbol, extent[0]).second) throw twice("--symbol", symbol);
  }
  // What is given, by input; it tells symbols that nobody set.
  std::map<std::string, HostData> given;
  for (const graph_value_info& info : graph.inputs()) {
    auto file = files.find(info.name);
    auto shape = shapes.find(info.name);
    if (file == files.end() && shape == shapes.end()) continue;
    HostData& data = given[info.name];
    if (file != files.end()) {
      const std::string& path = file->second;
      const bool npy = path.size() > 4 && path.compare(path.size() - 4, 4, ".npy") == 0;
      data = npy ? ReadNpy(path) : ReadPb(path, info);
      data.name = info.name;
      TakeAsBfloat16(&data, info);
    } else {
      data.dims = ParseShape(shape->second);
    }
    if (info.rank != static_cast<int32_t>(data.dims.size())) continue;
    for (int32_t i = 0; i < info.rank; ++i)
      if (info.symbols[i] != nullptr && *info.symbols[i] != 0)
        symbols.insert({info.symbols[i], data.dims[static_cast<size_t>(i)]});
  }
  std::vector<HostData> inputs;
  std::vector<std::string> ones;  // symbols that are taken as 1
  uint64_t available = with_data ? AvailableMemory() : UINT64_MAX;
  for (const graph_value_info& info : graph.inputs()) {
    const auto own = given.find(info.name);
    if (files.count(info.name) != 0) {
      inputs.push_back(std::move(own->second));
      continue;
    }
    if (info.has_default != 0 && own == given.end()) continue;
    if (info.kind != GRAPH_TENSOR)
      throw UsageError(fmt::format("input '{}' ({}) can't be made from a seed: give --input {}=FILE.pb",
                                   info.name, InfoText(info), info.name));
    std::vector<int64_t> dims;
    if (own != given.end()) {
      dims = own->second.dims;
    } else {
      if (info.rank < 0)
        throw UsageError(
            fmt::format("the rank of input '{}' is not known: give --shape {}=...", info.name, info.name));
      for (int32_t i = 0; i < info.rank; ++i) {
        const std::string symbol = info.symbols[i] != nullptr ? info.symbols[i] : "";
        if (info.dims[i] >= 0) {
          dims.push_back(info.dims[i]);
        } else if (symbol.empty()) {
          ones.push_back(fmt::format("extent {} of input '{}'", i, info.name));
          dims.push_back(1);
        } else {
          const auto [at, is_new] = symbols.insert({symbol, 1});
          if (is_new) ones.push_back(symbol);
          dims.push_back(at->second);
        }
      }
    }
    const uint64_t bytes = BytesOf(info.type, dims);
    if (with_data && bytes > available)
      throw UsageError(fmt::format("input '{}' ({}, {}) needs {}, {} are available", info.name,
                                   TypeText(info.type), ShapeText(dims), GigabytesText(bytes),
                                   GigabytesText(available)));
    if (with_data) {
      available -= bytes;
      inputs.push_back(Random(info.name, info.type, dims, options.seed));
      continue;
    }
    HostData shape_only;
    shape_only.name = info.name;
    shape_only.type = info.type;
    shape_only.dims = dims;
    shape_only.shape_only = true;
    inputs.push_back(std::move(shape_only));
  }
  if (!ones.empty()) {
    const std::string hint = fmt::format(
        "taken as 1, since nothing says more: {}; --symbol NAME=EXTENT or --shape "
        "INPUT=... sets them",
        fmt::join(ones, ", "));
    fmt::print(stderr, "braid: note: {}\n", hint);
    graph.set_hint(hint);
  }
  graph.set_files(std::move(files));
  return inputs;
}

}  // namespace braid::cli
