// SPDX-License-Identifier: Apache-2.0
//
// Models for tests, from ONNX's text form:
//   ModelBytes(R"(<ir_version: 8, opset_import: ["" : 17]> g (float[N] x) => (float[N] y) { y = Relu(x) })")
#ifndef BRAID_TESTS_MODEL_H_
#define BRAID_TESTS_MODEL_H_

#include <braid/graph.h>

#include <memory>
#include <string>
#include <vector>

namespace braid::testing {

// Serialized. Throws std::runtime_error with the parser's text.
std::string ModelBytes(const std::string& text);

struct GraphFree {
  void operator()(graph_t* graph) const { graph_free(graph); }
};
using GraphPtr = std::unique_ptr<graph_t, GraphFree>;

// Loads it on the given devices; a failure is a test failure and gives null.
GraphPtr Load(const std::string& text, const std::string& devices = "reference",
              const std::string& placement = "");

// A dense float tensor that borrows `values`.
graph_tensor Floats(std::vector<float>& values, std::vector<int64_t> dims, const char* name = nullptr);
graph_tensor Int64s(std::vector<int64_t>& values, std::vector<int64_t> dims, const char* name = nullptr);

// The elements of a result, which is released.
std::vector<float> TakeFloats(graph_tensor& tensor);
std::vector<int64_t> TakeInt64s(graph_tensor& tensor);
std::vector<int64_t> DimsOf(const graph_tensor& tensor);

}  // namespace braid::testing

#endif  // BRAID_TESTS_MODEL_H_
