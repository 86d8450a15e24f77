// SPDX-License-Identifier: Apache-2.0
#include "plugins/sim/config.h"

#include <braid/kit/plugin.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace braid::sim {
namespace {

[[noreturn]] void Bad(const std::string& text) {
  throw kit::Error(BRAID_INVALID_ARGUMENT, "BRAID_SIM: " + text);
}

DeviceConfig ReadDevice(const nlohmann::json& json) {
  DeviceConfig config;
  for (const auto& [key, value] : json.items()) {
    if (key == "name") {
      config.name = value.get<std::string>();
    } else if (key == "lacks") {
      config.lacks = value.get<std::set<std::string>>();
    } else if (key == "types") {
      config.types = value.get<std::set<std::string>>();
    } else if (key == "memory") {
      config.memory = value.get<uint64_t>();
    } else if (key == "queues") {
      config.queues = value.get<uint32_t>();
    } else if (key == "submit_us") {
      config.submit_us = value.get<double>();
    } else if (key == "link_latency_us") {
      config.link_latency_us = value.get<double>();
    } else if (key == "link_gbps") {
      config.link_gbps = value.get<double>();
    } else if (key == "multiply_adds_per_ns") {
      config.multiply_adds_per_ns = value.get<double>();
    } else if (key == "lose_after") {
      config.lose_after = value.get<uint64_t>();
    } else {
      Bad("a device has no key '" + key + "'");
    }
  }
  if (config.queues < 1 || config.queues > 64)
    Bad("queues is " + std::to_string(config.queues) + ", not within 1 to 64");
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

}  // namespace braid::sim
