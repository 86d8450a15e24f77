// SPDX-License-Identifier: Apache-2.0
//
// Which operators a device runs, in which types: a model of one node for each (operators.txt) is offered to
// it.
#include "tools/braid/operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "onnx/defs/parser.h"
#include "onnx/onnx_pb.h"
#include "tools/braid/command.h"
#include "tools/braid/tensors.h"

namespace braid::cli {

extern const char* const kOperatorExamples;  // operators.txt

namespace {

namespace pb = ONNX_NAMESPACE;

// A type constraint of an operator, and one type of those that it allows.
struct Cell {
  std::string op, domain, constraint, type;
  std::string refusal;  // "": the device takes it
};

// What the schema calls a type, in the text form of models: "{T}" and "{N}" of operators.txt.
std::string Instance(std::string_view text, const std::string& name) {
  pb::TensorProto_DataType number = pb::TensorProto::UNDEFINED;
  std::string upper = name;
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) { return std::toupper(c); });
  pb::TensorProto_DataType_Parse(upper, &number);
  return absl::StrReplaceAll(text, {{"{T}", name}, {"{N}", std::to_string(static_cast<int>(number))}});
}

// Whether the device takes the model's node: what the run time says to it, "" if it does.
std::string Offer(const std::string& text, const std::string& device) {
  std::string bytes;
  if (text.front() != '<') {
    if (!absl::Base64Unescape(text, &bytes)) throw std::logic_error("operators.txt: no base64: " + text);
  } else {
    pb::ModelProto model;
    if (const auto status = pb::OnnxParser::Parse(model, text.c_str()); !status.IsOK())
      throw std::logic_error("operators.txt: " + status.ErrorMessage() + ": " + text);
    bytes = model.SerializeAsString();
  }
  graph_options options = GRAPH_OPTIONS_INIT;
  options.devices = device.c_str();
  options.cache_folder = "";
  graph_t* graph = nullptr;
  graph_status status = graph_load_memory(bytes.data(), bytes.size(), &options, &graph);
  const std::unique_ptr<graph_t, void (*)(graph_t*)> owner(graph, graph_free);
  if (status != GRAPH_OK) return graph_last_error();
  std::vector<graph_value_info> infos(graph_inputs(graph, nullptr, 0),
                                      graph_value_info GRAPH_VALUE_INFO_INIT);
  graph_inputs(graph, infos.data(), static_cast<uint32_t>(infos.size()));
  std::vector<graph_tensor> inputs;
  for (const graph_value_info& info : infos) {
    graph_tensor t = GRAPH_TENSOR_INIT;
    t.kind = info.kind;
    t.name = info.name;
    t.type = info.type;
    t.rank = std::max(info.rank, 0);
    for (int32_t i = 0; i < t.rank; ++i) t.dims[i] = info.dims[i] < 0 ? 1 : info.dims[i];
    inputs.push_back(t);
  }
  // Values that are no tensors are core's own; a graph of them alone is taken as soon as it loads.
  const bool tensors =
      std::all_of(inputs.begin(), inputs.end(), [](const graph_tensor& t) { return t.kind == GRAPH_TENSOR; });
  if (!tensors) return "";
  status = graph_prepare(graph, inputs.data(), static_cast<uint32_t>(inputs.size()));
  return status == GRAPH_OK ? "" : graph_last_error();
}

std::vector<Cell> AllCells(const std::string& device) {
  std::vector<Cell> cells;
  for (const std::string_view line : absl::StrSplit(kOperatorExamples, '\n', absl::SkipEmpty())) {
    if (line.front() == '#') continue;
    const std::vector<std::string> parts = absl::StrSplit(line, '\t');
    for (const std::string_view name : absl::StrSplit(parts[4], ',')) {
      const std::string type(name);
      Cell cell{parts[0], parts[1], parts[2], Instance(parts[3], type), ""};
      cell.refusal = Offer(Instance(parts[5], type), device);
      cells.push_back(std::move(cell));
    }
  }
  return cells;
}

// "float, double" out of "tensor(float)" and so on.
std::string Short(const std::string& type) {
  constexpr std::string_view kTensor = "tensor(";
  return type.starts_with(kTensor) ? type.substr(kTensor.size(), type.size() - kTensor.size() - 1) : type;
}

}  // namespace

int PrintOperators(const std::string& device, const std::string& format) {
  // A list that names no device is an error at every model: it is told once.
  const std::string first = Offer(
      R"(<ir_version: 8, opset_import: ["" : 13]> g () => (float y) { y = Constant <value = float {1}> () })",
      device);
  if (first.find("there is no device") != std::string::npos) throw UsageError(first);
  const std::vector<Cell> cells = AllCells(device);
  std::map<std::string, std::pair<size_t, size_t>> domains;  // taken, all
  for (const Cell& cell : cells) {
    ++domains[cell.domain].second;
    if (cell.refusal.empty()) ++domains[cell.domain].first;
  }
  if (format == "json") {
    nlohmann::json json;
    json["device"] = device;
    for (const Cell& cell : cells) {
      nlohmann::json entry = {{"operator", cell.op},
                              {"domain", cell.domain},
                              {"constraint", cell.constraint},
                              {"type", cell.type},
                              {"taken", cell.refusal.empty()}};
      if (!cell.refusal.empty()) entry["refusal"] = cell.refusal;
      json["cells"].push_back(std::move(entry));
    }
    fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return kDone;
  }
  const bool markdown = format == "markdown";
  std::string rows;
  for (size_t begin = 0; begin < cells.size();) {
    const Cell& first = cells[begin];
    std::string taken, refused;
    size_t end = begin;
    for (; end < cells.size() && cells[end].op == first.op && cells[end].domain == first.domain &&
           cells[end].constraint == first.constraint;
         ++end) {
      std::string& list = cells[end].refusal.empty() ? taken : refused;
      list += (list.empty() ? "" : ", ") + Short(cells[end].type);
    }
    const std::string name = first.domain == "ai.onnx" ? first.op : first.domain + "." + first.op;
    if (markdown) {
      rows += fmt::format("| {} | {} | {} | {} |\n", name, first.constraint, taken, refused);
    } else {
      rows += fmt::format("{} {}: {}{}\n", name, first.constraint, taken.empty() ? "-" : taken,
                          refused.empty() ? "" : "; not: " + refused);
    }
    begin = end;
  }
  if (markdown) fmt::print("| operator | constraint | runs | does not |\n| --- | --- | --- | --- |\n");
  fmt::print("{}", rows);
  fmt::print("\n");
  for (const auto& [domain, count] : domains)
    fmt::print("{}{}: {} of {} combinations of operator, type constraint and type\n", markdown ? "- " : "",
               domain, count.first, count.second);
  return kDone;
}

}  // namespace braid::cli
