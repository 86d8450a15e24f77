// SPDX-License-Identifier: Apache-2.0
#include "conformance/run/target.h"

#include <nlohmann/json.hpp>

namespace braid::conformance {
namespace {

void Check(graph_status status) {
  if (status != GRAPH_OK) throw TargetError(status, graph_last_error());
}

nlohmann::json PlanOf(graph_t* graph) {
  const char* text = nullptr;
  Check(graph_explain(graph, GRAPH_EXPLAIN_JSON, &text));
  return nlohmann::json::parse(text);
}

void CheckNoneLeftOut(const nlohmann::json& plan) {
  const auto fail = [](const std::string& device, const std::string& why) {
    throw TargetError(GRAPH_DEVICE_LOST, device + " was left out: " + why);
  };
  for (const auto& device : plan["devices"])
    if (device.contains("left_out")) fail(device["id"], device["left_out"]);
  // Of some nodes only: where it did not compile them.
  for (const auto& node : plan["nodes"])
    for (const auto& verdict : node["verdicts"])
      if (verdict["verdict"] == "LEFT_OUT") fail(verdict["device"], verdict.value("reason", ""));
}

class OnDevice : public Target {
 public:
  explicit OnDevice(std::string devices) : devices_(std::move(devices)) {}

  std::vector<std::vector<Value>> Run(const BuiltCase& built) override {
    graph_options options = GRAPH_OPTIONS_INIT;
    const std::string devices = built.placement.empty() ? devices_ : devices_ + ",reference";
    options.devices = devices.c_str();
    if (!built.placement.empty()) options.placement = built.placement.c_str();
    graph_t* raw = nullptr;
    Check(graph_load_memory(built.model.data(), built.model.size(), &options, &raw));
    const std::unique_ptr<graph_t, void (*)(graph_t*)> graph(raw, graph_free);
    std::vector<std::vector<Value>> results;
    for (const std::vector<NamedValue>& inputs : built.runs) {
      Lent lent;
      std::vector<graph_tensor> in;
      for (const NamedValue& v : inputs) in.push_back(lent.Lend(v.value, v.name));
      Outputs out(built.outputs.size());
      const std::vector<std::string> before = BytesOf(in);
      Check(graph_run(graph.get(), in.data(), static_cast<uint32_t>(in.size()), out.tensors.data(),
                      static_cast<uint32_t>(out.tensors.size())));
      const nlohmann::json plan = PlanOf(graph.get());
      CheckNoneLeftOut(plan);
      used_ = used_ || HasPart(plan);
      if (BytesOf(in) != before) throw TargetError(GRAPH_INTERNAL, "an input was changed by the run");
      results.emplace_back();
      for (const graph_tensor& t : out.tensors) results.back().push_back(Copy(t));
    }
    return results;
  }

  bool UsedDevice() const override { return used_; }

 private:
  // Whether a segment of the plan is the device's.
  bool HasPart(const nlohmann::json& plan) const {
    for (const auto& device : plan["devices"])
      if (device["segments"] > 0 &&
          (device["id"] == devices_ || device["id"].get<std::string>().starts_with(devices_ + ":")))
        return true;
    return false;
  }

  struct Outputs {
    explicit Outputs(size_t n) : tensors(n, graph_tensor GRAPH_TENSOR_INIT) {}
    ~Outputs() {
      for (graph_tensor& t : tensors) graph_tensor_release(&t);
    }
    std::vector<graph_tensor> tensors;
  };
  static std::vector<std::string> BytesOf(const std::vector<graph_tensor>& tensors) {
    std::vector<std::string> bytes;
    for (const graph_tensor& t : tensors)
      if (t.kind == GRAPH_TENSOR) bytes.emplace_back(static_cast<const char*>(t.data), t.bytes);
    return bytes;
  }
  const std::string devices_;
  bool used_ = false;
};

}  // namespace

void CheckNoneLeftOut(graph_t* graph) { CheckNoneLeftOut(PlanOf(graph)); }

std::unique_ptr<Target> DeviceTarget(const std::string& devices) {
  return std::make_unique<OnDevice>(devices);
}

}  // namespace braid::conformance
