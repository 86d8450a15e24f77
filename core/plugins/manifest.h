// SPDX-License-Identifier: Apache-2.0
//
// NAME.braid.json, the file beside a plugin's library. Reading it runs none of the plugin's code.
//
//   {"id": "acme", "library": "libbraid_acme.so", "abi": "0.1", "vendor": "Braid", "version": "0.1.0",
//    "devices": ["gpu"],
//    "conformance": {"report": "acme.conformance.json", "sha256": "...", "level": "default",
//                    "profile": "all", "suite": "0.1.0", "date": "2027-01-31"}}
//
// id, library and abi are required. Unknown keys are left alone: a later Braid may have written them.
#ifndef BRAID_CORE_PLUGINS_MANIFEST_H_
#define BRAID_CORE_PLUGINS_MANIFEST_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace braid {

// What the manifest says of a report of `braid conformance`; certificate.h checks it. All "" where it says
// nothing.
struct ManifestConformance {
  std::string report;  // a file's name, beside the manifest
  std::string sha256;  // of that file
  std::string level, profile, suite, date;
};

struct Manifest {
  std::string path;     // of the manifest
  std::string id;       // see IsPluginId
  std::string library;  // absolute, beneath the manifest's folder
  uint32_t abi_major = 0, abi_minor = 0;
  std::string vendor, version;
  ManifestConformance conformance;
  std::vector<std::string> devices;  // kinds: "cpu", "gpu", ...
};

// Reads and checks; the error names the file, and the key or line. Manifests beyond 1 MiB are refused. The
// library must lie beneath the manifest's folder, symbolic links followed.
absl::StatusOr<Manifest> ReadManifest(const std::string& path);
// The JSON alone; `path` says where the library is looked for. Does not look at the file system.
absl::StatusOr<Manifest> ParseManifest(std::string_view json, const std::string& path);

// [a-z0-9][a-z0-9_.-]*, at most 64.
bool IsPluginId(std::string_view id);

// Whether the file is an ELF shared library for the machine that this code was built for; says what it is if
// not.
absl::Status CheckLibrary(const std::string& path);

// Comma-separated globs ("acme,fab*").
bool MatchesGlobs(std::string_view globs, const std::string& id);

}  // namespace braid

#endif  // BRAID_CORE_PLUGINS_MANIFEST_H_
