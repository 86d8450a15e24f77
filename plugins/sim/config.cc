// SPDX-License-Identifier: Apache-2.0
#include "plugins/sim/config.h"

#include <braid/kit/plugin.h>

#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

namespace braid::sim {
namespace {

[[noreturn]] void Bad(const std::string& text) {
  throw kit::Error(BRAID_INVALID_ARGUMENT, "BRAID_SIM: " + text);
}

int32_t ReadKind(const std::string& kind) {
  static const std::map<std::string, int32_t> kKinds = {
      {"cpu", BRAID_DEVICE_CPU}, {"gpu", BRAID_DEVICE_GPU},   {"npu", BRAID_DEVICE_NPU},
      {"dsp", BRAID_DEVICE_DSP}, {"fpga", BRAID_DEVICE_FPGA}, {"other", BRAID_DEVICE_OTHER}};
  const auto found = kKinds.find(kind);
  if (found == kKinds.end()) Bad("kind is '" + kind + "', not cpu, gpu, npu, dsp, fpga or other");
  return found->second;
}

std::map<std::string, braid_status> ReadFailures(const nlohmann::json& json) {
  static const std::map<std::string, braid_status> kStatuses = {{"INVALID_ARGUMENT", BRAID_INVALID_ARGUMENT},
                                                                {"UNSUPPORTED", BRAID_UNSUPPORTED},
                                                                {"OUT_OF_MEMORY", BRAID_OUT_OF_MEMORY},
                                                                {"DEVICE_LOST", BRAID_DEVICE_LOST},
                                                                {"TIMEOUT", BRAID_TIMEOUT},
                                                                {"INTERNAL", BRAID_INTERNAL}};
  static const std::set<std::string> kCalls = {"query", "compile", "alloc", "submit", "transfer"};
  std::map<std::string, braid_status> out;
  for (const auto& [call, status] : json.items()) {
    if (!kCalls.contains(call)) Bad("fail has no call '" + call + "'");
    const auto found = kStatuses.find(status.get<std::string>());
    if (found == kStatuses.end()) Bad("fail: '" + status.get<std::string>() + "' is no status");
    out[call] = found->second;
  }
  return out;
}

std::map<std::string, std::string> ReadFaults(const nlohmann::json& json) {
  auto faults = json.get<std::map<std::string, std::string>>();
  for (const auto& [op, fault] : faults)
    if (fault != "segv" && fault != "hang" && fault != "memory" && fault != "fork")
      Bad("faults: there is no '" + fault + "'");
  return faults;
}

DeviceConfig ReadDevice(const nlohmann::json& json) {
  DeviceConfig config;
  for (const auto& [key, value] : json.items()) {
    if (key == "name") {
      config.name = value.get<std::string>();
    } else if (key == "kind") {
      config.kind = ReadKind(value.get<std::string>());
    } else if (key == "wall_clock") {
      config.wall_clock = value.get<bool>();
    } else if (key == "lacks") {
      config.lacks = value.get<std::set<std::string>>();
    } else if (key == "versions") {
      config.versions = value.get<std::map<std::string, int32_t>>();
    } else if (key == "not_worth_it") {
      config.not_worth_it = value.get<std::set<std::string>>();
    } else if (key == "types") {
      config.types = value.get<std::set<std::string>>();
    } else if (key == "memory") {
      config.memory = value.get<uint64_t>();
    } else if (key == "queues") {
      config.queues = value.get<uint32_t>();
    } else if (key == "node_us") {
      config.node_us = value.get<double>();
    } else if (key == "submit_us") {
      config.submit_us = value.get<double>();
    } else if (key == "link_latency_us") {
      config.link_latency_us = value.get<double>();
    } else if (key == "link_gbps") {
      config.link_gbps = value.get<double>();
    } else if (key == "multiply_adds_per_ns") {
      config.multiply_adds_per_ns = value.get<double>();
    } else if (key == "io_alignment") {
      config.io_alignment = value.get<uint64_t>();
    } else if (key == "max_buffer") {
      config.max_buffer = value.get<uint64_t>();
    } else if (key == "fail") {
      config.fail = ReadFailures(value);
    } else if (key == "faults") {
      config.faults = ReadFaults(value);
    } else if (key == "lose_after") {
      config.lose_after = value.get<uint64_t>();
    } else {
      Bad("a device has no key '" + key + "'");
    }
  }
  if (config.queues < 1 || config.queues > 64)
    Bad("queues is " + std::to_string(config.queues) + ", not within 1 to 64");
  if (!(config.submit_us >= 0 && config.submit_us < 1e9) ||
      !(config.link_latency_us >= 0 && config.link_latency_us < 1e9))
    Bad("submit_us and link_latency_us are from 0 to 1e9");
  if (!(config.link_gbps > 0) || !(config.multiply_adds_per_ns > 0)) Bad("speeds are above 0");
  return config;
}

}  // namespace

std::vector<DeviceConfig> ReadConfig(const char* variable) {
  std::string text = variable != nullptr ? variable : "";
  if (text.empty() || text == "0") return {};
  if (text == "1") return {DeviceConfig()};
  if (text[0] != '{') {
    std::ifstream file(text);
    if (!file) Bad("the file " + text + " can't be read");
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  std::vector<DeviceConfig> devices;
  try {
    const auto json = nlohmann::json::parse(text);
    for (const auto& device : json.at("devices")) devices.push_back(ReadDevice(device));
  } catch (const nlohmann::json::exception& e) {
    Bad(e.what());
  }
  return devices;
}

DeviceConfig ReadDeviceConfig(std::string_view json) {
  try {
    return ReadDevice(nlohmann::json::parse(json));
  } catch (const nlohmann::json::exception& e) {
    Bad(e.what());
  }
}

}  // namespace braid::sim
