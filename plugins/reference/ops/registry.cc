// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <unordered_map>

#include "plugins/reference/ops/op.h"

namespace braid::reference {

namespace {

using Family = std::span<const OpEntry> (*)();

constexpr Family kFamilies[] = {
    MathOps,     ActivationOps,    CastOps,      QuantizeOps,  RandomOps,    MatMulOps, ConvOps,
    PoolOps,     NormalizationOps, RecurrentOps, AttentionOps, ReductionOps, ShapeOps,  MovementOps,
    IndexingOps, SortingOps,       ImageOps,     SignalOps,    TextOps,      LossOps,   MlOps,
};

struct Key {
  std::string_view domain, op;
  bool operator==(const Key&) const = default;
};
struct KeyHash {
  size_t operator()(const Key& k) const {
    std::hash<std::string_view> hash;
    return hash(k.op) * 31 + hash(k.domain);
  }
};

struct Registry {
  std::vector<const OpEntry*> all;
  std::unordered_map<Key, const OpEntry*, KeyHash> by_name;
  Registry() {
    for (Family family : kFamilies) {
      for (const OpEntry& entry : family()) {
        all.push_back(&entry);
        by_name.emplace(Key{entry.domain, entry.op}, &entry);
      }
    }
  }
};

const Registry& TheRegistry() {
  static const Registry registry;
  return registry;
}

std::string Versioned(const kit::Node& node) {
  std::string name(node.op());
  if (!node.domain().empty() && node.domain() != "ai.onnx") name = std::string(node.domain()) + "." + name;
  return name + "-" + std::to_string(node.version());
}

}  // namespace

const OpEntry* FindOp(std::string_view domain, std::string_view op) {
  if (domain == "ai.onnx") domain = "";
  const auto& by_name = TheRegistry().by_name;
  auto at = by_name.find(Key{domain, op});
  return at != by_name.end() ? at->second : nullptr;
}

std::span<const OpEntry* const> AllOps() { return TheRegistry().all; }

Judgement Judge(const kit::Node& node) {
  const OpEntry* entry = FindOp(node.domain(), node.op());
  if (entry == nullptr) return {BRAID_NO_OP, BRAID_NONE, BRAID_NONE, Versioned(node) + " is not known"};
  if (entry->since < node.min_version() || entry->since > node.version())
    return {BRAID_NO_OPSET, BRAID_NONE, BRAID_NONE,
            Versioned(node) + ": version " + std::to_string(entry->since) + " is implemented"};
  if (!entry->inputs.empty()) {
    for (uint32_t i = 0; i < node.input_count(); ++i) {
      if (!node.has_input(i)) continue;
      TypeSet allowed = entry->inputs[std::min<size_t>(i, entry->inputs.size() - 1)];
      int32_t type = node.input_value(i).type();
      if (!Contains(allowed, type))
        return {BRAID_NO_TYPE, i, BRAID_NONE,
                Versioned(node) + ": input " + std::to_string(i) + " is " + TypeName(type)};
    }
  }
  return entry->judge != nullptr ? entry->judge(node) : Judgement{};
}

}  // namespace braid::reference
