// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>

#include "conformance/contract/cases.h"
#include "conformance/contract/host_memory.h"
#include "conformance/contract/lent_graph.h"
#include "conformance/contract/threads.h"

namespace braid::conformance {
namespace {

using kit::testing::Array;

std::vector<Array> OutputsOf(Bench& b, const Workload& w, const Exec& exec) {
  Run run(b, w, exec);
  run.Go();
  run.ExpectRight();
  return run.outputs();
}

void UnknownOption(Bench& b) {
  const Workload w = b.Plain();
  const braid_option option = {kit::Str("no_such_option"), kit::Str("1")};
  braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  options.options = &option;
  options.option_count = 1;
  braid_exec* exec = nullptr;
  const braid_status status = b.dev().compile(b.device(), w.view, &options, &exec);
  const std::string text = b.host.error();
  Check(status == BRAID_INVALID_ARGUMENT, "compile with an unknown option gives {}", StatusText(status));
  Check(exec == nullptr, "ABI-022: a refused compile gives an executable");
  Check(text.find("no_such_option") != std::string::npos,
        "ABI-036: the text does not name the unknown option: '{}'", text);
  OutputsOf(b, w, b.Compile(*w.view));
}

// OK within the limit, or one refusal; the device works afterwards.
void Limited(Bench& b, const braid_compile_options& options, braid_status refusal, const std::string& what) {
  const Kind& kind = b.Elementwise();
  const Workload w = kind.operands > 1 ? WithConstant(kind, {64, 64}) : Elementwise(kind, {64, 64});
  if (!b.Takes(*w.view)) throw NotThere("the device does not take " + w.name);
  braid_exec* raw = nullptr;
  const braid_status status = b.dev().compile(b.device(), w.view, &options, &raw);
  b.Refused(status, {BRAID_OK, refusal}, what);
  if (status == BRAID_OK) {
    const Exec exec(b, raw);
    Run run(b, w, exec);
    Check(options.memory_limit == 0 || run.submit.workspace == nullptr,
          "ABI-055: an executable that may take {} bytes wants a workspace", options.memory_limit);
    run.Go();
    run.ExpectRight();
  } else {
    Check(raw == nullptr, "ABI-022: a refused compile gives an executable");
  }
  OutputsOf(b, w, b.Compile(*w.view));
}

void MemoryLimit(Bench& b) {
  braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  options.memory_limit = 1;
  Limited(b, options, BRAID_OUT_OF_MEMORY, "compile within 1 byte");
}

void CompileDeadline(Bench& b) {
  braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  options.deadline_ns = 1;
  Limited(b, options, BRAID_TIMEOUT, "compile with a deadline in the past");
}

void Precisions(Bench& b) {
  const Workload w = b.Plain();
  for (const int32_t precision : {BRAID_PRECISION_EXACT, BRAID_PRECISION_BALANCED, BRAID_PRECISION_FAST})
    for (const int32_t threads : {0, 1, 7}) {
      braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
      options.precision = precision;
      options.threads = threads;
      braid_exec* raw = nullptr;
      b.Ok(b.dev().compile(b.device(), w.view, &options, &raw),
           fmt::format("compile with precision {} and {} threads", precision, threads));
      OutputsOf(b, w, Exec(b, raw));
    }
}

void Refusal(Bench& b) {
  // A node that query refuses must not compile to something that runs.
  kit::testing::Graph graph;
  graph.Node("NoSuchOperator", 1, {graph.Input(1, {2})}, {graph.Output(1, {2})});
  const braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  braid_exec* exec = nullptr;
  b.Refused(b.dev().compile(b.device(), graph.view(), &options, &exec), {BRAID_UNSUPPORTED},
            "compile of an operator that nobody knows");
  Check(exec == nullptr, "ABI-022: a refused compile gives an executable");
}

void Requirements(Bench& b) {
  const Workload w = b.Plain();
  const Exec exec = b.Compile(*w.view);
  for (const uint32_t value : {w.view->value_count, UINT32_MAX}) {
    braid_io_requirements io = BRAID_IO_REQUIREMENTS_INIT;
    io.alignment = 1;
    b.Refused(b.ex().io_requirements(exec.get(), value, &io), {BRAID_INVALID_ARGUMENT},
              fmt::format("io_requirements of value {} of {}", value, w.view->value_count));
  }
  int32_t rank = 0;
  int64_t dims[BRAID_MAX_RANK];
  const Run run(b, w, exec);
  b.Refused(b.ex().output_dims(exec.get(), run.bindings.data(), w.view->input_count, sizeof(braid_binding),
                               w.view->value_count, &rank, dims),
            {BRAID_INVALID_ARGUMENT}, "output_dims of a value that is not there");
}

void GraphGone(Bench& b) {
  // The graph and all that it points to cannot be touched once compile has returned, by the run or by another
  // compile.
  const Workload w = b.Plain();
  std::vector<std::unique_ptr<LentGraph>> graphs;
  const auto compile = [&] {
    graphs.push_back(std::make_unique<LentGraph>(*w.view));
    Exec exec = b.Compile(graphs.back()->view());
    graphs.back()->Forbid();
    return exec;
  };
  const Exec first = compile(), second = compile();
  OutputsOf(b, w, first);
  OutputsOf(b, w, second);
}

void ManyRuns(Bench& b) {
  const Workload w = b.Plain();
  std::vector<Array> first;
  for (int executable = 1; executable <= 3; ++executable) {
    const Exec exec = b.Compile(*w.view);
    // The last one's on host memory, where the device takes it.
    Run run(b, w, exec, {.host = executable == 3 && b.Has(BRAID_HOST_BINDINGS)});
    for (int i = 0; i < 1001; ++i) {
      // The others repeat the run before: their outputs are written over by the next that is looked at.
      if (i % 50 != 0) {
        const braid_status status = run.Try();
        Check(status == BRAID_OK, "run {} of executable {} ends with {}", i + 1, executable,
              StatusText(status));
        continue;
      }
      run.Go();
      run.ExpectRight();
      if (first.empty()) first = run.outputs();
      CheckSame(run.outputs(), first, fmt::format("ABI-041: run {} of executable {}", i + 1, executable));
    }
  }
}

void ArgumentsGone(Bench& b) {
  const Workload w = b.Plain();
  const Exec exec = b.Compile(*w.view);
  for (int i = 0; i < 20; ++i) {
    Run run(b, w, exec);
    run.Prepare();
    std::vector<std::unique_ptr<HostMemory>> lent;
    const auto lend = [&](const void* from, size_t bytes) {
      lent.push_back(std::make_unique<HostMemory>(bytes, false));
      if (bytes > 0) std::memcpy(lent.back()->data(), from, bytes);
      return lent.back()->data();
    };
    auto* submit = reinterpret_cast<braid_submit*>(lend(&run.submit, sizeof run.submit));
    auto* bindings = reinterpret_cast<braid_binding*>(
        lend(run.bindings.data(), run.bindings.size() * sizeof(braid_binding)));
    submit->bindings = bindings;
    for (size_t k = 0; k < run.bindings.size(); ++k)
      if (run.bindings[k].dims != nullptr)
        bindings[k].dims = reinterpret_cast<const int64_t*>(
            lend(run.bindings[k].dims, static_cast<size_t>(run.bindings[k].rank) * sizeof(int64_t)));
    braid_fence* raw = nullptr;
    b.Ok(b.ex().submit(exec.get(), submit, &raw), "submit");
    for (const auto& memory : lent)
      memory->Forbid("ABI-057: an argument of submit was used after it had returned");
    Fence fence(b, raw);
    const braid_status status = fence.Wait();
    Check(status == BRAID_OK, "a run ends with {}: {}", StatusText(status), fence.Text());
    run.Collect(fence.get());
    run.ExpectRight();
  }
}

void Pending(Bench& b) {
  const Workload w = b.Plain();
  const Exec exec = b.Compile(*w.view);
  const auto want = OutputsOf(b, w, exec);
  std::vector<std::unique_ptr<Run>> runs;
  for (uint32_t i = 0; i < 32; ++i) {
    runs.push_back(std::make_unique<Run>(b, w, exec, RunOptions{.queue = i % b.info().queues}));
    runs.back()->Prepare();
  }
  std::vector<Fence> fences;
  for (auto& run : runs) fences.push_back(run->Start());
  for (size_t i = fences.size(); i-- > 0;) {
    const braid_status status = fences[i].Wait();
    Check(status == BRAID_OK, "one of 32 pending runs ends with {}: {}", StatusText(status),
          fences[i].Text());
  }
  for (size_t i = 0; i < runs.size(); ++i) {
    runs[i]->Collect(fences[i].get());
    CheckSame(runs[i]->outputs(), want, fmt::format("ABI-041: run {} of 32 pending together", i));
  }
}

void EveryQueue(Bench& b) {
  const Workload w = b.Plain();
  const Exec exec = b.Compile(*w.view);
  const auto want = OutputsOf(b, w, exec);
  const Buffer buffer = b.Alloc(16);
  for (uint32_t queue = 0; queue < b.info().queues; ++queue) {
    Run run(b, w, exec, {.queue = queue});
    run.Go();
    CheckSame(run.outputs(), want, fmt::format("ABI-041: a run on queue {}", queue));
    std::vector<uint8_t> data(16, static_cast<uint8_t>(queue + 1)), back(16);
    for (const bool write : {true, false}) {
      braid_transfer t = BRAID_TRANSFER_INIT;
      t.kind = write ? BRAID_TRANSFER_WRITE : BRAID_TRANSFER_READ;
      (write ? t.to : t.from) = buffer.get();
      t.host = (write ? data : back).data();
      t.bytes = 16;
      t.queue = queue;
      Fence fence = b.Transfer(t);
      const braid_status status = fence.Wait();
      Check(status == BRAID_OK, "a transfer on queue {} ends with {}", queue, StatusText(status));
    }
    Check(back == data, "ABI-052: a transfer on queue {} moves other bytes", queue);
  }
}

// Inputs of its own for each thread where they can be made, so that runs that disturb each other show.
std::vector<Workload> ForThreads(Bench& b, int n) {
  std::vector<Workload> all;
  try {
    for (int i = 0; i < n; ++i) all.push_back(Elementwise(b.Elementwise(), {33, 65}, i));
  } catch (const NotThere&) {
    all.assign(static_cast<size_t>(n), b.Plain());
  }
  return all;
}

void Threads(Bench& b) {
  const std::vector<Workload> all = ForThreads(b, 4);
  const Exec exec = b.Compile(*all[0].view);
  std::vector<std::vector<kit::testing::Array>> want;
  for (const Workload& w : all) want.push_back(OutputsOf(b, w, exec));
  const auto queues = static_cast<int>(std::min(b.info().queues, 4u));
  // [queue]: one call at a time. Transfers go to queue 0, so that its lock is held for them too.
  std::vector<std::mutex> locks(static_cast<size_t>(queues));
  std::mutex made;
  OnThreads(4, [&](int i) {
    const Workload& w = all[static_cast<size_t>(i)];
    std::unique_ptr<Run> run;
    {
      std::scoped_lock lock(made, locks[0]);
      run = std::make_unique<Run>(b, w, exec, RunOptions{.queue = static_cast<uint32_t>(i % queues)});
      run->Prepare();
    }
    for (int k = 0; k < 50; ++k) {
      std::optional<Fence> fence;
      {
        std::lock_guard lock(locks[static_cast<size_t>(i % queues)]);
        fence.emplace(run->Start());
      }
      const braid_status status = fence->Wait();
      Check(status == BRAID_OK, "a run on one of four threads ends with {}: {}", StatusText(status),
            fence->Text());
      std::lock_guard lock(locks[0]);
      run->Collect(fence->get());
      CheckSame(run->outputs(), want[static_cast<size_t>(i)], "ABI-041: a run on one of four threads");
    }
    run.reset();
  });
}

void CompileAtOnce(Bench& b) {
  const Workload w = b.Plain();
  const auto want = OutputsOf(b, w, b.Compile(*w.view));
  std::mutex queue;
  OnThreads(4, [&](int) {
    for (int k = 0; k < 10; ++k) {
      const Exec exec = b.Compile(*w.view);
      std::lock_guard lock(queue);
      CheckSame(OutputsOf(b, w, exec), want, "ABI-041: an executable that was compiled beside others");
    }
  });
}

void AnyOrder(Bench& b) {
  const Workload w = b.Plain();
  std::vector<Exec> execs;
  for (int i = 0; i < 4; ++i) execs.push_back(b.Compile(*w.view));
  const auto want = OutputsOf(b, w, execs[0]);
  for (const size_t gone : {2, 0, 1}) {
    execs.erase(execs.begin() + static_cast<ptrdiff_t>(gone));
    for (const Exec& exec : execs)
      CheckSame(OutputsOf(b, w, exec), want,
                "ABI-041: a run after another executable of the graph was destroyed");
  }
}

// One executable of each kind that the device takes without knowing its shape, run with several.
void UnknownShape(Bench& b, int32_t rank, const std::vector<std::vector<int64_t>>& shapes) {
  std::string refusal;
  bool taken = false;
  for (const Kind& kind : Kinds()) {
    const Workload unknown = UnknownElementwise(kind, rank);
    const braid_verdict verdict = b.Query(*unknown.view)[0];
    if (verdict.code >= BRAID_NO_OP) {
      if (refusal.empty())
        refusal = fmt::format("query says no to {} ({}): {}", unknown.name, verdict.code, verdict.detail);
      continue;
    }
    taken = true;
    try {
      const Exec exec = b.Compile(*unknown.view);
      for (const auto& dims : shapes)
        for (const bool alike : {true, false}) {
          if (!alike && kind.operands == 1) continue;
          const Workload w =
              WithGraphOf(unknown, alike ? Elementwise(kind, dims) : ElementwiseWithOne(kind, dims));
          Run run(b, w, exec);
          run.Go();
          run.ExpectRight();
        }
    } catch (const Failure& e) {
      throw Failure(fmt::format("a yes to {}: {}", unknown.name, e.what()));
    }
  }
  if (!taken) throw NotThere(refusal);
}

void UnknownExtents(Bench& b) { UnknownShape(b, 2, {{2, 3}, {5, 1}, {33, 65}, {1, 1}, {0, 3}, {2, 3}}); }
void UnknownRank(Bench& b) { UnknownShape(b, -1, {{2, 3}, {7}, {}, {2, 1, 3, 2}, {0}, {33, 65}}); }

void FencesFirst(Bench& b) {
  // Fences go before the executable, the buffers before or after it.
  const Workload w = b.Plain();
  auto exec = std::make_unique<Exec>(b.Compile(*w.view));
  Run run(b, w, *exec);
  run.Go();
  exec.reset();
  const Exec other = b.Compile(*w.view);
  OutputsOf(b, w, other);
}

}  // namespace

std::vector<ContractCase> CompileCases() {
  return {
      {"abi/compile-unknown-option", "ABI-045, ABI-036, ABI-022", "an unknown option is refused by name",
       UnknownOption},
      {"abi/compile-memory-limit", "ABI-055, ABI-036, ABI-022",
       "within 1 byte: OUT_OF_MEMORY, or an executable that needs no memory", MemoryLimit},
      {"abi/compile-deadline", "ABI-055, ABI-036, ABI-022", "a deadline in the past: TIMEOUT, or done",
       CompileDeadline},
      {"abi/compile-precision", "ABI-028", "every precision and number of threads compiles", Precisions},
      {"abi/compile-refused", "ABI-021, ABI-022, ABI-036", "a node that query refuses is UNSUPPORTED",
       Refusal},
      {"abi/compile-graph-gone", "ABI-041", "the graph may be overwritten once compile has returned",
       GraphGone},
      {"abi/exec-no-value", "ABI-045, ABI-036",
       "io_requirements and output_dims of a value that is not there", Requirements},
      {"abi/exec-many-runs", "ABI-041", "a thousand runs of each of three executables give the same",
       ManyRuns},
      {"abi/exec-arguments-gone", "ABI-057",
       "a submit, its bindings and their extents are unreadable once it has returned", ArgumentsGone},
      {"abi/exec-pending", "ABI-041", "32 runs of one executable are pending together, over all queues",
       Pending},
      {"abi/exec-every-queue", "ABI-041, ABI-052", "runs and transfers on every queue", EveryQueue},
      {"abi/exec-threads", "ABI-041",
       "four threads run one executable at once, on queues of their own where there are enough", Threads},
      {"abi/exec-compile-at-once", "ABI-041", "four threads compile at once", CompileAtOnce},
      {"abi/exec-any-order", "ABI-041, ABI-059",
       "executables of one graph are destroyed in any order, the others still run", AnyOrder},
      {"abi/exec-destroyed-first", "ABI-041", "an executable goes before the buffers of its runs",
       FencesFirst},
      {"abi/exec-unknown-extents", "ABI-028, ABI-040, ABI-025, ABI-038",
       "elementwise operators with unknown extents that query takes run with any, also with broadcasting",
       UnknownExtents},
      {"abi/exec-unknown-rank", "ABI-028, ABI-040, ABI-025, ABI-038",
       "elementwise operators of unknown rank that query takes run with any", UnknownRank},
  };
}

}  // namespace braid::conformance
