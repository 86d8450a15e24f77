// SPDX-License-Identifier: Apache-2.0
//
// What query accepts, compile compiles and submit runs: an operator's case as it is, with unknown extents,
// and in many runs at once.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "conformance/contract/cases.h"
#include "conformance/contract/lent_graph.h"
#include "conformance/contract/threads.h"
#include "conformance/oracle/oracle.h"

namespace braid::conformance {
namespace {

// Compiles and runs in buffers with canaries; the outputs are the numeric cases' business.
void RunIt(Bench& b, const Workload& w, const std::string& what) {
  try {
    const Exec exec = b.Compile(*w.view);
    Run run(b, w, exec);
    run.Go();
  } catch (const Failure& e) {
    throw Failure(fmt::format("{}: {}", what, e.what()));
  }
}

// What query says no to is unsupported.
void ExpectYes(Bench& b, const Workload& w) {
  for (const braid_verdict& v : b.Query(*w.view))
    if (v.code >= BRAID_NO_OP) throw NotThere(fmt::format("query says no ({}): {}", v.code, v.detail));
}

// Workloads of one graph with what must come out of each.
struct Sets {
  std::vector<Workload> workloads;
  std::vector<std::vector<Expected>> expected;
  explicit Sets(std::vector<Workload> all) : workloads(std::move(all)) {
    for (const Workload& w : workloads) expected.push_back(Expect(*w.built, w.run));
  }
  size_t size() const { return workloads.size(); }
};

// One run of a set.
struct SetRun {
  SetRun(Bench& b, const Sets& s, size_t set, const Exec& exec, uint32_t queue = 0)
      : bench(b), expected(s.expected[set]), run(b, s.workloads[set], exec, {.queue = queue}) {
    run.Prepare();
  }
  // After the fence: the outputs are right.
  void Judge(Fence& fence, const std::string& what) {
    const braid_status status = fence.Wait();
    Check(status == BRAID_OK, "{} ends with {}: {}", what, StatusText(status), fence.Text());
    run.Collect(fence.get());
    Check(run.outputs().size() == expected.size(), "the suite expects {} outputs of {}", expected.size(),
          run.outputs().size());
    for (size_t i = 0; i < expected.size(); ++i) {
      const kit::testing::Array& a = run.outputs()[i];
      Value got;
      try {
        got = Value(Tensor::FromWire(a.type, a.dims, a.bytes.data(), a.bytes.size(), false));
      } catch (const kit::Error& e) {
        throw Failure(fmt::format("{}: output {}: {}", what, i, e.what()));
      }
      const Verdict verdict = conformance::Judge(got, expected[i], bench.info().arithmetic);
      Check(verdict.text.empty(), "{}: output {} {}", what, i, verdict.text);
    }
  }
  void Go(const std::string& what) {
    Fence fence = run.Start();
    Judge(fence, what);
  }

  Bench& bench;
  const std::vector<Expected>& expected;
  Run run;
};

// Runs of one executable are pending together, over all queues. Where the device can, they all wait until
// the last is submitted.
void Together(Bench& b, const Sets& sets, const Exec& exec, size_t count, const std::string& what) {
  std::vector<std::unique_ptr<SetRun>> runs;
  for (uint32_t i = 0; i < count; ++i)
    runs.push_back(std::make_unique<SetRun>(b, sets, i % sets.size(), exec, i % b.info().queues));
  std::optional<Fence> gate;
  // Within the submit of a device that works there nothing could open it.
  if (!b.Has(BRAID_SYNCHRONOUS)) try {
      gate.emplace(b.HostFence());
    } catch (const NotThere&) {
    }
  std::vector<Fence> fences;
  {
    struct Opener {
      Bench& b;
      std::optional<Fence>& gate;
      ~Opener() {
        if (gate) b.Signal(*gate, BRAID_OK);
      }
    } opener{b, gate};
    braid_fence* const waits[] = {gate ? gate->get() : nullptr};
    for (const auto& r : runs) {
      r->run.submit.waits = waits;
      r->run.submit.wait_count = gate ? 1 : 0;
      fences.push_back(r->run.Start());
    }
  }
  for (size_t i = 0; i < count; ++i) runs[i]->Judge(fences[i], what);
}

// Two threads submit runs of one executable at the same time, on queues of their own where there are two.
void FromThreads(Bench& b, const Sets& sets, const Exec& exec, const std::string& what) {
  constexpr size_t kThreads = 2, kEach = 3;
  const uint32_t queues = std::min<uint32_t>(b.info().queues, kThreads);
  std::vector<std::unique_ptr<SetRun>> runs;
  for (size_t i = 0; i < kThreads * kEach; ++i)
    runs.push_back(std::make_unique<SetRun>(b, sets, i % sets.size(), exec,
                                            static_cast<uint32_t>(i % kThreads) % queues));
  std::vector<std::optional<Fence>> fences(runs.size());
  std::mutex locks[kThreads];
  std::atomic<size_t> there = 0;
  OnThreads(kThreads, [&](int thread) {
    for (++there; there < kThreads;) std::this_thread::yield();
    for (auto i = static_cast<size_t>(thread); i < runs.size(); i += kThreads) {
      std::lock_guard lock(locks[runs[i]->run.submit.queue]);
      fences[i].emplace(runs[i]->run.Start());
    }
    for (auto i = static_cast<size_t>(thread); i < runs.size(); i += kThreads) fences[i]->Wait();
  });
  for (size_t i = 0; i < runs.size(); ++i) runs[i]->Judge(*fences[i], what);
}

}  // namespace

void HonestyOf(Bench& b, const OperatorVersion& op) {
  std::optional<Workload> alone, twice;
  try {
    alone.emplace(PlainCase(op));
    twice.emplace(PlainCaseTwice(op));
  } catch (const NoCase& e) {
    throw NotThere(e.what());
  }
  ExpectYes(b, *alone);
  const auto larger = b.Query(*twice->view);
  for (size_t i = 0; i < larger.size(); ++i)
    Check(larger[i].code < BRAID_NO_OP,
          "ABI-040: node {} gets a yes alone and a no ({}) beside an equal one: {}",
          i % alone->view->node_count, larger[i].code, larger[i].detail);
  RunIt(b, *alone, "alone");
  RunIt(b, *twice, "beside an equal one");
}

void DynamicHonestyOf(Bench& b, const OperatorVersion& op) {
  std::vector<Workload> shapes;
  try {
    shapes = SymbolicCase(op);
  } catch (const NoCase& e) {
    throw NotThere(e.what());
  }
  ExpectYes(b, shapes[0]);
  const Sets sets(std::move(shapes));
  const Exec exec = b.Compile(*sets.workloads[0].view);
  try {
    // The first again: nothing may be left of the other shape.
    for (const size_t shape : {0, 1, 0})
      SetRun(b, sets, shape, exec).Go(fmt::format("a run with shape {} of two", shape + 1));
    Together(b, sets, exec, 2, "one of two pending runs of different shapes");
  } catch (const Failure& e) {
    throw Failure(fmt::format("ABI-040: a yes to unknown extents: {}", e.what()));
  }
}

void RunsHonestyOf(Bench& b, const OperatorVersion& op) {
  std::vector<Workload> all;
  try {
    all = CaseOfSets(op, true, 3);
  } catch (const NoCase&) {
    // Nothing of it can be constant.
  }
  if (all.empty() || !b.Takes(*all[0].view)) {
    try {
      all = CaseOfSets(op, false, 3);
    } catch (const NoCase& e) {
      throw NotThere(e.what());
    }
    ExpectYes(b, all[0]);
  }
  const Sets sets(std::move(all));
  std::vector<std::unique_ptr<LentGraph>> graphs;
  const auto compile = [&] {
    graphs.push_back(std::make_unique<LentGraph>(*sets.workloads[0].view));
    Exec exec = b.Compile(graphs.back()->view());
    graphs.back()->Forbid();
    return exec;
  };
  std::optional<Exec> first(compile()), second(compile());
  SetRun(b, sets, 0, *first).Go("a run, its graph gone");
  first.reset();
  const Exec third = compile();
  SetRun(b, sets, 1, *second).Go("ABI-041: a run after another executable of the graph was destroyed");
  Together(b, sets, *second, 4, "ABI-041: one of four runs that were pending together");
  FromThreads(b, sets, *second, "ABI-041: one of six runs from two threads");
  second.reset();
  SetRun(b, sets, 2, third).Go("ABI-041: a run after two other executables of the graph were destroyed");
}

}  // namespace braid::conformance
