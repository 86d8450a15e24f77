// SPDX-License-Identifier: Apache-2.0
//
// What isolation costs a run: one Add of 8 floats on buffers of the plugin's, submitted and waited for, in
// this process and in one of its own.
//
//   isolation_overhead [LIBRARY] [LIMIT_US]
//
// Prints p50 and p90 of both and the difference; fails if that of p50 is above the limit.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "core/graph/graph.h"
#include "core/plugins/device.h"
#include "core/plugins/host.h"
#include "core/plugins/isolate/isolate.h"
#include "core/plugins/view.h"

namespace braid {
namespace {

Graph AddGraph() {
  Graph graph;
  Type type;
  type.element = 1;
  type.has_shape = true;
  type.dims = {{8, -1}};
  const ValueId x = graph.AddValue("x", type), y = graph.AddValue("y", type), z = graph.AddValue("z", type);
  Node node;
  node.op = "Add";
  node.name = "add";
  node.version = 14;
  node.min_version = 7;
  node.inputs = {x, y};
  node.outputs = {z};
  graph.nodes = {node};
  graph.inputs = {x, y};
  graph.outputs = {z};
  return graph;
}

template <class T>
T Or(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::fprintf(stderr, "%s\n", std::string(value.status().message()).c_str());
  std::exit(2);
}

// Microseconds of each of the runs, sorted.
std::vector<double> Measure(const std::string& library, bool isolate) {
  Plugin::LoadOptions options;
  options.isolate = isolate;
  const auto device = Or(Or(Plugin::Load(library, options))->MakeDevice(0));
  const Graph graph = AddGraph();
  const auto view = GraphView::Whole(graph);
  const Exec exec = Or(device->Compile(*view, {}));
  std::vector<Buffer> buffers;
  std::vector<braid_binding> bindings;
  const int64_t dims[] = {8};
  for (uint32_t value : {view->inputs()[0], view->inputs()[1], view->outputs()[0]}) {
    buffers.push_back(Or(device->BufferAlloc(32, 0)));
    braid_binding b = BRAID_BINDING_INIT;
    b.value = value;
    b.buffer = buffers.back().get();
    b.bytes = 32;
    b.rank = 1;
    b.dims = dims;
    bindings.push_back(b);
  }
  braid_submit submit = BRAID_SUBMIT_INIT;
  submit.binding_count = 3;
  submit.binding_stride = sizeof(braid_binding);
  submit.bindings = bindings.data();
  Buffer workspace;
  uint64_t bytes = 0;
  if (exec.WorkspaceSize(bindings.data(), 2, &bytes) != BRAID_OK) std::exit(2);
  if (bytes > 0) {
    workspace = Or(device->BufferAlloc(bytes, 0));
    submit.workspace = workspace.get();
  }
  constexpr int kWarmUp = 1000, kRuns = 20000;
  std::vector<double> us;
  for (int i = 0; i < kWarmUp + kRuns; ++i) {
    const uint64_t start = HostNow();
    Fence fence;
    if (exec.Submit(submit, &fence) != BRAID_OK || fence.Wait(kForever) != BRAID_OK) std::exit(2);
    if (i >= kWarmUp) us.push_back(static_cast<double>(HostNow() - start) / 1000);
  }
  std::sort(us.begin(), us.end());
  return us;
}

}  // namespace
}  // namespace braid

int main(int argc, char** argv) {
  const std::string library = argc > 1 ? argv[1] : BRAID_OVERHEAD_LIBRARY;
  const double limit = argc > 2 ? std::atof(argv[2]) : 0;
  const auto here = braid::Measure(library, false);
  const auto before = braid::CountIsolation();
  const auto isolated = braid::Measure(library, true);
  const auto after = braid::CountIsolation();
  const auto at = [](const std::vector<double>& us, double p) {
    return us[static_cast<size_t>(p * static_cast<double>(us.size() - 1))];
  };
  const double difference = at(isolated, 0.5) - at(here, 0.5);
  std::printf("submit and wait of one Add of 8 floats, %zu times\n", here.size());
  std::printf("  in this process     p50 %7.2f us   p90 %7.2f us\n", at(here, 0.5), at(here, 0.9));
  std::printf("  in one of its own   p50 %7.2f us   p90 %7.2f us\n", at(isolated, 0.5), at(isolated, 0.9));
  std::printf("  difference          p50 %7.2f us   p90 %7.2f us\n", difference,
              at(isolated, 0.9) - at(here, 0.9));
  std::printf("  %llu bytes of tensors copied\n",
              static_cast<unsigned long long>(after.copied - before.copied));
  return limit > 0 && difference > limit ? 1 : 0;
}
