// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/schema.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/graph/nearest.h"
#include "onnx/defs/data_type_utils.h"

namespace braid::loader {
namespace {

using Key = std::pair<std::string, std::string>;  // domain, operator

// All versions of every operator, oldest first. Made once.
const std::map<Key, std::vector<pb::OpSchema>>& History() {
  static const auto& history = *[] {
    auto* map = new std::map<Key, std::vector<pb::OpSchema>>();
    for (pb::OpSchema& schema : pb::OpSchemaRegistry::get_all_schemas_with_history())
      (*map)[{schema.domain(), schema.Name()}].push_back(std::move(schema));
    for (auto& [key, versions] : *map)
      std::sort(versions.begin(), versions.end(), [](const pb::OpSchema& a, const pb::OpSchema& b) {
        return a.SinceVersion() < b.SinceVersion();
      });
    return map;
  }();
  return history;
}

// Versions at which an operator changed what the same node means (the converter's adapter does something, or
// ought to). Changes that show in the signature (attributes that became inputs, new types) need no entry.
const std::multimap<std::string, int>& MeaningChanged() {
  static const std::multimap<std::string, int> changed = {
      {"Add", 7},
      {"Sub", 7},
      {"Mul", 7},
      {"Div", 7},
      {"Pow", 7},
      {"And", 7},
      {"Or", 7},
      {"Xor", 7},
      {"Equal", 7},
      {"Greater", 7},
      {"Less", 7},
      {"PRelu", 7},
      {"Gemm", 7},
      {"Softmax", 13},
      {"LogSoftmax", 13},
      {"Hardmax", 13},
      {"Resize", 11},
      {"Upsample", 9},
      {"AveragePool", 11},
      {"MaxPool", 11},
      {"AveragePool", 19},
      {"LpPool", 18},
      {"Conv", 11},
      {"ConvTranspose", 11},
      {"Cast", 9},
      {"TopK", 11},
      {"Dropout", 7},
      {"Dropout", 12},
      {"Flatten", 11},
      {"BatchNormalization", 7},
      {"BatchNormalization", 9},
      {"BatchNormalization", 14},
      {"GroupNormalization", 21},
      {"Scan", 9},
      {"Pad", 2},
      {"Unsqueeze", 11},
      {"Squeeze", 11},
      {"Gather", 11},
      {"Concat", 4},
      {"Split", 2},
      {"Resize", 19},
      {"QuantizeLinear", 13},
      {"DequantizeLinear", 13},
      {"RoiAlign", 16},
      {"Attention", 24},
  };
  return changed;
}

bool Accepts(const pb::OpSchema& schema, const pb::NodeProto& node,
             const std::function<int32_t(const std::string&)>& type_of) {
  if (schema.deprecated()) return false;
  if (node.input_size() < schema.min_input() || node.input_size() > schema.max_input()) return false;
  if (node.output_size() < schema.min_output() || node.output_size() > schema.max_output()) return false;
  for (const pb::AttributeProto& a : node.attribute()) {
    auto known = schema.attributes().find(a.name());
    if (known == schema.attributes().end() ||
        static_cast<int>(known->second.type) != static_cast<int>(a.type()))
      return false;
  }
  for (const auto& [name, attribute] : schema.attributes()) {
    if (!attribute.required) continue;
    if (std::none_of(node.attribute().begin(), node.attribute().end(),
                     [&, n = name](const auto& a) { return a.name() == n; }))
      return false;
  }
  auto types_fit = [&](const auto& names, const auto& formals) {
    for (int i = 0; i < names.size(); ++i) {
      if (names[i].empty()) continue;
      const int32_t type = type_of(names[i]);
      if (type == 0 || formals.empty()) continue;
      const auto& formal = formals[std::min<size_t>(static_cast<size_t>(i), formals.size() - 1)];
      pb::TypeProto proto;
      proto.mutable_tensor_type()->set_elem_type(type);
      if (!formal.GetTypes().contains(pb::Utils::DataTypeUtils::ToType(proto))) return false;
    }
    return true;
  };
  return types_fit(node.input(), schema.inputs()) && types_fit(node.output(), schema.outputs());
}

}  // namespace

const pb::OpSchema* FindSchema(const std::string& op, const std::string& domain, int64_t version) {
  const int bounded = static_cast<int>(std::clamp<int64_t>(version, 0, 1 << 20));
  const pb::OpSchema* schema = pb::OpSchemaRegistry::Schema(op, bounded, domain);
  return schema != nullptr ? schema : FindDeclared(op, domain, version);
}

int NewestOpsetOf(std::string_view domain) {
  return domain.empty() ? kNewestOpset : domain == "ai.onnx.ml" ? kNewestMlOpset : 0;
}

const std::vector<int>& VersionsOf(const std::string& op, const std::string& domain) {
  static const auto& versions = *[] {
    auto* map = new std::map<Key, std::vector<int>>();
    for (const auto& [key, schemas] : History())
      for (const pb::OpSchema& schema : schemas) (*map)[key].push_back(schema.SinceVersion());
    return map;
  }();
  static const auto& none = *new std::vector<int>();
  const auto found = versions.find({domain, op});
  return found == versions.end() ? none : found->second;
}

std::string NearestOperator(const std::string& op, const std::string& domain) {
  std::vector<std::string> known;
  for (const auto& [key, versions] : History())
    if (key.first == domain) known.push_back(key.second);
  for (std::string& declared : DeclaredIn(domain)) known.push_back(std::move(declared));
  const std::string nearest = NearestName(op, known, std::max<size_t>(2, op.size() / 3));
  return nearest.empty() ? "" : absl::StrCat("; did you mean '", nearest, "'?");
}

int OldestVersion(const pb::NodeProto& node, const pb::OpSchema& schema,
                  const std::function<int32_t(const std::string&)>& type_of) {
  int oldest = schema.SinceVersion();
  auto found = History().find({schema.domain(), schema.Name()});
  if (found == History().end()) return oldest;
  const auto [first, last] = MeaningChanged().equal_range(schema.Name());
  for (size_t i = found->second.size(); i-- > 0;) {
    const pb::OpSchema& older = found->second[i];
    if (older.SinceVersion() >= oldest) continue;
    const int newer = oldest;
    if (schema.domain().empty() &&
        std::any_of(first, last, [&](const auto& entry) { return entry.second == newer; }))
      break;
    if (!Accepts(older, node, type_of)) break;
    oldest = older.SinceVersion();
  }
  return oldest;
}

}  // namespace braid::loader
