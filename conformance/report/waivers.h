// SPDX-License-Identifier: Apache-2.0
//
// Failures that are known and explained: a JSON file of waivers.
//
//   {"waivers": [{"case": "ai.onnx/Erf-13/T=float16*", "vendor": "acme", "device": "acme:0",
//                 "driver": "1.2..1.4", "reason": "rounds halves up, fixed in driver 1.5",
//                 "expires": "2027-06-30"}]}
//
// case, vendor, reason and expires are required; device and driver may be left out.
#ifndef BRAID_CONFORMANCE_REPORT_WAIVERS_H_
#define BRAID_CONFORMANCE_REPORT_WAIVERS_H_

#include <string>
#include <string_view>
#include <vector>

#include "conformance/report/plugin.h"
#include "conformance/run/job.h"

namespace braid::conformance {

struct Waiver {
  std::string cases;         // a glob of ids
  std::string vendor;        // the plugin's id or its vendor
  std::string device = "*";  // a glob of device ids or names
  std::string from, to;      // driver versions, both included; "": open
  std::string reason;
  std::string expires;  // the last day on which it counts, "2027-06-30"
};

// Throws std::invalid_argument that says which waiver lacks what. `file` is for that text.
std::vector<Waiver> ParseWaivers(const std::string& json, const std::string& file);

// Compares versions as "1.10.2" by their numbers; a missing one is 0. Less than 0, 0, more.
int CompareVersions(std::string_view a, std::string_view b);
// The first dotted number in a driver's text, "22.3.6" of "Mesa 22.3.6 (LLVM 15)"; "" if there is none.
std::string VersionIn(const std::string& driver);

// The waivers that count for this device on a day ("2027-01-31").
class Waivers {
 public:
  Waivers() = default;
  Waivers(const std::vector<Waiver>& all, const PluginIdentity& plugin, const DeviceIdentity& device,
          const std::string& today);
  // A failure, crash, hang or lack of memory that is waived is kWaived; a waived case that passed is kStale.
  // The rest stays: what the suite itself did wrong cannot be waived.
  Result Judge(Result result) const;
  // Of this device, but of an earlier day: they do not count.
  const std::vector<Waiver>& expired() const { return expired_; }
  // That count, and whose case is among none of these ids.
  std::vector<Waiver> Unused(const std::vector<Result>& results) const;

 private:
  std::vector<Waiver> waivers_, expired_;
};

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_REPORT_WAIVERS_H_
