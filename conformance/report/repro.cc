// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/repro.h"

#include <braid/graph.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <type_traits>

#include "conformance/case/proto.h"
#include "conformance/case/schema.h"
#include "conformance/oracle/oracle.h"
#include "conformance/report/report.h"
#include "onnx/onnx-data.pb.h"
#include "onnx/onnx_pb.h"
#include "plugins/reference/ops/convert.h"
#include "plugins/reference/ops/op.h"

namespace braid::conformance {
namespace {

namespace fs = std::filesystem;
namespace pb = ONNX_NAMESPACE;
using Json = nlohmann::ordered_json;

void Fill(const Value& value, pb::SequenceProto* out);

void Fill(const Value& value, pb::MapProto* out) {
  const Tensor& keys = value.items.at(0).tensor;
  out->set_key_type(keys.type());
  if (keys.type() == reference::kString)
    for (int64_t i = 0; i < keys.size(); ++i) out->add_string_keys(keys.data<std::string>()[i]);
  else
    for (const int64_t key : keys.AsInts()) out->add_keys(key);
  const Value& values = value.items.at(1);
  if (values.kind != GRAPH_TENSOR) return Fill(values, out->mutable_values());
  // A sequence of scalars.
  out->mutable_values()->set_elem_type(pb::SequenceProto::TENSOR);
  reference::DispatchIn<reference::kAllTypes>(values.tensor.type(), [&]<class T>() {
    for (int64_t i = 0; i < values.tensor.size(); ++i) {
      Tensor scalar(values.tensor.type(), {});
      scalar.data<T>()[0] = values.tensor.data<T>()[i];
      SetTensor(scalar, out->mutable_values()->add_tensor_values());
    }
  });
}

void Fill(const Value& value, pb::SequenceProto* out) {
  const bool maps = !value.items.empty() && value.items[0].kind == GRAPH_MAP;
  out->set_elem_type(maps ? pb::SequenceProto::MAP : pb::SequenceProto::TENSOR);
  for (const Value& item : value.items) {
    if (maps)
      Fill(item, out->add_map_values());
    else
      SetTensor(item.tensor, out->add_tensor_values());
  }
}

void Fill(const Value& value, pb::OptionalProto* out) {
  const Value* item = value.items.empty() ? nullptr : &value.items[0];
  if (item != nullptr && item->kind == GRAPH_SEQUENCE) {
    out->set_elem_type(pb::OptionalProto::SEQUENCE);
    Fill(*item, out->mutable_sequence_value());
  } else {
    out->set_elem_type(pb::OptionalProto::TENSOR);
    if (item != nullptr) SetTensor(item->tensor, out->mutable_tensor_value());
  }
}

std::string PbOf(const Tensor& tensor) {
  pb::TensorProto proto;
  SetTensor(tensor, &proto);
  return proto.SerializeAsString();
}

template <class Proto>
std::string Serialized(const Value& value) {
  Proto proto;
  Fill(value, &proto);
  return proto.SerializeAsString();
}

// As the .pb files of ONNX's test cases.
std::string PbOf(const Value& value) {
  switch (value.kind) {
    case GRAPH_TENSOR:
      return PbOf(value.tensor);
    case GRAPH_SEQUENCE:
      return Serialized<pb::SequenceProto>(value);
    case GRAPH_OPTIONAL:
      return Serialized<pb::OptionalProto>(value);
    case GRAPH_MAP:
      return Serialized<pb::MapProto>(value);
    default:
      throw std::runtime_error("a value of this kind has no file");
  }
}

// What the oracle expects, in the type of the output.
Value Rounded(const Expected& e) {
  if (e.is_exact) return e.exact;
  Tensor out(e.type, e.value.dims());
  reference::DispatchIn<reference::kAllTypes>(e.type, [&]<class T>() {
    for (int64_t i = 0; i < out.size(); ++i) {
      const double v = e.value.data<double>()[i];
      if constexpr (std::is_integral_v<T>)
        out.data<T>()[i] = reference::FromDouble<T>(v, true);
      else if constexpr (requires { static_cast<T>(v); } && !std::is_same_v<T, std::string>)
        out.data<T>()[i] = static_cast<T>(v);
      else
        throw std::runtime_error("an output of type " + ElementTypeText(e.type) + " has no bounds");
    }
  });
  return Value(out);
}

Json Number(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v > 0 ? "inf" : "-inf";
  return v;
}

// An element of an output's file, and how far another's may be off from it.
struct Allowed {
  double value, off;
};

// Adds what is known of an output to `out`, and of its elements to `allowed`.
void Describe(const Expected& e, const Value& rounded, const std::string& name, Json* out,
              std::vector<Allowed>* allowed) {
  Json output = {
      {"name", name}, {"type", ElementTypeText(e.type)}, {"basis", e.basis}, {"exact", e.is_exact}};
  if (!e.is_exact) {
    output["shape"] = e.value.dims();
    output["values"] = output["bounds"] = Json::array();
    for (int64_t i = 0; i < e.value.size(); ++i) {
      const double r = e.value.data<double>()[i], bound = e.bound.data<double>()[i];
      output["values"].push_back(Number(r));
      output["bounds"].push_back(Number(bound));
      const double value = rounded.tensor.AsDouble(i), off = std::fabs(value - r) + bound;
      if (std::isfinite(off)) allowed->push_back({std::fabs(value), off});
    }
  }
  out->push_back(std::move(output));
}

// The tightest atol + rtol |value| that allows all elements as much as they may be off.
Json Tolerance(const std::vector<Allowed>& allowed) {
  constexpr size_t kTried = 64;
  std::vector<double> shares = {0};
  for (const Allowed& a : allowed)
    if (a.value > 0) shares.push_back(a.off / a.value);
  std::sort(shares.begin(), shares.end());
  double best = std::numeric_limits<double>::infinity(), rtol = 0, atol = 0;
  for (size_t i = 0; i < kTried; ++i) {
    const double r = shares[i * (shares.size() - 1) / (kTried - 1)];
    double a = 0, sum = 0;
    for (const Allowed& element : allowed) a = std::max(a, element.off - r * element.value);
    for (const Allowed& element : allowed) sum += a + r * element.value;
    if (sum >= best) continue;
    best = sum, rtol = r, atol = a;
  }
  // Up, so that nothing is lost by rounding.
  return {{"rtol", rtol * (1 + 0x1p-40)}, {"atol", atol * (1 + 0x1p-40)}};
}

class Folder {
 public:
  explicit Folder(const std::string& path) : root_(path) { fs::create_directories(root_); }
  void Write(const std::string& name, const std::string& bytes) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream out(root_ / name, std::ios::binary);
    out << bytes;
    out.close();
    if (!out) throw std::runtime_error((root_ / name).string() + ": can't be written");
    names_.push_back(name);
  }
  const std::vector<std::string>& names() const { return names_; }

 private:
  fs::path root_;
  std::vector<std::string> names_;
};

std::string ReadMe(const std::string& id, const BuiltCase& built) {
  std::string inputs;
  for (size_t i = 0; i < built.runs[0].size(); ++i)
    inputs += fmt::format("{}\"{}\"", inputs.empty() ? "" : ", ", built.runs[0][i].name);
  return fmt::format(R"(A case of Braid's conformance suite {}:

  {}

model.onnx                     the model
test_data_set_K/input_J.pb     the inputs of run K, in the order of the model's
test_data_set_K/output_J.pb    what the oracle expects, rounded to the output's type
bounds.json                    the expected values in double, and how far each element may be off
data.json                      one tolerance that is no tighter than any of the bounds

With Braid, judged by the bounds (the first line) and by the tolerance of data.json:

  braid conformance --device DEVICE --level full --filter {}
  braid verify . --device DEVICE

For a plugin that is not installed, --plugin PATH in place of --device DEVICE in the first, and for the second
its manifest's folder in BRAID_PLUGIN_PATH.

With ONNX Runtime (pip install onnxruntime onnx), for inputs and outputs that are tensors:

  import numpy, onnx, onnxruntime
  def read(path):
      tensor = onnx.TensorProto()
      tensor.ParseFromString(open(path, "rb").read())
      return onnx.numpy_helper.to_array(tensor)
  session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
  names = [{}]
  inputs = {{name: read(f"test_data_set_0/input_{{i}}.pb") for i, name in enumerate(names)}}
  for i, output in enumerate(session.run(None, inputs)):
      print(output, numpy.abs(output.astype("f8") - read(f"test_data_set_0/output_{{i}}.pb").astype("f8")).max())
)",
                     graph_version(), id, ShellWord(id), inputs);
}

}  // namespace

std::vector<std::string> WriteRepro(const std::string& id, const BuiltCase& built, const std::string& path) {
  Folder folder(path);
  folder.Write("model.onnx", built.model);
  Json bounds = {{"case", id}, {"runs", Json::array()}};
  std::vector<Allowed> allowed;
  for (size_t run = 0; run < built.runs.size(); ++run) {
    const std::string set = fmt::format("test_data_set_{}/", run);
    for (size_t i = 0; i < built.runs[run].size(); ++i)
      folder.Write(fmt::format("{}input_{}.pb", set, i), PbOf(built.runs[run][i].value));
    const std::vector<Expected> expected = Expect(built, run);
    Json outputs = Json::array();
    for (size_t i = 0; i < expected.size(); ++i) {
      const Value rounded = Rounded(expected[i]);
      folder.Write(fmt::format("{}output_{}.pb", set, i), PbOf(rounded));
      Describe(expected[i], rounded, built.outputs[i], &outputs, &allowed);
    }
    bounds["runs"].push_back({{"outputs", std::move(outputs)}});
  }
  folder.Write("bounds.json", bounds.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  folder.Write("data.json", Tolerance(allowed).dump() + "\n");
  folder.Write("README.txt", ReadMe(id, built));
  return folder.names();
}

}  // namespace braid::conformance
