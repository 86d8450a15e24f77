// SPDX-License-Identifier: Apache-2.0
//
// Devices, plugins and device memory: the rest of graph.h.
#include <braid/graph.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/api/error.h"
#include "core/api/session.h"
#include "core/plugins/certificate.h"
#include "core/plugins/registry.h"
#include "core/run/frame.h"

namespace braid {
namespace {

// The strings that graph_devices hands out, kept for the life of the process.
const char* Kept(const std::string& text) {
  static std::mutex mutex;
  static auto& strings = *new std::map<std::string, std::unique_ptr<std::string>>();
  std::lock_guard lock(mutex);
  auto& kept = strings[text];
  if (kept == nullptr) kept = std::make_unique<std::string>(text);
  return kept->c_str();
}

nlohmann::json ConformanceJson(const PluginReport& report) {
  Manifest manifest;
  manifest.path = report.manifest;
  manifest.id = report.id;
  manifest.library = report.library;
  manifest.conformance = report.conformance;
  const Certificate certificate = CheckCertificate(manifest);
  const ManifestConformance& said = report.conformance;
  nlohmann::json devices = nlohmann::json::array();
  for (const Certificate::Device& d : certificate.devices)
    devices.push_back({{"name", d.name}, {"driver", d.driver}});
  return {{"certified", certificate.certified},
          {"why_not", certificate.why_not},
          {"report", said.report},
          {"level", said.level},
          {"profile", said.profile},
          {"suite", said.suite},
          {"date", said.date},
          {"devices", std::move(devices)}};
}

std::string PluginsJson() {
  using nlohmann::json;
  Registry& registry = Registry::Default();
  registry.Devices();  // loads what there is
  json out;
  out["directories"] = json::array();
  for (const DirectoryReport& d : registry.Directories())
    out["directories"].push_back(
        {{"path", d.path}, {"origin", d.origin}, {"exists", d.exists}, {"note", d.note}});
  std::map<std::string, uint64_t> violations;  // that the checked layer saw, by plugin
  for (const auto& plugin : registry.Plugins()) violations[plugin->id()] = plugin->violations();
  out["plugins"] = json::array();
  for (const PluginReport& r : registry.Report())
    out["plugins"].push_back({{"manifest", r.manifest},
                              {"id", r.id},
                              {"vendor", r.vendor},
                              {"version", r.version},
                              {"library", r.library},
                              {"outcome", PluginReport::OutcomeName(r.outcome)},
                              {"reason", r.reason},
                              {"violations", violations[r.id]},
                              {"isolation", registry.Isolation(r.id)},
                              {"conformance", ConformanceJson(r)},
                              {"devices", r.devices}});
  return out.dump(2, ' ', false, json::error_handler_t::replace);
}

// One transfer, waited for.
absl::Status Transfer(graph_buffer* buffer, braid_transfer transfer, const char* doing) {
  Device& device = *buffer->buffer.device();
  transfer.size = sizeof transfer;
  const bool own_queue = device.info().transfer_queue != BRAID_NONE;
  transfer.queue = own_queue ? device.info().transfer_queue : 0;
  Fence fence;
  braid_status status;
  {
    std::lock_guard lock(QueueMutex(device, transfer.queue));
    status = device.Transfer(transfer, &fence);
  }
  if (status != BRAID_OK) return device.Error(status, doing);
  return fence.Wait(kForever) == BRAID_OK ? absl::OkStatus() : fence.Result();
}

absl::Status CheckRange(const graph_buffer* buffer, uint64_t offset, const void* data, uint64_t bytes) {
  if (buffer == nullptr) return absl::InvalidArgumentError("buffer is NULL");
  if (data == nullptr && bytes > 0) return absl::InvalidArgumentError("data is NULL");
  const uint64_t room = buffer->buffer.bytes();
  if (offset > room || bytes > room - offset)
    return absl::InvalidArgumentError(
        absl::StrCat(bytes, " bytes at offset ", offset, " do not lie in a buffer of ", room));
  return absl::OkStatus();
}

}  // namespace
}  // namespace braid

using braid::Guarded;

extern "C" {

uint32_t graph_devices(graph_device_info* infos, uint32_t capacity) {
  try {
    auto devices = braid::Registry::Default().Devices();
    for (size_t i = 0; i < devices.size() && i < capacity && infos != nullptr; ++i) {
      const braid::Device& d = *devices[i];
      graph_device_info mine = GRAPH_DEVICE_INFO_INIT;
      mine.kind = d.info().kind;
      mine.id = braid::Kept(d.name());
      mine.name = braid::Kept(d.info().name);
      mine.plugin = braid::Kept(d.plugin()->description());
      mine.driver = braid::Kept(d.info().driver);
      mine.memory_total = d.info().memory_total;
      mine.memory_free = d.info().memory_free;
      mine.alignment = d.info().Has(BRAID_HOST_BINDINGS) ? 1 : d.info().alignment;
      mine.arithmetic = d.info().arithmetic;
      mine.size = infos[i].size;
      std::memcpy(&infos[i], &mine, std::min<size_t>(mine.size, sizeof mine));
    }
    return static_cast<uint32_t>(devices.size());
  } catch (...) {
    return 0;
  }
}

graph_status graph_plugins(const char** json) {
  return Guarded("graph_plugins", [&]() -> absl::Status {
    if (json == nullptr) return absl::InvalidArgumentError("json is NULL");
    thread_local std::string kept;
    kept = braid::PluginsJson();
    *json = kept.c_str();
    return absl::OkStatus();
  });
}

graph_status graph_buffer_alloc(const char* device, uint64_t bytes, graph_buffer** buffer) {
  return Guarded("graph_buffer_alloc", [&]() -> absl::Status {
    if (buffer == nullptr) return absl::InvalidArgumentError("buffer is NULL");
    *buffer = nullptr;
    if (device == nullptr) return absl::InvalidArgumentError("device is NULL");
    auto found = braid::Registry::Default().Find(device);
    if (!found.ok()) return absl::InvalidArgumentError(found.status().message());
    found = braid::Registry::Default().Usable(*found);
    const bool host = (*found)->info().Has(BRAID_HOST_BINDINGS);
    auto made = (*found)->BufferAlloc(bytes, host ? BRAID_BUFFER_MAPPABLE : 0);
    if (!made.ok()) return made.status();
    auto own = std::make_unique<graph_buffer>();
    own->buffer = *std::move(made);
    if (host) {
      auto mapped = own->buffer.Map(0, bytes);
      if (!mapped.ok()) return mapped.status();
      own->host = static_cast<uint8_t*>(*mapped);
    }
    *buffer = own.release();
    return absl::OkStatus();
  });
}

graph_status graph_buffer_write(graph_buffer* buffer, uint64_t offset, const void* data, uint64_t bytes) {
  return Guarded("graph_buffer_write", [&]() -> absl::Status {
    if (absl::Status s = braid::CheckRange(buffer, offset, data, bytes); !s.ok() || bytes == 0) return s;
    braid_transfer transfer{};
    transfer.kind = BRAID_TRANSFER_WRITE;
    transfer.to = buffer->buffer.get();
    transfer.to_offset = offset;
    transfer.host = const_cast<void*>(data);
    transfer.bytes = bytes;
    return braid::Transfer(buffer, transfer, "graph_buffer_write");
  });
}

graph_status graph_buffer_read(graph_buffer* buffer, uint64_t offset, void* data, uint64_t bytes) {
  return Guarded("graph_buffer_read", [&]() -> absl::Status {
    if (absl::Status s = braid::CheckRange(buffer, offset, data, bytes); !s.ok() || bytes == 0) return s;
    braid_transfer transfer{};
    transfer.kind = BRAID_TRANSFER_READ;
    transfer.from = buffer->buffer.get();
    transfer.from_offset = offset;
    transfer.host = data;
    transfer.bytes = bytes;
    return braid::Transfer(buffer, transfer, "graph_buffer_read");
  });
}

void graph_buffer_free(graph_buffer* buffer) { delete buffer; }

}  // extern "C"
