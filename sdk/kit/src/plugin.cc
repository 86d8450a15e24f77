// SPDX-License-Identifier: Apache-2.0
#include <braid/kit/plugin.h>

#include <cstddef>

namespace braid::kit {
namespace {

struct PluginBox {
  braid_plugin table;
  std::unique_ptr<Plugin> plugin;
};

Plugin* PluginOf(const braid_plugin* table) { return static_cast<PluginBox*>(table->data)->plugin.get(); }
DeviceBox* Box(braid_device* d) { return reinterpret_cast<DeviceBox*>(d); }
ExecBox* Box(braid_exec* e) { return reinterpret_cast<ExecBox*>(e); }
Fence* FenceOf(braid_fence* f) { return reinterpret_cast<Fence*>(f); }
braid_fence* Handle(Fence* f) { return reinterpret_cast<braid_fence*>(f); }

// Runs body() and turns whatever it throws into a status and a text for the host.
template <class Body>
braid_status Guard(const Host& host, const Body& body) noexcept {
  try {
    return body();
  } catch (const Error& e) {
    host.raw()->set_error(host.raw(), Str(e.what()));
    return e.status();
  } catch (const std::bad_alloc&) {
    host.raw()->set_error(host.raw(), Str("out of host memory"));
    return BRAID_OUT_OF_MEMORY;
  } catch (const std::exception& e) {
    host.raw()->set_error(host.raw(), Str(e.what()));
    return BRAID_INTERNAL;
  } catch (...) {
    host.raw()->set_error(host.raw(), Str("an exception of unknown type"));
    return BRAID_INTERNAL;
  }
}

braid_status DeviceQuery(braid_device* d, const braid_graph* graph, const braid_compile_options* options,
                         void* verdicts, uint32_t stride) {
  return Guard(Box(d)->host, [&] {
    braid_verdict no{};
    no.code = BRAID_NO_OP;
    no.input = no.attr = no.group = BRAID_NONE;
    std::vector<braid_verdict> own(graph->node_count, no);
    Box(d)->device->Query(graph, Receive(options), own);
    for (uint32_t i = 0; i < graph->node_count; ++i)
      std::memcpy(static_cast<char*>(verdicts) + uint64_t{stride} * i, &own[i],
                  std::min<size_t>(stride, sizeof own[i]));
    return BRAID_OK;
  });
}

braid_status DeviceEstimate(braid_device* d, const braid_graph* graph, const braid_compile_options* options,
                            const uint32_t* nodes, const uint32_t* ends, uint32_t sets, void* costs,
                            uint32_t stride) {
  return Guard(Box(d)->host, [&]() -> braid_status {
    braid_cost none = BRAID_COST_INIT;
    std::vector<braid_cost> own(sets, none);
    if (!Box(d)->device->Estimate(graph, Receive(options), nodes, ends, own)) return BRAID_UNSUPPORTED;
    for (uint32_t i = 0; i < sets; ++i) {
      own[i].size = std::min<uint32_t>(stride, sizeof own[i]);
      std::memcpy(static_cast<char*>(costs) + uint64_t{stride} * i, &own[i], own[i].size);
    }
    return BRAID_OK;
  });
}

braid_status DeviceLink(braid_device* d, const braid_device_info* peer, braid_link* out) {
  return Guard(Box(d)->host, [&] {
    braid_link link = BRAID_LINK_INIT;
    Box(d)->device->Link(Receive(peer), &link);
    Give(link, out);
    return BRAID_OK;
  });
}

braid_status GiveExec(DeviceBox* box, std::unique_ptr<Executable> exec, braid_exec** out) {
  *out = reinterpret_cast<braid_exec*>(new ExecBox{box->host, std::move(exec)});
  return BRAID_OK;
}

braid_status DeviceCompile(braid_device* d, const braid_graph* graph, const braid_compile_options* options,
                           braid_exec** out) {
  return Guard(Box(d)->host,
               [&] { return GiveExec(Box(d), Box(d)->device->Compile(graph, Receive(options)), out); });
}

braid_status DeviceCheckBlob(braid_device* d, const braid_graph* graph, const braid_compile_options* options,
                             braid_bytes blob) {
  return Guard(Box(d)->host, [&] { return Box(d)->device->CheckBlob(graph, Receive(options), blob); });
}

braid_status DeviceLoadBlob(braid_device* d, const braid_graph* graph, const braid_compile_options* options,
                            braid_bytes blob, braid_exec** out) {
  return Guard(Box(d)->host, [&] {
    return GiveExec(Box(d), Box(d)->device->LoadBlob(graph, Receive(options), blob), out);
  });
}

braid_status DeviceBufferAlloc(braid_device* d, const braid_buffer_desc* desc, braid_buffer** out) {
  return Guard(Box(d)->host, [&] {
    *out = Box(d)->device->BufferAlloc(Receive(desc));
    return BRAID_OK;
  });
}

braid_status DeviceBufferImport(braid_device* d, const braid_handle* handle, braid_buffer** out) {
  return Guard(Box(d)->host, [&] {
    *out = Box(d)->device->BufferImport(Receive(handle));
    return BRAID_OK;
  });
}

braid_status DeviceBufferExport(braid_device* d, braid_buffer* buffer, uint32_t kind, braid_handle* out) {
  return Guard(Box(d)->host, [&] {
    braid_handle handle = BRAID_HANDLE_INIT;
    Box(d)->device->BufferExport(buffer, kind, &handle);
    Give(handle, out);
    return BRAID_OK;
  });
}

void DeviceBufferFree(braid_device* d, braid_buffer* buffer) {
  Guard(Box(d)->host, [&] {
    Box(d)->device->BufferFree(buffer);
    return BRAID_OK;
  });
}

braid_status DeviceMap(braid_device* d, braid_buffer* buffer, uint64_t offset, uint64_t bytes, void** out) {
  return Guard(Box(d)->host, [&] {
    *out = Box(d)->device->Map(buffer, offset, bytes);
    return BRAID_OK;
  });
}

void DeviceUnmap(braid_device* d, braid_buffer* buffer) {
  Guard(Box(d)->host, [&] {
    Box(d)->device->Unmap(buffer);
    return BRAID_OK;
  });
}

braid_status DeviceTransfer(braid_device* d, const braid_transfer* transfer, braid_fence** fence) {
  return Guard(Box(d)->host, [&] {
    *fence = Handle(Box(d)->device->Transfer(Receive(transfer)));
    return BRAID_OK;
  });
}

braid_status DeviceFenceCreate(braid_device* d, braid_fence** fence) {
  return Guard(Box(d)->host, [&] {
    *fence = Handle(Box(d)->device->FenceCreate());
    return BRAID_OK;
  });
}

braid_status DeviceHealth(braid_device* d, braid_health* out) {
  return Guard(Box(d)->host, [&] {
    braid_health health = BRAID_HEALTH_INIT;
    braid_status status = Box(d)->device->Health(&health);
    Give(health, out);
    return status;
  });
}

void DeviceClose(braid_device* d) { delete Box(d); }

braid_status ExecIoRequirements(braid_exec* e, uint32_t value, braid_io_requirements* out) {
  return Guard(Box(e)->host, [&] {
    braid_io_requirements io = BRAID_IO_REQUIREMENTS_INIT;
    io.alignment = 1;
    io.may_alias_input = BRAID_NONE;
    Box(e)->exec->IoRequirements(value, &io);
    Give(io, out);
    return BRAID_OK;
  });
}

braid_status ExecOutputDims(braid_exec* e, const void* inputs, uint32_t count, uint32_t stride,
                            uint32_t output, int32_t* rank, int64_t* dims) {
  return Guard(Box(e)->host, [&] {
    return Box(e)->exec->OutputDims({inputs, count, stride}, output, rank, dims);
  });
}

braid_status ExecWorkspaceSize(braid_exec* e, const void* inputs, uint32_t count, uint32_t stride,
                               uint64_t* bytes) {
  return Guard(Box(e)->host, [&] {
    *bytes = Box(e)->exec->WorkspaceSize({inputs, count, stride});
    return BRAID_OK;
  });
}

braid_status ExecSubmit(braid_exec* e, const braid_submit* submit, braid_fence** fence) {
  return Guard(Box(e)->host, [&] {
    *fence = Handle(Box(e)->exec->Submit(Receive(submit)));
    return BRAID_OK;
  });
}

braid_status ExecTakeOutput(braid_exec* e, braid_fence* fence, uint32_t value, braid_buffer** buffer,
                            int32_t* rank, int64_t* dims) {
  return Guard(Box(e)->host, [&] {
    Box(e)->exec->TakeOutput(FenceOf(fence), value, buffer, rank, dims);
    return BRAID_OK;
  });
}

braid_status ExecSaveBlob(braid_exec* e, void* context, braid_status (*write)(void*, braid_bytes)) {
  return Guard(Box(e)->host, [&]() -> braid_status {
    braid_status written = BRAID_OK;
    bool has = Box(e)->exec->SaveBlob([&](braid_bytes bytes) { return written = write(context, bytes); });
    return has ? written : BRAID_UNSUPPORTED;
  });
}

void ExecDestroy(braid_exec* e) { delete Box(e); }

braid_status FenceWait(braid_fence* f, uint64_t timeout) { return FenceOf(f)->Wait(timeout); }
void FenceOnReady(braid_fence* f, void (*callback)(void*, braid_status), void* argument) {
  FenceOf(f)->OnReady(callback, argument);
}
braid_status FenceCompletion(braid_fence* f, braid_completion* out) {
  braid_completion completion = BRAID_COMPLETION_INIT;
  braid_status status = FenceOf(f)->Completion(&completion);
  Give(completion, out);
  return status;
}
void FenceCancel(braid_fence* f) { FenceOf(f)->Cancel(); }
void FenceSignal(braid_fence* f, braid_status status) { FenceOf(f)->Signal(status); }
void FenceDestroy(braid_fence* f) { delete FenceOf(f); }

const braid_device_fns kDevice = {sizeof(braid_device_fns),
                                  0,
                                  DeviceQuery,
                                  DeviceEstimate,
                                  DeviceLink,
                                  DeviceCompile,
                                  DeviceCheckBlob,
                                  DeviceLoadBlob,
                                  DeviceBufferAlloc,
                                  DeviceBufferImport,
                                  DeviceBufferExport,
                                  DeviceBufferFree,
                                  DeviceMap,
                                  DeviceUnmap,
                                  DeviceTransfer,
                                  DeviceFenceCreate,
                                  DeviceHealth,
                                  DeviceClose};
const braid_exec_fns kExec = {sizeof(braid_exec_fns),
                              0,
                              ExecIoRequirements,
                              ExecOutputDims,
                              ExecWorkspaceSize,
                              ExecSubmit,
                              ExecTakeOutput,
                              ExecSaveBlob,
                              ExecDestroy};
const braid_fence_fns kFence = {sizeof(braid_fence_fns), 0,           FenceWait,   FenceOnReady,
                                FenceCompletion,         FenceCancel, FenceSignal, FenceDestroy};

braid_status PluginEnumerate(const braid_plugin* table, uint32_t capacity, void* infos, uint32_t stride,
                             uint32_t* count) {
  return Guard(PluginOf(table)->host(), [&] {
    std::vector<braid_device_info> own = PluginOf(table)->Enumerate();
    *count = static_cast<uint32_t>(own.size());
    for (uint32_t i = 0; i < std::min(capacity, *count); ++i) {
      own[i].size = std::min<uint32_t>(stride, sizeof own[i]);
      std::memcpy(static_cast<char*>(infos) + uint64_t{stride} * i, &own[i], own[i].size);
    }
    return BRAID_OK;
  });
}

braid_status PluginOpen(const braid_plugin* table, uint32_t index, const braid_open_options* options,
                        braid_device** out) {
  return Guard(PluginOf(table)->host(), [&] {
    auto device = PluginOf(table)->Open(index, Receive(options));
    *out = reinterpret_cast<braid_device*>(new DeviceBox{PluginOf(table)->host(), std::move(device)});
    return BRAID_OK;
  });
}

const void* PluginExtension(const braid_plugin* table, const char* id) {
  try {
    return PluginOf(table)->Extension(id);
  } catch (...) {
    return nullptr;
  }
}

void PluginShutdown(const braid_plugin* table) { delete static_cast<PluginBox*>(table->data); }

}  // namespace

const braid_plugin* Export(std::unique_ptr<Plugin> plugin) {
  auto box = std::make_unique<PluginBox>();
  box->plugin = std::move(plugin);
  const Plugin& p = *box->plugin;
  box->table = {sizeof(braid_plugin),
                BRAID_ABI,
                box.get(),
                Str(p.id()),
                Str(p.vendor()),
                Str(p.version()),
                p.newest_opset(),
                0,
                PluginEnumerate,
                PluginOpen,
                &kDevice,
                &kExec,
                &kFence,
                PluginExtension,
                PluginShutdown};
  return &box.release()->table;
}

braid_status Query(uint32_t plugin_abi, uint32_t host_abi, const braid_host* host, const braid_plugin** out,
                   std::unique_ptr<Plugin> (*make)(Host)) {
  *out = nullptr;
  return Guard(Host(host), [&] {
    const auto version = [](uint32_t abi) {
      return std::to_string(abi >> 16) + "." + std::to_string(abi & 0xffff);
    };
    if (plugin_abi != BRAID_ABI)
      throw Error(BRAID_UNSUPPORTED, "this plugin was compiled with a braid/plugin.h of ABI " +
                                         version(plugin_abi) + " and linked with a braid kit of ABI " +
                                         version(BRAID_ABI) + ": both must be of one version of Braid");
    const bool same = (host_abi >> 16) == BRAID_ABI_MAJOR &&
                      (BRAID_ABI_MAJOR > 0 || (host_abi & 0xffff) == BRAID_ABI_MINOR);
    if (!same)
      throw Error(BRAID_UNSUPPORTED, "this plugin was built for ABI " + version(BRAID_ABI) +
                                         ", the host has " + version(host_abi));
    // All slots of the oldest version; what was appended since may be absent.
    constexpr size_t kLeast = offsetof(braid_host, get_extension) + sizeof host->get_extension;
    if (host->size < kLeast)
      throw Error(BRAID_UNSUPPORTED, "the host's table has " + std::to_string(host->size) + " bytes; ABI " +
                                         version(BRAID_ABI) + " needs " + std::to_string(kLeast));
    *out = Export(make(Host(host)));
    return BRAID_OK;
  });
}

}  // namespace braid::kit
