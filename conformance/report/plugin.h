// SPDX-License-Identifier: Apache-2.0
//
// The plugin that is tested: where it lies, and what devices it has on this machine.
#ifndef BRAID_CONFORMANCE_REPORT_PLUGIN_H_
#define BRAID_CONFORMANCE_REPORT_PLUGIN_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace braid::conformance {

struct PluginIdentity {
  std::string id, vendor, version;
  std::string manifest, library;  // paths
  std::string library_sha256;
};

struct DeviceIdentity {
  std::string id;  // "acme:0"
  int32_t kind = 0;
  std::string name, driver;
  uint32_t arithmetic = 0;  // BRAID_ARITH_*
};

struct Machine {
  std::vector<DeviceIdentity> devices;
  std::map<std::string, PluginIdentity> plugins;  // that are loaded, by id; without their hash
  std::string doctor;                             // each manifest that was found and what became of it
};

// The manifest that `path` means: a manifest, a folder with one, or a library that a manifest beside it
// names. Throws std::invalid_argument.
std::string FindManifest(const std::string& path);
// Sets the environment so that, of this process's children, each finds this plugin alone, and the reference
// plugin beside it, which the oracle may need. Returns the plugin's id. Throws std::invalid_argument.
std::string UseOnly(const std::string& manifest);
// Loads the plugins in a child process, for this one must stay without devices. Throws std::runtime_error
// where that process ends or takes longer than `deadline` seconds.
Machine Probe(double deadline);

// The device's plugin, with the hash of its library.
PluginIdentity PluginOf(const Machine& machine, const DeviceIdentity& device);

// "IEEE", or what a device does otherwise: "flushes denormals, TF32 on request".
std::string ArithmeticText(uint32_t arithmetic);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_REPORT_PLUGIN_H_
