// SPDX-License-Identifier: Apache-2.0
//
// Changes of operators from opset 11 on.
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/onnx/upgrade/adapters.h"

namespace braid::loader {
namespace {

absl::Status Refuse(std::string cause) { return absl::InvalidArgumentError(std::move(cause)); }

// A float attribute as a scalar of the data's type.
std::string ScalarLike(Rewriter& r, float value) {
  const std::string name = r.AddFloats({value}, true);
  return r.Element(r.input(0)) == pb::TensorProto::FLOAT ? name : r.Before("CastLike", {name, r.input(0)});
}

absl::Status ClipInputs(Rewriter& r) {
  int position = 1;
  for (const char* bound : {"min", "max"}) {
    if (const auto* a = r.attribute(bound)) {
      const float value = a->f();
      r.Remove(bound);
      r.SetInput(position, ScalarLike(r, value));
    }
    ++position;
  }
  return absl::OkStatus();
}

// What was outside [0, depth) gave a row without on_value; from 11 on, [-depth, 0) counts from the end. (For
// ONNX Runtime it does so in 9 and 10, too.)
absl::Status OneHotNegative(Rewriter& r) {
  std::string indices = r.input(0);
  switch (r.Element(indices)) {
    case pb::TensorProto::UINT8:
    case pb::TensorProto::UINT16:
    case pb::TensorProto::UINT32:
    case pb::TensorProto::UINT64:
      return absl::OkStatus();
    case pb::TensorProto::INT64:
      break;
    default:
      indices = r.Cast(indices, pb::TensorProto::INT64);
  }
  const std::string negative = r.Before("Less", {indices, r.AddInts({0}, true)});
  constexpr int64_t kOutside = std::numeric_limits<int64_t>::max();
  r.SetInput(0, r.Before("Where", {negative, r.AddInts({kOutside}, true), indices}));
  return absl::OkStatus();
}

absl::Status PadInputs(Rewriter& r) {
  const std::vector<int64_t> pads = r.Ints("pads");
  const float value = r.Float("value", 0);
  r.Remove("pads");
  r.Remove("value");
  r.SetInput(1, r.AddInts(pads));
  if (value != 0) r.SetInput(2, ScalarLike(r, value));
  return absl::OkStatus();
}

absl::Status ScatterName(Rewriter& r) {
  r.ContinueAs("ScatterElements", 11);
  return absl::OkStatus();
}

absl::Status DropoutRatio(Rewriter& r) {
  if (const auto* a = r.attribute("ratio")) {
    const float ratio = a->f();
    r.Remove("ratio");
    r.SetInput(1, r.AddFloats({ratio}, true));
  }
  return absl::OkStatus();
}

absl::Status AxesInput(Rewriter& r) {
  if (r.attribute("axes") == nullptr) return absl::OkStatus();
  const std::vector<int64_t> axes = r.Ints("axes");
  r.Remove("axes");
  r.SetInput(1, r.AddInts(axes));
  return absl::OkStatus();
}

absl::Status SplitInput(Rewriter& r) {
  if (r.attribute("split") == nullptr) return absl::OkStatus();
  const std::vector<int64_t> lengths = r.Ints("split");
  r.Remove("split");
  r.SetInput(1, r.AddInts(lengths));
  return absl::OkStatus();
}

absl::Status SplitOutputs(Rewriter& r) {
  if (r.input(1).empty()) r.SetInt("num_outputs", r.node().output_size());
  return absl::OkStatus();
}

// Integers had an error function too: it is theirs as floats, cut off.
absl::Status ErfOfIntegers(Rewriter& r) {
  const int32_t type = r.Element(r.input(0));
  switch (type) {
    case pb::TensorProto::INT8:
    case pb::TensorProto::INT16:
    case pb::TensorProto::INT32:
    case pb::TensorProto::INT64:
    case pb::TensorProto::UINT8:
    case pb::TensorProto::UINT16:
    case pb::TensorProto::UINT32:
    case pb::TensorProto::UINT64:
      break;
    default:
      return absl::OkStatus();
  }
  r.SetInput(0, r.Cast(r.input(0), pb::TensorProto::FLOAT));
  const std::string y = r.node().output(0), real = r.Fresh();
  r.node().set_output(0, real);
  r.After("Cast", {real}, y);
  auto* to = r.after.back().add_attribute();
  to->set_name("to");
  to->set_type(pb::AttributeProto::INT);
  to->set_i(type);
  return absl::OkStatus();
}

// All dimensions from `axis` on were one row. That is the same as the last one alone where `axis` is the
// last.
absl::Status SoftmaxRows(Rewriter& r) {
  const int64_t axis = r.Int("axis", 1), rank = r.Rank(r.input(0));
  r.SetInt("axis", -1);
  if (rank >= 0 && (axis < -rank || axis > rank))
    return Refuse(absl::StrCat("its axis ", axis, " is out of range"));
  if (axis == -1 || (rank >= 1 && axis == rank - 1)) return absl::OkStatus();
  const std::string x = r.input(0), y = r.node().output(0);
  const std::string shape = r.Before("Shape", {x});
  pb::NodeProto* flatten = nullptr;
  const std::string flat = r.Before("Flatten", {x}, &flatten);
  auto* a = flatten->add_attribute();
  a->set_name("axis");
  a->set_type(pb::AttributeProto::INT);
  a->set_i(axis);
  const std::string rows = r.Fresh();
  r.SetInput(0, flat);
  r.node().set_output(0, rows);
  r.After("Reshape", {rows, shape}, y);
  auto* zero = r.after.back().add_attribute();  // an extent of 0 is one
  zero->set_name("allowzero");
  zero->set_type(pb::AttributeProto::INT);
  zero->set_i(1);
  return absl::OkStatus();
}

// Each axis of a value but the second.
std::string AxesButChannels(Rewriter& r, const std::string& x) {
  const int64_t rank = r.Rank(x);
  if (rank < 0) {
    const std::string count = r.Before("Shape", {r.Before("Shape", {x})});
    const std::string behind =
        r.Before("Range", {r.AddInts({2}, true), r.Before("Squeeze", {count}), r.AddInts({1}, true)});
    pb::NodeProto* concat = nullptr;
    const std::string axes = r.Before("Concat", {r.AddInts({0}), behind}, &concat);
    pb::AttributeProto* axis = concat->add_attribute();
    axis->set_name("axis");
    axis->set_type(pb::AttributeProto::INT);
    axis->set_i(0);
    return axes;
  }
  std::vector<int64_t> axes = {0};
  for (int64_t i = 2; i < rank; ++i) axes.push_back(i);
  return r.AddInts(axes);
}

// Outputs 1 to 4, which only training has, were the running and the saved statistics. The saved ones are the
// mean and the variance of the batch.
absl::Status BatchNormalizationTraining(Rewriter& r) {
  pb::NodeProto& node = r.node();
  bool training = false;
  for (int i = 1; i < node.output_size(); ++i) training = training || r.has_output(i);
  const bool saved_mean = r.has_output(3) && r.IsUsed(node.output(3)),
             saved_variance = r.has_output(4) && r.IsUsed(node.output(4));
  if (saved_mean || saved_variance) {
    const std::string x = r.input(0), axes = AxesButChannels(r, x);
    const std::string mean = r.Before("ReduceMean", {x, axes});
    if (saved_mean) r.After("Squeeze", {mean, axes}, node.output(3));
    if (saved_variance) {
      const std::string off = r.Before("Sub", {x, mean});
      r.After("Squeeze", {r.Before("ReduceMean", {r.Before("Mul", {off, off}), axes}), axes}, node.output(4));
    }
  }
  while (node.output_size() > (training ? 3 : 1)) node.mutable_output()->RemoveLast();
  if (!training) return absl::OkStatus();
  r.SetInt("training_mode", 1);
  for (int i = 1; i < 3; ++i) {
    if (node.output_size() <= i) node.add_output("");
    if (!r.has_output(i)) node.set_output(i, r.Fresh());
  }
  return absl::OkStatus();
}

absl::Status RoiAlignCoordinates(Rewriter& r) {
  r.SetString("coordinate_transformation_mode", "output_half_pixel");
  return absl::OkStatus();
}

absl::Status DftAxis(Rewriter& r) {
  const int64_t axis = r.Int("axis", 1);
  r.Remove("axis");
  r.SetInput(2, r.AddInts({axis}, true));
  return absl::OkStatus();
}

absl::Status GridSampleModes(Rewriter& r) {
  const std::string mode = r.String("mode", "bilinear");
  r.SetString("mode", mode == "bilinear" ? "linear" : mode == "bicubic" ? "cubic" : mode);
  return absl::OkStatus();
}

// Scale and bias were one for each group; each is repeated for the channels of its group.
absl::Status GroupNormalizationChannels(Rewriter& r) {
  const int64_t groups = r.Int("num_groups", 0);
  if (groups < 1) return Refuse("it has no groups");
  pb::NodeProto* shape = nullptr;
  const std::string channels = r.Before("Shape", {r.input(0)}, &shape);
  for (const auto& [name, value] : {std::pair("start", 1), std::pair("end", 2)}) {
    auto* a = shape->add_attribute();
    a->set_name(name);
    a->set_type(pb::AttributeProto::INT);
    a->set_i(value);
  }
  const std::string each = r.Before("Div", {channels, r.AddInts({groups})});
  pb::NodeProto* concat = nullptr;
  const std::string wide = r.Before("Concat", {r.AddInts({1}), each}, &concat);
  auto* axis = concat->add_attribute();
  axis->set_name("axis");
  axis->set_type(pb::AttributeProto::INT);
  axis->set_i(0);
  const std::string column = r.AddInts({-1, 1}), flat = r.AddInts({-1});
  for (const int i : {1, 2}) {
    const std::string expanded = r.Before("Expand", {r.Before("Reshape", {r.input(i), column}), wide});
    r.SetInput(i, r.Before("Reshape", {expanded, flat}));
  }
  return absl::OkStatus();
}

// output_shape had the extents of N and C too before ONNX 1.4.
absl::Status ConvTransposeOutputShape(Rewriter& r) {
  const std::vector<int64_t> shape = r.Ints("output_shape");
  if (shape.size() < 3 || static_cast<int64_t>(shape.size()) != r.Rank(r.input(1))) return absl::OkStatus();
  r.SetInts("output_shape", absl::MakeSpan(shape).subspan(2));
  return absl::OkStatus();
}

constexpr AdapterEntry kEntries[] = {
    {"Clip", 11, ClipInputs},
    {"ConvTranspose", 11, ConvTransposeOutputShape},
    {"OneHot", 11, OneHotNegative},
    {"Pad", 11, PadInputs},
    {"Scatter", 11, ScatterName},
    {"Dropout", 12, DropoutRatio},
    {"Erf", 13, ErfOfIntegers},
    {"ReduceSum", 13, AxesInput},
    {"Squeeze", 13, AxesInput},
    {"Unsqueeze", 13, AxesInput},
    {"Split", 13, SplitInput},
    {"Softmax", 13, SoftmaxRows},
    {"LogSoftmax", 13, SoftmaxRows},
    {"Hardmax", 13, SoftmaxRows},
    {"BatchNormalization", 14, BatchNormalizationTraining},
    {"RoiAlign", 16, RoiAlignCoordinates},
    {"Split", 18, SplitOutputs},
    {"ReduceL1", 18, AxesInput},
    {"ReduceL2", 18, AxesInput},
    {"ReduceLogSum", 18, AxesInput},
    {"ReduceLogSumExp", 18, AxesInput},
    {"ReduceMax", 18, AxesInput},
    {"ReduceMean", 18, AxesInput},
    {"ReduceMin", 18, AxesInput},
    {"ReduceProd", 18, AxesInput},
    {"ReduceSumSquare", 18, AxesInput},
    {"DFT", 20, DftAxis},
    {"GridSample", 20, GridSampleModes},
    {"GroupNormalization", 21, GroupNormalizationChannels},
};

}  // namespace

absl::Span<const AdapterEntry> LaterAdapters() { return kEntries; }

}  // namespace braid::loader
