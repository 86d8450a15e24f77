// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/manifest.h"

#include <elf.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace braid {
namespace {

constexpr off_t kMaxManifest = 1 << 20;

absl::Status Bad(const std::string& path, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", why));
}

std::string Folder(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

absl::StatusOr<std::string> RealPath(const std::string& path) {
  std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), &free);
  if (real == nullptr) {
    const int error = errno;
    return absl::NotFoundError(std::strerror(error));
  }
  return std::string(real.get());
}

// A regular file's bytes; at most kMaxManifest.
absl::StatusOr<std::string> ReadSmall(const std::string& path) {
  // Not blocking: a FIFO would wait for a writer.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const int error = errno;
    return absl::NotFoundError(absl::StrCat(path, ": ", std::strerror(error)));
  }
  const std::unique_ptr<const int, void (*)(const int*)> closer(&fd, [](const int* f) { close(*f); });
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return Bad(path, "is not a regular file");
  if (info.st_size > kMaxManifest)
    return Bad(path, absl::StrCat("is ", info.st_size, " bytes long, too much for a manifest"));
  std::string out(static_cast<size_t>(info.st_size), '\0');
  size_t have = 0;
  while (have < out.size()) {
    const ssize_t n = read(fd, out.data() + have, out.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += static_cast<size_t>(n);
  }
  out.resize(have);
  return out;
}

// What is wrong with it does not keep the plugin from being used: it is not certified then. A string, which
// earlier manifests had, is a report's hash.
ManifestConformance ConformanceOf(const nlohmann::json& said) {
  ManifestConformance out;
  if (said.is_string()) out.sha256 = said.get<std::string>();
  if (!said.is_object()) return out;
  const struct {
    const char* key;
    std::string* to;
  } strings[] = {{"report", &out.report},   {"sha256", &out.sha256}, {"level", &out.level},
                 {"profile", &out.profile}, {"suite", &out.suite},   {"date", &out.date}};
  for (const auto& [key, to] : strings)
    if (const auto found = said.find(key); found != said.end() && found->is_string())
      *to = found->get<std::string>();
  return out;
}

bool ParseVersion(std::string_view text, uint32_t* major, uint32_t* minor) {
  const char* end = text.data() + text.size();
  const auto a = std::from_chars(text.data(), end, *major);
  if (a.ec != std::errc() || a.ptr == end || *a.ptr != '.') return false;
  const auto b = std::from_chars(a.ptr + 1, end, *minor);
  return b.ec == std::errc() && b.ptr == end && *major < 65536 && *minor < 65536;
}

}  // namespace

bool IsPluginId(std::string_view id) {
  if (id.empty() || id.size() > 64) return false;
  for (size_t i = 0; i < id.size(); ++i) {
    const char c = id[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!letter && (i == 0 || (c != '_' && c != '-' && c != '.'))) return false;
  }
  return true;
}

absl::StatusOr<Manifest> ParseManifest(std::string_view json, const std::string& path) {
  nlohmann::json root;
  try {
    root = nlohmann::json::parse(json.begin(), json.end());
  } catch (const nlohmann::json::exception& e) {
    return Bad(path, absl::StrCat("is not JSON: ", e.what()));
  }
  if (!root.is_object()) return Bad(path, "is not a JSON object");
  Manifest manifest;
  manifest.path = path;
  std::string abi, library;
  const struct {
    const char* key;
    std::string* to;
    bool required;
  } strings[] = {{"id", &manifest.id, true},
                 {"library", &library, true},
                 {"abi", &abi, true},
                 {"vendor", &manifest.vendor, false},
                 {"version", &manifest.version, false}};
  for (const auto& [key, to, required] : strings) {
    const auto found = root.find(key);
    if (found == root.end()) {
      if (required) return Bad(path, absl::StrCat("lacks the key '", key, "'"));
      continue;
    }
    if (!found->is_string()) return Bad(path, absl::StrCat("'", key, "' is no string"));
    *to = found->get<std::string>();
    if (to->find('\0') != std::string::npos) return Bad(path, absl::StrCat("'", key, "' has a zero in it"));
  }
  if (const auto found = root.find("devices"); found != root.end()) {
    if (!found->is_array()) return Bad(path, "'devices' is no list");
    for (const auto& kind : *found) {
      if (!kind.is_string()) return Bad(path, "'devices' has an element that is no string");
      manifest.devices.push_back(kind.get<std::string>());
    }
  }
  if (const auto found = root.find("conformance"); found != root.end())
    manifest.conformance = ConformanceOf(*found);
  if (!IsPluginId(manifest.id))
    return Bad(path, absl::StrCat("id '", manifest.id,
                                  "' is none: lower-case letters, digits, _ . - and at most 64 of them"));
  if (!ParseVersion(abi, &manifest.abi_major, &manifest.abi_minor))
    return Bad(path, absl::StrCat("abi '", abi, "' is no version such as \"0.1\""));
  if (library.empty()) return Bad(path, "'library' is empty");
  if (library[0] == '/')
    return Bad(path,
               absl::StrCat("library '", library, "' is absolute; it is given relative to the manifest"));
  for (absl::string_view part : absl::StrSplit(library, '/'))
    if (part == "..") return Bad(path, absl::StrCat("library '", library, "' leaves the manifest's folder"));
  manifest.library = absl::StrCat(Folder(path), "/", library);
  return manifest;
}

absl::StatusOr<Manifest> ReadManifest(const std::string& path) {
  auto text = ReadSmall(path);
  if (!text.ok()) return text.status();
  auto manifest = ParseManifest(*text, path);
  if (!manifest.ok()) return manifest;
  auto folder = RealPath(Folder(path));
  if (!folder.ok()) return Bad(path, folder.status().message());
  auto library = RealPath(manifest->library);
  if (!library.ok())
    return absl::NotFoundError(
        absl::StrCat(path, ": its library ", manifest->library, " is missing: ", library.status().message()));
  if (library->compare(0, folder->size() + 1, *folder + "/") != 0)
    return Bad(path, absl::StrCat("its library ", manifest->library,
                                  " is a link that leaves the manifest's folder, to ", *library));
  manifest->library = *library;
  return manifest;
}

absl::Status CheckLibrary(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) {
    const int error = errno;
    return absl::NotFoundError(absl::StrCat(path, ": ", std::strerror(error)));
  }
  if (!S_ISREG(info.st_mode)) return Bad(path, "is not a regular file");
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const int error = errno;
    return absl::NotFoundError(absl::StrCat(path, ": ", std::strerror(error)));
  }
  const std::unique_ptr<const int, void (*)(const int*)> closer(&fd, [](const int* f) { close(*f); });
  Elf64_Ehdr header{};
  const ssize_t n = pread(fd, &header, sizeof header, 0);
  if (n < static_cast<ssize_t>(sizeof(Elf32_Ehdr)) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return Bad(path, "is not a shared library (no ELF file)");
  if (header.e_ident[EI_CLASS] != ELFCLASS64) return Bad(path, "is a library for a 32-bit machine");
  if (header.e_ident[EI_DATA] != ELFDATA2LSB) return Bad(path, "is a library for a big-endian machine");
#if defined(__x86_64__)
  constexpr int kMachine = EM_X86_64;
  constexpr const char* kMachineName = "x86-64";
#elif defined(__aarch64__)
  constexpr int kMachine = EM_AARCH64;
  constexpr const char* kMachineName = "aarch64";
#else
#error "no machine type is known here"
#endif
  if (header.e_machine != kMachine)
    return Bad(path, absl::StrCat("is a library for another machine (ELF machine ", header.e_machine,
                                  "); this one is ", kMachineName));
  if (header.e_type != ET_DYN)
    return Bad(path, absl::StrCat("is no shared library (ELF type ", header.e_type, ")"));
  // The loader maps segments without a look at the file's end, and a read beyond it kills the process.
  for (uint16_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    const off_t at = static_cast<off_t>(header.e_phoff + uint64_t{i} * sizeof segment);
    const bool read = header.e_phentsize == sizeof segment && at >= 0 &&
                      pread(fd, &segment, sizeof segment, at) == static_cast<ssize_t>(sizeof segment);
    uint64_t end = 0;
    if (!read ||
        (segment.p_type == PT_LOAD && (__builtin_add_overflow(segment.p_offset, segment.p_filesz, &end) ||
                                       end > static_cast<uint64_t>(info.st_size))))
      return Bad(path, "is cut off: it refers to what lies beyond its end");
  }
  return absl::OkStatus();
}

bool MatchesGlobs(std::string_view globs, const std::string& id) {
  for (absl::string_view glob :
       absl::StrSplit(absl::string_view(globs.data(), globs.size()), ',', absl::SkipWhitespace()))
    if (fnmatch(std::string(absl::StripAsciiWhitespace(glob)).c_str(), id.c_str(), 0) == 0) return true;
  return false;
}

}  // namespace braid
