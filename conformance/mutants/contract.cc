// SPDX-License-Identifier: Apache-2.0
//
// Breaches of the ABI. docs/abi/rules.md and plugin.h say what each breaks.
#include <braid/kit/graph_copy.h>
#include <braid/kit/graph_view.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <thread>

#include "conformance/mutants/mutant.h"
#include "conformance/mutants/tables.h"

namespace braid::mutants {
namespace {

using Bindings = const void*;

braid_verdict& VerdictAt(void* verdicts, uint32_t stride, uint32_t i) {
  return *reinterpret_cast<braid_verdict*>(static_cast<char*>(verdicts) + uint64_t{stride} * i);
}
// Queries, and then changes each verdict.
template <class F>
braid_status QueryThen(braid_device* device, const braid_graph* graph, const braid_compile_options* options,
                       void* verdicts, uint32_t stride, const F& f) {
  const braid_status status = Real().device.query(device, graph, options, verdicts, stride);
  // Of a shorter verdict no field is there behind its end.
  for (uint32_t i = 0; status == BRAID_OK && stride >= sizeof(braid_verdict) && i < graph->node_count; ++i)
    f(VerdictAt(verdicts, stride, i));
  return status;
}
#define BRAID_AFTER_QUERY(BODY)                                                                            \
  [](braid_device* device, const braid_graph* graph, const braid_compile_options* options, void* verdicts, \
     uint32_t stride) -> braid_status { return QueryThen(device, graph, options, verdicts, stride, BODY); }

bool HasOp(const braid_graph* graph, std::string_view op) {
  const kit::Graph g(graph);
  for (uint32_t i = 0; i < g.node_count(); ++i)
    if (g.node(i).op() == op) return true;
  return false;
}

std::atomic<int> submits{0};
std::atomic<bool> failed_once{false};

// A callback that fence slots pass on twice.
void TwiceOnReady(braid_fence* fence, void (*callback)(void*, braid_status), void* argument) {
  Real().fence.on_ready(fence, callback, argument);
  callback(argument, BRAID_OK);
}

}  // namespace

void AddContract(std::vector<Mutant>* all) {
  const auto add = [&](const std::string& name, const std::string& what, std::function<void(Tables&)> f) {
    all->push_back({.name = name, .what = what, .family = Family::kContract, .tables = std::move(f)});
  };

  // ---- Verdicts
  add("accepts_all", "query says yes to every node; compile refuses those that it does not know",
      [](Tables& t) { t.device.query = BRAID_AFTER_QUERY([](braid_verdict& v) { v.code = BRAID_YES; }); });
  add("refuses_without_text", "a verdict that says no has no text",
      [](Tables& t) { t.device.query = BRAID_AFTER_QUERY([](braid_verdict& v) { v.detail[0] = 0; }); });
  add("verdict_code", "a verdict has a code that there is not",
      [](Tables& t) { t.device.query = BRAID_AFTER_QUERY([](braid_verdict& v) { v.code = 99; }); });
  add("verdict_input", "a verdict names an input that the node does not have",
      [](Tables& t) { t.device.query = BRAID_AFTER_QUERY([](braid_verdict& v) { v.input = 77; }); });
  add("verdict_unterminated", "a verdict's text does not end", [](Tables& t) {
    t.device.query = BRAID_AFTER_QUERY([](braid_verdict& v) { std::memset(v.detail, 'x', sizeof v.detail); });
  });
  add("verdict_changes", "each second query says no", [](Tables& t) {
    t.device.query = BRAID_AFTER_QUERY([](braid_verdict& v) {
      static std::atomic<int> count{0};
      if (++count % 2 == 0) v.code = BRAID_NO_SHAPE;
    });
  });
  add("query_ignores_stride", "verdicts are written one after another, whatever the stride", [](Tables& t) {
    t.device.query = [](braid_device* device, const braid_graph* graph, const braid_compile_options* options,
                        void* verdicts, uint32_t) {
      return Real().device.query(device, graph, options, verdicts, sizeof(braid_verdict));
    };
  });

  // ---- Estimate
  add("estimates_nothing", "every set of nodes costs nothing", [](Tables& t) {
    t.device.estimate = [](braid_device* device, const braid_graph* graph,
                           const braid_compile_options* options, const uint32_t* nodes, const uint32_t* ends,
                           uint32_t sets, void* costs, uint32_t stride) {
      const braid_status status =
          Real().device.estimate(device, graph, options, nodes, ends, sets, costs, stride);
      for (uint32_t i = 0; i < sets; ++i)
        reinterpret_cast<braid_cost*>(static_cast<char*>(costs) + uint64_t{stride} * i)->time_ns = 0;
      return status;
    };
  });
  add("estimates_first_only", "of several sets of nodes only the first is told", [](Tables& t) {
    t.device.estimate = [](braid_device* device, const braid_graph* graph,
                           const braid_compile_options* options, const uint32_t* nodes, const uint32_t* ends,
                           uint32_t sets, void* costs, uint32_t stride) {
      return Real().device.estimate(device, graph, options, nodes, ends, sets > 0 ? 1 : 0, costs, stride);
    };
  });

  // ---- Compile
  add("compile_refuses", "compile answers UNSUPPORTED to Relu, which query accepts", [](Tables& t) {
    t.device.compile = [](braid_device* device, const braid_graph* graph,
                          const braid_compile_options* options, braid_exec** out) -> braid_status {
      if (HasOp(graph, "Relu")) return BRAID_UNSUPPORTED;
      return Real().device.compile(device, graph, options, out);
    };
  });
  add("compile_gives_nothing", "compile answers OK without an executable", [](Tables& t) {
    t.device.compile = [](braid_device*, const braid_graph*, const braid_compile_options*,
                          braid_exec**) -> braid_status { return BRAID_OK; };
  });
  add("compile_keeps_graph", "the host's graph is read after compile has returned", [](Tables& t) {
    t.device.compile = [](braid_device* device, const braid_graph* graph,
                          const braid_compile_options* options, braid_exec** out) {
      static const braid_graph* kept = nullptr;
      if (kept != nullptr) (void)*static_cast<const volatile uint32_t*>(&kept->node_count);
      kept = graph;
      const braid_status status = Real().device.compile(device, graph, options, out);
      return status;
    };
  });
  add("output_dims_lies", "output_dims tells an extent that is one too many", [](Tables& t) {
    t.exec.output_dims = [](braid_exec* exec, Bindings inputs, uint32_t count, uint32_t stride,
                            uint32_t output, int32_t* rank, int64_t* dims) {
      const braid_status status = Real().exec.output_dims(exec, inputs, count, stride, output, rank, dims);
      if (status == BRAID_OK && *rank > 0) ++dims[0];
      return status;
    };
  });
  add("output_dims_rank", "output_dims tells a rank that no tensor has", [](Tables& t) {
    t.exec.output_dims = [](braid_exec* exec, Bindings inputs, uint32_t count, uint32_t stride,
                            uint32_t output, int32_t* rank, int64_t* dims) {
      const braid_status status = Real().exec.output_dims(exec, inputs, count, stride, output, rank, dims);
      if (status == BRAID_OK) *rank = 40;
      return status;
    };
  });
  add("alignment_of_3", "an input must be aligned to 3 bytes", [](Tables& t) {
    t.exec.io_requirements = [](braid_exec* exec, uint32_t value, braid_io_requirements* out) {
      const braid_status status = Real().exec.io_requirements(exec, value, out);
      out->alignment = 3;
      return status;
    };
  });
  add("aliases_all", "every output says that it may lie where value 0 is", [](Tables& t) {
    t.exec.io_requirements = [](braid_exec* exec, uint32_t value, braid_io_requirements* out) {
      const braid_status status = Real().exec.io_requirements(exec, value, out);
      if (out->size >= sizeof *out) out->may_alias_input = 0;
      return status;
    };
  });

  // ---- Submit
  add("submit_unsupported", "submit answers UNSUPPORTED", [](Tables& t) {
    t.exec.submit = [](braid_exec*, const braid_submit*, braid_fence**) -> braid_status {
      return BRAID_UNSUPPORTED;
    };
  });
  add("submit_does_nothing", "submit answers OK without having worked", [](Tables& t) {
    t.exec.submit = [](braid_exec*, const braid_submit*, braid_fence** fence) -> braid_status {
      *fence = nullptr;
      return BRAID_OK;
    };
  });
  add("submit_throws", "an exception leaves submit", [](Tables& t) {
    t.exec.submit = [](braid_exec*, const braid_submit*, braid_fence**) -> braid_status { throw 7; };
  });
  add("submit_hangs", "the third submit never returns", [](Tables& t) {
    t.exec.submit = [](braid_exec* exec, const braid_submit* submit, braid_fence** fence) {
      if (++submits == 3)
        for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
      return Real().exec.submit(exec, submit, fence);
    };
  });
  add("submit_crashes", "the fifth submit ends the process", [](Tables& t) {
    t.exec.submit = [](braid_exec* exec, const braid_submit* submit, braid_fence** fence) {
      if (++submits == 5) std::abort();
      return Real().exec.submit(exec, submit, fence);
    };
  });
  add("submit_once", "an executable runs once, then fails", [](Tables& t) {
    t.exec.submit = [](braid_exec* exec, const braid_submit* submit, braid_fence** fence) -> braid_status {
      static std::atomic<braid_exec*> last{nullptr};
      if (last.exchange(exec) == exec) return BRAID_INTERNAL;
      return Real().exec.submit(exec, submit, fence);
    };
  });
  add("submit_hides_errors", "a run that failed answers OK", [](Tables& t) {
    t.exec.submit = [](braid_exec* exec, const braid_submit* submit, braid_fence** fence) -> braid_status {
      *fence = nullptr;
      Real().exec.submit(exec, submit, fence);
      return BRAID_OK;
    };
  });
  add("broken_by_an_error", "after a run that failed, all fail", [](Tables& t) {
    t.exec.submit = [](braid_exec* exec, const braid_submit* submit, braid_fence** fence) -> braid_status {
      if (failed_once) return BRAID_INTERNAL;
      const braid_status status = Real().exec.submit(exec, submit, fence);
      if (status != BRAID_OK) failed_once = true;
      return status;
    };
  });
  add("error_is_loss", "an index out of range is told as DEVICE_LOST", [](Tables& t) {
    t.exec.submit = [](braid_exec* exec, const braid_submit* submit, braid_fence** fence) -> braid_status {
      const braid_status status = Real().exec.submit(exec, submit, fence);
      return status == BRAID_INVALID_ARGUMENT ? BRAID_DEVICE_LOST : status;
    };
  });
  add("submit_ignores_stride", "bindings are read one after another, whatever the stride", [](Tables& t) {
    t.exec.submit = [](braid_exec* exec, const braid_submit* submit, braid_fence** fence) {
      braid_submit own = *submit;
      own.binding_stride = sizeof(braid_binding);
      return Real().exec.submit(exec, &own, fence);
    };
  });
  add("no_error_text", "nothing is ever told through set_error",
      [](Tables& t) { t.host.set_error = [](const braid_host*, braid_str) {}; });

  // ---- Fences; the run is done by a thread
  add("fence_early", "a fence says OK while the work goes on", [](Tables& t) {
    t.asynchronous = true;
    t.fence.wait = [](braid_fence*, uint64_t) -> braid_status { return BRAID_OK; };
    t.fence.on_ready = [](braid_fence*, void (*callback)(void*, braid_status), void* argument) {
      callback(argument, BRAID_OK);
    };
  });
  add("fence_never", "a fence never ends", [](Tables& t) {
    t.asynchronous = true;
    t.fence.wait = [](braid_fence*, uint64_t timeout) -> braid_status {
      if (timeout > 1'000'000'000)
        for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
      return BRAID_PENDING;
    };
    t.fence.on_ready = [](braid_fence*, void (*)(void*, braid_status), void*) {};
  });
  add("fence_twice", "a fence calls back twice", [](Tables& t) {
    t.asynchronous = true;
    t.fence.on_ready = TwiceOnReady;
  });
  add("fence_silent", "a fence does not call back", [](Tables& t) {
    t.asynchronous = true;
    t.fence.on_ready = [](braid_fence*, void (*)(void*, braid_status), void*) {};
  });
  add("fence_pending_again", "a fence that has ended is pending when it is asked again", [](Tables& t) {
    t.asynchronous = true;
    t.fence.wait = [](braid_fence* fence, uint64_t timeout) -> braid_status {
      static std::atomic<braid_fence*> ended{nullptr};
      if (ended == fence) return BRAID_PENDING;
      const braid_status status = Real().fence.wait(fence, timeout);
      if (status != BRAID_PENDING) ended = fence;
      return status;
    };
  });
  add("fence_blocks", "wait does not look at its timeout", [](Tables& t) {
    t.asynchronous = true;
    t.fence.wait = [](braid_fence* fence, uint64_t) { return Real().fence.wait(fence, UINT64_MAX); };
  });
  add("fence_hides_errors", "work that failed ends with OK", [](Tables& t) {
    t.asynchronous = true;
    t.fence.wait = [](braid_fence* fence, uint64_t timeout) -> braid_status {
      const braid_status status = Real().fence.wait(fence, timeout);
      return status == BRAID_PENDING ? status : BRAID_OK;
    };
    t.fence.completion = [](braid_fence* fence, braid_completion* out) {
      const braid_status status = Real().fence.completion(fence, out);
      if (status == BRAID_OK) out->status = BRAID_OK;
      return status;
    };
  });
  add("completion_differs", "completion tells another status than wait", [](Tables& t) {
    t.asynchronous = true;
    t.fence.completion = [](braid_fence* fence, braid_completion* out) {
      const braid_status status = Real().fence.completion(fence, out);
      if (status == BRAID_OK) out->status = BRAID_CANCELLED;
      return status;
    };
  });
  add("waits_not", "submit does not wait for what it should", [](Tables& t) {
    t.asynchronous = true;
    t.exec.submit = [](braid_exec* exec, const braid_submit* submit, braid_fence** fence) {
      braid_submit own = *submit;
      own.wait_count = 0;
      return Real().exec.submit(exec, &own, fence);
    };
  });

  // ---- Outputs that are taken
  add("takes_wrong_dims", "take_output tells an extent that is one too few", [](Tables& t) {
    t.exec.take_output = [](braid_exec* exec, braid_fence* fence, uint32_t value, braid_buffer** buffer,
                            int32_t* rank, int64_t* dims) {
      const braid_status status = Real().exec.take_output(exec, fence, value, buffer, rank, dims);
      if (status == BRAID_OK && *rank > 0 && dims[0] > 0) --dims[0];
      return status;
    };
  });
  add("takes_nothing", "take_output answers OK without a buffer", [](Tables& t) {
    t.exec.take_output = [](braid_exec*, braid_fence*, uint32_t, braid_buffer**, int32_t* rank,
                            int64_t*) -> braid_status {
      *rank = 0;
      return BRAID_OK;
    };
  });

  // ---- The list of devices, open, buffers
  add("enumerate_overflows", "enumerate fills more infos than it was given room for", [](Tables& t) {
    t.plugin.enumerate = [](const braid_plugin* plugin, uint32_t, void* infos, uint32_t stride,
                            uint32_t* count) {
      static char own[1024];
      return Real().plugin.enumerate(plugin, 1, infos != nullptr ? infos : own,
                                     infos != nullptr ? stride : sizeof own, count);
    };
  });
  add("enumerate_miscounts", "enumerate tells the number that it filled, not that of devices", [](Tables& t) {
    t.plugin.enumerate = [](const braid_plugin* plugin, uint32_t capacity, void* infos, uint32_t stride,
                            uint32_t* count) {
      const braid_status status = Real().plugin.enumerate(plugin, capacity, infos, stride, count);
      if (capacity < *count) *count = capacity;
      return status;
    };
  });
  add("opens_any_index", "open takes any index", [](Tables& t) {
    t.plugin.open = [](const braid_plugin* plugin, uint32_t, const braid_open_options* options,
                       braid_device** out) { return Real().plugin.open(plugin, 0, options, out); };
  });
  add("opens_with_any_option", "open takes options that it does not know", [](Tables& t) {
    t.plugin.open = [](const braid_plugin* plugin, uint32_t index, const braid_open_options* options,
                       braid_device** out) {
      braid_open_options none = *options;
      none.option_count = 0;
      return Real().plugin.open(plugin, index, &none, out);
    };
  });
  add("refuses_empty_buffer", "a buffer of no bytes is refused", [](Tables& t) {
    t.device.buffer_alloc = [](braid_device* device, const braid_buffer_desc* desc,
                               braid_buffer** out) -> braid_status {
      return desc->bytes == 0 ? BRAID_INVALID_ARGUMENT : Real().device.buffer_alloc(device, desc, out);
    };
  });
  add("aborts_without_memory", "the process ends where there is not enough memory", [](Tables& t) {
    t.device.buffer_alloc = [](braid_device* device, const braid_buffer_desc* desc, braid_buffer** out) {
      const braid_status status = Real().device.buffer_alloc(device, desc, out);
      if (status == BRAID_OUT_OF_MEMORY) std::abort();
      return status;
    };
  });
  add("transfer_does_nothing", "a transfer answers OK without having worked", [](Tables& t) {
    t.device.transfer = [](braid_device*, const braid_transfer*, braid_fence** fence) -> braid_status {
      *fence = nullptr;
      return BRAID_OK;
    };
  });
  add("always_lost", "health says that the device is lost", [](Tables& t) {
    t.device.health = [](braid_device*, braid_health*) -> braid_status { return BRAID_DEVICE_LOST; };
  });
  add("any_extension", "get_extension gives something for every name", [](Tables& t) {
    t.plugin.get_extension = [](const braid_plugin*, const char*) -> const void* {
      static const char kNothing[256] = {};
      return kNothing;
    };
  });
  add("crashes_at_close", "close ends the process",
      [](Tables& t) { t.device.close = [](braid_device*) { std::abort(); }; });

  // ---- Blobs
  add("blob_of_any_graph", "a blob of another graph is taken, and runs as that graph", [](Tables& t) {
    // The graph of the executable that was saved last; it has no constants of its own.
    static std::map<braid_exec*, kit::GraphCopy*>* const compiled =
        new std::map<braid_exec*, kit::GraphCopy*>();
    static kit::GraphCopy* saved = nullptr;
    t.has_blobs = true;
    t.device.compile = [](braid_device* device, const braid_graph* graph,
                          const braid_compile_options* options, braid_exec** out) {
      const braid_status status = Real().device.compile(device, graph, options, out);
      if (status == BRAID_OK) (*compiled)[*out] = new kit::GraphCopy(graph);
      return status;
    };
    t.exec.save_blob = [](braid_exec* exec, void* context, braid_status (*write)(void*, braid_bytes)) {
      saved = (*compiled)[exec];
      return Real().exec.save_blob(exec, context, write);
    };
    t.exec.destroy = [](braid_exec* exec) {
      const auto own = compiled->find(exec);
      if (own != compiled->end()) {
        if (own->second != saved) delete own->second;
        compiled->erase(own);
      }
      Real().exec.destroy(exec);
    };
    t.device.check_blob = [](braid_device*, const braid_graph*, const braid_compile_options*,
                             braid_bytes) -> braid_status { return BRAID_OK; };
    t.device.load_blob = [](braid_device* device, const braid_graph* graph,
                            const braid_compile_options* options, braid_bytes, braid_exec** out) {
      braid_graph other = saved != nullptr ? *saved->raw() : *graph;
      other.host_data = graph->host_data;
      return Real().device.compile(device, &other, options, out);
    };
  });
  add("blob_cut_crashes", "a blob that is cut short ends the process", [](Tables& t) {
    t.has_blobs = true;
    t.device.check_blob = [](braid_device* device, const braid_graph* graph,
                             const braid_compile_options* options, braid_bytes blob) {
      const braid_status status = Real().device.check_blob(device, graph, options, blob);
      if (status == BRAID_INVALID_ARGUMENT) std::abort();
      return status;
    };
  });
  add("blob_ignores_write", "save_blob does not tell that write failed", [](Tables& t) {
    t.has_blobs = true;
    t.exec.save_blob = [](braid_exec* exec, void* context,
                          braid_status (*write)(void*, braid_bytes)) -> braid_status {
      const braid_status status = Real().exec.save_blob(exec, context, write);
      return status == BRAID_UNSUPPORTED ? status : BRAID_OK;
    };
  });
}

}  // namespace braid::mutants
