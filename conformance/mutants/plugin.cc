// SPDX-License-Identifier: Apache-2.0
//
// The plugin `mutant`. Its tables are the kit's, with what the fault changes of them in front.
#include <braid/kit/plugin.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "conformance/mutants/device.h"
#include "conformance/mutants/tables.h"

namespace braid::mutants {
namespace {

// The fault of this process. A name that there is not is an error: else a misspelt one would pass everything.
const Mutant* Chosen() {
  static const Mutant* const kChosen = [] {
    const char* name = std::getenv("BRAID_MUTANT");
    if (name == nullptr || *name == 0) return static_cast<const Mutant*>(nullptr);
    const Mutant* mutant = FindMutant(name);
    if (mutant == nullptr)
      throw kit::Error(BRAID_INVALID_ARGUMENT,
                       "BRAID_MUTANT: there is no mutant '" + std::string(name) + "'");
    return mutant;
  }();
  return kChosen;
}

class MutantPlugin : public kit::Plugin {
 public:
  using Plugin::Plugin;
  std::string_view id() const override { return "mutant"; }
  std::string_view vendor() const override { return "Braid"; }
  std::string_view version() const override { return BRAID_VERSION; }
  int32_t newest_opset() const override { return 28; }
  std::vector<braid_device_info> Enumerate() override {
    braid_device_info info = reference::ReferenceDeviceInfo("CPU with a fault", BRAID_VERSION);
    if (Real().asynchronous) info.flags &= ~static_cast<uint32_t>(BRAID_SYNCHRONOUS);
    return {info};
  }
  std::unique_ptr<kit::Device> Open(uint32_t index, const braid_open_options& options) override {
    if (options.option_count > 0)
      throw kit::Error(BRAID_INVALID_ARGUMENT,
                       "there is no option '" + std::string(kit::View(options.options[0].key)) + "'");
    if (index != 0) throw kit::Error(BRAID_INVALID_ARGUMENT, "there is no device " + std::to_string(index));
    return std::make_unique<MutantDevice>(host(),
                                          DeviceOptions{Chosen(), Real().asynchronous, Real().has_blobs});
  }
};

// ---- Slots that note what faults ask for ----

const braid_device_fns* kit_device = nullptr;
braid_status (*kit_open)(const braid_plugin*, uint32_t, const braid_open_options*, braid_device**) = nullptr;

braid_status Compile(braid_device* device, const braid_graph* graph, const braid_compile_options* options,
                     braid_exec** out) {
  const braid_status status = kit_device->compile(device, graph, options, out);
  if (status == BRAID_OK) NoteCompiled(*out, graph);
  return status;
}
braid_status LoadBlob(braid_device* device, const braid_graph* graph, const braid_compile_options* options,
                      braid_bytes blob, braid_exec** out) {
  const braid_status status = kit_device->load_blob(device, graph, options, blob, out);
  if (status == BRAID_OK) NoteCompiled(*out, graph);
  return status;
}
braid_status Open(const braid_plugin* plugin, uint32_t index, const braid_open_options* options,
                  braid_device** out) {
  const braid_status status = kit_open(plugin, index, options, out);
  if (status == BRAID_OK) NoteOpened(*out);
  return status;
}

// What one query made: the plugin's table and all that it points to.
struct Instance {
  Tables tables;
  const braid_plugin* inner;
};
void Shutdown(const braid_plugin* plugin) {
  const auto* instance =
      reinterpret_cast<const Instance*>(reinterpret_cast<const char*>(plugin) - offsetof(Tables, plugin));
  instance->inner->shutdown(instance->inner);
  delete instance;
}

}  // namespace

}  // namespace braid::mutants

extern "C" BRAID_EXPORT braid_status BRAID_CALL braid_plugin_query(uint32_t host_abi, const braid_host* host,
                                                                   const braid_plugin** out) {
  using namespace braid::mutants;
  *out = nullptr;
  const Mutant* mutant = nullptr;
  try {
    mutant = Chosen();
  } catch (const braid::kit::Error& e) {
    host->set_error(host, braid::kit::Str(e.what()));
    return e.status();
  }
  auto* instance = new Instance{};
  Tables own{};
  std::memcpy(&own.host, host, std::min<size_t>(host->size, sizeof own.host));
  // Once to learn what the plugin's own side is like, and again on its tables.
  Tables wish = own;
  if (mutant != nullptr && mutant->tables) mutant->tables(wish);
  own.asynchronous = wish.asynchronous;
  own.has_blobs = wish.has_blobs;
  SetReal(own);
  instance->tables.host = wish.host;
  const bool same_host = std::memcmp(&wish.host, &own.host, sizeof own.host) == 0;
  const braid_plugin* inner = nullptr;
  const braid_status status =
      braid::kit::Query(BRAID_ABI, host_abi, same_host ? host : &instance->tables.host, &inner,
                        [](braid::kit::Host h) -> std::unique_ptr<braid::kit::Plugin> {
                          return std::make_unique<MutantPlugin>(h);
                        });
  if (status != BRAID_OK) {
    delete instance;
    return status;
  }
  instance->inner = inner;
  kit_device = inner->device;
  kit_open = inner->open;
  own.plugin = *inner;
  own.device = *inner->device;
  own.exec = *inner->exec;
  own.fence = *inner->fence;
  own.device.compile = Compile;
  own.device.load_blob = LoadBlob;
  // The kit finds its own object by `data`, which the copy of its table has too.
  own.plugin.open = Open;
  own.plugin.shutdown = Shutdown;
  SetReal(own);
  Tables& tables = instance->tables;
  own.host = tables.host;
  tables = own;
  if (mutant != nullptr && mutant->tables) mutant->tables(tables);
  tables.plugin.device = &tables.device;
  tables.plugin.exec = &tables.exec;
  tables.plugin.fence = &tables.fence;
  *out = &tables.plugin;
  return BRAID_OK;
}
