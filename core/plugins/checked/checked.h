// SPDX-License-Identifier: Apache-2.0
//
// The checked layer (BRAID_CHECK=1): stands between host and plugin and holds both to the rules of the ABI:
// threads, lifetimes, sizes, ownership. A breach is logged with the number of its rule (docs/abi/rules.md)
// and counted.
#ifndef BRAID_CORE_PLUGINS_CHECKED_CHECKED_H_
#define BRAID_CORE_PLUGINS_CHECKED_CHECKED_H_

#include <braid/plugin.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/plugins/device.h"

namespace braid {

// host: for the log's name and the tokens that the plugin holds; outlives the layer.
std::shared_ptr<PluginLayer> MakeCheckedLayer(const braid_plugin* inner, HostTable* host);

// BRAID_CHECK=abort, or tests: the process ends at the first breach.
void SetCheckedAborts(bool aborts);

}  // namespace braid

#endif  // BRAID_CORE_PLUGINS_CHECKED_CHECKED_H_
