// SPDX-License-Identifier: Apache-2.0
//
// Changes of operators up to opset 10.
#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/onnx/upgrade/adapters.h"
#include "core/onnx/upgrade/upgrade.h"

namespace braid::loader {
namespace {

absl::Status Refuse(std::string cause) { return absl::InvalidArgumentError(std::move(cause)); }

absl::Status ConcatAxis(Rewriter& r) {
  if (r.attribute("axis") == nullptr) r.SetInt("axis", 1);
  return absl::OkStatus();
}

absl::Status ReshapeShape(Rewriter& r) {
  const std::vector<int64_t> shape = r.Ints("shape");
  r.Remove("shape");
  r.Remove("consumed_inputs");  // a mark of operators that worked in place, which Reshape-5 has no more
  r.SetInput(1, r.AddInts(shape));
  return absl::OkStatus();
}

absl::Status PadNames(Rewriter& r) {
  r.Rename("paddings", "pads");
  return absl::OkStatus();
}

// A constant that may be floats; nothing where it is none, and no counts where it holds what is far from any.
std::optional<std::vector<int64_t>> Counts(const Rewriter& r, const std::string& value) {
  std::vector<int64_t> out;
  if (r.ConstantInts(value, &out)) return out;
  std::vector<float> real;
  if (!r.ConstantFloats(value, &real)) return std::nullopt;
  for (const float f : real) {
    if (!(std::fabs(f) < 0x1p31f)) return std::vector<int64_t>();
    out.push_back(static_cast<int64_t>(f));
  }
  return out;
}

// Split-1 could have its lengths as an input, as from 13 on, but of the type of what is split.
absl::Status SplitLengths(Rewriter& r) {
  if (r.input(1).empty()) return absl::OkStatus();
  const std::optional<std::vector<int64_t>> lengths = Counts(r, r.input(1));
  if (!lengths) {
    r.Remove("split");
    r.SetInput(1, r.Cast(r.input(1), pb::TensorProto::INT64));
    return absl::OkStatus();
  }
  if (lengths->empty()) return Refuse("its lengths of the parts are none");
  r.SetInts("split", *lengths);
  r.node().mutable_input()->RemoveLast();
  return absl::OkStatus();
}

absl::Status CastType(Rewriter& r) {
  if (CastByNumber(&r.node())) return absl::OkStatus();
  return Refuse(absl::StrCat("it casts to the unknown type '", r.String("to", ""), "'"));
}

// LpPool and GlobalLpPool of opset 1 had p as a float.
absl::Status IntegerNorm(Rewriter& r) {
  const auto* p = r.attribute("p");
  if (p == nullptr || p->type() != pb::AttributeProto::FLOAT) return absl::OkStatus();
  const float value = p->f();
  if (!(value >= 1 && value < 1e6f) || value != std::floor(value))
    return Refuse(absl::StrCat("its norm p = ", value, " is no whole number"));
  r.SetInt("p", static_cast<int64_t>(value));
  return absl::OkStatus();
}

// How often the input is repeated along one axis: two numbers, known or not.
absl::Status TileRepeats(Rewriter& r) {
  if (r.inputs() < 3) return absl::OkStatus();
  const std::string given_tiles = r.input(1), given_axis = r.input(2);
  const std::optional<std::vector<int64_t>> tiles = Counts(r, given_tiles), axis = Counts(r, given_axis);
  if ((tiles && tiles->size() != 1) || (axis && axis->size() != 1))
    return Refuse("its tiles and axis are not one count each");
  const int64_t rank = r.Rank(r.input(0));
  if (rank < 0) return Refuse("the rank of its input is not known");
  if (axis && ((*axis)[0] < 0 || (*axis)[0] >= rank))
    return Refuse(absl::StrCat("its axis ", (*axis)[0], " is out of range"));
  std::vector<int64_t> repeats(static_cast<size_t>(rank), 1);
  r.node().mutable_input()->RemoveLast();
  if (tiles && axis) {
    repeats[static_cast<size_t>((*axis)[0])] = (*tiles)[0];
    r.SetInput(1, r.AddInts(repeats));
    return absl::OkStatus();
  }
  // Whatever is not one number, or no axis, fails in the run.
  const std::string one = r.AddInts({1}), ones = r.AddInts(repeats);
  const std::string at = r.Before("Reshape", {r.Cast(given_axis, pb::TensorProto::INT64), one});
  const std::string times = r.Before("Reshape", {r.Cast(given_tiles, pb::TensorProto::INT64), one});
  r.SetInput(1, r.Before("ScatterElements", {ones, at, times}));
  return absl::OkStatus();
}

// The defaults got more digits.
absl::Status SeluDefaults(Rewriter& r) {
  for (const auto& [name, value] : {std::pair("alpha", 1.6732f), std::pair("gamma", 1.0507f)}) {
    if (r.attribute(name) != nullptr) continue;
    auto* a = r.node().add_attribute();
    a->set_name(name);
    a->set_type(pb::AttributeProto::FLOAT);
    a->set_f(value);
  }
  return absl::OkStatus();
}

// B was broadcast to A only on demand, from dimension `axis` of A on (default: B is a suffix of A).
absl::Status Broadcast(Rewriter& r) {
  const bool has_axis = r.attribute("axis") != nullptr;
  const int64_t broadcast = r.Int("broadcast", 0);
  int64_t axis = r.Int("axis", 0);
  r.Remove("axis");
  r.Remove("broadcast");
  if (broadcast == 0 || !has_axis) return absl::OkStatus();
  const int64_t a = r.Rank(r.input(0)), b = r.Rank(r.input(1));
  if (a < 0 || b < 0) return Refuse("it broadcasts along an axis, and the ranks of its inputs are not known");
  if (axis < -a || axis > a || (axis < 0 ? axis + a : axis) + b > a)
    return Refuse(
        absl::StrCat("its axis ", axis, " is out of range: ", b, " dimensions do not fit there into ", a));
  if (axis < 0) axis += a;
  std::vector<int64_t> axes;
  for (int64_t i = b; axis + i < a; ++i) axes.push_back(i);
  if (!axes.empty()) r.SetInput(1, r.Before("Unsqueeze", {r.input(1), r.AddInts(axes)}));
  return absl::OkStatus();
}

// The slope was one for each channel, whatever the rank.
absl::Status SlopePerChannel(Rewriter& r) {
  const int64_t x = r.Rank(r.input(0)), slope = r.Rank(r.input(1));
  if (slope == 0 || (slope == 1 && r.Dims(r.input(1))[0] == 1)) return absl::OkStatus();
  if (slope > 1 || (x >= 0 && x <= 2)) return absl::OkStatus();
  if (x < 0 || slope < 0) {
    // Extents of 1 behind the channels, as many as the rank leaves.
    std::string shape;
    if (x < 0) {
      const std::string rank = r.Before("Shape", {r.Before("Shape", {r.input(0)})});
      const std::string behind = r.Before("Max", {r.Before("Sub", {rank, r.AddInts({2})}), r.AddInts({0})});
      const std::string ones = r.Before("Expand", {r.AddInts({1}), behind});
      pb::NodeProto* concat = nullptr;
      shape = r.Before("Concat", {r.AddInts({-1}), ones}, &concat);
      pb::AttributeProto* axis = concat->add_attribute();
      axis->set_name("axis");
      axis->set_type(pb::AttributeProto::INT);
      axis->set_i(0);
    } else {
      std::vector<int64_t> extents(static_cast<size_t>(x - 1), 1);
      extents[0] = -1;
      shape = r.AddInts(extents);
    }
    r.SetInput(1, r.Before("Reshape", {r.input(1), shape}));
    return absl::OkStatus();
  }
  std::vector<int64_t> axes;
  for (int64_t i = 1; i + 1 < x; ++i) axes.push_back(i);
  r.SetInput(1, r.Before("Unsqueeze", {r.input(1), r.AddInts(axes)}));
  return absl::OkStatus();
}

absl::Status GemmBroadcast(Rewriter& r) {
  r.Remove("broadcast");
  return absl::OkStatus();
}

// Whether training or not was an attribute; here it is always inference, unless running statistics are asked
// for.
absl::Status NoTestMark(Rewriter& r) {
  r.Remove("is_test");
  return absl::OkStatus();
}

// Of BatchNormalization the mark counts where statistics are asked for. In test mode the running ones stay as
// they are, and those of a batch there are not.
absl::Status TestMode(Rewriter& r) {
  const bool test = r.Int("is_test", 0) != 0;
  r.Remove("is_test");
  if (!test) return absl::OkStatus();
  pb::NodeProto& node = r.node();
  for (int i = 3; i < node.output_size(); ++i)
    if (r.has_output(i) && r.IsUsed(node.output(i)))
      return Refuse(
          absl::StrCat("in test mode (is_test) it has no statistics of the batch, which its output '",
                       node.output(i), "' is"));
  for (int i = 1; i < 3; ++i)
    if (r.has_output(i)) r.After("Identity", {r.input(i + 2)}, node.output(i));
  while (node.output_size() > 1) node.mutable_output()->RemoveLast();
  return absl::OkStatus();
}

// spatial = 0 has a mean and variance for each element of a sample instead of each channel.
absl::Status BatchNormalizationSpatial(Rewriter& r) {
  const int64_t spatial = r.Int("spatial", 1);
  r.Remove("spatial");
  if (spatial != 0) return absl::OkStatus();
  for (int i = 1; i < r.node().output_size(); ++i)
    if (r.has_output(i)) return Refuse("spatial = 0 is not supported in training");
  const float epsilon = r.Float("epsilon", 1e-5f);
  const std::string x = r.input(0), scale = r.input(1), bias = r.input(2), mean = r.input(3),
                    variance = r.input(4);
  const std::string eps = r.Before("CastLike", {r.AddFloats({epsilon}, true), x});
  const std::string deviation = r.Before("Sqrt", {r.Before("Add", {variance, eps})});
  const std::string normal = r.Before("Div", {r.Before("Sub", {x, mean}), deviation});
  const std::string scaled = r.Before("Mul", {normal, scale});
  while (r.node().output_size() > 1) r.node().mutable_output()->RemoveLast();
  r.Become("Add", {scaled, bias});
  return absl::OkStatus();
}

absl::Status NoOutputSequence(Rewriter& r) {
  r.Remove("output_sequence");
  return absl::OkStatus();
}

// Scan-8 ran over samples of a batch, axis 0 of everything: a Scan over the batch whose body is the Scan
// proper.
absl::Status ScanBatch(Rewriter& r) {
  if (!r.input(0).empty())
    return Refuse("it gives the lengths of its sequences, which newer opsets don't have");
  pb::NodeProto& node = r.node();
  const auto* body = r.attribute("body");
  if (body == nullptr || !body->has_g()) return Refuse("it has no body");
  const int arguments = r.inputs() - 1;
  if (body->g().input_size() != arguments || body->g().output_size() != node.output_size())
    return Refuse("its body has other numbers of inputs or outputs than the node");
  pb::NodeProto inner = node;
  for (auto& a : *inner.mutable_attribute())
    if (a.name() == "directions") a.set_name("scan_input_directions");
  inner.clear_input();
  inner.clear_output();
  inner.set_name("");
  pb::GraphProto batch;
  batch.set_name("batch");
  std::vector<std::string> outer_inputs;
  const auto element = [](const pb::ValueInfoProto& from, pb::ValueInfoProto* to) {
    to->mutable_type()->mutable_tensor_type()->set_elem_type(from.type().tensor_type().elem_type());
  };
  for (int i = 0; i < arguments; ++i) {
    const std::string name = r.Fresh();
    inner.add_input(name);
    auto* formal = batch.add_input();
    formal->set_name(name);
    element(body->g().input(i), formal);
    outer_inputs.push_back(r.input(i + 1));
  }
  for (int i = 0; i < node.output_size(); ++i) {
    const std::string name = r.Fresh();
    inner.add_output(name);
    auto* formal = batch.add_output();
    formal->set_name(name);
    element(body->g().output(i), formal);
  }
  *batch.add_node() = std::move(inner);
  r.Become("Scan", outer_inputs);
  r.SetInt("num_scan_inputs", arguments);
  auto* a = node.add_attribute();
  a->set_name("body");
  a->set_type(pb::AttributeProto::GRAPH);
  *a->mutable_g() = std::move(batch);
  return absl::OkStatus();
}

// The mask had the type of the data.
absl::Status DropoutMask(Rewriter& r) {
  if (!r.has_output(1)) return absl::OkStatus();
  const std::string mask = r.node().output(1), made = r.Fresh();
  r.node().set_output(1, made);
  r.After("CastLike", {made, r.input(0)}, mask);
  return absl::OkStatus();
}

absl::Status SliceInputs(Rewriter& r) {
  const std::vector<int64_t> starts = r.Ints("starts"), ends = r.Ints("ends"), axes = r.Ints("axes");
  if (starts.size() != ends.size() || (!axes.empty() && axes.size() != starts.size()))
    return Refuse("its starts, ends and axes are not of one length");
  r.SetInput(1, r.AddInts(starts));
  r.SetInput(2, r.AddInts(ends));
  if (!axes.empty()) r.SetInput(3, r.AddInts(axes));
  for (const char* name : {"starts", "ends", "axes"}) r.Remove(name);
  return absl::OkStatus();
}

absl::Status TopKInput(Rewriter& r) {
  const int64_t k = r.Int("k", 0);
  r.Remove("k");
  r.SetInput(1, r.AddInts({k}));
  return absl::OkStatus();
}

constexpr AdapterEntry kEntries[] = {
    {"Concat", 4, ConcatAxis},
    {"Reshape", 5, ReshapeShape},
    {"Pad", 2, PadNames},
    {"Split", 2, SplitLengths},
    {"Cast", 6, CastType},
    {"LpPool", 2, IntegerNorm},
    {"GlobalLpPool", 2, IntegerNorm},
    {"Tile", 6, TileRepeats},
    {"Selu", 6, SeluDefaults},
    {"Add", 7, Broadcast},
    {"Sub", 7, Broadcast},
    {"Mul", 7, Broadcast},
    {"Div", 7, Broadcast},
    {"Pow", 7, Broadcast},
    {"And", 7, Broadcast},
    {"Or", 7, Broadcast},
    {"Xor", 7, Broadcast},
    {"Equal", 7, Broadcast},
    {"Greater", 7, Broadcast},
    {"Less", 7, Broadcast},
    {"PRelu", 7, SlopePerChannel},
    {"Gemm", 7, GemmBroadcast},
    {"BatchNormalization", 7, TestMode},
    {"BatchNormalization", 9, BatchNormalizationSpatial},
    {"Dropout", 7, NoTestMark},
    {"Dropout", 10, DropoutMask},
    {"RNN", 7, NoOutputSequence},
    {"GRU", 7, NoOutputSequence},
    {"LSTM", 7, NoOutputSequence},
    {"Scan", 9, ScanBatch},
    {"Slice", 10, SliceInputs},
    {"TopK", 10, TopKInput},
};

}  // namespace

absl::Span<const AdapterEntry> EarlyAdapters() { return kEntries; }

}  // namespace braid::loader
