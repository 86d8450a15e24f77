// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <map>
#include <memory>

#include "tools/braid/command.h"
#include "tools/braid/graph.h"

namespace braid::cli {
namespace {

const char* KindText(int32_t kind) {
  switch (kind) {
    case 1:
      return "CPU";
    case 2:
      return "GPU";
    case 3:
      return "NPU";
    case 4:
      return "DSP";
    case 5:
      return "FPGA";
    default:
      return "other";
  }
}

std::string MemoryText(uint64_t bytes) {
  return bytes == 0 ? "" : fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1ull << 30));
}

nlohmann::json Plugins() {
  const char* json = nullptr;
  if (graph_plugins(&json) != GRAPH_OK) throw RunError(GRAPH_INTERNAL, graph_last_error());
  return nlohmann::json::parse(json);
}

// "certified (default, all, 0.1.0, 2027-01-31)", or why not. A certificate is of the devices that were
// tested.
std::string CertificateOf(const graph_device_info& device, const nlohmann::json& plugins) {
  const std::string id = device.id;
  for (const auto& p : plugins["plugins"]) {
    if (p["outcome"] != "loaded" || p["id"] != id.substr(0, id.find(':'))) continue;
    const nlohmann::json& c = p["conformance"];
    const auto text = [&](const char* key) { return c[key].get<std::string>(); };
    if (c["certified"] != true) return "unverified: " + text("why_not");
    std::string tested;
    for (const auto& d : c["devices"]) {
      if (d["name"] == device.name && d["driver"] == device.driver)
        return fmt::format("certified ({}, {}, {}, {})", text("level"), text("profile"), text("suite"),
                           text("date"));
      tested += fmt::format("{}'{}', driver '{}'", tested.empty() ? "" : "; ", d["name"].get<std::string>(),
                            d["driver"].get<std::string>());
    }
    return "unverified: tested was " + tested;
  }
  return "unverified: its plugin is not loaded";
}

int Devices(bool as_json) {
  std::vector<graph_device_info> infos(graph_devices(nullptr, 0), graph_device_info GRAPH_DEVICE_INFO_INIT);
  graph_devices(infos.data(), static_cast<uint32_t>(infos.size()));
  nlohmann::json json = nlohmann::json::array();
  const nlohmann::json plugins = Plugins();
  for (const graph_device_info& d : infos) {
    const std::string certificate = CertificateOf(d, plugins);
    json.push_back({{"id", d.id},
                    {"kind", KindText(d.kind)},
                    {"name", d.name},
                    {"plugin", d.plugin},
                    {"driver", d.driver},
                    {"memory_total", d.memory_total},
                    {"memory_free", d.memory_free},
                    {"arithmetic", d.arithmetic},
                    {"conformance", certificate}});
    if (!as_json)
      fmt::print("{:<14} {:<6} {}{}{}\n{:<14}        plugin {}{}{}\n{:<14}        {}\n", d.id,
                 KindText(d.kind), d.name, d.memory_total > 0 ? ", " : "", MemoryText(d.memory_total), "",
                 d.plugin, *d.driver != 0 ? ", driver " : "", d.driver, "", certificate);
  }
  if (as_json) fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  if (!infos.empty()) return kDone;
  if (!as_json) fmt::print(stderr, "braid: no device was found; `braid doctor` tells where was looked\n");
  return kFailed;
}

int Doctor(bool as_json) {
  nlohmann::json plugins = Plugins();
  // All that changes what is found or how it runs.
  nlohmann::json variables = nlohmann::json::object();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (text.compare(0, 6, "BRAID_") == 0 && equals != std::string::npos)
      variables[text.substr(0, equals)] = text.substr(equals + 1);
  }
  plugins["environment"] = variables;
  plugins["version"] = graph_version();
  size_t loaded = 0;
  for (const auto& p : plugins["plugins"])
    loaded += p["outcome"] == "loaded" && !p["devices"].empty() ? 1 : 0;
  if (as_json) {
    fmt::print("{}\n", plugins.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return loaded > 0 ? kDone : kFailed;
  }
  fmt::print("braid {}\n\nfolders searched for plugins, in order:\n", graph_version());
  for (const auto& d : plugins["directories"]) {
    const std::string note = d["note"];
    fmt::print("  {:<20} {}{}\n", d["origin"].get<std::string>(), d["path"].get<std::string>(),
               note.empty() ? "" : ": " + note);
  }
  fmt::print("\nplugins found:\n");
  for (const auto& p : plugins["plugins"]) {
    const std::string reason = p["reason"], id = p["id"];
    fmt::print("  {} {}: {}{}\n    {}\n", id.empty() ? "?" : id, p["version"].get<std::string>(),
               p["outcome"].get<std::string>(), reason.empty() ? "" : ", " + reason,
               p["manifest"].get<std::string>());
    for (const auto& device : p["devices"]) fmt::print("    device {}\n", device.get<std::string>());
    if (p["outcome"] == "loaded" && p["devices"].empty())
      fmt::print("    no device{}\n",
                 id == "sim" ? ": BRAID_SIM=1 in the environment switches simulated ones on" : "");
    if (const std::string isolation = p["isolation"]; !isolation.empty()) fmt::print("    {}\n", isolation);
    if (const uint64_t n = p["violations"]; n > 0) fmt::print("    {} breaches of the ABI's rules\n", n);
  }
  if (plugins["plugins"].empty()) fmt::print("  none\n");
  fmt::print("\nenvironment:\n");
  for (const auto& [name, value] : variables.items()) fmt::print("  {}={}\n", name, value.get<std::string>());
  if (variables.empty()) fmt::print("  no BRAID_ variable is set\n");
  return loaded > 0 ? kDone : kFailed;
}

}  // namespace

std::function<int()> AddDevices(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  app.add_flag("--json", *json, "print JSON");
  return [json] { return Devices(*json); };
}

std::function<int()> AddDoctor(CLI::App& app) {
  auto json = std::make_shared<bool>(false);
  app.add_flag("--json", *json, "print JSON");
  return [json] { return Doctor(*json); };
}

}  // namespace braid::cli
