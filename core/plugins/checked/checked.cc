// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/checked/checked.h"

#include <braid/ext/operators.h>

#include <algorithm>
#include <mutex>
#include <string_view>

#include "core/plugins/checked/slots.h"

namespace braid {
namespace checked {
namespace {

Layer* LayerOf(const braid_plugin* p) { return static_cast<Layer*>(p->data); }

braid_status BRAID_CALL PluginEnumerate(const braid_plugin* p, uint32_t capacity, void* infos,
                                        uint32_t stride, uint32_t* count) {
  Layer* layer = LayerOf(p);
  const SlotMark mark(layer->id(), "plugin.enumerate");
  return Status(layer, "plugin.enumerate",
                layer->inner().enumerate(&layer->inner(), capacity, infos, stride, count), {});
}

braid_status BRAID_CALL PluginOpen(const braid_plugin* p, uint32_t index, const braid_open_options* options,
                                   braid_device** out) {
  *out = nullptr;
  Layer* layer = LayerOf(p);
  const SlotMark mark(layer->id(), "plugin.open");
  braid_device* given = nullptr;
  const braid_status status =
      Status(layer, "plugin.open", layer->inner().open(&layer->inner(), index, options, &given),
             {BRAID_INVALID_ARGUMENT});
  Gives(layer, "plugin.open", status, given);
  if (given == nullptr) return status;
  DeviceInfo info;
  const braid_device_info none = BRAID_DEVICE_INFO_INIT;
  uint32_t count = 0;
  std::vector<braid_device_info> raw(index + 1, none);
  if (layer->inner().enumerate(&layer->inner(), index + 1, raw.data(), sizeof none, &count) == BRAID_OK &&
      index < count) {
    info.flags = raw[index].flags;
    info.alignment = std::max<uint64_t>(raw[index].alignment, 1);
    info.queues = std::max(raw[index].queues, 1u);
  }
  layer->devices.fetch_add(1);
  *out = Boxes::Get().Add<braid_device>(std::make_shared<DeviceBox>(layer, given, info));
  return status;
}

// Tables of extensions may take handles, which this layer would have to replace. Only the one is passed on
// that is known to take none.
const void* BRAID_CALL PluginExtension(const braid_plugin* p, const char* id) {
  Layer* layer = LayerOf(p);
  if (layer->inner().get_extension == nullptr || std::string_view(id) != BRAID_OPERATORS_ID) return nullptr;
  const SlotMark mark(layer->id(), "plugin.get_extension");
  return layer->inner().get_extension(&layer->inner(), id);
}

void BRAID_CALL PluginShutdown(const braid_plugin* p) {
  Layer* layer = LayerOf(p);
  if (layer->devices.load() > 0)
    layer->Report(Rule::kPluginNotEmpty, absl::StrCat("the plugin was shut down while ",
                                                      layer->devices.load(), " of its devices are open"));
  const SlotMark mark(layer->id(), "plugin.shutdown");
  for (const uint32_t value : layer->host()->EndCall(nullptr))
    layer->Report(Rule::kConstantChanged,
                  absl::StrCat("the bytes of constant value ", value, " were changed"));
  layer->inner().shutdown(&layer->inner());
  if (layer->host()->tokens() != 0)
    layer->Report(Rule::kTokens,
                  absl::StrCat(layer->host()->tokens(),
                               " tokens of constants or cache entries were not released before shutdown"));
}

}  // namespace

Layer::Layer(const braid_plugin* inner, HostTable* host) : inner_(inner), host_(host), id_(host->id()) {
  table_ = *inner;
  table_.size = sizeof table_;
  table_.data = this;
  table_.enumerate = PluginEnumerate;
  table_.open = PluginOpen;
  table_.get_extension = PluginExtension;
  table_.shutdown = PluginShutdown;
  table_.device = &device_;
  table_.exec = &exec_;
  table_.fence = &fence_;
  device_ = DeviceSlots(*inner->device);
  exec_ = ExecSlots(*inner->exec);
  fence_ = FenceSlots(*inner->fence);
}

}  // namespace checked

std::shared_ptr<PluginLayer> MakeCheckedLayer(const braid_plugin* inner, HostTable* host) {
  // Kept for good: boxes of handles that are used too late still name it.
  static std::mutex* mutex = new std::mutex;
  static auto* layers = new std::vector<std::shared_ptr<PluginLayer>>;
  checked::NameSlotsInCrashes();
  auto layer = std::make_shared<checked::Layer>(inner, host);
  std::lock_guard<std::mutex> lock(*mutex);
  layers->push_back(layer);
  return layer;
}

}  // namespace braid
