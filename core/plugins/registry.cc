// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/registry.h"

#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/plugins/host.h"

namespace braid {
namespace {

constexpr char kSuffix[] = ".braid.json";

bool Elevated() { return getauxval(AT_SECURE) != 0; }

std::string Environment(const char* name) {
  const char* value = secure_getenv(name);
  return value == nullptr ? "" : value;
}

// "1" and "true" stand for all, "0" and "" for none; else globs.
std::string GlobsOf(const std::string& value) {
  if (value == "1" || value == "true") return "*";
  return value == "0" || value == "false" ? "" : value;
}

// Who isolates a plugin that is not there relies on what is not the case.
void WarnOfIdleGlobs(const std::string& globs, const std::vector<PluginReport>& reports) {
  for (const std::string_view glob : absl::StrSplit(globs, ',', absl::SkipWhitespace())) {
    std::string ids;
    bool fits = false;
    for (const PluginReport& report : reports) {
      if (report.id.empty()) continue;
      fits = fits || MatchesGlobs(glob, report.id);
      absl::StrAppend(&ids, ids.empty() ? "" : ", ", report.id);
    }
    if (!fits && !ids.empty())
      HostLog(BRAID_LOG_WARNING, "",
              absl::StrCat("BRAID_ISOLATE names '", glob, "', which no plugin matches; there are ", ids));
  }
}

// The folder of the library (or program) that this code is in; "" if the loader cannot say.
std::string OwnFolder() {
  Dl_info info;
  static const char anchor = 0;
  if (dladdr(&anchor, &info) == 0 || info.dli_fname == nullptr) return "";
  std::unique_ptr<char, decltype(&free)> real(realpath(info.dli_fname, nullptr), &free);
  if (real == nullptr) return "";
  const std::string path = real.get();
  return path.substr(0, path.rfind('/'));
}

}  // namespace

const char* PluginReport::OutcomeName(Outcome outcome) {
  switch (outcome) {
    case kLoaded:
      return "loaded";
    case kNotLoaded:
      return "not loaded";
    case kDisabled:
      return "disabled";
    case kDuplicate:
      return "duplicate";
    case kBadManifest:
      return "bad manifest";
    case kBadLibrary:
      return "bad library";
    case kRefused:
      return "refused";
    case kFailed:
      return "failed";
  }
  return "unknown";
}

RegistryOptions RegistryOptions::FromEnvironment() {
  RegistryOptions options;
  for (absl::string_view path : absl::StrSplit(Environment("BRAID_PLUGIN_PATH"), ':', absl::SkipEmpty()))
    options.directories.push_back({std::string(path), "BRAID_PLUGIN_PATH", false, ""});
  if (!Elevated()) {
    const std::string data = Environment("XDG_DATA_HOME"), home = Environment("HOME");
    if (!data.empty() && data[0] == '/') {
      options.directories.push_back({absl::StrCat(data, "/braid/plugins"), "user", false, ""});
    } else if (!home.empty() && home[0] == '/') {
      options.directories.push_back({absl::StrCat(home, "/.local/share/braid/plugins"), "user", false, ""});
    }
  }
  options.directories.push_back({"/usr/local/lib/braid/plugins", "system", false, ""});
  options.directories.push_back({"/usr/lib/braid/plugins", "system", false, ""});
  if (const std::string own = OwnFolder(); !own.empty())
    options.directories.push_back({absl::StrCat(own, "/braid/plugins"), "libbraid", false, ""});
  if (const std::string enable = Environment("BRAID_PLUGINS"); !enable.empty()) options.enable = enable;
  options.disable = Environment("BRAID_DISABLE_PLUGINS");
  options.isolate = GlobsOf(Environment("BRAID_ISOLATE"));
  const std::string check = Environment("BRAID_CHECK");
  options.check = !check.empty() && check != "0";
  return options;
}

Registry& Registry::Default() {
  static Registry* registry = new Registry(RegistryOptions::FromEnvironment());
  return *registry;
}

Registry::Registry(RegistryOptions options) : options_(std::move(options)) {}

void Registry::DiscoverLocked() {
  discovered_ = true;
  directories_ = options_.directories;
  std::vector<std::string> seen_directories;
  for (DirectoryReport& directory : directories_) {
    if (directory.path.empty() || directory.path[0] != '/') {
      directory.note = "not an absolute path; left out";
      continue;
    }
    std::unique_ptr<char, decltype(&free)> real(realpath(directory.path.c_str(), nullptr), &free);
    DIR* dir = real == nullptr ? nullptr : opendir(real.get());
    if (dir == nullptr) {
      const int error = errno;
      directory.note = error == ENOENT ? "does not exist" : std::strerror(error);
      continue;
    }
    directory.exists = true;
    if (std::find(seen_directories.begin(), seen_directories.end(), real.get()) != seen_directories.end()) {
      directory.note = "listed before";
      closedir(dir);
      continue;
    }
    seen_directories.push_back(real.get());
    std::vector<std::string> names;
    while (const dirent* item = readdir(dir))
      if (absl::EndsWith(item->d_name, kSuffix)) names.push_back(item->d_name);
    closedir(dir);
    std::sort(names.begin(), names.end());  // readdir's order is the file system's
    directory.note = names.empty()
                         ? "no manifest"
                         : absl::StrCat(names.size(), names.size() == 1 ? " manifest" : " manifests");
    for (const std::string& name : names) AddManifestLocked(absl::StrCat(real.get(), "/", name));
  }
}

void Registry::AddManifestLocked(const std::string& path) {
  for (const PluginReport& report : reports_)
    if (report.manifest == path && report.outcome == PluginReport::kLoaded) return;
  PluginReport report;
  report.manifest = path;
  auto manifest = ReadManifest(path);
  if (!manifest.ok()) {
    // NotFound is the library's; the manifest itself was just listed.
    report.outcome =
        absl::IsNotFound(manifest.status()) ? PluginReport::kBadLibrary : PluginReport::kBadManifest;
    report.reason = std::string(manifest.status().message());
    manifest = Manifest();
  } else {
    report.id = manifest->id;
    report.vendor = manifest->vendor;
    report.version = manifest->version;
    report.library = manifest->library;
    report.conformance = manifest->conformance;
    if (!MatchesGlobs(options_.enable, report.id)) {
      report.outcome = PluginReport::kDisabled;
      report.reason =
          absl::StrCat("BRAID_PLUGINS is '", options_.enable, "', which '", report.id, "' does not match");
    } else if (MatchesGlobs(options_.disable, report.id)) {
      report.outcome = PluginReport::kDisabled;
      report.reason =
          absl::StrCat("BRAID_DISABLE_PLUGINS is '", options_.disable, "', which '", report.id, "' matches");
    } else if (manifest->abi_major != BRAID_ABI_MAJOR ||
               (BRAID_ABI_MAJOR == 0 && manifest->abi_minor != BRAID_ABI_MINOR)) {
      report.outcome = PluginReport::kRefused;
      report.reason = absl::StrCat(path, ": is for ABI ", manifest->abi_major, ".", manifest->abi_minor,
                                   "; this Braid speaks ", BRAID_ABI_MAJOR, ".", BRAID_ABI_MINOR);
    } else {
      for (const PluginReport& earlier : reports_) {
        if (earlier.id != report.id ||
            (earlier.outcome != PluginReport::kNotLoaded && earlier.outcome != PluginReport::kLoaded))
          continue;
        report.outcome = PluginReport::kDuplicate;
        report.reason = absl::StrCat("a plugin '", report.id, "' was found before: ", earlier.manifest);
      }
      if (absl::Status s = CheckLibrary(report.library);
          report.outcome == PluginReport::kNotLoaded && !s.ok()) {
        report.outcome = PluginReport::kBadLibrary;
        report.reason = std::string(s.message());
      }
    }
  }
  manifests_.push_back(*std::move(manifest));
  reports_.push_back(std::move(report));
}

void Registry::LoadLocked() {
  if (!discovered_) DiscoverLocked();
  if (loaded_) return;
  loaded_ = true;
  WarnOfIdleGlobs(options_.isolate, reports_);
  for (size_t i = 0; i < reports_.size(); ++i) {
    PluginReport& report = reports_[i];
    if (report.outcome != PluginReport::kNotLoaded) continue;
    Plugin::LoadOptions options;
    options.expected_id = report.id;
    options.check = options_.check;
    options.isolate = MatchesGlobs(options_.isolate, report.id);
    options.cache_dir = options_.cache_dir;
    auto plugin = Plugin::Load(report.library, options);
    absl::Status status = plugin.status();
    report.outcome = absl::IsNotFound(status) ? PluginReport::kBadLibrary : PluginReport::kRefused;
    if (status.ok()) {
      report.version = (*plugin)->version();
      report.vendor = (*plugin)->vendor();
      report.outcome = PluginReport::kFailed;
      status = AddDevicesLocked(*plugin, &report);
    }
    if (status.ok()) {
      report.outcome = PluginReport::kLoaded;
    } else {
      report.reason = std::string(status.message());
      HostLog(BRAID_LOG_WARNING, report.id, report.reason);
    }
  }
}

absl::Status Registry::AddDevicesLocked(const std::shared_ptr<Plugin>& plugin, PluginReport* report) {
  auto infos = plugin->Enumerate();
  if (!infos.ok()) return infos.status();
  plugins_.push_back(plugin);
  if (infos->empty()) report->reason = "it loaded, but found no device of its kind on this machine";
  for (uint32_t i = 0; i < infos->size(); ++i) {
    devices_.push_back(std::make_shared<Device>(plugin, i, (*infos)[i], Options()));
    report->devices.push_back(absl::StrCat(devices_.back()->name(), " ", (*infos)[i].name));
  }
  return absl::OkStatus();
}

void Registry::Refresh() {
  std::lock_guard<std::mutex> lock(mutex_);
  for (size_t i = reports_.size(); i-- > 0;) {
    if (reports_[i].outcome == PluginReport::kLoaded) continue;
    reports_.erase(reports_.begin() + static_cast<ptrdiff_t>(i));
    manifests_.erase(manifests_.begin() + static_cast<ptrdiff_t>(i));
  }
  if (released_) return;
  discovered_ = loaded_ = false;
  LoadLocked();
}

std::vector<std::shared_ptr<Device>> Registry::Devices() {
  std::lock_guard<std::mutex> lock(mutex_);
  LoadLocked();
  return devices_;
}

std::vector<std::shared_ptr<Plugin>> Registry::Plugins() {
  std::lock_guard<std::mutex> lock(mutex_);
  LoadLocked();
  return plugins_;
}

absl::StatusOr<std::shared_ptr<Device>> Registry::Find(const std::string& name) {
  std::vector<std::string> names;
  for (const std::shared_ptr<Device>& device : Devices()) {
    if (device->name() == name || device->plugin()->id() == name) return device;
    names.push_back(device->name());
  }
  if (names.empty()) return absl::NotFoundError(WhyNone());
  std::string why;
  for (const PluginReport& report : Report())
    if (report.id == name.substr(0, name.find(':')) && !report.reason.empty())
      why = absl::StrCat(" (plugin '", report.id, "': ", report.reason, ")");
  return absl::NotFoundError(
      absl::StrCat("there is no device '", name, "'", why, "; there is: ", absl::StrJoin(names, ", ")));
}

absl::StatusOr<std::shared_ptr<Device>> Registry::Replace(const std::shared_ptr<Device>& lost) {
  static std::mutex replacing;  // asking the plugin takes long
  std::lock_guard<std::mutex> one_at_a_time(replacing);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (const std::shared_ptr<Device>& device : devices_)
      if (device != lost && device->name() == lost->name()) return device;
  }
  auto fresh = lost->plugin()->MakeDevice(lost->index());
  if (!fresh.ok()) return fresh;
  std::lock_guard<std::mutex> lock(mutex_);
  for (std::shared_ptr<Device>& device : devices_)
    if (device == lost) device = *fresh;
  return fresh;
}

absl::StatusOr<std::shared_ptr<Plugin>> Registry::Isolated(const std::shared_ptr<Plugin>& plugin) {
  if (plugin->isolated()) return plugin;
  std::lock_guard<std::mutex> one_at_a_time(isolating_);
  for (const std::shared_ptr<Plugin>& other : isolated_)
    if (other->id() == plugin->id()) return other;
  Plugin::LoadOptions options;
  options.expected_id = plugin->id();
  options.check = options_.check;
  options.isolate = true;
  options.cache_dir = options_.cache_dir;
  auto made = Plugin::Load(plugin->library(), options);
  if (made.ok()) isolated_.push_back(*made);
  return made;
}

std::string Registry::Isolation(const std::string& id) {
  for (const std::shared_ptr<Plugin>& plugin : Plugins())
    if (plugin->id() == id && plugin->isolated()) return plugin->isolation();
  std::lock_guard<std::mutex> lock(isolating_);
  for (const std::shared_ptr<Plugin>& plugin : isolated_)
    if (plugin->id() == id) return plugin->isolation();
  return "";
}

std::shared_ptr<Device> Registry::Usable(const std::shared_ptr<Device>& device) {
  // The devices of one process are lost together, and not all of them know it yet.
  if (!device->is_open() || (device->Health().ok() && !device->lost()) || !device->lost()) return device;
  auto fresh = Replace(device);
  return fresh.ok() ? *fresh : device;  // whose next call says why it can't be used
}

void Registry::Release() {
  std::vector<std::shared_ptr<Device>> devices;
  std::vector<std::shared_ptr<Plugin>> plugins;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    loaded_ = released_ = true;
    devices.swap(devices_);
    plugins.swap(plugins_);
  }
  {
    std::lock_guard<std::mutex> lock(isolating_);
    std::move(isolated_.begin(), isolated_.end(), std::back_inserter(plugins));
    isolated_.clear();
  }
  for (std::shared_ptr<Device>& device : devices) {
    if (device.use_count() > 1) device->LeaveOpen();
    device.reset();
  }
  for (std::shared_ptr<Plugin>& plugin : plugins) {
    if (plugin.use_count() > 1) plugin->LeaveOpen();
    plugin.reset();
  }
}

void Registry::ReleaseAtExit() {
  static const pid_t owner = getpid();
  std::atexit([] {
    if (getpid() != owner) return;
    struct Ending {
      std::mutex mutex;
      std::condition_variable ended;
      bool done = false;
    };
    auto ending = std::make_shared<Ending>();
    std::thread worker([ending] {
      Registry::Default().Release();
      std::lock_guard<std::mutex> lock(ending->mutex);
      ending->done = true;
      ending->ended.notify_all();
    });
    constexpr auto kPatience = std::chrono::seconds(3);
    std::unique_lock<std::mutex> lock(ending->mutex);
    const bool done = ending->ended.wait_for(lock, kPatience, [&] { return ending->done; });
    lock.unlock();
    if (done) {
      worker.join();
    } else {
      worker.detach();
      HostLog(BRAID_LOG_WARNING, "", "a plugin does not let its devices be closed; the process ends without");
    }
  });
}

absl::Status Registry::Add(std::shared_ptr<Plugin> plugin) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const std::shared_ptr<Plugin>& other : plugins_)
    if (other->id() == plugin->id())
      return absl::AlreadyExistsError(absl::StrCat("there is a plugin '", plugin->id(), "' already"));
  PluginReport report;
  report.outcome = PluginReport::kLoaded;
  report.id = plugin->id();
  report.vendor = plugin->vendor();
  report.version = plugin->version();
  if (absl::Status s = AddDevicesLocked(plugin, &report); !s.ok()) return s;
  manifests_.emplace_back();
  reports_.push_back(std::move(report));
  return absl::OkStatus();
}

std::vector<PluginReport> Registry::Report() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!discovered_) DiscoverLocked();
  return reports_;
}

std::vector<DirectoryReport> Registry::Directories() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!discovered_) DiscoverLocked();
  return directories_;
}

std::string Registry::WhyNone() {
  std::string out = "no device: ";
  const std::vector<PluginReport> reports = Report();
  absl::StrAppend(&out, reports.empty() ? "no plugin was found" : "no plugin that was found gave one");
  for (const PluginReport& report : reports)
    absl::StrAppend(&out, "; ", report.manifest, ": ", PluginReport::OutcomeName(report.outcome),
                    report.reason.empty() ? "" : ": ", report.reason);
  absl::StrAppend(&out, "; looked for manifests (*", kSuffix, ") in");
  const char* separator = " ";
  for (const DirectoryReport& directory : Directories())
    absl::StrAppend(&out, std::exchange(separator, ", "), directory.path, " (", directory.origin,
                    "): ", directory.note);
  absl::StrAppend(&out, "; BRAID_PLUGIN_PATH adds folders, separated by colons");
  return out;
}

}  // namespace braid
