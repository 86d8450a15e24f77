// SPDX-License-Identifier: Apache-2.0
//
// Upsample, which became Resize, which got its coordinate modes in opset 11.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/onnx/upgrade/adapters.h"

namespace braid::frontend {
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

// Resize-10 took the element before the point where it made larger, and the one after where it made smaller.
absl::Status ResizeModes(Rewriter& r) {
  std::vector<float> scales;
  bool smaller = false, larger = false;
  if (r.ConstantFloats(r.input(1), &scales))
    for (const float scale : scales) {
      smaller = smaller || scale < 1;
      larger = larger || scale > 1;
    }
  AsResize(r, smaller && !larger ? "ceil" : "floor");
  return absl::OkStatus();
}

// An input without elements meant an absent one before inputs could be left out.
absl::Status ResizeAbsent(Rewriter& r) {
  for (int i = 1; i < r.inputs(); ++i)
    if (r.IsEmpty(r.input(i))) r.SetInput(i, "");
  while (r.inputs() > 1 && r.input(r.inputs() - 1).empty()) r.node().mutable_input()->RemoveLast();
  return absl::OkStatus();
}

constexpr AdapterEntry kEntries[] = {
    {"Upsample", 7, UpsampleScales}, {"Upsample", 9, UpsampleInput}, {"Upsample", 10, UpsampleToResize},
    {"Resize", 11, ResizeModes},     {"Resize", 13, ResizeAbsent},
};

}  // namespace

absl::Span<const AdapterEntry> ResizeAdapters() { return kEntries; }

}  // namespace braid::frontend
