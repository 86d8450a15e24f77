// SPDX-License-Identifier: Apache-2.0
//
// What nobody should ask of an operator, through the API and on each kind of device: each is a clear error or
// the result that the specification gives, in bounded time and memory. Every model runs twice, with its data
// as constants and with the same data as graph inputs. The numbers are those of docs/reference/bad-inputs.md;
// what is wrong with a model's file is in core/onnx/bad_inputs_test.cc.
#include <braid/graph.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "onnx/defs/parser.h"
#include "onnx/defs/tensor_proto_util.h"
#include "onnx/onnx_pb.h"
#include "tests/model.h"

namespace braid::testing {
namespace {

namespace pb = ONNX_NAMESPACE;

// In KiB; 0 where the system does not tell.
int64_t PeakMemory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0) return std::strtoll(line.c_str() + 6, nullptr, 10);
  return 0;
}

pb::ModelProto Parsed(const std::string& text, int opset) {
  pb::ModelProto model;
  const std::string header =
      "<ir_version: 10, opset_import: [\"\" : " + std::to_string(opset) + ", \"ai.onnx.ml\" : 4]> ";
  const auto status = pb::OnnxParser::Parse(model, (header + text).c_str());
  EXPECT_TRUE(status.IsOK()) << status.ErrorMessage() << "\n" << text;
  return model;
}

size_t BytesOf(int32_t type) {
  switch (type) {
    case GRAPH_DOUBLE:
    case GRAPH_INT64:
    case GRAPH_UINT64:
      return 8;
    case GRAPH_FLOAT:
    case GRAPH_INT32:
    case GRAPH_UINT32:
      return 4;
    case GRAPH_FLOAT16:
    case GRAPH_INT16:
    case GRAPH_UINT16:
      return 2;
    default:
      return 1;
  }
}

// Elements as a graph_tensor has them.
std::string Elements(const pb::TensorProto& t) {
  const auto as = [](auto values) {
    return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof values[0]);
  };
  switch (t.data_type()) {
    case pb::TensorProto::FLOAT:
      return as(pb::ParseData<float>(&t));
    case pb::TensorProto::DOUBLE:
      return as(pb::ParseData<double>(&t));
    case pb::TensorProto::INT64:
      return as(pb::ParseData<int64_t>(&t));
    case pb::TensorProto::INT32:
      return as(pb::ParseData<int32_t>(&t));
    default:
      break;
  }
  std::string bytes;
  const auto append = [&](uint64_t v) {
    bytes.append(reinterpret_cast<const char*>(&v), BytesOf(t.data_type()));  // little-endian
  };
  for (const int32_t v : t.int32_data()) append(static_cast<uint64_t>(v));
  for (const uint64_t v : t.uint64_data()) append(v);
  return bytes;
}

struct Outcome {
  graph_status status = GRAPH_OK;
  std::string error;
  std::string data;  // of the first output
  std::vector<int64_t> dims;
};

// Loads and runs it. The graph's inputs are zero, an unknown extent of theirs is 2; with `as_inputs`, its
// initializers are given as inputs.
Outcome RunOnce(pb::ModelProto model, const std::string& device, bool as_inputs) {
  struct Given {
    std::string name, data;
    int32_t type;
    std::vector<int64_t> dims;
  };
  std::vector<Given> given;
  pb::GraphProto& g = *model.mutable_graph();
  for (const auto& input : g.input()) {
    const auto& type = input.type().tensor_type();
    Given in{input.name(), "", type.elem_type(), {}};
    size_t elements = 1;
    for (const auto& d : type.shape().dim()) {
      in.dims.push_back(d.has_dim_value() ? d.dim_value() : 2);
      elements *= static_cast<size_t>(in.dims.back());
    }
    in.data.assign(elements * BytesOf(in.type), '\0');
    given.push_back(in);
  }
  if (as_inputs) {
    for (const auto& t : g.initializer()) {
      Given in{t.name(), Elements(t), t.data_type(), {t.dims().begin(), t.dims().end()}};
      given.push_back(in);
      auto* input = g.add_input();
      input->set_name(t.name());
      input->mutable_type()->mutable_tensor_type()->set_elem_type(t.data_type());
      auto* shape = input->mutable_type()->mutable_tensor_type()->mutable_shape();
      for (const int64_t d : t.dims()) shape->add_dim()->set_dim_value(d);
    }
    g.clear_initializer();
  }
  const std::string bytes = model.SerializeAsString();
  graph_options options = GRAPH_OPTIONS_INIT;
  options.devices = device.c_str();
  graph_t* graph = nullptr;
  Outcome outcome;
  outcome.status = graph_load_memory(bytes.data(), bytes.size(), &options, &graph);
  if (outcome.status != GRAPH_OK) {
    outcome.error = graph_last_error();
    return outcome;
  }
  GraphPtr owner(graph);
  std::vector<graph_tensor> inputs;
  for (Given& in : given) {
    graph_tensor t = GRAPH_TENSOR_INIT;
    t.name = in.name.c_str();
    t.type = in.type;
    t.rank = static_cast<int32_t>(in.dims.size());
    std::copy(in.dims.begin(), in.dims.end(), t.dims);
    t.bytes = in.data.size();
    t.data = in.data.data();
    inputs.push_back(t);
  }
  graph_tensor out = GRAPH_TENSOR_INIT;
  outcome.status = graph_run(graph, inputs.data(), static_cast<uint32_t>(inputs.size()), &out, 1);
  outcome.error = graph_last_error();
  if (outcome.status == GRAPH_OK) {
    outcome.dims.assign(out.dims, out.dims + out.rank);
    outcome.data.assign(static_cast<const char*>(out.data), out.bytes);
    graph_tensor_release(&out);
  }
  return outcome;
}

// The simulated device is there only where it is asked for.
const bool simulated = setenv("BRAID_SIM", "1", 0) == 0;
constexpr const char* kDevices[] = {"reference", "sim"};

// One line that names the operator, within two seconds and 256 MiB.
void Refused(const std::string& model, int opset = 21) {
  const pb::ModelProto parsed = Parsed(model, opset);
  const std::string op = parsed.graph().node(parsed.graph().node_size() - 1).op_type();
  for (const char* device : kDevices)
    for (const bool as_inputs : {false, true}) {
      std::ofstream("/proc/self/clear_refs") << "5";
      const int64_t before = PeakMemory();
      const auto start = std::chrono::steady_clock::now();
      const Outcome outcome = RunOnce(parsed, device, as_inputs);
      EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2)) << model;
      EXPECT_LT(PeakMemory() - before, 256 << 10) << model;
      EXPECT_TRUE(outcome.status == GRAPH_INVALID_ARGUMENT || outcome.status == GRAPH_OUT_OF_MEMORY ||
                  outcome.status == GRAPH_UNSUPPORTED)
          << graph_status_name(outcome.status) << ": " << model << ": " << outcome.error;
      EXPECT_THAT(outcome.error, ::testing::AnyOf(::testing::HasSubstr(op), ::testing::HasSubstr("'y'")))
          << model;
      EXPECT_EQ(outcome.error.find('\n'), std::string::npos) << outcome.error;
    }
}

// Its first output is `values`, of whatever type those are.
template <class T>
void Gives(const std::string& model, const std::vector<int64_t>& dims, const std::vector<T>& values,
           int opset = 21) {
  for (const char* device : kDevices)
    for (const bool as_inputs : {false, true}) {
      const Outcome outcome = RunOnce(Parsed(model, opset), device, as_inputs);
      EXPECT_EQ(outcome.status, GRAPH_OK) << model << ": " << outcome.error;
      EXPECT_EQ(outcome.dims, dims) << model;
      std::vector<T> found(outcome.data.size() / sizeof(T));
      if (!found.empty()) std::memcpy(found.data(), outcome.data.data(), outcome.data.size());
      EXPECT_EQ(found, values) << model;
    }
}

TEST(BadInputs, N01IntegerDivision) {
  for (const char* model : {"g (int32[2] x) => (int32[2] y) <int32[2] a = {-2147483648, 7}, int32[2] b = "
                            "{-1, 0}> { y = Div(a, b) }",
                            "g (int32[2] x) => (int32[2] y) <int32[2] a = {-2147483648, 7}, int32[2] b = "
                            "{-1, 0}> { y = Mod(a, b) }",
                            "g (int64[2] x) => (int64[2] y) <int64[2] a = {-9223372036854775808, 7}, "
                            "int64[2] b = {-1, 0}> { y = Div(a, b) }",
                            "g (int64[2] x) => (int64[2] y) <int64[2] a = {-9223372036854775808, 7}, "
                            "int64[2] b = {-1, 0}> { y = Mod<fmod=1>(a, b) }"})
    Refused(model);
  const int32_t least = INT32_MIN;
  Gives<int32_t>(
      "g (int32[2] x) => (int32[2] y) <int32[2] a = {-2147483648, 7}, int32[2] b = {-1, -1}> { y = Div(a, b) "
      "}",
      {2}, {least, -7});
  Gives<int32_t>(
      "g (int32[2] x) => (int32[2] y) <int32[2] a = {-2147483648, 7}, int32[2] b = {-1, 4}> { y = Mod(a, b) "
      "}",
      {2}, {0, 3});
  Gives<int8_t>(
      "g (int8[2] x) => (int8[2] y) <int8[2] a = {-128, 7}, int8[2] b = {-1, -2}> { y = Div(a, b) }", {2},
      {-128, -3});
  Gives<uint32_t>(
      "g (uint32[2] x) => (uint32[2] y) <uint32[2] a = {5, 7}, uint32[2] b = {32, 4000000000}> { y = "
      "BitShift<direction=\"LEFT\">(a, b) }",
      {2}, {0, 0});
  Gives<uint8_t>(
      "g (uint8[2] x) => (uint8[2] y) <uint8[2] a = {5, 7}, uint8[2] b = {8, 200}> { y = "
      "BitShift<direction=\"RIGHT\">(a, b) }",
      {2}, {0, 0});
}

TEST(BadInputs, N06AxesBeyondTheRank) {
  for (const char* model :
       {"g (float[2,3] x) => (float[A] y) <int64[1] a = {-9223372036854775808}> { y = ReduceSum(x, a) }",
        "g (float[2,3] x) => (float[A] y) <int64[1] a = {2}> { y = ReduceSum(x, a) }",
        "g (float[2,3] x) => (float[A] y) <int64[2] a = {0, -2}> { y = ReduceSum(x, a) }",
        "g (float[2,3] x) => (float[A] y) <int64[1] a = {-9223372036854775808}> { y = Squeeze(x, a) }",
        "g (float[2,3] x) => (float[A,B] y) <int64[1] s = {0}, int64[1] e = {1}, int64[1] a = "
        "{-9223372036854775808}> { y = Slice(x, s, e, a) }",
        "g (float[2,3] x) => (float[A,B] y) <int64 a = {-9223372036854775808}> { y = CumSum(x, a) }",
        "g (float[2,3] x) => (float[A,B] y) { y = Transpose<perm=[0,0]>(x) }",
        "g (float[2,3] x) => (float[A,B] y) { y = Transpose<perm=[0,9223372036854775807]>(x) }",
        "g (float[2,3] x) => (float[A,B] y) { y = Flatten<axis=-9223372036854775808>(x) }",
        "g (float[2,3] x) => (float[A,B] y) <int64[1] i={0}, int64[1] u={0}> { y = Compress<axis=5>(x, i) }"})
    Refused(model);
}

TEST(BadInputs, N07AbsurdSizes) {
  for (const char* model :
       {"g (float[2,3] x) => (float[A,B] y) <int64[4] p = {0, 0, 0, 1099511627776}> { y = Pad(x, p) }",
        "g (float[2,3] x) => (float[A,B] y) <int64[4] p = {0, 0, 0, -1099511627776}> { y = Pad(x, p) }",
        "g (float[2,3] x) => (float[A,B] y) <int64[4] p = {9223372036854775807, 0, 9223372036854775807, 0}> "
        "{ y = Pad(x, p) }",
        "g (float[2,3] x) => (float[A,B] y) <int64[2] p = {1099511627776, 1}> { y = Tile(x, p) }",
        "g (float[2,3] x) => (float[A,B] y) <int64[2] p = {9223372036854775807, 9223372036854775807}> { y = "
        "Tile(x, p) }",
        "g (float[2,3] x) => (float[A,B] y) <int64[2] p = {-1, 1}> { y = Tile(x, p) }",
        "g (float[2,1] x) => (float[A,B] y) <int64[2] p = {2, 1099511627776}> { y = Expand(x, p) }",
        "g (float[2,1] x) => (float[A,B] y) <int64[2] p = {3, 2}> { y = Expand(x, p) }",
        "g (float[2,1] x) => (float[A,B] y) <int64[2] p = {-3, 2}> { y = Expand(x, p) }",
        "g (float[2] x) => (float[A,B] y) <int64[2] p = {1099511627776, 2}> { y = ConstantOfShape(p) }",
        "g (float[2] x) => (float[A,B] y) <int64[2] p = {-1, 2}> { y = ConstantOfShape(p) }",
        "g (float[2] x) => (float[A,B] y) <int64[2] p = {4294967296, 4294967296}> { y = ConstantOfShape(p) }",
        "g (float[1,1,2,2] x) => (float[A,B,C,D] y) <float[4] s = {1, 1, 1e30, 1}> { y = Resize(x, , s) }",
        "g (float[1,1,2,2] x) => (float[A,B,C,D] y) <float[4] s = {1, 1, 0, 1}> { y = Resize(x, , s) }",
        "g (float[1,1,2,2] x) => (float[A,B,C,D] y) <float[4] s = {1, 1, -2, 1}> { y = Resize(x, , s) }",
        "g (float[1,1,2,2] x) => (float[A,B,C,D] y) <float[1] z = {0}, float[3] s = {1, 1, 1}> { n = Div(z, "
        "z) t = Concat<axis=0>(s, n) y = Resize(x, , t) }",
        "g (float[1,1,2,2] x) => (float[A,B,C,D] y) <int64[4] s = {1, 1, 1099511627776, 1}> { y = Resize(x, "
        ", , s) }",
        "g (float[1,1,2,2] x) => (float[A,B,C,D] y) <int64[4] s = {1, 1, -1, 1}> { y = Resize(x, , , s) }",
        "g (float[1,1,2,2] x) => (float[A,B,C,D] y) <int64[3] s = {1, 1, 1}> { y = Resize(x, , , s) }",
        "g (float[2] x) => (float[A,B] y) <int64[2] i = {0, 1}, int64 d = {1099511627776}, float[2] v = {0, "
        "1}> { y = OneHot(i, d, v) }",
        "g (float[2] x) => (float[A,B] y) <int64[2] i = {0, 1}, int64 d = {-1}, float[2] v = {0, 1}> { y = "
        "OneHot(i, d, v) }",
        "g (float[2,3] x) => (float[A,B] y) <int64[2] s = {-1,-1}> { y = Reshape(x, s) }",
        "g (float[2,3] x) => (float[A,B] y) <int64[2] s = {4,2}> { y = Reshape(x, s) }",
        "g (float[2,3] x) => (float[A,B] y) <int64[2] s = {4294967296,4294967296}> { y = Reshape(x, s) }",
        "g (float[2,3] x) => (float[A,B] y) <int64[3] s = {0,0,0}> { y = Reshape(x, s) }",
        "g (float[0,3] x) => (float[A,B] y) <int64[2] s = {0,-1}> { y = Reshape<allowzero=1>(x, s) }",
        "g (float[1,3,2,2] x) => (float[A,B,C,D] y) { y = DepthToSpace<blocksize=0>(x) }",
        "g (float[1,3,2,2] x) => (float[A,B,C,D] y) { y = DepthToSpace<blocksize=2>(x) }",
        "g (float[1,3,2,2] x) => (float[A,B,C,D] y) { y = SpaceToDepth<blocksize=9223372036854775807>(x) }",
        "g (float[1,3] x) => (int64[A,B] y) { y = Multinomial<sample_size=1099511627776>(x) }",
        "g (float[1,3] x) => (float[A] y) { y = RandomNormal<shape=[1099511627776]>() }",
        "g (float[1,3] x) => (float[A,B] y) <int64[1] w={-1}> { y = CenterCropPad<axes=[0]>(x, w) }",
        "g (float[1,3] x) => (float[A,B] y) <int64[2] w={1,1099511627776}> { y = CenterCropPad(x, w) }"})
    Refused(model);
  // What lies outside is neither.
  Gives<float>(
      "g (float[2] x) => (float[A,B] y) <int64[2] i = {-9223372036854775808, 9223372036854775807}, int64 d = "
      "{2}, float[2] v = {3, 5}> { y = OneHot(i, d, v) }",
      {2, 2}, {3, 3, 3, 3});
}

// Which node makes which value of which shape, and what it takes, once.
TEST(BadInputs, N07WhatIsTooLargeIsNamed) {
  const auto refused = [](const std::string& model, bool as_inputs, const std::vector<std::string>& parts) {
    const Outcome outcome = RunOnce(Parsed(model, 21), "reference", as_inputs);
    EXPECT_EQ(outcome.status, GRAPH_OUT_OF_MEMORY) << model << ": " << outcome.error;
    for (const std::string& part : parts) {
      const size_t at = outcome.error.find(part);
      EXPECT_NE(at, std::string::npos) << part << " in " << outcome.error;
      EXPECT_EQ(outcome.error.find(part, at + 1), std::string::npos) << part << " in " << outcome.error;
    }
  };
  refused("g (float[1] x) => (float[A,B] y) <int64[2] s = {1000000, 1000000000}> { y = Expand(x, s) }", false,
          {"out of host memory", "Expand of 'y': 'y' float32[1000000,1000000000]", "4000000000000000 bytes"});
  refused("g (float[1] x) => (float[A] y) <int64[1] s = {10000000000}> { t = Expand(x, s) y = Neg(t) }",
          false, {"out of host memory", "Neg of 'y': 'y' float32[10000000000]", "40000000000 bytes"});
  refused("g (float[1] x) => (float[A] y) <int64 s = {4611686018427387904}> { y = HannWindow(s) }", false,
          {"out of host memory", "HannWindow of 'y': 'y' float32[4611686018427387904]", "can be counted"});
  refused("g (float[1] x) => (float[A] y) <int64[1] s = {1000000000000}> { t = Expand(x, s) y = Neg(t) }",
          true, {"Expand of 't'", "float32[1000000000000]"});
}

TEST(BadInputs, N13ConvolutionsAndPooling) {
  std::string ones = "1";
  for (int i = 1; i < 144; ++i) ones += ",1";
  const std::string w = "<float[4,4,3,3] w = {" + ones + "}>";
  for (const std::string& model :
       {"g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = Conv<group = 0>(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = Conv<group = -1>(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = Conv<group = 3>(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = Conv<strides = [0, 0]>(x, w) }",
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = MaxPool<strides = [0, 0], "
                    "kernel_shape=[3,3]>(x) }"),
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = AveragePool<strides = [0, 0], "
                    "kernel_shape=[3,3]>(x) }"),
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = Conv<strides = [-1, 1]>(x, w) }",
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = MaxPool<strides = [-1, 1], "
                    "kernel_shape=[3,3]>(x) }"),
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = AveragePool<strides = [-1, 1], "
                    "kernel_shape=[3,3]>(x) }"),
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = Conv<dilations = [0, 0]>(x, w) }",
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = MaxPool<dilations = [0, 0], "
                    "kernel_shape=[3,3]>(x) }"),
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = AveragePool<dilations = [0, 0], "
                    "kernel_shape=[3,3]>(x) }"),
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w +
            " { y = Conv<dilations = [9223372036854775807, 1]>(x, w) }",
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = MaxPool<dilations = "
                    "[9223372036854775807, 1], kernel_shape=[3,3]>(x) }"),
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = AveragePool<dilations = "
                    "[9223372036854775807, 1], kernel_shape=[3,3]>(x) }"),
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w +
            " { y = Conv<pads = [9223372036854775807, 0, 9223372036854775807, 0]>(x, w) }",
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = MaxPool<pads = [9223372036854775807, "
                    "0, 9223372036854775807, 0], kernel_shape=[3,3]>(x) }"),
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = AveragePool<pads = "
                    "[9223372036854775807, 0, 9223372036854775807, 0], kernel_shape=[3,3]>(x) }"),
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = Conv<pads = [-9, 0, 0, 0]>(x, w) }",
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = MaxPool<pads = [-9, 0, 0, 0], "
                    "kernel_shape=[3,3]>(x) }"),
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = AveragePool<pads = [-9, 0, 0, 0], "
                    "kernel_shape=[3,3]>(x) }"),
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = Conv<pads=[1099511627776,0,0,0]>(x, w) }",
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = MaxPool<pads=[1099511627776,0,0,0], "
                    "kernel_shape=[3,3]>(x) }"),
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = "
                    "AveragePool<pads=[1099511627776,0,0,0], kernel_shape=[3,3]>(x) }"),
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = Conv<kernel_shape = [0, 0]>(x, w) }",
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = MaxPool<kernel_shape = [0, 0]>(x) }"),
        std::string(
            "g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = AveragePool<kernel_shape = [0, 0]>(x) }"),
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = Conv<kernel_shape = [9, 9]>(x, w) }",
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = MaxPool<kernel_shape = [9, 9]>(x) }"),
        std::string(
            "g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = AveragePool<kernel_shape = [9, 9]>(x) }"),
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = Conv<strides = [1]>(x, w) }",
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = MaxPool<strides = [1], "
                    "kernel_shape=[3,3]>(x) }"),
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = AveragePool<strides = [1], "
                    "kernel_shape=[3,3]>(x) }"),
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = Conv<pads = [1]>(x, w) }",
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = MaxPool<pads = [1], "
                    "kernel_shape=[3,3]>(x) }"),
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = AveragePool<pads = [1], "
                    "kernel_shape=[3,3]>(x) }"),
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = Conv<auto_pad = \"NOWHERE\">(x, w) }",
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = MaxPool<auto_pad = \"NOWHERE\", "
                    "kernel_shape=[3,3]>(x) }"),
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = AveragePool<auto_pad = \"NOWHERE\", "
                    "kernel_shape=[3,3]>(x) }"),
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w +
            " { y = Conv<strides=[9223372036854775807,1]>(x, w) }",
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = "
                    "MaxPool<strides=[9223372036854775807,1], kernel_shape=[3,3]>(x) }"),
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) { y = "
                    "AveragePool<strides=[9223372036854775807,1], kernel_shape=[3,3]>(x) }"),
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) <float[4,3,1,1] w = "
                    "{1,1,1,1,1,1,1,1,1,1,1,1}> { y = Conv(x, w) }"),
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) <float[4,4,1,1,1] w = "
                    "{1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}> { y = Conv(x, w) }"),
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) <float[4,4,1,1] w = "
                    "{1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}, float[3] b={1,1,1}> { y = Conv(x, w, b) }"),
        std::string("g (float[1,3,2,2] x) => (float[A,B,C,D] y) { y = LRN<size=-1>(x) }"),
        std::string("g (float[1,3,2,2] x) => (float[A,B,C,D] y) <float[2] s={1,1}, float[2] b={0,0}> { y = "
                    "GroupNormalization<num_groups=2>(x,s,b) }"),
        std::string("g (float[1,3,2,2] x) => (float[A,B,C,D] y) <float[3] s={1,1,1}, float[3] b={0,0,0}> { y "
                    "= GroupNormalization<num_groups=0>(x,s,b) }"),
        std::string(
            "g (float[2,3] x) => (float[A,B] y) <float[2] s={1,1}> { y = LayerNormalization(x, s) }")})
    Refused(model);
}

TEST(BadInputs, N13ConvolutionsAndPoolingOfNothing) {
  for (const std::string model :
       {"g (float[1,1,5,0] x) => (float[A,B,C,D] y) { y = MaxPool<auto_pad = \"SAME_UPPER\", kernel_shape = "
        "[3, 3], strides = [2, 2]>(x) }",
        "g (float[1,1,5,0] x) => (float[A,B,C,D] y, int64[A,B,C,D] i) { y, i = MaxPool<auto_pad = "
        "\"SAME_LOWER\", kernel_shape = [3, 3], strides = [2, 2]>(x) }",
        "g (float[1,1,5,0] x) => (float[A,B,C,D] y) { y = AveragePool<auto_pad = \"SAME_UPPER\", "
        "kernel_shape "
        "= [3, 3], strides = [2, 2]>(x) }",
        "g (float[1,1,5,0] x) => (float[A,B,C,D] y) { y = LpPool<auto_pad = \"SAME_UPPER\", kernel_shape = "
        "[3, 3], strides = [2, 2]>(x) }",
        "g (float[1,1,5,0] x) => (float[A,B,C,D] y) <float[1,1,1,1] w = {1}> { y = "
        "Conv<auto_pad = "
        "\"SAME_UPPER\", strides = [2, 2]>(x, w) }"})
    Gives<float>(model, {1, 1, 3, 0}, {});
}

TEST(BadInputs, N14IndicesOutOfRange) {
  for (const char* model :
       {"g (float[5] x) => (float[A] y) <int64[1] i = {-9223372036854775808}> { y = Gather(x, i) }",
        "g (float[5] x) => (float[A] y) <int64[1] i = {-9223372036854775808}> { y = GatherElements(x, i) }",
        "g (float[5] x) => (float[A] y) <int64[1,1] i = {-9223372036854775808}> { y = GatherND(x, i) }",
        "g (float[5] x) => (float[A] y) <int64[1] i = {-9223372036854775808}, float[1] u={1}> { y = "
        "ScatterElements(x, i, u) }",
        "g (float[5] x) => (float[A] y) <int64[1,1] i = {-9223372036854775808}, float[1] u={1}> { y = "
        "ScatterND(x, i, u) }",
        "g (float[1,1,2,2] x) => (float[A,B,C,D] y) <int64[1,1,1,1] i = {-9223372036854775808}, "
        "float[1,1,1,1] u={1}> { y = MaxUnpool<kernel_shape=[2,2],strides=[2,2]>(u, i) }",
        "g (float[1,3] x) => (float y) <int64[1] i = {-9223372036854775808}> { y = "
        "NegativeLogLikelihoodLoss(x, i) }",
        "g (float[1,3] x) => (float y) <int64[1] i = {-9223372036854775808}> { y = "
        "SoftmaxCrossEntropyLoss(x, i) }",
        "g (float[2,3] x) => (float[A,B] y, int64[A,B] z) <int64[1] i = {-9223372036854775808}> { y,z = "
        "TopK(x, i) }",
        "g (float[1,1,4,4] x) => (float[A,B,C,D] y) <int64[1] i = {-9223372036854775808}, float[1,4] "
        "r={0,0,1,1}> { y = RoiAlign(x, r, i) }",
        "g (float[5] x) => (float[A] y) <int64[1] i = {-9223372036854775808}> { s=SplitToSequence(x) "
        "p=Squeeze(i) y = SequenceAt(s, p) }",
        "g (float[1,3,5] x) => (float[A,B,C] y) <int64[1] i = {-9223372036854775808}> { y = "
        "ReverseSequence<batch_axis=0,time_axis=1>(x, i) }",
        "g (float[5] x) => (float[A] y) <int64[1] i = {9223372036854775807}> { y = Gather(x, i) }",
        "g (float[5] x) => (float[A] y) <int64[1] i = {9223372036854775807}> { y = GatherElements(x, i) }",
        "g (float[5] x) => (float[A] y) <int64[1,1] i = {9223372036854775807}> { y = GatherND(x, i) }",
        "g (float[5] x) => (float[A] y) <int64[1] i = {9223372036854775807}, float[1] u={1}> { y = "
        "ScatterElements(x, i, u) }",
        "g (float[5] x) => (float[A] y) <int64[1,1] i = {9223372036854775807}, float[1] u={1}> { y = "
        "ScatterND(x, i, u) }",
        "g (float[1,1,2,2] x) => (float[A,B,C,D] y) <int64[1,1,1,1] i = {9223372036854775807}, "
        "float[1,1,1,1] u={1}> { y = MaxUnpool<kernel_shape=[2,2],strides=[2,2]>(u, i) }",
        "g (float[1,3] x) => (float y) <int64[1] i = {9223372036854775807}> { y = "
        "NegativeLogLikelihoodLoss(x, i) }",
        "g (float[1,3] x) => (float y) <int64[1] i = {9223372036854775807}> { y = "
        "SoftmaxCrossEntropyLoss(x, "
        "i) }",
        "g (float[2,3] x) => (float[A,B] y, int64[A,B] z) <int64[1] i = {9223372036854775807}> { y,z = "
        "TopK(x, i) }",
        "g (float[1,1,4,4] x) => (float[A,B,C,D] y) <int64[1] i = {9223372036854775807}, float[1,4] "
        "r={0,0,1,1}> { y = RoiAlign(x, r, i) }",
        "g (float[5] x) => (float[A] y) <int64[1] i = {9223372036854775807}> { s=SplitToSequence(x) "
        "p=Squeeze(i) y = SequenceAt(s, p) }",
        "g (float[1,3,5] x) => (float[A,B,C] y) <int64[1] i = {9223372036854775807}> { y = "
        "ReverseSequence<batch_axis=0,time_axis=1>(x, i) }",
        "g (float[5] x) => (float[A] y) <int64[1] i = {5}> { y = Gather(x, i) }",
        "g (float[5] x) => (float[A] y) <int64[1] i = {5}> { y = GatherElements(x, i) }",
        "g (float[5] x) => (float[A] y) <int64[1,1] i = {5}> { y = GatherND(x, i) }",
        "g (float[5] x) => (float[A] y) <int64[1] i = {5}, float[1] u={1}> { y = ScatterElements(x, i, u) }",
        "g (float[5] x) => (float[A] y) <int64[1,1] i = {5}, float[1] u={1}> { y = ScatterND(x, i, u) }",
        "g (float[1,1,2,2] x) => (float[A,B,C,D] y) <int64[1,1,1,1] i = {5}, float[1,1,1,1] u={1}> { y = "
        "MaxUnpool<kernel_shape=[2,2],strides=[2,2]>(u, i) }",
        "g (float[1,3] x) => (float y) <int64[1] i = {5}> { y = NegativeLogLikelihoodLoss(x, i) }",
        "g (float[1,3] x) => (float y) <int64[1] i = {5}> { y = SoftmaxCrossEntropyLoss(x, i) }",
        "g (float[2,3] x) => (float[A,B] y, int64[A,B] z) <int64[1] i = {5}> { y,z = TopK(x, i) }",
        "g (float[1,1,4,4] x) => (float[A,B,C,D] y) <int64[1] i = {5}, float[1,4] r={0,0,1,1}> { y = "
        "RoiAlign(x, r, i) }",
        "g (float[5] x) => (float[A] y) <int64[1] i = {5}> { s=SplitToSequence(x) p=Squeeze(i) y = "
        "SequenceAt(s, p) }",
        "g (float[1,3,5] x) => (float[A,B,C] y) <int64[1] i = {5}> { y = "
        "ReverseSequence<batch_axis=0,time_axis=1>(x, i) }",
        "g (float[5] x) => (float[A] y) <int64[1] i = {-6}> { y = Gather(x, i) }",
        "g (float[5] x) => (float[A] y) <int64[1] i = {-6}> { y = GatherElements(x, i) }",
        "g (float[5] x) => (float[A] y) <int64[1,1] i = {-6}> { y = GatherND(x, i) }",
        "g (float[5] x) => (float[A] y) <int64[1] i = {-6}, float[1] u={1}> { y = ScatterElements(x, i, u) "
        "}",
        "g (float[5] x) => (float[A] y) <int64[1,1] i = {-6}, float[1] u={1}> { y = ScatterND(x, i, u) }",
        "g (float[1,1,2,2] x) => (float[A,B,C,D] y) <int64[1,1,1,1] i = {-6}, float[1,1,1,1] u={1}> { y = "
        "MaxUnpool<kernel_shape=[2,2],strides=[2,2]>(u, i) }",
        "g (float[1,3] x) => (float y) <int64[1] i = {-6}> { y = NegativeLogLikelihoodLoss(x, i) }",
        "g (float[1,3] x) => (float y) <int64[1] i = {-6}> { y = SoftmaxCrossEntropyLoss(x, i) }",
        "g (float[2,3] x) => (float[A,B] y, int64[A,B] z) <int64[1] i = {-6}> { y,z = TopK(x, i) }",
        "g (float[1,1,4,4] x) => (float[A,B,C,D] y) <int64[1] i = {-6}, float[1,4] r={0,0,1,1}> { y = "
        "RoiAlign(x, r, i) }",
        "g (float[5] x) => (float[A] y) <int64[1] i = {-6}> { s=SplitToSequence(x) p=Squeeze(i) y = "
        "SequenceAt(s, p) }",
        "g (float[1,3,5] x) => (float[A,B,C] y) <int64[1] i = {-6}> { y = "
        "ReverseSequence<batch_axis=0,time_axis=1>(x, i) }",
        "g (float[2,3] x) => (float[A,B] y) <int64[1] i={9}> { y = ai.onnx.ml.ArrayFeatureExtractor(x, i) }",
        "g (int64[2] x) => (float[A] y) { y = TfIdfVectorizer<mode=\"TF\", "
        "min_gram_length=1,max_gram_length=1,max_skip_count=0,ngram_counts=[5],ngram_indexes=[0],pool_"
        "int64s="
        "[1]>(x) }",
        "g (int64[2] x) => (float[A] y) { y = TfIdfVectorizer<mode=\"TF\", "
        "min_gram_length=1,max_gram_length=1,max_skip_count=0,ngram_counts=[0],ngram_indexes=[1099511627776]"
        ","
        "pool_int64s=[1]>(x) }",
        "g (int64[2] x) => (float[A] y) { y = TfIdfVectorizer<mode=\"TF\", "
        "min_gram_length=3,max_gram_length=1,max_skip_count=-1,ngram_counts=[0],ngram_indexes=[0],pool_"
        "int64s=[1]>(x) }"})
    Refused(model);
}

TEST(BadInputs, N15OutputSizesThatOverflow) {
  std::string ones = "1";
  for (int i = 1; i < 144; ++i) ones += ",1";
  const std::string w = "<float[4,4,3,3] w = {" + ones + "}>";
  for (const std::string& model :
       {"g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = ConvTranspose<group = 0>(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = ConvTranspose<group = -1>(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = ConvTranspose<group = 3>(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = ConvTranspose<strides = [0, 0]>(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = ConvTranspose<strides = [-1, 1]>(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w +
            " { y = ConvTranspose<dilations = [0, 0]>(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w +
            " { y = ConvTranspose<dilations = [9223372036854775807, 1]>(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w +
            " { y = ConvTranspose<pads = [9223372036854775807, 0, 9223372036854775807, 0]>(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w +
            " { y = ConvTranspose<pads = [-9, 0, 0, 0]>(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w +
            " { y = ConvTranspose<pads=[1099511627776,0,0,0]>(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w +
            " { y = ConvTranspose<kernel_shape = [0, 0]>(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w +
            " { y = ConvTranspose<kernel_shape = [9, 9]>(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = ConvTranspose<strides = [1]>(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w + " { y = ConvTranspose<pads = [1]>(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w +
            " { y = ConvTranspose<auto_pad = \"NOWHERE\">(x, w) }",
        "g (float[1,4,8,8] x) => (float[A,B,C,D] y) " + w +
            " { y = ConvTranspose<strides=[9223372036854775807,1]>(x, w) }",
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) <float[4,4,1,1] w = "
                    "{1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}> { y = "
                    "ConvTranspose<output_shape=[1099511627776,5]>(x, w) }"),
        std::string("g (float[1,4,8,8] x) => (float[A,B,C,D] y) <float[4,4,1,1] w = "
                    "{1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}> { y = "
                    "ConvTranspose<strides=[4611686018427387904,1]>(x, w) }"),
        std::string("g (float[1,2,4] x) => (float[A,B,C,D] y) <int64[2] s = {1099511627776, 1099511627776}, "
                    "int64[2] k = {1, 2}> { y = Col2Im(x, s, k) }"),
        std::string("g (float[1,2,4] x) => (float[A,B,C,D] y) <int64[2] s = {-2, 2}, int64[2] k = {1, 2}> { "
                    "y = Col2Im(x, s, k) }"),
        std::string("g (float[1,2,4] x) => (float[A,B,C,D] y) <int64[2] s = {2, 2}, int64[2] k = {0, 2}> { y "
                    "= Col2Im(x, s, k) }"),
        std::string("g (float[1,2,4] x) => (float[A,B,C,D] y) <int64[2] s = {2, 3}, int64[2] k = {1, 2}> { y "
                    "= Col2Im<strides=[0,1]>(x, s, k) }"),
        std::string("g (float[1,2,4] x) => (float[A,B,C,D] y) <int64[2] s = {2, 3}, int64[2] k = {1, 2}> { y "
                    "= Col2Im<pads=[9223372036854775807,0,9223372036854775807,0]>(x, s, k) }")})
    Refused(model);
}

TEST(BadInputs, N16TreesAndSupportVectors) {
  for (const char* model :
       {"g (float[1,2] x) => (int64[A] y, float[A,B] z) { y, z = "
        "ai.onnx.ml.TreeEnsembleClassifier<nodes_treeids=[0,0,0], nodes_nodeids=[0,1], "
        "nodes_featureids=[0,0,0], nodes_values=[0.0,0.0,0.0], "
        "nodes_modes=[\"BRANCH_LEQ\",\"LEAF\",\"LEAF\"], nodes_truenodeids=[1,0,0], "
        "nodes_falsenodeids=[2,0,0], class_treeids=[0,0], class_nodeids=[1,2], class_ids=[0,1], "
        "class_weights=[1.0,1.0], classlabels_int64s=[0,1]>(x) }",
        "g (float[1,2] x) => (float[A,B] z) { z = ai.onnx.ml.TreeEnsembleRegressor<nodes_treeids=[0,0,0], "
        "nodes_nodeids=[0,1,2], nodes_featureids=[0,0,0], nodes_values=[0.0,0.0,0.0], "
        "nodes_modes=[\"BRANCH_LEQ\",\"BRANCH_LEQ\",\"LEAF\"], nodes_truenodeids=[1,0,0], "
        "nodes_falsenodeids=[2,0,0], target_treeids=[0], target_nodeids=[2], target_ids=[0], "
        "target_weights=[1.0], n_targets=1>(x) }",
        "g (float[1,2] x) => (float[A,B] z) { z = ai.onnx.ml.TreeEnsembleRegressor<nodes_treeids=[0,0,0], "
        "nodes_nodeids=[0,1,2], nodes_featureids=[7,0,0], nodes_values=[0.0,0.0,0.0], "
        "nodes_modes=[\"BRANCH_LEQ\",\"LEAF\",\"LEAF\"], nodes_truenodeids=[1,0,0], "
        "nodes_falsenodeids=[2,0,0], target_treeids=[0], target_nodeids=[2], target_ids=[0], "
        "target_weights=[1.0], n_targets=1>(x) }",
        "g (float[1,2] x) => (float[A,B] z) { z = ai.onnx.ml.TreeEnsembleRegressor<nodes_treeids=[0,0,0], "
        "nodes_nodeids=[0,1,2], nodes_featureids=[0,0,0], nodes_values=[0.0,0.0,0.0], "
        "nodes_modes=[\"BRANCH_LEQ\",\"LEAF\",\"LEAF\"], nodes_truenodeids=[9,0,0], "
        "nodes_falsenodeids=[2,0,0], target_treeids=[0], target_nodeids=[2], target_ids=[5], "
        "target_weights=[1.0], n_targets=1>(x) }",
        "g (float[1,2] x) => (float[A,B] z) { z = ai.onnx.ml.SVMRegressor<kernel_type=\"LINEAR\", "
        "coefficients=[1.0], support_vectors=[1.0,2.0,3.0], n_supports=2, rho=[0.0]>(x) }",
        "g (float[1,2] x) => (int64[A] y, float[A,B] z) { y, z = "
        "ai.onnx.ml.SVMClassifier<kernel_type=\"LINEAR\", coefficients=[1.0], "
        "support_vectors=[1.0,2.0,3.0,4.0], vectors_per_class=[1,1], rho=[0.0], classlabels_ints=[0,1]>(x) "
        "}"})
    Refused(model);
}

TEST(BadInputs, N18EinsumEquations) {
  for (const char* model :
       {"g (float[2,3] x) => (float y) { y = Einsum<equation=\"iij->\">(x) }",
        "g (float[2,3] x) => (float[A,B] y) { y = Einsum<equation=\"ij->ji,\">(x) }",
        "g (float[2,3] x) => (float[A,B] y) { y = Einsum<equation=\"...ij...->ij\">(x) }",
        "g (float[2,3] x, float[4,5] z) => (float[A,B] y) { y = Einsum<equation=\"ij,jk->ik\">(x, z) }"})
    Refused(model);
}

TEST(BadInputs, N21RangesAndParts) {
  for (const char* model :
       {"g (int64[2] x) => (int64[A] y) <int64 a = {0}, int64 b = {9223372036854775807}, int64 c = {1}> { y "
        "= Range(a, b, c) }",
        "g (int64[2] x) => (int64[A] y) <int64 a = {0}, int64 b = {10}, int64 c = {0}> { y = Range(a, b, c) "
        "}",
        "g (float[2] x) => (float[A] y) <float a = {0}, float b = {1}, float c = {0}> { y = Range(a, b, c) "
        "}",
        "g (float[2] x) => (float[A] y) <float a = {0}, float b = {1}, float c = {1e-30}> { y = Range(a, b, "
        "c) }",
        "g (float[2] x) => (float[A] y) <float z = {0}> { n = Div(z, z) y = Range(z, z, n) }",
        "g (float[2,3] x) => (float[A,B] y) <int64[3] s = {1,1,1}> { y, z = Split<axis=0>(x, s) }",
        "g (float[2,3] x) => (float[A,B] y) <int64[2] s = {-1,3}> { y, z = Split<axis=0>(x, s) }",
        "g (float[2,3] x) => (float[A,B] y) <int64[2] s = {9223372036854775807,-9223372036854775807}> { y, "
        "z "
        "= Split<axis=0>(x, s) }",
        "g (float[2,3] x) => (float[A,B] y) { y, z = Split<axis=0,num_outputs=0>(x) }",
        "g (float[2,3] x) => (float[A,B] y) { y, z = Split<axis=0,num_outputs=-2>(x) }"})
    Refused(model);
  // 2^62 apart, all within 64 bits.
  Gives<int64_t>(
      "g (int64[2] x) => (int64[A] y) <int64 a = {-9223372036854775808}, int64 b = {9223372036854775807}, "
      "int64 c = {4611686018427387904}> { y = Range(a, b, c) }",
      {4}, {INT64_MIN, INT64_MIN / 2, 0, int64_t{1} << 62});
  // A box of NaN overlaps nothing.
  Gives<int64_t>(
      "g (float[1,2,4] x, float[1,1,2] s) => (int64[A,B] y) <int64 m={9223372036854775807}, float z={0}> { "
      "n = Div(z,z) t=Add(x,n) y = NonMaxSuppression(t, s, m) }",
      {2, 3}, {0, 0, 0, 0, 0, 1});
}

}  // namespace
}  // namespace braid::testing
