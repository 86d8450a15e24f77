// SPDX-License-Identifier: Apache-2.0
//
// The plugin `reference`: one device, the CPU, which runs the reference operators in the caller's memory
// before submit returns. It is the oracle and the device of last resort.
#include <braid/kit/plugin.h>

#include "plugins/reference/device.h"

namespace braid::reference {
namespace {

constexpr int32_t kNewestOpset = 28;

class ReferencePlugin : public kit::Plugin {
 public:
  using Plugin::Plugin;
  std::string_view id() const override { return "reference"; }
  std::string_view vendor() const override { return "Braid"; }
  std::string_view version() const override { return BRAID_VERSION; }
  int32_t newest_opset() const override { return kNewestOpset; }
  std::vector<braid_device_info> Enumerate() override {
    return {ReferenceDeviceInfo("CPU, reference operators", BRAID_VERSION)};
  }
  std::unique_ptr<kit::Device> Open(uint32_t index, const braid_open_options& options) override {
    if (options.option_count > 0)
      throw kit::Error(BRAID_INVALID_ARGUMENT,
                       "there is no option '" + std::string(kit::View(options.options[0].key)) + "'");
    if (index != 0) throw kit::Error(BRAID_INVALID_ARGUMENT, "there is no device " + std::to_string(index));
    return std::make_unique<ReferenceDevice>(host());
  }
};

}  // namespace
}  // namespace braid::reference

BRAID_KIT_PLUGIN(braid::reference::ReferencePlugin)
