// SPDX-License-Identifier: Apache-2.0
//
// Whether a plugin is certified: what its manifest says of conformance, checked against the files that it
// names. A report is a file of `braid conformance`; who trusts it, trusts who wrote it: a hash is no
// signature.
#ifndef BRAID_CORE_PLUGINS_CERTIFICATE_H_
#define BRAID_CORE_PLUGINS_CERTIFICATE_H_

#include <string>
#include <vector>

#include "core/plugins/manifest.h"

namespace braid {

struct Certificate {
  struct Device {
    std::string name, driver;
  };
  bool certified = false;
  std::string why_not;
  std::vector<Device> devices;  // that were tested: it counts for these alone
};

// The report lies beside the manifest, has the hash that the manifest says, is of this plugin and of this
// very library, says of itself what the manifest says of it, and has neither failures nor waivers. Reads both
// files as a whole.
Certificate CheckCertificate(const Manifest& manifest);

}  // namespace braid

#endif  // BRAID_CORE_PLUGINS_CERTIFICATE_H_
