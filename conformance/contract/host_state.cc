// SPDX-License-Identifier: Apache-2.0
#include "conformance/contract/host_state.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <clocale>
#include <cstring>
#include <fstream>
#include <memory>
#include <string_view>

#include "conformance/run/crash.h"
#include "core/plugins/checked/crash.h"
#include "core/plugins/float_control.h"

namespace braid::conformance {
namespace {

// The names in a folder of /proc/self, without "." and "..".
template <class Use>
void ForNames(const char* folder, const Use& use) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder), closedir);
  if (dir == nullptr) return;
  while (const dirent* entry = readdir(dir.get()))
    if (entry->d_name[0] != '.') use(std::string_view(entry->d_name), dirfd(dir.get()));
}

std::string WorkingFolder() {
  char path[4096];
  return getcwd(path, sizeof path) == nullptr ? "none" : "'" + std::string(path) + "'";
}

// Without changing it: another thread may make a file meanwhile.
std::string Umask() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("Umask:")) return line.substr(line.find_first_not_of(" \t", 6));
  return "unknown";
}

std::string File(int descriptor) {
  struct stat s;
  if (fstat(descriptor, &s) != 0) return "";
  char name[512];
  const ssize_t n = readlink(fmt::format("/proc/self/fd/{}", descriptor).c_str(), name, sizeof name);
  return fmt::format("{} (inode {} of device {:#x})",
                     std::string_view(name, n < 0 ? 0 : static_cast<size_t>(n)), s.st_ino, s.st_dev);
}

std::string NameOf(const struct sigaction& a) {
  if ((a.sa_flags & SA_SIGINFO) != 0) return fmt::format("{}", reinterpret_cast<const void*>(a.sa_sigaction));
  if (a.sa_handler == SIG_DFL) return "the default";
  return a.sa_handler == SIG_IGN ? "to be ignored"
                                 : fmt::format("{}", reinterpret_cast<const void*>(a.sa_handler));
}

}  // namespace

HostState HostState::Now() {
  HostState s;
  s.texts_["the floating-point control"] = fmt::format("{:#x}", FloatControl::Now());
  s.texts_["the working directory"] = WorkingFolder();
  s.texts_["the umask"] = Umask();
  s.texts_["the locale"] = setlocale(LC_ALL, nullptr);
  for (char** e = environ; e != nullptr && *e != nullptr; ++e) {
    const std::string_view entry = *e;
    const size_t equals = entry.find('=');
    if (equals != std::string_view::npos)
      s.environment_[std::string(entry.substr(0, equals))] = entry.substr(equals + 1);
  }
  ForNames("/proc/self/fd", [&](std::string_view name, int own) {
    int descriptor = -1;
    std::from_chars(name.data(), name.data() + name.size(), descriptor);
    if (descriptor == own) return;
    if (std::string file = File(descriptor); !file.empty()) s.descriptors_[descriptor] = std::move(file);
  });
  for (int number = 1; number < static_cast<int>(s.handlers_.size()); ++number) {
    struct sigaction& a = s.handlers_[static_cast<size_t>(number)];
    // The suite's own watch over crashes comes and goes with its cases, that of BRAID_CHECK with its layer.
    if (sigaction(number, nullptr, &a) != 0 || IsCrashWatch(a) || checked::NamesSlots(a)) a = {};
  }
  pthread_sigmask(SIG_SETMASK, nullptr, &s.mask_);
  sched_getaffinity(0, sizeof s.processors_, &s.processors_);
  return s;
}

std::string HostState::Difference(const HostState& now) const {
  for (const auto& [what, text] : texts_)
    if (const std::string& other = now.texts_.at(what); other != text)
      return fmt::format("{} is {}, not {}", what, other, text);
  for (const auto& [name, value] : environment_) {
    const auto at = now.environment_.find(name);
    if (at == now.environment_.end()) return fmt::format("the variable {} is no longer set", name);
    if (at->second != value) return fmt::format("the variable {} is '{}', not '{}'", name, at->second, value);
  }
  for (const auto& [name, value] : now.environment_)
    if (!environment_.contains(name)) return fmt::format("the variable {} is set to '{}'", name, value);
  for (const auto& [descriptor, file] : descriptors_) {
    const auto at = now.descriptors_.find(descriptor);
    if (at == now.descriptors_.end()) return fmt::format("descriptor {}, {}, is closed", descriptor, file);
    if (at->second != file) return fmt::format("descriptor {} is {}, not {}", descriptor, at->second, file);
  }
  for (int number = 1; number < static_cast<int>(handlers_.size()); ++number) {
    const std::string before = NameOf(handlers_[static_cast<size_t>(number)]),
                      after = NameOf(now.handlers_[static_cast<size_t>(number)]);
    if (before != after)
      return fmt::format("signal {} ({}) has the handler {}, not {}", number, strsignal(number), after,
                         before);
    if (sigismember(&mask_, number) != sigismember(&now.mask_, number))
      return fmt::format("signal {} ({}) is {}blocked on this thread", number, strsignal(number),
                         sigismember(&now.mask_, number) == 1 ? "" : "no longer ");
  }
  if (CPU_EQUAL(&processors_, &now.processors_) == 0)
    return fmt::format("this thread may run on {} processors, not on {}", CPU_COUNT(&now.processors_),
                       CPU_COUNT(&processors_));
  return "";
}

const HostState& HostStateAtStart() {
  static const HostState start = HostState::Now();
  return start;
}

uint64_t OpenDescriptors() {
  uint64_t n = 0;
  ForNames("/proc/self/fd", [&](std::string_view, int) { ++n; });
  return n;
}

uint64_t RunningThreads() {
  uint64_t n = 0;
  ForNames("/proc/self/task", [&](std::string_view, int) { ++n; });
  return n;
}

}  // namespace braid::conformance
