// SPDX-License-Identifier: Apache-2.0
#include "core/graph/host_operators.h"

#include <algorithm>

namespace braid {
namespace {

constexpr HostOperator kOperators[] = {
    {"", "If"},
    {"", "Loop"},
    {"", "Scan"},
    {"", "SequenceEmpty"},
    {"", "SequenceConstruct"},
    {"", "SequenceInsert"},
    {"", "SequenceErase"},
    {"", "SequenceAt"},
    {"", "SequenceLength"},
    {"", "SplitToSequence"},
    {"", "ConcatFromSequence"},
    {"", "Optional"},
    {"", "OptionalHasElement"},
    {"", "OptionalGetElement"},
    {"", "Identity", false},
    {"ai.onnx.ml", "CastMap"},
    {"ai.onnx.ml", "DictVectorizer"},
    {"ai.onnx.ml", "ZipMap"},
};

}  // namespace

absl::Span<const HostOperator> HostOperators() { return kOperators; }

bool IsHostOperator(std::string_view domain, std::string_view op, bool on_tensors) {
  return std::any_of(std::begin(kOperators), std::end(kOperators), [&](const HostOperator& known) {
    return known.op == op && known.domain == domain && (known.on_tensors || !on_tensors);
  });
}

}  // namespace braid
