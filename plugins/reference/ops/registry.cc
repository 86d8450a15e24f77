// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <unordered_map>

#include "plugins/reference/ops/op.h"

namespace braid::reference {

// Weak while the families are being written: a missing one counts as empty.
#define BRAID_WEAK(FAMILY) std::span<const OpEntry> FAMILY() __attribute__((weak));
BRAID_WEAK(MathOps)
BRAID_WEAK(ActivationOps) BRAID_WEAK(CastOps) BRAID_WEAK(QuantizeOps) BRAID_WEAK(RandomOps)
    BRAID_WEAK(MatMulOps) BRAID_WEAK(ConvOps) BRAID_WEAK(PoolOps) BRAID_WEAK(NormalizationOps)
        BRAID_WEAK(RecurrentOps) BRAID_WEAK(AttentionOps) BRAID_WEAK(ReductionOps) BRAID_WEAK(ShapeOps)
            BRAID_WEAK(MovementOps) BRAID_WEAK(IndexingOps) BRAID_WEAK(SortingOps) BRAID_WEAK(ImageOps)
                BRAID_WEAK(SignalOps) BRAID_WEAK(TextOps) BRAID_WEAK(LossOps) BRAID_WEAK(MlOps)
#undef BRAID_WEAK

                    namespace {

  using Family = std::span<const OpEntry> (*)();

  const Family kFamilies[] = {
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
        if (family == nullptr) continue;
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
