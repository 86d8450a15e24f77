// SPDX-License-Identifier: Apache-2.0
//
// Finds plugins by their manifests (NAME.braid.json), loads them, lists their devices, and remembers what
// became of each for `braid doctor`.
//
//   Registry& registry = Registry::Default();
//   for (const std::shared_ptr<Device>& device : registry.Devices()) ...
//   if (registry.Devices().empty()) return absl::NotFoundError(registry.WhyNone());
//
// Search order, in which the first of two plugins of one id wins:
//
//   1. BRAID_PLUGIN_PATH (colon-separated)
//   2. the user's folder, $XDG_DATA_HOME/braid/plugins
//   3. the system's, /usr/local/lib/braid/plugins and /usr/lib/braid/plugins
//   4. the folder of libbraid + "/braid/plugins"
//
// BRAID_PLUGINS and BRAID_DISABLE_PLUGINS are comma-separated globs of
// ids. A process with more rights than its user looks at no variable and not in the user's folder. The
// working directory is never searched.
#ifndef BRAID_CORE_PLUGINS_REGISTRY_H_
#define BRAID_CORE_PLUGINS_REGISTRY_H_

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/plugins/device.h"
#include "core/plugins/manifest.h"

namespace braid {

// A folder of the search path; the last two are filled in by the search.
struct DirectoryReport {
  std::string path, origin;  // origin: "BRAID_PLUGIN_PATH", "user", "system", "libbraid"
  bool exists = false;
  std::string note;
};

struct RegistryOptions {
  std::vector<DirectoryReport> directories;  // in search order; relative ones are left out and noted
  std::string enable = "*", disable;         // comma-separated globs of ids
  std::string isolate;                       // "" none, "*" all, else globs: loaded in a child process
  bool check = false;
  std::string cache_dir;
  // Filled from the environment where the process may look at it.
  static RegistryOptions FromEnvironment();
};

// What became of a manifest that was found.
struct PluginReport {
  enum Outcome {
    kLoaded,
    kNotLoaded /* not asked for yet */,
    kDisabled,
    kDuplicate,
    kBadManifest,
    kBadLibrary,
    kRefused,
    kFailed
  };
  Outcome outcome = kNotLoaded;
  std::string manifest;  // path
  std::string id, vendor, version, library;
  std::string reason;                               // why not, or "" if loaded
  std::vector<std::string> devices;                 // "acme:0 Acme One (driver 3.2)"
  ManifestConformance conformance;                  // as the manifest says, unchecked
  static const char* OutcomeName(Outcome outcome);  // "loaded", "disabled", "bad manifest" ...
};

class Registry {
 public:
  // The process's own, made from the environment at first use; never destroyed.
  static Registry& Default();
  explicit Registry(RegistryOptions options);
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // Reads the manifests again and loads what is new. What is loaded stays. [any thread]
  void Refresh();
  // Loads on the first call. Devices are one object each for the life of the registry. A copy, in order of
  // discovery.
  std::vector<std::shared_ptr<Device>> Devices();
  std::vector<std::shared_ptr<Plugin>> Plugins();
  // How the plugin's own processes are, "" if it has none.
  std::string Isolation(const std::string& id);
  // "acme:0", or "acme" for its first device. NotFound names what there is.
  absl::StatusOr<std::shared_ptr<Device>> Find(const std::string& name);
  // Puts another, unopened Device in the place of a lost one. If that was done already, what is there now.
  absl::StatusOr<std::shared_ptr<Device>> Replace(const std::shared_ptr<Device>& lost);
  // The device, or if it is open and lost a fresh one in its place.
  std::shared_ptr<Device> Usable(const std::shared_ptr<Device>& device);
  // The same plugin in a process of its own, which is started at the first call; itself if it has one.
  absl::StatusOr<std::shared_ptr<Plugin>> Isolated(const std::shared_ptr<Plugin>& plugin);
  // Adds a plugin that was not found by a manifest (linked in, or made by a test).
  absl::Status Add(std::shared_ptr<Plugin> plugin);

  // Forgets all devices and plugins, for good: each is closed and shut down now, but those that are still in
  // use, which are never then.
  void Release();
  // At the end of the process, Release of Default(); not in a forked child, and without waiting long for a
  // plugin that hangs. What is registered later runs earlier: called anew once plugins have run, so that
  // objects that they made first then are still there. [any thread]
  static void ReleaseAtExit();

  std::vector<PluginReport> Report();
  std::vector<DirectoryReport> Directories();
  // Why there is no device: where was looked, what was found there and why it was not taken.
  std::string WhyNone();

 private:
  void LoadLocked();
  void DiscoverLocked();
  void AddManifestLocked(const std::string& path);
  absl::Status AddDevicesLocked(const std::shared_ptr<Plugin>& plugin, PluginReport* report);
  const RegistryOptions options_;
  std::mutex mutex_;
  bool discovered_ = false, loaded_ = false, released_ = false;
  std::vector<DirectoryReport> directories_;
  std::vector<Manifest> manifests_;  // of reports_ with the same index
  std::vector<PluginReport> reports_;
  std::vector<std::shared_ptr<Plugin>> plugins_;
  std::mutex isolating_;
  std::vector<std::shared_ptr<Plugin>> isolated_;  // of Isolated
  std::vector<std::shared_ptr<Device>> devices_;
};

}  // namespace braid

#endif  // BRAID_CORE_PLUGINS_REGISTRY_H_
