// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/schema.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/graph/nearest.h"

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

}  // namespace

const pb::OpSchema* FindSchema(const std::string& op, const std::string& domain, int64_t version) {
  const int bounded = static_cast<int>(std::clamp<int64_t>(version, 0, 1 << 20));
  const pb::OpSchema* schema = pb::OpSchemaRegistry::Schema(op, bounded, domain);
  return schema != nullptr ? schema : FindDeclared(op, domain, version);
}

int NewestOpsetOf(std::string_view domain) {
  return domain.empty() ? kNewestOpset : domain == "ai.onnx.ml" ? kNewestMlOpset : 0;
}

const std::vector<pb::OpSchema>& SchemasOf(const std::string& op, const std::string& domain) {
  static const auto& none = *new std::vector<pb::OpSchema>();
  const auto found = History().find({domain, op});
  return found == History().end() ? none : found->second;
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

}  // namespace braid::loader
