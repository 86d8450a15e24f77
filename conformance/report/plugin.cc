// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/plugin.h"

#include <braid/graph.h>
#include <braid/plugin.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "core/plugins/manifest.h"
#include "core/plugins/sha256.h"

namespace braid::conformance {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kSuffix = ".braid.json";

std::vector<std::string> ManifestsIn(const fs::path& folder) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().string().ends_with(kSuffix)) found.push_back(entry.path().string());
  std::sort(found.begin(), found.end());
  return found;
}

Manifest Read(const std::string& path) {
  auto manifest = ReadManifest(path);
  if (!manifest.ok()) throw std::invalid_argument(std::string(manifest.status().message()));
  return *std::move(manifest);
}

json MachineJson() {
  json out = {{"devices", json::array()}};
  std::vector<graph_device_info> infos(graph_devices(nullptr, 0), graph_device_info GRAPH_DEVICE_INFO_INIT);
  graph_devices(infos.data(), static_cast<uint32_t>(infos.size()));
  for (const graph_device_info& d : infos)
    out["devices"].push_back({{"id", d.id},
                              {"kind", d.kind},
                              {"name", d.name},
                              {"driver", d.driver},
                              {"arithmetic", d.arithmetic}});
  const char* text = nullptr;
  if (graph_plugins(&text) != GRAPH_OK) throw std::runtime_error(graph_last_error());
  out["plugins"] = json::parse(text)["plugins"];
  return out;
}

// What `make` gives in a child process.
std::string FromChild(const std::function<std::string()>& make, double deadline) {
  using Clock = std::chrono::steady_clock;
  int ends[2];
  if (pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  std::fflush(nullptr);  // else the child prints it too
  const pid_t child = fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    close(ends[0]);
    std::string text;
    try {
      text = make();
    } catch (const std::exception& e) {
      fmt::print(stderr, "braid: {}\n", e.what());
    }
    for (size_t at = 0; at < text.size();) {
      const ssize_t n = write(ends[1], text.data() + at, text.size() - at);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      at += static_cast<size_t>(n);
    }
    close(ends[1]);
    std::exit(text.empty() ? 1 : 0);
  }
  close(ends[1]);
  const auto limit =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(deadline));
  std::string text;
  bool late = false;
  for (;;) {
    pollfd waiting = {ends[0], POLLIN, 0};
    const int ready = poll(&waiting, 1, 100);
    if (ready > 0) {
      char chunk[65536];
      const ssize_t n = read(ends[0], chunk, sizeof chunk);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      text.append(chunk, static_cast<size_t>(n));
    } else if (Clock::now() > limit) {
      late = true;
      break;
    }
  }
  close(ends[0]);
  int status = 0;
  // What it has said counts; a plugin that hangs as the process ends is the cases' business.
  for (int i = 0; waitpid(child, &status, WNOHANG) == 0; ++i) {
    if (late || i > 3000) kill(child, SIGKILL);
    usleep(1000);
  }
  if (late) throw std::runtime_error(fmt::format("the plugins took longer than {} s to load", deadline));
  if (text.empty() && WIFSIGNALED(status))
    throw std::runtime_error(
        fmt::format("the process crashed as plugins were loaded: {}", strsignal(WTERMSIG(status))));
  if (text.empty())
    throw std::runtime_error(
        fmt::format("the process that loads plugins ended with status {}", WEXITSTATUS(status)));
  return text;
}

}  // namespace

std::string FindManifest(const std::string& given) {
  std::error_code error;
  const fs::path path = fs::canonical(given, error);
  if (error) throw std::invalid_argument(given + ": " + error.message());
  if (path.string().ends_with(kSuffix)) return path.string();
  const bool folder = fs::is_directory(path);
  std::vector<std::string> found = ManifestsIn(folder ? path : path.parent_path());
  if (!folder)
    std::erase_if(found, [&](const std::string& m) {
      const auto manifest = ReadManifest(m);
      return !manifest.ok() || manifest->library != path.string();
    });
  if (found.size() == 1) return found[0];
  if (found.empty())
    throw std::invalid_argument(
        folder ? fmt::format("{}: there is no manifest (NAME{}) in it", given, kSuffix)
               : fmt::format("{}: no manifest (NAME{}) beside it names it as its library", given, kSuffix));
  throw std::invalid_argument(
      fmt::format("{}: there are several manifests, name one of them: {}", given, fmt::join(found, ", ")));
}

std::string UseOnly(const std::string& path) {
  const Manifest manifest = Read(path);
  const std::string folder = fs::path(path).parent_path().string();
  if (folder.find(':') != std::string::npos)
    throw std::invalid_argument(folder + ": a folder with ':' in its name cannot be searched for plugins");
  setenv("BRAID_PLUGIN_PATH", folder.c_str(), 1);
  setenv("BRAID_PLUGINS", (manifest.id + ",reference").c_str(), 1);
  unsetenv("BRAID_DISABLE_PLUGINS");
  return manifest.id;
}

Machine Probe(double deadline) {
  const json found = json::parse(
      FromChild([] { return MachineJson().dump(-1, ' ', true, json::error_handler_t::replace); }, deadline));
  Machine machine;
  for (const json& d : found["devices"])
    machine.devices.push_back({d["id"], d["kind"], d["name"], d["driver"], d["arithmetic"]});
  for (const json& p : found["plugins"]) {
    const auto text = [&](const char* key) { return p[key].get<std::string>(); };
    machine.doctor += fmt::format("{}{}: {}{}{}", machine.doctor.empty() ? "" : "\n  ", text("manifest"),
                                  text("outcome"), text("reason").empty() ? "" : ": ", text("reason"));
    if (text("outcome") == "loaded")
      machine.plugins[text("id")] = {text("id"),       text("vendor"),  text("version"),
                                     text("manifest"), text("library"), ""};
  }
  return machine;
}

PluginIdentity PluginOf(const Machine& machine, const DeviceIdentity& device) {
  PluginIdentity plugin = machine.plugins.at(device.id.substr(0, device.id.find(':')));
  if (const auto hash = Sha256OfFile(plugin.library); hash.ok()) plugin.library_sha256 = *hash;
  return plugin;
}

std::string ArithmeticText(uint32_t arithmetic) {
  static constexpr std::pair<uint32_t, const char*> kTexts[] = {
      {BRAID_ARITH_FLUSH_DENORMALS, "flushes denormals"},
      {BRAID_ARITH_TF32, "TF32 below exact precision"},
      {BRAID_ARITH_FP16_ACCUMULATE, "float16 sums below exact precision"},
      {BRAID_ARITH_FAST_MATH, "fast math below exact precision"}};
  std::vector<std::string> texts;
  for (const auto& [bit, text] : kTexts)
    if ((arithmetic & bit) != 0) texts.push_back(text);
  return texts.empty() ? "IEEE" : fmt::format("{}", fmt::join(texts, ", "));
}

}  // namespace braid::conformance
