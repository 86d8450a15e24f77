// SPDX-License-Identifier: Apache-2.0
#include "tests/model.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "onnx/defs/parser.h"
#include "onnx/onnx_pb.h"

namespace braid::testing {

std::string ModelBytes(const std::string& text) {
  ONNX_NAMESPACE::ModelProto model;
  auto status = ONNX_NAMESPACE::OnnxParser::Parse(model, text.c_str());
  if (!status.IsOK()) throw std::runtime_error(status.ErrorMessage());
  return model.SerializeAsString();
}

GraphPtr Load(const std::string& text, const std::string& devices, const std::string& placement) {
  const std::string bytes = ModelBytes(text);
  graph_options options = GRAPH_OPTIONS_INIT;
  options.devices = devices.c_str();
  options.placement = placement.empty() ? nullptr : placement.c_str();
  graph_t* graph = nullptr;
  const graph_status status = graph_load_memory(bytes.data(), bytes.size(), &options, &graph);
  EXPECT_EQ(status, GRAPH_OK) << graph_last_error();
  return GraphPtr(graph);
}

namespace {

template <class T>
graph_tensor Borrowed(int32_t type, std::vector<T>& values, const std::vector<int64_t>& dims,
                      const char* name) {
  graph_tensor t = GRAPH_TENSOR_INIT;
  t.name = name;
  t.type = type;
  t.rank = static_cast<int32_t>(dims.size());
  for (size_t i = 0; i < dims.size(); ++i) t.dims[i] = dims[i];
  static T nothing;
  t.data = values.empty() ? &nothing : values.data();
  t.bytes = values.size() * sizeof(T);
  return t;
}

template <class T>
std::vector<T> Taken(int32_t type, graph_tensor& t) {
  EXPECT_EQ(t.type, type);
  std::vector<T> out(static_cast<const T*>(t.data), static_cast<const T*>(t.data) + t.bytes / sizeof(T));
  graph_tensor_release(&t);
  return out;
}

}  // namespace

graph_tensor Floats(std::vector<float>& values, std::vector<int64_t> dims, const char* name) {
  return Borrowed(GRAPH_FLOAT, values, dims, name);
}
graph_tensor Int64s(std::vector<int64_t>& values, std::vector<int64_t> dims, const char* name) {
  return Borrowed(GRAPH_INT64, values, dims, name);
}
std::vector<float> TakeFloats(graph_tensor& t) { return Taken<float>(GRAPH_FLOAT, t); }
std::vector<int64_t> TakeInt64s(graph_tensor& t) { return Taken<int64_t>(GRAPH_INT64, t); }
std::vector<int64_t> DimsOf(const graph_tensor& t) { return {t.dims, t.dims + t.rank}; }

}  // namespace braid::testing
