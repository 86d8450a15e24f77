// SPDX-License-Identifier: Apache-2.0
//
// Changes of operators of ai.onnx.ml. TreeEnsembleClassifier and -Regressor of any version stay what they
// are: their last version only added attributes, and TreeEnsemble has nothing in the place of their labels.
#include <numeric>
#include <vector>

#include "core/onnx/upgrade/adapters.h"

namespace braid::loader {
namespace {

// LabelEncoder-1 had one list of strings and their positions; the type of the input told the direction.
absl::Status LabelLists(Rewriter& r) {
  const auto* strings = r.attribute("classes_strings");
  if (strings == nullptr) return absl::InvalidArgumentError("it has no classes_strings");
  std::vector<int64_t> positions(static_cast<size_t>(strings->strings_size()));
  std::iota(positions.begin(), positions.end(), 0);
  int32_t from = r.Element(r.input(0));
  if (from == 0 && r.has_output(0)) {
    const int32_t to = r.Element(r.node().output(0));
    if (to != 0) from = to == pb::TensorProto::STRING ? pb::TensorProto::INT64 : pb::TensorProto::STRING;
  }
  if (from == 0) return absl::InvalidArgumentError("the type of its input is not known");
  const bool to_string = from != pb::TensorProto::STRING;
  r.Rename("classes_strings", to_string ? "values_strings" : "keys_strings");
  r.SetInts(to_string ? "keys_int64s" : "values_int64s", positions);
  return absl::OkStatus();
}

constexpr AdapterEntry kEntries[] = {
    {"LabelEncoder", 2, LabelLists},
};

}  // namespace

absl::Span<const AdapterEntry> MlAdapters() { return kEntries; }

}  // namespace braid::loader
