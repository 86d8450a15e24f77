// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "conformance/oracle/oracle.h"
#include "conformance/performance/performance.h"
#include "conformance/run/generated.h"
#include "conformance/run/target.h"

namespace braid::conformance {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kInputs = 4;  // sets of inputs, used in turn
constexpr size_t kWarmUp = 3, kLeastRuns = 9, kMostRuns = 101;
constexpr double kSeconds = 0.5;  // that are measured, where the least number of runs does not take longer

void Check(graph_status status) {
  if (status != GRAPH_OK) throw TargetError(status, graph_last_error());
}

// The same elements, each `by` places on: other inputs of the same distribution.
Value Rotated(const Value& value, size_t by) {
  const Tensor& t = value.tensor;
  Tensor out(t.type(), t.dims());
  reference::DispatchIn<reference::kAllTypes>(t.type(), [&]<class T>() {
    if (t.size() == 0) return;
    const int64_t shift = static_cast<int64_t>(by) % t.size();
    std::rotate_copy(t.data<T>(), t.data<T>() + shift, t.data<T>() + t.size(), out.data<T>());
  });
  return out;
}

class Session {
 public:
  Session(BuiltCase built, const std::string& devices) : built_(std::move(built)) {
    graph_options options = GRAPH_OPTIONS_INIT;
    options.devices = devices.c_str();
    graph_t* raw = nullptr;
    Check(graph_load_memory(built_.model.data(), built_.model.size(), &options, &raw));
    graph_.reset(raw);
    const std::vector<NamedValue> first = built_.runs[0];
    built_.runs.clear();
    for (size_t k = 0; k < kInputs; ++k) {
      built_.runs.emplace_back();
      inputs_.emplace_back();
      for (const NamedValue& v : first) {
        built_.runs[k].push_back({v.name, Rotated(v.value, k * 37)});
        inputs_[k].push_back(lent_.Lend(built_.runs[k].back().value, v.name));
      }
    }
  }

  // Seconds of one run with the k-th inputs; its outputs are kept.
  double Run(size_t k) {
    std::vector<graph_tensor> out(built_.outputs.size(), graph_tensor GRAPH_TENSOR_INIT);
    const auto start = Clock::now();
    const graph_status status =
        graph_run(graph_.get(), inputs_[k].data(), static_cast<uint32_t>(inputs_[k].size()), out.data(),
                  static_cast<uint32_t>(out.size()));
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    Check(status);
    if (outputs_.empty()) CheckNoneLeftOut(graph_.get());
    outputs_.clear();
    for (graph_tensor& t : out) {
      outputs_.push_back(conformance::Copy(t));
      graph_tensor_release(&t);
    }
    return seconds;
  }
  const std::vector<Value>& outputs() const { return outputs_; }
  const BuiltCase& built() const { return built_; }

 private:
  struct Free {
    void operator()(graph_t* graph) const { graph_free(graph); }
  };
  BuiltCase built_;
  std::unique_ptr<graph_t, Free> graph_;
  Lent lent_;
  std::vector<std::vector<graph_tensor>> inputs_;
  std::vector<Value> outputs_;
};

std::string BytesOf(const std::vector<Value>& values) {
  std::string bytes;
  for (const Value& v : values) {
    const size_t at = bytes.size();
    bytes.resize(at + v.tensor.WireBytes());
    v.tensor.ToWire(bytes.data() + at);
  }
  return bytes;
}

std::string AuditOfResults(Session& session, size_t k, uint32_t arithmetic) {
  const std::vector<Expected> expected = Expect(session.built(), k);
  for (size_t i = 0; i < expected.size(); ++i)
    if (const Verdict v = Judge(session.outputs()[i], expected[i], arithmetic); !v.text.empty())
      return fmt::format("output '{}' {}", session.built().outputs[i], v.text);
  return "";
}

Result RunKernel(const Kernel& kernel, const std::string& devices, uint32_t arithmetic) {
  Result result;
  try {
    const Measured m = Measure(kernel, devices, arithmetic);
    result.text = fmt::format("{:.3f} ms, {:.2f} {} (median of {} runs){}", m.median * 1e3, m.rate,
                              kernel.unit, m.runs, m.audit.empty() ? "" : "; AUDIT: " + m.audit);
    result.measured = nlohmann::json({{"median_ms", m.median * 1e3},
                                      {"least_ms", m.least * 1e3},
                                      {"runs", m.runs},
                                      {"rate", m.rate},
                                      {"unit", kernel.unit},
                                      {"audit", m.audit}})
                          .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    // Times are told; a wrong output is wrong.
    if (!m.audit.empty()) result.outcome = Outcome::kFail;
  } catch (const TargetError& e) {
    Tell(e, &result);
  } catch (const std::exception& e) {
    result.outcome = Outcome::kInvalid;
    result.text = std::string("not measured: ") + e.what();
  }
  return result;
}

}  // namespace

std::string AuditOfChange(const std::vector<std::string>& outputs) {
  for (size_t i = 1; i < outputs.size(); ++i)
    if (outputs[i] == outputs[i - 1])
      return fmt::format("run {} gave the output of the run before, which had other inputs", i);
  return "";
}

Measured Measure(const Kernel& kernel, const std::string& devices, uint32_t arithmetic) {
  Session session(Build(kernel.graph, reference::kFloat, {}), devices);
  for (size_t i = 0; i < kWarmUp; ++i) session.Run(i % kInputs);
  Measured m;
  std::vector<double> times;
  std::vector<std::string> outputs;
  double total = 0;
  size_t k = 0;
  while (times.size() < kLeastRuns || (total < kSeconds && times.size() < kMostRuns)) {
    k = times.size() % kInputs;
    times.push_back(session.Run(k));
    total += times.back();
    // Of two rounds: what comes after is the same again.
    if (outputs.size() < 2 * kInputs) outputs.push_back(BytesOf(session.outputs()));
  }
  // The last timed run itself must be right; where none is wrong, some may still be another's.
  m.audit = AuditOfResults(session, k, arithmetic);
  if (m.audit.empty()) m.audit = AuditOfChange(outputs);
  std::sort(times.begin(), times.end());
  m.runs = times.size();
  m.median = times[times.size() / 2];
  m.least = times[0];
  m.rate = kernel.work / m.median / 1e9;
  return m;
}

std::vector<Job> PerformanceJobs(const std::string& devices, uint32_t arithmetic) {
  std::vector<Job> jobs;
  for (const Kernel& kernel : Kernels())
    jobs.push_back({"performance/" + std::string(kernel.graph.name), "performance",
                    std::string(kernel.graph.name),
                    [&kernel, devices, arithmetic] { return RunKernel(kernel, devices, arithmetic); }});
  return jobs;
}

}  // namespace braid::conformance
