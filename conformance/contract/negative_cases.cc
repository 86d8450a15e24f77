// SPDX-License-Identifier: Apache-2.0
//
// Valid submits changed one way at a time. Each is refused with a text, at once or by its fence, and the
// device is right afterwards.
#include <algorithm>
#include <cstring>

#include "conformance/contract/cases.h"

namespace braid::conformance {
namespace {

using kit::testing::Array;

Workload Two(Bench& b) {
  try {
    return Elementwise(b.Elementwise(), {4, 6});
  } catch (const NotThere&) {
    return b.Plain();
  }
}

void ExpectStillRight(Bench& b, const Workload& w, const Exec& exec) {
  try {
    Run after(b, w, exec);
    after.Go();
    after.ExpectRight();
  } catch (const Failure& e) {
    throw Failure(fmt::format("ABI-046: after a refused run: {}", e.what()));
  }
}

// `change` spoils the submit, or throws NotThere.
template <class Change>
void Refused(Bench& b, const Workload& w, const Change& change) {
  const Exec exec = b.Compile(*w.view);
  Run run(b, w, exec);
  run.Go();
  change(run);
  run.submit.bindings = run.bindings.data();
  std::string text;
  const braid_status status = run.Try(&text);
  Check(status == BRAID_INVALID_ARGUMENT, "ABI-045: it ends with {}, not INVALID_ARGUMENT{}{}",
        StatusText(status), text.empty() ? "" : ": ", text);
  Check(!text.empty(), "ABI-036: INVALID_ARGUMENT comes without a text");
  ExpectStillRight(b, w, exec);
}
template <class Change>
void Refused(Bench& b, const Change& change) {
  Refused(b, Two(b), change);
}

void Add(Run& run, const braid_binding& binding) {
  run.bindings.push_back(binding);
  run.submit.binding_count += 1;
}

void Strides(Bench& b) {
  const Workload w = Two(b);
  const Exec exec = b.Compile(*w.view);
  braid_io_requirements io = BRAID_IO_REQUIREMENTS_INIT;
  io.alignment = 1;
  b.Ok(b.ex().io_requirements(exec.get(), w.view->inputs[0], &io), "io_requirements");
  if ((io.flags & BRAID_IO_STRIDES) != 0) throw NotThere("the device takes strides");
  static const int64_t kStrides[BRAID_MAX_RANK] = {1, 4};
  Refused(b, w, [](Run& r) { r.bindings[0].strides = kStrides; });
}

// An offset that is no multiple of the alignment asked for: refused, or right.
void Misaligned(Bench& b) {
  const Workload w = Two(b);
  const Exec exec = b.Compile(*w.view);
  braid_io_requirements io = BRAID_IO_REQUIREMENTS_INIT;
  io.alignment = 1;
  b.Ok(b.ex().io_requirements(exec.get(), w.view->inputs[0], &io), "io_requirements");
  if (io.alignment <= 1) throw NotThere("the device asks no alignment");
  Run run(b, w, exec);
  run.Prepare();
  Buffer other = b.Alloc(run.bindings[0].bytes + 1);
  b.Write(other, 1, w.inputs[0].bytes.data(), w.inputs[0].bytes.size());
  run.bindings[0].buffer = other.get();
  run.bindings[0].offset = 1;
  std::string text;
  const braid_status status = run.Try(&text);
  Check(status == BRAID_OK || status == BRAID_INVALID_ARGUMENT, "ABI-045: it ends with {}: {}",
        StatusText(status), text);
  Check(status == BRAID_OK || !text.empty(), "ABI-036: INVALID_ARGUMENT comes without a text");
  if (status == BRAID_OK) {
    run.Collect();
    run.ExpectRight();
  }
  ExpectStillRight(b, w, exec);
}

void Deadline(Bench& b) {
  const Workload w = Two(b);
  const Exec exec = b.Compile(*w.view);
  Run run(b, w, exec);
  run.Prepare();
  run.submit.deadline_ns = 1;
  std::string text;
  const braid_status status = run.Try(&text);
  Check(status == BRAID_TIMEOUT || status == BRAID_OK,
        "ABI-055: a run with a deadline in the past ends with {}: {}", StatusText(status), text);
  Check(status == BRAID_OK || !text.empty(), "ABI-036: TIMEOUT comes without a text");
  if (status == BRAID_OK) {
    run.Collect();
    run.ExpectRight();
  }
  ExpectStillRight(b, w, exec);
  run.submit.deadline_ns = b.host.now() + 60'000'000'000;
  const braid_status in_time = run.Try(&text);
  Check(in_time == BRAID_OK, "ABI-055: a run with a deadline in a minute ends with {}: {}",
        StatusText(in_time), text);
}

void TakeNothing(Bench& b) {
  const Workload w = Two(b);
  const Exec exec = b.Compile(*w.view);
  Run run(b, w, exec);
  run.Prepare();
  Fence fence = run.Start();
  Check(fence.Wait() == BRAID_OK, "a run fails: {}", fence.Text());
  if (fence.get() == nullptr) throw NotThere("the device's runs have no fence");
  for (const uint32_t value : {w.view->outputs[0], w.view->inputs[0], w.view->value_count}) {
    braid_buffer* buffer = nullptr;
    int32_t rank = 0;
    int64_t dims[BRAID_MAX_RANK];
    b.Refused(b.ex().take_output(exec.get(), fence.get(), value, &buffer, &rank, dims),
              {BRAID_INVALID_ARGUMENT}, "ABI-045: take_output where nothing is to be taken");
    Check(buffer == nullptr, "ABI-022: a refused take_output gives a buffer");
  }
}

void NoHost(Bench& b) {
  if (b.Has(BRAID_HOST_BINDINGS)) throw NotThere("the device takes host memory");
  static uint8_t memory[4096];
  Refused(b, [](Run& r) {
    r.bindings[0].buffer = nullptr;
    r.bindings[0].host = memory;
  });
}

void WrongInner(Bench& b) {
  Refused(b, Chain(b.Elementwise(), {4, 6}, 2), [](Run& r) {
    // The value between the two nodes comes right before the output.
    Add(r, r.bindings.back());
    r.bindings.back().value -= 1;
  });
}

// ---- Data out of range

struct Indexed {
  const char* op;
  std::vector<int64_t> index_dims, update_dims, out_dims;
  std::vector<int64_t> right;
  size_t spoiled;  // which index becomes wrong
};

// Of data [5, 4].
Workload Make(const Indexed& c, braid_type index_type, const std::vector<int64_t>& indices) {
  auto graph = std::make_shared<kit::testing::Graph>();
  std::vector<float> values(20), updates(1);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) + 1;
  Workload w;
  const uint32_t data = graph->Input(1, {5, 4}), index = graph->Input(index_type, c.index_dims);
  w.inputs.push_back(Array::Of<float>(1, {5, 4}, values));
  if (index_type == 7) {
    w.inputs.push_back(Array::Of<int64_t>(7, c.index_dims, indices));
  } else {
    w.inputs.push_back(
        Array::Of<int32_t>(6, c.index_dims, std::vector<int32_t>(indices.begin(), indices.end())));
  }
  std::vector<uint32_t> inputs = {data, index};
  if (!c.update_dims.empty()) {
    size_t n = 1;
    for (const int64_t d : c.update_dims) n *= static_cast<size_t>(d);
    updates.assign(n, -7);
    inputs.push_back(graph->Input(1, c.update_dims));
    w.inputs.push_back(Array::Of<float>(1, c.update_dims, updates));
  }
  const int32_t version = NewestVersion(c.op);
  graph->Node(c.op, version, inputs, {graph->Output(1, c.out_dims)}, {}, "", "", version < 13 ? version : 11);
  w.name = c.op;
  w.view = graph->view();
  w.owner = graph;
  return w;
}

void OutOfRange(Bench& b, const Indexed& c) {
  for (const braid_type type : {7, 6}) {
    const Workload right = Make(c, type, c.right);
    if (!b.Takes(*right.view)) {
      if (type == 7) continue;
      throw NotThere(fmt::format("the device does not take {} with indices at run time", c.op));
    }
    const Exec exec = b.Compile(*right.view);
    Run run(b, right, exec);
    run.Go();
    const auto want = run.outputs();
    for (const int64_t wrong :
         {int64_t{5}, int64_t{-6}, int64_t{1'000'000}, int64_t{INT32_MAX}, int64_t{INT32_MIN}}) {
      auto indices = c.right;
      indices[c.spoiled] = wrong;
      const Workload spoiled = Make(c, type, indices);
      Run bad(b, spoiled, exec);
      bad.Prepare();
      std::string text;
      const braid_status status = bad.Try(&text);
      Check(status == BRAID_OK || status == BRAID_INVALID_ARGUMENT,
            "ABI-047: {} with index {} of 5 ends with {}: {}", c.op, wrong, StatusText(status), text);
      Check(status == BRAID_OK || !text.empty(), "ABI-036: INVALID_ARGUMENT comes without a text");
      bad.Collect();  // nothing around the tensors has changed, nor an input
      run.Go();
      CheckSame(run.outputs(), want, fmt::format("ABI-046: {} after an index of {}", c.op, wrong));
    }
    return;
  }
}

void Gather(Bench& b) { OutOfRange(b, {"Gather", {3}, {}, {3, 4}, {1, -5, 4}, 1}); }
void GatherElements(Bench& b) {
  OutOfRange(b, {"GatherElements", {2, 4}, {}, {2, 4}, {0, 1, 2, 3, 4, -1, 0, 1}, 3});
}
void GatherNd(Bench& b) { OutOfRange(b, {"GatherND", {3, 1}, {}, {3, 4}, {4, 0, -2}, 2}); }
void ScatterElements(Bench& b) {
  OutOfRange(b, {"ScatterElements", {2, 4}, {2, 4}, {5, 4}, {0, 1, 2, 3, 4, 0, -1, 2}, 5});
}
void ScatterNd(Bench& b) { OutOfRange(b, {"ScatterND", {2, 1}, {2, 4}, {5, 4}, {3, 0}, 0}); }

}  // namespace

std::vector<ContractCase> NegativeCases() {
  constexpr const char* kRules = "ABI-045, ABI-036, ABI-046";
  return {
      {"negative/missing-input", kRules, "an input is not bound",
       [](Bench& b) {
         Refused(b, [](Run& r) {
           r.bindings.erase(r.bindings.begin());
           r.submit.binding_count -= 1;
         });
       }},
      {"negative/missing-output", kRules, "an output is not bound",
       [](Bench& b) { Refused(b, [](Run& r) { r.submit.binding_count -= 1; }); }},
      {"negative/no-binding", kRules, "nothing is bound",
       [](Bench& b) { Refused(b, [](Run& r) { r.submit.binding_count = 0; }); }},
      {"negative/doubled-input", kRules, "an input is bound twice",
       [](Bench& b) { Refused(b, [](Run& r) { Add(r, r.bindings[0]); }); }},
      {"negative/doubled-output", kRules, "an output is bound twice",
       [](Bench& b) { Refused(b, [](Run& r) { Add(r, r.bindings.back()); }); }},
      {"negative/no-value", kRules, "a binding's value is just beyond the graph's",
       [](Bench& b) {
         const Workload w = Two(b);
         Refused(b, w, [&](Run& r) {
           Add(r, r.bindings[0]);
           r.bindings.back().value = w.view->value_count;
         });
       }},
      {"negative/wild-value", kRules, "a binding's value is 2^32 - 1",
       [](Bench& b) { Refused(b, [](Run& r) { r.bindings[0].value = UINT32_MAX; }); }},
      {"negative/inner-value", kRules, "a binding's value is neither input nor output", WrongInner},
      {"negative/lower-rank", kRules, "an input has a rank less",
       [](Bench& b) { Refused(b, [](Run& r) { r.bindings[0].rank -= 1; }); }},
      {"negative/higher-rank", kRules, "an input has a rank more",
       [](Bench& b) {
         static const int64_t kDims[] = {4, 6, 1};
         Refused(b, [](Run& r) {
           r.bindings[0].rank = 3;
           r.bindings[0].dims = kDims;
         });
       }},
      {"negative/wild-rank", kRules, "an input has rank 33",
       [](Bench& b) {
         static const std::vector<int64_t> ones(BRAID_MAX_RANK + 1, 1);
         Refused(b, [](Run& r) {
           r.bindings[0].rank = BRAID_MAX_RANK + 1;
           r.bindings[0].dims = ones.data();
         });
       }},
      {"negative/negative-rank", kRules, "an input has rank -1",
       [](Bench& b) { Refused(b, [](Run& r) { r.bindings[0].rank = -1; }); }},
      {"negative/no-dims", kRules, "an input of rank 2 has no dims",
       [](Bench& b) { Refused(b, [](Run& r) { r.bindings[0].dims = nullptr; }); }},
      {"negative/other-dims", kRules, "an input's extents are another graph's, of as many elements",
       [](Bench& b) {
         static const int64_t kDims[] = {6, 4};
         Refused(b, [](Run& r) { r.bindings[0].dims = kDims; });
       }},
      {"negative/larger-dims", kRules, "an input's extent is one more, its bytes are as before",
       [](Bench& b) {
         static const int64_t kDims[] = {5, 6};
         Refused(b, [](Run& r) { r.bindings[0].dims = kDims; });
       }},
      {"negative/negative-dims", kRules, "an input's extents are negative",
       [](Bench& b) {
         static const int64_t kDims[] = {-4, -6};
         Refused(b, [](Run& r) { r.bindings[0].dims = kDims; });
       }},
      {"negative/few-input-bytes", kRules, "an input has a byte less than its shape",
       [](Bench& b) { Refused(b, [](Run& r) { r.bindings[0].bytes -= 1; }); }},
      {"negative/few-output-bytes", kRules, "an output has a byte less than its shape",
       [](Bench& b) { Refused(b, [](Run& r) { r.bindings.back().bytes -= 1; }); }},
      {"negative/no-output-bytes", kRules, "an output has no bytes",
       [](Bench& b) { Refused(b, [](Run& r) { r.bindings.back().bytes = 0; }); }},
      {"negative/no-input-memory", kRules, "an input has neither buffer nor host memory",
       [](Bench& b) {
         Refused(b, [](Run& r) {
           r.bindings[0].buffer = nullptr;
           r.bindings[0].host = nullptr;
         });
       }},
      {"negative/no-host-memory", kRules, "host memory is bound on a device without BRAID_HOST_BINDINGS",
       NoHost},
      {"negative/input-beyond", kRules, "an input lies beyond its buffer's end",
       [](Bench& b) { Refused(b, [](Run& r) { r.bindings[0].offset += 4096; }); }},
      {"negative/output-beyond", kRules, "an output lies beyond its buffer's end",
       [](Bench& b) { Refused(b, [](Run& r) { r.bindings.back().offset += 4096; }); }},
      {"negative/offset-overflow", kRules, "an offset whose sum with the bytes overflows",
       [](Bench& b) { Refused(b, [](Run& r) { r.bindings.back().offset = UINT64_MAX - 4095; }); }},
      {"negative/misaligned", kRules, "an offset that is not aligned is refused, or right", Misaligned},
      {"negative/strides", kRules, "strides on a device that does not take them", Strides},
      {"negative/no-queue", kRules, "a queue just beyond the device's",
       [](Bench& b) { Refused(b, [&](Run& r) { r.submit.queue = b.info().queues; }); }},
      {"negative/wild-queue", kRules, "queue 2^32 - 1",
       [](Bench& b) { Refused(b, [](Run& r) { r.submit.queue = UINT32_MAX; }); }},
      {"negative/no-workspace", kRules, "no workspace where one is needed",
       [](Bench& b) { Refused(b, b.WithWorkspace(), [](Run& r) { r.submit.workspace = nullptr; }); }},
      {"negative/workspace-beyond", kRules, "a workspace beyond its buffer's end",
       [](Bench& b) {
         Refused(b, b.WithWorkspace(), [](Run& r) { r.submit.workspace_offset += uint64_t{1} << 40; });
       }},
      {"negative/deadline", "ABI-055, ABI-036, ABI-046",
       "a deadline in the past: TIMEOUT, or done; one in a minute: done", Deadline},
      {"negative/take-nothing", "ABI-045, ABI-036, ABI-022", "take_output of what was bound, or is no output",
       TakeNothing},
      {"negative/gather-range", "ABI-047, ABI-046, ABI-037", "Gather with an index out of range", Gather},
      {"negative/gather-elements-range", "ABI-047, ABI-046, ABI-037",
       "GatherElements with an index out of range", GatherElements},
      {"negative/gather-nd-range", "ABI-047, ABI-046, ABI-037", "GatherND with an index out of range",
       GatherNd},
      {"negative/scatter-elements-range", "ABI-047, ABI-046, ABI-037",
       "ScatterElements with an index out of range", ScatterElements},
      {"negative/scatter-nd-range", "ABI-047, ABI-046, ABI-037", "ScatterND with an index out of range",
       ScatterNd},
  };
}

}  // namespace braid::conformance
