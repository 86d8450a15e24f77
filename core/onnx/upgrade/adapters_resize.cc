// SPDX-License-Identifier: Apache-2.0
//
// Upsample, which became Resize, which got its coordinate modes in opset 11.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/onnx/upgrade/adapters.h"

namespace braid::loader {
namespace {

// Upsample-1 had two scales, and another name for linear.
absl::Status UpsampleScales(Rewriter& r) {
  const float height = r.Float("height_scale", 1), width = r.Float("width_scale", 1);
  if (r.attribute("scales") == nullptr) {
    r.Remove("height_scale");
    r.Remove("width_scale");
    auto* a = r.node().add_attribute();
    a->set_name("scales");
    a->set_type(pb::AttributeProto::FLOATS);
    for (const float scale : {1.f, 1.f, height, width}) a->add_floats(scale);
  }
  if (r.String("mode", "nearest") == "bilinear") r.SetString("mode", "linear");
  return absl::OkStatus();
}

absl::Status UpsampleInput(Rewriter& r) {
  const auto* a = r.attribute("scales");
  if (a == nullptr) return absl::InvalidArgumentError("it has no scales");
  const std::vector<float> scales(a->floats().begin(), a->floats().end());
  r.Remove("scales");
  r.SetInput(1, r.AddFloats(scales));
  return absl::OkStatus();
}

void AsResize(Rewriter& r, const std::string& nearest) {
  const std::string scales = r.input(1);
  const std::string mode = r.String("mode", "nearest");
  r.SetString("mode", mode == "bilinear" ? "linear" : mode);
  r.SetString("coordinate_transformation_mode", "asymmetric");
  if (mode == "nearest") r.SetString("nearest_mode", nearest);
  r.SetInput(1, "");
  r.SetInput(2, scales);
}

absl::Status UpsampleToResize(Rewriter& r) {
  AsResize(r, "floor");
  r.ContinueAs("Resize", 11);
  return absl::OkStatus();
}

// Resize-10 took the element before the point where it made larger, and the one after where it made smaller:
// where it may do both, by axis, that is two of today's, one after the other.
absl::Status ResizeModes(Rewriter& r) {
  const std::string scales = r.input(1);
  const bool nearest = r.String("mode", "nearest") == "nearest";
  std::vector<float> known;
  const bool constant = r.ConstantFloats(scales, &known);
  const bool smaller = std::any_of(known.begin(), known.end(), [](float scale) { return scale < 1; });
  const bool larger = std::any_of(known.begin(), known.end(), [](float scale) { return scale > 1; });
  if (!nearest || (constant && !(smaller && larger))) {
    AsResize(r, smaller ? "ceil" : "floor");
    return absl::OkStatus();
  }
  const std::string one = r.AddFloats({1.f}, true);
  pb::NodeProto* first = nullptr;
  const std::string up = r.Before("Max", {scales, one}), down = r.Before("Min", {scales, one});
  const std::string enlarged = r.Before("Resize", {r.input(0), "", up}, &first);
  for (const auto& [name, value] : {std::pair{"mode", "nearest"},
                                    {"coordinate_transformation_mode", "asymmetric"},
                                    {"nearest_mode", "floor"}}) {
    auto* a = first->add_attribute();
    a->set_name(name);
    a->set_type(pb::AttributeProto::STRING);
    a->set_s(value);
  }
  r.SetInput(0, enlarged);
  r.SetInput(1, down);
  AsResize(r, "ceil");
  return absl::OkStatus();
}

// Before inputs could be left out, one without elements meant an absent one, and where sizes were given the
// scales had to be such.
absl::Status ResizeAbsent(Rewriter& r) {
  const auto absent = [&](int i) {
    return r.input(i).empty() || r.IsEmpty(r.input(i)) || r.Dims(r.input(i)) == std::vector<int64_t>{0};
  };
  const bool by_sizes = !absent(3);
  for (int i = 1; i < r.inputs(); ++i)
    if (absent(i) || (i == 2 && by_sizes)) r.SetInput(i, "");
  while (r.inputs() > 1 && r.input(r.inputs() - 1).empty()) r.node().mutable_input()->RemoveLast();
  return absl::OkStatus();
}

constexpr AdapterEntry kEntries[] = {
    {"Upsample", 7, UpsampleScales}, {"Upsample", 9, UpsampleInput}, {"Upsample", 10, UpsampleToResize},
    {"Resize", 11, ResizeModes},     {"Resize", 13, ResizeAbsent},
};

}  // namespace

absl::Span<const AdapterEntry> ResizeAdapters() { return kEntries; }

}  // namespace braid::loader
