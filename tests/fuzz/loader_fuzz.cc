// SPDX-License-Identifier: Apache-2.0
//
// The bytes are a model. It is loaded, and where it loads and is small it runs once, on inputs of ones.
#include "tests/fuzz/harness.h"

namespace braid::fuzz {
namespace {

constexpr uint64_t kElements = 1 << 14;  // of one input

// False where it takes more than a fuzzer wants to give.
bool Ones(const graph_value_info& info, HostValue* out) {
  out->name = info.name;
  out->kind = info.kind;
  out->type = info.type;
  if (info.kind == GRAPH_SEQUENCE || info.kind == GRAPH_OPTIONAL) {
    // Of nothing: an item that this value's info does not describe may be of any kind.
    out->type = info.type;
    return true;
  }
  if (info.kind != GRAPH_TENSOR) return false;
  uint64_t count = 1;
  const int32_t rank = info.rank < 0 ? 1 : info.rank;
  for (int32_t i = 0; i < rank; ++i) {
    const int64_t d = info.rank < 0 || info.dims[i] < 0 ? 2 : info.dims[i];
    out->dims.push_back(d);
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(d), &count)) return false;
  }
  if (count > kElements) return false;
  if (info.type == GRAPH_STRING) {
    out->bytes = Packed(std::vector<std::string>(count, "1"));
    return true;
  }
  const uint64_t bits = static_cast<uint64_t>(BitsOf(info.type));
  if (bits == 0) return false;
  out->bytes.assign((count * bits + 7) / 8, '\0');
  for (size_t i = 0; i < out->bytes.size(); i += bits < 8 ? 1 : bits / 8) out->bytes[i] = 1;
  if (info.type == GRAPH_FLOAT)
    for (size_t i = 0; i < out->bytes.size(); i += 4)
      out->bytes.replace(i, 4, std::string("\0\0\x80\x3f", 4));
  return true;
}

void RunOnce(graph_t* graph) {
  std::vector<graph_value_info> infos(graph_inputs(graph, nullptr, 0),
                                      graph_value_info GRAPH_VALUE_INFO_INIT);
  graph_inputs(graph, infos.data(), static_cast<uint32_t>(infos.size()));
  std::vector<HostValue> inputs;
  for (const graph_value_info& info : infos) {
    if (info.has_default) continue;
    HostValue value;
    if (!Ones(info, &value)) return;
    inputs.push_back(std::move(value));
  }
  Run(graph, inputs);
}

}  // namespace
}  // namespace braid::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  braid::fuzz::Bounds bounds("a model");
  if (const braid::fuzz::GraphPtr graph = braid::fuzz::Load(data, size)) {
    braid::fuzz::RunOnce(graph.get());
    const char* text = nullptr;
    braid::fuzz::Check(graph_explain(graph.get(), GRAPH_EXPLAIN_TEXT, &text), "graph_explain");
  }
  return 0;
}
