// SPDX-License-Identifier: Apache-2.0
#include "conformance/case/schema.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "onnx/defs/schema.h"
#include "onnx/onnx_pb.h"

namespace braid::conformance {
namespace {

namespace pb = ONNX_NAMESPACE;

Formal FormalOf(const pb::OpSchema::FormalParameter& p) {
  Formal f;
  f.name = p.GetName();
  f.type = p.GetTypeStr();
  for (const pb::DataType t : p.GetTypes()) f.types.push_back(*t);
  std::sort(f.types.begin(), f.types.end());
  f.option = p.GetOption() == pb::OpSchema::Optional   ? Formal::kOptional
             : p.GetOption() == pb::OpSchema::Variadic ? Formal::kVariadic
                                                       : Formal::kSingle;
  f.least = p.GetMinArity();
  f.homogeneous = p.GetIsHomogeneous();
  return f;
}

std::vector<OperatorVersion> Make() {
  std::vector<OperatorVersion> all;
  for (const pb::OpSchema& s : pb::OpSchemaRegistry::get_all_schemas_with_history()) {
    OperatorVersion v;
    v.domain = s.domain();
    v.name = s.Name();
    v.since = s.SinceVersion();
    v.deprecated = s.Deprecated();
    v.experimental = s.support_level() == pb::OpSchema::SupportType::EXPERIMENTAL;
    v.is_function = s.HasFunction() || s.HasContextDependentFunction();
    for (const auto& p : s.inputs()) v.inputs.push_back(FormalOf(p));
    for (const auto& p : s.outputs()) v.outputs.push_back(FormalOf(p));
    for (const auto& [name, a] : s.attributes())
      v.attributes.push_back({name, static_cast<int>(a.type), a.required});
    std::sort(v.attributes.begin(), v.attributes.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    for (const auto& c : s.typeConstraintParams()) v.variables[c.type_param_str] = c.allowed_type_strs;
    all.push_back(std::move(v));
  }
  const auto key = [](const OperatorVersion& v) { return std::tie(v.domain, v.name, v.since); };
  std::sort(all.begin(), all.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  const auto& ranges = pb::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  for (size_t i = 0; i < all.size(); ++i) {
    const bool next =
        i + 1 < all.size() && all[i + 1].domain == all[i].domain && all[i + 1].name == all[i].name;
    all[i].newest = !next;
    all[i].last = next ? all[i + 1].since - 1 : ranges.at(all[i].domain).second;
  }
  return all;
}

}  // namespace

std::string OperatorVersion::Label() const {
  return (domain.empty() ? "" : domain + ".") + name + "-" + std::to_string(since);
}

const FormalAttribute* OperatorVersion::attribute(std::string_view wanted) const {
  for (const FormalAttribute& a : attributes)
    if (a.name == wanted) return &a;
  return nullptr;
}

int OperatorVersion::input(std::string_view wanted) const {
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].name == wanted) return static_cast<int>(i);
  return -1;
}

const std::vector<OperatorVersion>& AllOperatorVersions() {
  static const auto* const kAll = new std::vector<OperatorVersion>(Make());
  return *kAll;
}

const OperatorVersion* FindOperatorVersion(std::string_view domain, std::string_view name, int since) {
  const auto& all = AllOperatorVersions();
  const auto key = std::tuple(domain, name, since);
  const auto at = std::lower_bound(all.begin(), all.end(), key, [](const OperatorVersion& v, const auto& k) {
    return std::tuple(std::string_view(v.domain), std::string_view(v.name), v.since) < k;
  });
  if (at == all.end() || at->domain != domain || at->name != name || at->since != since) return nullptr;
  return &*at;
}

int32_t ElementTypeOf(std::string_view type) {
  if (!type.starts_with("tensor(") || !type.ends_with(")")) return 0;
  const std::string name(type.substr(7, type.size() - 8));
  for (int32_t t = 1; t <= 28; ++t)
    if (ElementTypeText(t) == name) return t;
  return 0;
}

std::string ElementTypeText(int32_t type) {
  static constexpr const char* kNames[] = {
      "undefined",      "float",      "uint8",          "int8",       "uint16",    "int16",
      "int32",          "int64",      "string",         "bool",       "float16",   "double",
      "uint32",         "uint64",     "complex64",      "complex128", "bfloat16",  "float8e4m3fn",
      "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4",      "float4e2m1",
      "float8e8m0",     "uint2",      "int2",           "float6e2m3", "float6e3m2"};
  return type < 0 || static_cast<size_t>(type) >= std::size(kNames) ? "type" + std::to_string(type)
                                                                    : kNames[type];
}

}  // namespace braid::conformance
