// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>

#include "tools/braid/command.h"
#include "tools/braid/graph.h"

namespace braid::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string model;
  LoadOptions load;
  InputOptions inputs;
  double seconds = 3, warmup = 0.5;
  int runs = 0, clients = 1;
  bool json = false;
};

double MsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double Percentile(const std::vector<double>& sorted, double p) {
  const double at = p / 100 * static_cast<double>(sorted.size() - 1);
  const size_t low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - static_cast<double>(low));
}

// One client: outputs stay in the memory of its first run, as an application would keep them.
class Client {
 public:
  Client(LoadedGraph& graph, const std::vector<HostData>& inputs) : graph_(graph) {
    for (const HostData& data : inputs) {
      in_.push_back(Borrow(data, items_));
      in_.back().name = data.name.c_str();
    }
    std::vector<HostData> first = graph.Run(inputs);
    results_ = std::move(first);
    for (HostData& r : results_) out_.push_back(Borrow(r, items_));
  }
  double Run() {
    std::vector<graph_tensor> out = out_;
    for (graph_tensor& t : out)
      if (t.kind != GRAPH_TENSOR) t = graph_tensor GRAPH_TENSOR_INIT;
    const auto start = Clock::now();
    const graph_status status = graph_run(graph_.get(), in_.data(), static_cast<uint32_t>(in_.size()),
                                          out.data(), static_cast<uint32_t>(out.size()));
    const double ms = MsSince(start);
    if (status != GRAPH_OK) throw RunError(status, graph_last_error());
    for (graph_tensor& t : out) graph_tensor_release(&t);
    return ms;
  }

 private:
  LoadedGraph& graph_;
  std::vector<std::unique_ptr<std::vector<graph_tensor>>> items_;
  std::vector<HostData> results_;
  std::vector<graph_tensor> in_, out_;
};

int Run(const Options& options) {
  auto start = Clock::now();
  LoadedGraph graph(options.model, options.load);
  const double load_ms = MsSince(start);
  const std::vector<HostData> inputs = MakeInputs(graph, options.inputs);
  start = Clock::now();
  graph.Run(inputs);
  const double first_ms = MsSince(start);

  std::vector<double> ms;
  std::mutex mutex;
  std::exception_ptr failure;
  double elapsed = 0;
  auto work = [&] {
    try {
      Client client(graph, inputs);
      for (const auto begin = Clock::now(); MsSince(begin) < options.warmup * 1e3;) client.Run();
      std::vector<double> mine;
      const auto begin = Clock::now();
      while (options.runs > 0 ? static_cast<int>(mine.size()) < options.runs
                              : MsSince(begin) < options.seconds * 1e3 || mine.empty())
        mine.push_back(client.Run());
      const double spent = MsSince(begin);
      std::lock_guard lock(mutex);
      ms.insert(ms.end(), mine.begin(), mine.end());
      elapsed = std::max(elapsed, spent);
    } catch (...) {
      std::lock_guard lock(mutex);
      failure = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < options.clients; ++i) threads.emplace_back(work);
  work();
  for (std::thread& t : threads) t.join();
  if (failure) std::rethrow_exception(failure);
  std::sort(ms.begin(), ms.end());
  const double throughput = 1e3 * static_cast<double>(ms.size()) / elapsed;
  const std::string summary = graph.Explain(GRAPH_EXPLAIN_SUMMARY);
  if (options.json) {
    nlohmann::json json = {{"model", options.model},
                           {"runs", ms.size()},
                           {"clients", options.clients},
                           {"p50_ms", Percentile(ms, 50)},
                           {"p90_ms", Percentile(ms, 90)},
                           {"p99_ms", Percentile(ms, 99)},
                           {"min_ms", ms.front()},
                           {"runs_per_second", throughput},
                           {"load_ms", load_ms},
                           {"first_run_ms", first_ms},
                           {"summary", summary}};
    fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return kDone;
  }
  fmt::print("{} runs: p50 {:.3f} ms, p90 {:.3f} ms, p99 {:.3f} ms; {:.1f} runs a second", ms.size(),
             Percentile(ms, 50), Percentile(ms, 90), Percentile(ms, 99), throughput);
  if (options.clients > 1) fmt::print(" by {} clients", options.clients);
  fmt::print("\nload {:.1f} ms, first run {:.1f} ms\n{}\n", load_ms, first_ms, summary);
  return kDone;
}

}  // namespace

std::function<int()> AddBench(CLI::App& app) {
  constexpr double kDay = 86400;  // seconds
  auto options = std::make_shared<Options>();
  app.add_option("model", options->model, "an .onnx file")->required();
  AddInputOptions(app, &options->inputs);
  AddLoadOptions(app, &options->load);
  app.add_option("--seconds", options->seconds, "how long to measure")
      ->check(NotBelow(0, kDay))
      ->capture_default_str();
  app.add_option("--runs", options->runs, "this many runs a client instead")->check(NotBelow(1));
  app.add_option("--warmup", options->warmup, "seconds of runs that do not count")
      ->check(NotBelow(0, kDay))
      ->capture_default_str();
  app.add_option("--clients", options->clients, "threads that run the one graph at the same time")
      ->check(NotBelow(1, 1024))
      ->capture_default_str();
  app.add_flag("--json", options->json, "print JSON");
  return [options] { return Run(*options); };
}

}  // namespace braid::cli
