// SPDX-License-Identifier: Apache-2.0
//
// Loading and negotiation: from a library to a table whose every slot is known to be there or absent.
#include <dlfcn.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/plugins/checked/checked.h"
#include "core/plugins/device.h"
#include "core/plugins/float_control.h"
#include "core/plugins/host.h"
#include "core/plugins/isolate/isolate.h"
#include "core/plugins/manifest.h"

namespace braid {
namespace {

constexpr uint64_t kMaxString = 64 * 1024;
constexpr uint32_t kMaxDevices = 4096;
constexpr uint32_t kMaxQueues = 4096;

// Required slots, by table. Null there refuses the plugin; what is not listed is optional.
struct Slot {
  uint32_t offset;
  const char* name;
};
#define BRAID_SLOT(type, field) \
  { static_cast<uint32_t>(offsetof(type, field)), #field }
constexpr Slot kPluginSlots[] = {BRAID_SLOT(braid_plugin, enumerate), BRAID_SLOT(braid_plugin, open),
                                 BRAID_SLOT(braid_plugin, device),    BRAID_SLOT(braid_plugin, exec),
                                 BRAID_SLOT(braid_plugin, fence),     BRAID_SLOT(braid_plugin, shutdown)};
constexpr Slot kDeviceSlots[] = {
    BRAID_SLOT(braid_device_fns, query),        BRAID_SLOT(braid_device_fns, compile),
    BRAID_SLOT(braid_device_fns, buffer_alloc), BRAID_SLOT(braid_device_fns, buffer_free),
    BRAID_SLOT(braid_device_fns, transfer),     BRAID_SLOT(braid_device_fns, health),
    BRAID_SLOT(braid_device_fns, close)};
constexpr Slot kExecSlots[] = {
    BRAID_SLOT(braid_exec_fns, io_requirements), BRAID_SLOT(braid_exec_fns, output_dims),
    BRAID_SLOT(braid_exec_fns, workspace_size),  BRAID_SLOT(braid_exec_fns, submit),
    BRAID_SLOT(braid_exec_fns, take_output),     BRAID_SLOT(braid_exec_fns, destroy)};
constexpr Slot kFenceSlots[] = {BRAID_SLOT(braid_fence_fns, wait), BRAID_SLOT(braid_fence_fns, on_ready),
                                BRAID_SLOT(braid_fence_fns, completion),
                                BRAID_SLOT(braid_fence_fns, destroy)};
#undef BRAID_SLOT

// Copies what both sides know, zeroes the rest, and looks at the required slots. `least`: the size that a
// table of this ABI has at least.
template <class T, size_t N>
absl::Status ReceiveTable(const T* theirs, const Slot (&required)[N], const char* table, uint32_t least,
                          T* mine) {
  if (theirs->size < least)
    return absl::InvalidArgumentError(absl::StrCat("its table ", table, " says that it has ", theirs->size,
                                                   " bytes; ABI ", BRAID_ABI_MAJOR, ".", BRAID_ABI_MINOR,
                                                   " has ", least));
  std::memset(mine, 0, sizeof *mine);
  std::memcpy(mine, theirs, std::min<size_t>(theirs->size, sizeof(T)));
  mine->size = sizeof(T);
  for (const Slot& slot : required) {
    void* pointer;
    std::memcpy(&pointer, reinterpret_cast<const char*>(mine) + slot.offset, sizeof pointer);
    if (pointer == nullptr)
      return absl::InvalidArgumentError(absl::StrCat("its table ", table, " lacks ", slot.name));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReceiveString(braid_str s, const char* what) {
  if (s.len == 0) return std::string();
  if (s.ptr == nullptr)
    return absl::InvalidArgumentError(absl::StrCat(what, " has a length and no characters"));
  if (s.len > kMaxString) return absl::InvalidArgumentError(absl::StrCat(what, " is ", s.len, " bytes long"));
  std::string out(s.ptr, s.len);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return out;
}

std::string Version(uint32_t abi) { return absl::StrCat(abi >> 16, ".", abi & 0xffff); }

bool PowerOfTwo(uint64_t n) { return (n & (n - 1)) == 0; }

absl::StatusOr<DeviceInfo> ReceiveInfo(const braid_device_info& raw) {
  DeviceInfo info;
  const std::pair<std::string*, std::pair<braid_str, const char*>> strings[] = {
      {&info.name, {raw.name, "its name"}},
      {&info.vendor, {raw.vendor, "its vendor"}},
      {&info.driver, {raw.driver, "its driver"}}};
  for (const auto& [to, from] : strings) {
    auto text = ReceiveString(from.first, from.second);
    if (!text.ok()) return text.status();
    *to = *std::move(text);
  }
  info.kind = raw.kind;
  std::copy(std::begin(raw.uuid), std::end(raw.uuid), info.uuid.begin());
  info.memory_total = raw.memory_total;
  info.memory_free = raw.memory_free;
  info.alignment = std::max<uint64_t>(raw.alignment, 1);
  info.max_buffer = raw.max_buffer == 0 ? UINT64_MAX : raw.max_buffer;
  info.flags = raw.flags;
  info.arithmetic = raw.arithmetic;
  info.imports = raw.imports;
  info.exports = raw.exports;
  info.queues = raw.queues;
  info.transfer_queue = raw.transfer_queue;
  info.import_alignment = std::max<uint64_t>(raw.import_alignment, 1);
  if (!PowerOfTwo(info.alignment) || !PowerOfTwo(info.import_alignment))
    return absl::InvalidArgumentError(absl::StrCat("its alignments ", info.alignment, " and ",
                                                   info.import_alignment, " are not both powers of two"));
  if (info.queues == 0 || info.queues > kMaxQueues)
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", info.queues, " queues; 1 to ", kMaxQueues, " can be"));
  if (info.transfer_queue != BRAID_NONE && info.transfer_queue >= info.queues)
    return absl::InvalidArgumentError(
        absl::StrCat("its transfer queue is ", info.transfer_queue, ", but it has ", info.queues, " queues"));
  return info;
}

}  // namespace

absl::StatusOr<std::shared_ptr<Plugin>> Plugin::Load(const std::string& library, const LoadOptions& options) {
  if (absl::Status s = CheckLibrary(library); !s.ok()) return s;
  if (options.isolate) {
    auto layer = LoadIsolated(library, options.cache_dir);
    if (!layer.ok()) return layer.status();
    std::shared_ptr<Plugin> plugin(new Plugin);
    plugin->origin_ = library;
    plugin->isolated_ = true;
    plugin->layer_ = *std::move(layer);
    if (absl::Status s = plugin->Adopt(plugin->layer_->table(), options); !s.ok()) return s;
    if (options.check) {
      plugin->host_ = std::make_unique<HostTable>(plugin->id_, options.cache_dir);
      plugin->outer_ = MakeCheckedLayer(plugin->layer_->table(), plugin->host_.get());
      if (absl::Status s = plugin->Adopt(plugin->outer_->table(), options); !s.ok()) return s;
    }
    return plugin;
  }
  // Never closed: threads and thread-local objects of a plugin outlive every promise it makes.
  const FloatControl control;
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = dlerror();
    return absl::NotFoundError(
        absl::StrCat(library, ": cannot be loaded: ", why == nullptr ? "no reason given" : why));
  }
  void* symbol = dlsym(handle, "braid_plugin_query");
  if (symbol == nullptr)
    return absl::InvalidArgumentError(
        absl::StrCat(library, ": is no plugin: it has no symbol braid_plugin_query"));
  return Negotiate(reinterpret_cast<Entry>(symbol), options, library);
}

absl::StatusOr<std::shared_ptr<Plugin>> Plugin::FromEntry(Entry entry, const LoadOptions& options) {
  return Negotiate(entry, options, options.expected_id.empty() ? "a linked-in plugin" : options.expected_id);
}

absl::StatusOr<std::shared_ptr<Plugin>> Plugin::Negotiate(Entry entry, const LoadOptions& options,
                                                          const std::string& origin) {
  std::shared_ptr<Plugin> plugin(new Plugin);
  plugin->origin_ = origin;
  plugin->host_ = std::make_unique<HostTable>(options.expected_id, options.cache_dir);
  if (options.check) plugin->host_->set_copies_constants();
  ErrorSink::Clear();
  const braid_plugin* table = nullptr;
  const braid_status status = AtBoundary([&] { return entry(BRAID_ABI, plugin->host_->table(), &table); });
  const std::string text = ErrorSink::Take();
  if (status != BRAID_OK)
    return ToAbsl(status,
                  absl::StrCat(origin, ": refused to load: ", text.empty() ? StatusName(status) : text));
  if (table == nullptr)
    return absl::InternalError(absl::StrCat(origin, ": braid_plugin_query gave OK and no table"));
  if (absl::Status s = plugin->Adopt(table, options); !s.ok()) return s;
  if (options.check) {
    plugin->layer_ = MakeCheckedLayer(table, plugin->host_.get());
    if (absl::Status s = plugin->Adopt(plugin->layer_->table(), options); !s.ok()) return s;
  }
  return plugin;
}

absl::Status Plugin::Adopt(const braid_plugin* table, const LoadOptions& options) {
  const auto refuse = [&](absl::string_view why) {
    // It answered the query, so it gets its shutdown, where that can be told from the table.
    if (original_ != nullptr && plugin_fns_.shutdown != nullptr) {
      const braid_plugin* own = std::exchange(original_, nullptr);
      AtBoundary([&] { plugin_fns_.shutdown(own); });
    }
    return absl::InvalidArgumentError(absl::StrCat(origin_, ": ", why));
  };
  if (table->size < 2 * sizeof(uint32_t))
    return refuse(absl::StrCat("its table braid_plugin says that it has ", table->size, " bytes"));
  if (table->abi >> 16 != BRAID_ABI_MAJOR ||
      (BRAID_ABI_MAJOR == 0 && (table->abi & 0xffff) != BRAID_ABI_MINOR))
    return refuse(
        absl::StrCat("speaks ABI ", Version(table->abi), "; this Braid speaks ", Version(BRAID_ABI)));
  absl::Status s = ReceiveTable(table, kPluginSlots, "braid_plugin", sizeof(braid_plugin), &plugin_fns_);
  if (!s.ok()) return refuse(s.message());
  original_ = table;
  s = ReceiveTable(plugin_fns_.device, kDeviceSlots, "braid_device_fns", sizeof(braid_device_fns),
                   &device_fns_);
  if (!s.ok()) return refuse(s.message());
  s = ReceiveTable(plugin_fns_.exec, kExecSlots, "braid_exec_fns", sizeof(braid_exec_fns), &exec_fns_);
  if (!s.ok()) return refuse(s.message());
  s = ReceiveTable(plugin_fns_.fence, kFenceSlots, "braid_fence_fns", sizeof(braid_fence_fns), &fence_fns_);
  if (!s.ok()) return refuse(s.message());
  if ((device_fns_.map == nullptr) != (device_fns_.unmap == nullptr))
    return refuse("its table braid_device_fns has only one of map and unmap");
  if ((device_fns_.fence_create == nullptr) != (fence_fns_.signal == nullptr) &&
      device_fns_.fence_create != nullptr)
    return refuse("its table braid_device_fns has fence_create, but braid_fence_fns lacks signal");
  plugin_fns_.device = &device_fns_;
  plugin_fns_.exec = &exec_fns_;
  plugin_fns_.fence = &fence_fns_;

  const std::pair<std::string*, std::pair<braid_str, const char*>> strings[] = {
      {&id_, {plugin_fns_.id, "its id"}},
      {&vendor_, {plugin_fns_.vendor, "its vendor"}},
      {&version_, {plugin_fns_.version, "its version"}}};
  for (const auto& [to, from] : strings) {
    auto text = ReceiveString(from.first, from.second);
    if (!text.ok()) return refuse(text.status().message());
    *to = *std::move(text);
  }
  newest_opset_ = plugin_fns_.newest_opset;
  if (!IsPluginId(id_))
    return refuse(absl::StrCat("its id '", id_, "' is none: lower-case letters, digits, _ . -"));
  if (!options.expected_id.empty() && id_ != options.expected_id)
    return refuse(
        absl::StrCat("says that its id is '", id_, "', its manifest that it is '", options.expected_id, "'"));
  if (host_ != nullptr) host_->set_id(id_);
  return absl::OkStatus();
}

Plugin::~Plugin() {
  if (original_ == nullptr || left_open_.load(std::memory_order_relaxed)) return;
  AtBoundary([&] { plugin_fns_.shutdown(original_); });
  if (host_ != nullptr && host_->tokens() != 0)
    HostLog(BRAID_LOG_WARNING, id_,
            absl::StrCat(host_->tokens(),
                         " tokens of constants or cache entries were not released before shutdown"));
}

std::string Plugin::description() const {
  std::string out = absl::StrCat(id_, " ", version_);
  if (!vendor_.empty()) absl::StrAppend(&out, " (", vendor_, ")");
  return out;
}

uint64_t Plugin::violations() const {
  return (layer_ == nullptr ? 0 : layer_->violations()) + (outer_ == nullptr ? 0 : outer_->violations());
}

const void* Plugin::Extension(const char* id) const {
  if (plugin_fns_.get_extension == nullptr) return nullptr;
  const void* out = nullptr;
  AtBoundary([&] { out = plugin_fns_.get_extension(original_, id); });
  return out;
}

absl::Status Plugin::Error(braid_status status, std::string_view doing) const {
  const std::string text = ErrorSink::Take();
  return ToAbsl(status, absl::StrCat(id_, ": ", absl::string_view(doing.data(), doing.size()), ": ",
                                     text.empty() ? StatusName(status) : text));
}

absl::StatusOr<std::vector<DeviceInfo>> Plugin::Enumerate() const {
  uint32_t count = 0;
  std::vector<braid_device_info> raw;
  // The list may grow between the call that counts and the call that fills.
  for (int attempt = 0;; ++attempt) {
    ErrorSink::Clear();
    const uint32_t capacity = count;
    const braid_device_info none = BRAID_DEVICE_INFO_INIT;
    raw.assign(capacity, none);
    const braid_status status = AtBoundary([&] {
      return plugin_fns_.enumerate(original_, capacity, raw.data(), sizeof(braid_device_info), &count);
    });
    if (status != BRAID_OK) return Error(status, "enumerate");
    if (count > kMaxDevices) {
      ErrorSink::Set(
          absl::StrCat("it has ", count, " devices; more than ", kMaxDevices, " are not believed"));
      return Error(BRAID_INTERNAL, "enumerate");
    }
    if (count <= capacity) break;
    if (attempt == 8) {
      ErrorSink::Set("the number of devices grows with each call");
      return Error(BRAID_INTERNAL, "enumerate");
    }
  }
  std::vector<DeviceInfo> out;
  for (uint32_t i = 0; i < count; ++i) {
    auto info = ReceiveInfo(raw[i]);
    if (!info.ok())
      return absl::InternalError(
          absl::StrCat(id_, ":", i, ": a device that cannot be: ", info.status().message()));
    out.push_back(*std::move(info));
  }
  return out;
}

absl::StatusOr<std::shared_ptr<Device>> Plugin::MakeDevice(uint32_t index, Options vendor,
                                                           std::optional<std::string> cache_folder) {
  auto infos = Enumerate();
  if (!infos.ok()) return infos.status();
  if (index >= infos->size())
    return absl::NotFoundError(absl::StrCat(id_, " has no device ", index, "; it has ", infos->size()));
  return std::make_shared<Device>(shared_from_this(), index, std::move((*infos)[index]), std::move(vendor),
                                  std::move(cache_folder));
}

}  // namespace braid
