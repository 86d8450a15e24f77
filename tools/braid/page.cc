// SPDX-License-Identifier: Apache-2.0
#include "tools/braid/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "absl/strings/str_replace.h"

namespace braid::cli {

extern const char* const kPage;  // page.html

namespace {

constexpr size_t kShown = 64;  // numbers of a list

template <class T>
std::string ListText(const std::vector<T>& list) {
  const size_t n = std::min(list.size(), kShown);
  std::string text = fmt::format("[{}", fmt::join(list.begin(), list.begin() + static_cast<long>(n), ", "));
  return text + (list.size() > n ? fmt::format(", ... {} in all]", list.size()) : "]");
}

std::string AttributeText(const Graph& graph, const Attribute& a) {
  switch (a.kind) {
    case Attribute::kFloat:
      return fmt::format("{}", a.f);
    case Attribute::kInt:
      return fmt::format("{}", a.i);
    case Attribute::kString:
      return a.s;
    case Attribute::kFloats:
      return ListText(a.floats);
    case Attribute::kInts:
      return ListText(a.ints);
    case Attribute::kStrings:
      return ListText(a.strings);
    case Attribute::kTensor:
      return a.tensor == kNone ? "a tensor" : TypeString(graph.values[a.tensor].type, graph.symbols);
    default:
      return a.body.graph != nullptr ? "a graph" : "";
  }
}

nlohmann::json Ids(const std::vector<ValueId>& ids) {
  nlohmann::json out = nlohmann::json::array();
  for (const ValueId id : ids) out.push_back(id == kNone ? -1 : static_cast<int64_t>(id));
  return out;
}

class Writer {
 public:
  explicit Writer(const nlohmann::json& plan) {
    if (!plan.contains("nodes")) return;
    for (const nlohmann::json& node : plan["nodes"])
      for (const nlohmann::json& output : node["outputs"])
        if (output.contains("name")) placed_[output["name"].get<std::string>()] = &node;
  }

  // The graph's place in graphs().
  size_t Add(const Graph& graph) {
    const size_t index = graphs_.size();
    graphs_.push_back(nullptr);
    nlohmann::json json = {
        {"name", graph.name}, {"inputs", Ids(graph.inputs)}, {"outputs", Ids(graph.outputs)}};
    json["values"] = nlohmann::json::array();
    for (const Value& value : graph.values) {
      nlohmann::json v = {{"name", value.name}, {"type", TypeString(value.type, graph.symbols)}};
      if (value.constant != nullptr) v["bytes"] = value.constant->bytes;
      json["values"].push_back(std::move(v));
    }
    json["nodes"] = nlohmann::json::array();
    for (const Node& node : graph.nodes) json["nodes"].push_back(NodeJson(graph, node));
    graphs_[index] = std::move(json);
    return index;
  }

  nlohmann::json graphs() { return std::move(graphs_); }

 private:
  nlohmann::json NodeJson(const Graph& graph, const Node& node) {
    nlohmann::json json = {{"op", node.op},
                           {"domain", node.domain},
                           {"name", node.name},
                           {"version", node.version},
                           {"host", node.is_host},
                           {"inputs", Ids(node.inputs)},
                           {"outputs", Ids(node.outputs)},
                           {"attributes", nlohmann::json::array()},
                           {"bodies", nlohmann::json::array()},
                           {"captures", nlohmann::json::array()}};
    for (const Attribute& a : node.attributes) {
      if (a.body.graph == nullptr) {
        json["attributes"].push_back({a.name, AttributeText(graph, a)});
        continue;
      }
      json["bodies"].push_back({a.name, Add(*a.body.graph)});
      for (const ValueId v : a.body.captures) json["captures"].push_back(v);
    }
    for (const ValueId v : node.outputs) {
      const auto found = v == kNone ? placed_.end() : placed_.find(graph.values[v].name);
      if (found == placed_.end()) continue;
      Place(*found->second, &json);
      break;
    }
    return json;
  }

  static void Place(const nlohmann::json& placed, nlohmann::json* json) {
    if (!placed.contains("device") || !placed["device"].is_string()) return;
    (*json)["device"] = placed["device"];
    if (!placed.contains("verdicts")) return;
    for (const nlohmann::json& verdict : placed["verdicts"]) {
      if (verdict.value("device", "") == placed["device"]) {
        if (verdict.contains("cost_ns")) (*json)["cost"] = verdict["cost_ns"];
        (*json)["source"] = verdict.value("cost_source", "");
      } else if (verdict.contains("why_not")) {
        (*json)["refusals"].push_back({"not " + verdict.value("device", ""), verdict["why_not"]});
      }
    }
  }

  std::vector<nlohmann::json> graphs_;
  std::map<std::string, const nlohmann::json*> placed_;
};

}  // namespace

std::string GraphPage(const std::string& title,
                      const std::vector<std::pair<std::string, std::string>>& summary, const Graph& graph,
                      const nlohmann::json& plan) {
  Writer writer(plan);
  writer.Add(graph);
  nlohmann::json data = {{"title", title}, {"graphs", writer.graphs()}, {"summary", nlohmann::json::array()}};
  for (const auto& [name, value] : summary) data["summary"].push_back({name, value});
  // ASCII alone, and no "<": nothing in a name ends the script that it stands in.
  std::string json = data.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  absl::StrReplaceAll({{"<", "\\u003c"}, {">", "\\u003e"}, {"&", "\\u0026"}}, &json);
  const std::string safe = absl::StrReplaceAll(title, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
  return absl::StrReplaceAll(kPage, {{"{{TITLE}}", safe}, {"{{DATA}}", json}});
}

}  // namespace braid::cli
