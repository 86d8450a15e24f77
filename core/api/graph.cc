// SPDX-License-Identifier: Apache-2.0
//
// Loading, running and looking at graphs: the functions of graph.h.
#include <braid/graph.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/api/error.h"
#include "core/api/operators.h"
#include "core/api/request.h"
#include "core/api/session.h"
#include "core/onnx/model.h"

struct graph {
  std::unique_ptr<braid::Session> session;
};

namespace braid {
namespace {

// The caller's options in our size.
absl::StatusOr<graph_options> OptionsOf(const graph_options* given) {
  graph_options options = GRAPH_OPTIONS_INIT;
  if (given == nullptr) return options;
  // Of this release, of an earlier one (it ends with a field of ours), or of a later one.
  constexpr size_t kEnds[] = {
      offsetof(graph_options, devices),      offsetof(graph_options, placement),
      offsetof(graph_options, precision),    offsetof(graph_options, cache_folder),
      offsetof(graph_options, base_folder),  offsetof(graph_options, device_options),
      offsetof(graph_options, memory_limit), offsetof(graph_options, compile_timeout_ns)};
  if (given->size < sizeof options
          ? std::find(std::begin(kEnds), std::end(kEnds), given->size) == std::end(kEnds)
          : given->size % alignof(graph_options) != 0 || given->size > 4096)
    return absl::InvalidArgumentError(
        absl::StrCat("options: size is ", given->size, "; start from GRAPH_OPTIONS_INIT"));
  std::memcpy(&options, given, std::min<size_t>(given->size, sizeof options));
  options.size = sizeof options;
  return options;
}

absl::Status NullArgument(const char* name) {
  return absl::InvalidArgumentError(absl::StrCat(name, " is NULL"));
}

absl::Status Finish(absl::StatusOr<std::shared_ptr<const Model>> model, std::string origin,
                    const graph_options& options, graph_t** out) {
  if (!model.ok()) return model.status();
  auto session = Session::Create(*std::move(model), std::move(origin), options);
  if (!session.ok()) return session.status();
  *out = new graph{*std::move(session)};
  return absl::OkStatus();
}

void FillInfo(const Graph& graph, ValueId v, bool has_default, graph_value_info* info) {
  const Value& value = graph.values[v];
  graph_value_info mine = GRAPH_VALUE_INFO_INIT;
  mine.kind = static_cast<int32_t>(value.type.kind);
  mine.name = value.name.c_str();
  mine.has_default = has_default ? 1 : 0;
  const Type* tensor = &value.type;
  while (!tensor->is_tensor() && tensor->item != nullptr) {
    if (tensor->kind == ValueKind::kMap) mine.key_type = tensor->element;
    tensor = tensor->item.get();
  }
  mine.type = tensor->element;
  mine.rank =
      tensor->has_shape ? static_cast<int32_t>(std::min<size_t>(tensor->dims.size(), GRAPH_MAX_RANK)) : -1;
  for (int32_t i = 0; i < mine.rank; ++i) {
    const Dim& d = tensor->dims[static_cast<size_t>(i)];
    mine.dims[i] = d.value;
    mine.symbols[i] =
        d.value < 0 && d.symbol >= 0 ? graph.symbols[static_cast<size_t>(d.symbol)].c_str() : nullptr;
  }
  uint32_t size = info->size;
  mine.size = size;
  std::memcpy(info, &mine, std::min<size_t>(size, sizeof mine));
}

uint32_t FillInfos(const Graph& graph, const std::vector<ValueId>& ids, bool inputs, graph_value_info* infos,
                   uint32_t capacity) {
  for (size_t i = 0; i < ids.size() && i < capacity && infos != nullptr; ++i)
    FillInfo(graph, ids[i], inputs && i < graph.input_defaults.size() && graph.input_defaults[i] != nullptr,
             &infos[i]);
  return static_cast<uint32_t>(ids.size());
}

}  // namespace
}  // namespace braid

using braid::Guarded;

extern "C" {

graph_status graph_load(const char* path, const graph_options* options, graph_t** graph) {
  return Guarded("graph_load", [&]() -> absl::Status {
    if (graph == nullptr) return braid::NullArgument("graph");
    *graph = nullptr;
    if (path == nullptr) return braid::NullArgument("path");
    braid::AskPluginsForOperators();
    auto own = braid::OptionsOf(options);
    if (!own.ok()) return own.status();
    return braid::Finish(braid::LoadModelFile(path), path, *own, graph);
  });
}

graph_status graph_load_memory(const void* model, uint64_t bytes, const graph_options* options,
                               graph_t** graph) {
  return Guarded("graph_load_memory", [&]() -> absl::Status {
    if (graph == nullptr) return braid::NullArgument("graph");
    *graph = nullptr;
    if (model == nullptr) return braid::NullArgument("model");
    braid::AskPluginsForOperators();
    auto own = braid::OptionsOf(options);
    if (!own.ok()) return own.status();
    std::string base = own->base_folder != nullptr ? own->base_folder : "";
    return braid::Finish(braid::LoadModelMemory({static_cast<const uint8_t*>(model), bytes}, base),
                         "model in memory", *own, graph);
  });
}

void graph_free(graph_t* graph) { delete graph; }

uint32_t graph_inputs(const graph_t* graph, graph_value_info* infos, uint32_t capacity) {
  if (graph == nullptr) return 0;
  const braid::Graph& g = graph->session->graph();
  return braid::FillInfos(g, g.inputs, true, infos, capacity);
}

uint32_t graph_outputs(const graph_t* graph, graph_value_info* infos, uint32_t capacity) {
  if (graph == nullptr) return 0;
  const braid::Graph& g = graph->session->graph();
  return braid::FillInfos(g, g.outputs, false, infos, capacity);
}

graph_status graph_prepare(graph_t* graph, const graph_tensor* inputs, uint32_t input_count) {
  return Guarded("graph_prepare", [&]() -> absl::Status {
    if (graph == nullptr) return braid::NullArgument("graph");
    return graph->session->Prepare(inputs, input_count);
  });
}

graph_status graph_run(graph_t* graph, const graph_tensor* inputs, uint32_t input_count,
                       graph_tensor* outputs, uint32_t output_count) {
  return Guarded("graph_run", [&]() -> absl::Status {
    if (graph == nullptr) return braid::NullArgument("graph");
    return graph->session->Run(inputs, input_count, outputs, output_count, nullptr);
  });
}

graph_status graph_explain(graph_t* graph, int32_t format, const char** text) {
  return Guarded("graph_explain", [&]() -> absl::Status {
    if (graph == nullptr) return braid::NullArgument("graph");
    if (text == nullptr) return braid::NullArgument("text");
    auto explained = graph->session->Explain(format);
    if (!explained.ok()) return explained.status();
    *text = *explained;
    return absl::OkStatus();
  });
}

}  // extern "C"

extern "C" {

graph_status graph_run_async(graph_t* graph, const graph_tensor* inputs, uint32_t input_count,
                             graph_tensor* outputs, uint32_t output_count, graph_request** request) {
  return Guarded("graph_run_async", [&]() -> absl::Status {
    if (request == nullptr) return braid::NullArgument("request");
    *request = nullptr;
    if (graph == nullptr) return braid::NullArgument("graph");
    *request = new graph_request(graph->session.get(), inputs, input_count, outputs, output_count);
    return absl::OkStatus();
  });
}

graph_status graph_wait(graph_request* request, uint64_t timeout_ns) {
  return Guarded("graph_wait", [&]() -> absl::Status {
    if (request == nullptr) return braid::NullArgument("request");
    return request->Wait(timeout_ns);
  });
}

void graph_cancel(graph_request* request) {
  if (request != nullptr) request->Cancel();
}

void graph_request_free(graph_request* request) { delete request; }

}  // extern "C"
