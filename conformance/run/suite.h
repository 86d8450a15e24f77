// SPDX-License-Identifier: Apache-2.0
//
// Which cases a run of the suite has: kinds, and what a user selects of them.
#ifndef BRAID_CONFORMANCE_RUN_SUITE_H_
#define BRAID_CONFORMANCE_RUN_SUITE_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "conformance/case/case.h"
#include "conformance/run/job.h"
#include "conformance/run/profile.h"
#include "conformance/run/target.h"

namespace braid::conformance {

// What jobs need to know of the device that they test.
struct SuiteTarget {
  std::string device;       // as graph_options.devices: "acme:0"
  std::string peer;         // a peer (peer/peer.h) instead of a device; "": none
  std::string library;      // of its plugin, the file
  uint32_t index = 0;       // of the device in its plugin's list
  uint32_t arithmetic = 0;  // BRAID_ARITH_* that it declares
  Level level = Level::kDefault;
  std::vector<std::string> operators;  // LabelsOf the profile
  TargetMaker maker() const;
};

struct CaseKind {
  const char* name;
  const char* what;
};
// All that there are. "generated" are made by GeneratedCases, "official" come from a user's folder.
std::span<const CaseKind> CaseKinds();

struct Selection {
  std::vector<std::string> globs;  // of ids; none: all
  std::vector<std::string> kinds;  // none: all
  uint64_t shard = 1, shards = 1;  // 1 to shards: a share of the ids by their hash
  const Profile* profile = FindProfile("all");

  bool WantsKind(const std::string& kind) const;
  bool Wants(const std::string& id) const;  // by globs and shard
  // Whether ids that begin with `prefix` may be wanted: what can't need not be made.
  bool MayWant(const std::string& prefix) const;
  // Nothing is left out but by the profile.
  bool complete() const { return globs.empty() && kinds.empty() && shards == 1; }
};

// "2/8". Throws std::invalid_argument.
void ParseShard(const std::string& text, Selection* selection);

// The generated cases at a level and below, and fuzzed ones that are named in full. Throws std::runtime_error
// for what is named like one and is none.
std::vector<Case> GeneratedCases(Level level, const Selection& selection);
// Jobs of the cases, which must stay as long as these.
std::vector<Job> GeneratedJobs(const std::vector<Case>& cases, const SuiteTarget& target);
// Labels of the newest versions of a profile's operators; none: all.
std::vector<std::string> LabelsOf(const Profile& profile);
// Jobs of all kinds but "generated" and "official".
std::vector<Job> OtherJobs(const SuiteTarget& target, const Selection& selection);
// What a case of any kind that has a model runs. Throws std::runtime_error for an id that is none.
BuiltCase BuildById(const std::string& id);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_RUN_SUITE_H_
