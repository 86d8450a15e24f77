// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>

#include "conformance/contract/cases.h"
#include "conformance/contract/host_state.h"
#include "conformance/contract/threads.h"

namespace braid::conformance {
namespace {

using kit::testing::Host;

// A plugin of one query, shut down at the end. Null where the query was refused.
class Given {
 public:
  Given(Bench& b, const braid_host* host, uint32_t abi = BRAID_ABI) {
    status = b.entry()(abi, host, &table);
    if (status != BRAID_OK) table = nullptr;
  }
  ~Given() {
    if (table != nullptr) table->shutdown(table);
  }
  Given(const Given&) = delete;
  Given& operator=(const Given&) = delete;
  braid_status status;
  const braid_plugin* table = nullptr;
};

// Opens the device, compiles the graph if there is one, closes it.
void OpenAndClose(Bench& b, const braid_plugin* plugin, Host& host, const braid_graph* graph = nullptr) {
  std::vector<braid_option> options;
  for (const auto& [key, value] : b.subject().options) options.push_back({kit::Str(key), kit::Str(value)});
  braid_open_options open = BRAID_OPEN_OPTIONS_INIT;
  open.options = options.data();
  open.option_count = static_cast<uint32_t>(options.size());
  braid_device* device = nullptr;
  const braid_status status = plugin->open(plugin, b.subject().device, &open, &device);
  Check(status == BRAID_OK, "open gives {}: {}", StatusText(status), host.error());
  braid_health health = BRAID_HEALTH_INIT;
  const braid_status healthy = plugin->device->health(device, &health);
  Check(healthy == BRAID_OK, "health of a fresh device gives {}", StatusText(healthy));
  if (graph != nullptr) {
    const braid_compile_options compile = BRAID_COMPILE_OPTIONS_INIT;
    braid_exec* exec = nullptr;
    const braid_status compiled = plugin->device->compile(device, graph, &compile, &exec);
    Check(compiled == BRAID_OK, "compile gives {}: {}", StatusText(compiled), host.error());
    plugin->exec->destroy(exec);
  }
  plugin->device->close(device);
}

void Table(Bench& b) {
  const braid_plugin* p = b.plugin();
  Check(p->abi == BRAID_ABI, "the plugin was built with ABI {:#x}; this suite has {:#x}", p->abi,
        uint32_t{BRAID_ABI});
  Check(p->size >= sizeof(braid_plugin), "the plugin's table has {} bytes", p->size);
  for (const braid_str text : {p->id, p->vendor, p->version})
    Check(text.ptr != nullptr && text.len > 0 && text.len < 256, "its id, vendor or version has no text");
  Check(p->enumerate != nullptr && p->open != nullptr && p->shutdown != nullptr,
        "a slot of the plugin's table is NULL");
  Check(p->device != nullptr && p->exec != nullptr && p->fence != nullptr, "a table is NULL");
  const braid_device_fns& d = *p->device;
  Check(d.size >= sizeof d && d.query != nullptr && d.compile != nullptr && d.buffer_alloc != nullptr &&
            d.buffer_free != nullptr && d.transfer != nullptr && d.health != nullptr && d.close != nullptr,
        "a slot of the device's table that is not optional is NULL");
  Check((d.map == nullptr) == (d.unmap == nullptr), "only one of map and unmap is there");
  Check((d.check_blob == nullptr) == (d.load_blob == nullptr),
        "only one of check_blob and load_blob is there");
  Check((d.fence_create == nullptr) == (p->fence->signal == nullptr),
        "only one of fence_create and fence.signal is there");
  const braid_exec_fns& e = *p->exec;
  Check(e.size >= sizeof e && e.io_requirements != nullptr && e.output_dims != nullptr &&
            e.workspace_size != nullptr && e.submit != nullptr && e.take_output != nullptr &&
            e.destroy != nullptr,
        "a slot of the executable's table that is not optional is NULL");
  const braid_fence_fns& f = *p->fence;
  Check(f.size >= sizeof f && f.wait != nullptr && f.on_ready != nullptr && f.completion != nullptr &&
            f.destroy != nullptr,
        "a slot of the fence's table that is not optional is NULL");
}

void Twice(Bench& b) {
  Host other;
  const Given first(b, b.host.raw()), second(b, b.host.raw()), third(b, other.raw());
  b.Ok(first.status, "the first query");
  b.Ok(second.status, "the second query");
  Check(third.status == BRAID_OK, "the query of a second host gives {}: {}", StatusText(third.status),
        other.error());
  Check(first.table != second.table && first.table != third.table,
        "two queries give the same table: each has a shutdown of its own");
  OpenAndClose(b, first.table, b.host);
  OpenAndClose(b, third.table, other);
  OpenAndClose(b, second.table, b.host);
}

void AtOnce(Bench& b) {
  Host hosts[2];
  b.entry();
  OnThreads(2, [&](int i) {
    for (int k = 0; k < 10; ++k) {
      const Given given(b, hosts[i].raw());
      Check(given.status == BRAID_OK, "a query of a host beside another gives {}: {}",
            StatusText(given.status), hosts[i].error());
      OpenAndClose(b, given.table, hosts[i]);
    }
  });
}

void LargerHost(Bench& b) {
  struct {
    braid_host host;
    uint64_t later[16];
  } larger = {*b.host.raw(), {}};
  std::memset(larger.later, 0xa5, sizeof larger.later);
  larger.host.size = sizeof larger;
  const Given given(b, &larger.host);
  b.Ok(given.status, "a query with a host table that is longer than the plugin knows");
  OpenAndClose(b, given.table, b.host);
}

void SmallerHost(Bench& b) {
  // The last slot is not there; what lies behind must not be called.
  const Workload w = b.Plain();
  braid_host smaller = *b.host.raw();
  smaller.size = offsetof(braid_host, get_extension);
  static bool called;
  called = false;
  smaller.get_extension = [](const braid_host*, const char*) -> const void* {
    called = true;
    return nullptr;
  };
  const Given given(b, &smaller);
  if (given.status != BRAID_OK)
    return b.Refused(given.status, {BRAID_UNSUPPORTED}, "a query with a short host table");
  OpenAndClose(b, given.table, b.host, w.view);
  Check(!called, "ABI-033: a slot beyond the host table's size was called");
}

void NewerMinor(Bench& b) {
  braid_host newer = *b.host.raw();
  newer.abi = BRAID_ABI + 1;
  const Given given(b, &newer, BRAID_ABI + 1);
  // Until 1.0 both sides must have the same minor; from then on any two go together.
  if (BRAID_ABI_MAJOR == 0) {
    b.Refused(given.status, {BRAID_UNSUPPORTED}, "a query by a host of the next minor version");
  } else {
    b.Ok(given.status, "a query by a host of the next minor version");
  }
}

void UnknownExtension(Bench& b) {
  for (const char* id : {"", "com.nobody.no_such_extension/1", "braid.operators/999"})
    Check(b.plugin()->get_extension == nullptr || b.plugin()->get_extension(b.plugin(), id) == nullptr,
          "ABI-045: get_extension gives something for '{}'", id);
}

void OtherMajor(Bench& b) {
  braid_host other = *b.host.raw();
  other.abi = (BRAID_ABI_MAJOR + 1) << 16;
  const Given given(b, &other, other.abi);
  b.Refused(given.status, {BRAID_UNSUPPORTED}, "a query by a host of another major version");
}

void Enumerate(Bench& b) {
  const braid_plugin* p = b.plugin();
  uint32_t count = 12345;
  b.Ok(p->enumerate(p, 0, nullptr, sizeof(braid_device_info), &count), "enumerate without room");
  Check(count != 12345 && count > b.subject().device, "enumerate counts {} devices", count);
  // Room for fewer than there are: the count is told, and nothing written behind the room.
  std::vector<braid_device_info> infos(count + 1);
  for (auto& info : infos) std::memset(&info, 0xa5, sizeof info);
  const std::vector<braid_device_info> before = infos;
  for (uint32_t room = 0; room <= count; ++room) {
    infos = before;
    for (uint32_t i = 0; i < room; ++i) infos[i] = BRAID_DEVICE_INFO_INIT;
    uint32_t told = 0;
    b.Ok(p->enumerate(p, room, infos.data(), sizeof infos[0], &told), "enumerate");
    Check(told == count, "enumerate counts {} devices without room and {} with room for {}", count, told,
          room);
    Check(std::memcmp(&infos[room], &before[room], sizeof infos[0]) == 0,
          "enumerate writes an info behind its room of {}", room);
  }
  // More room than devices.
  infos = before;
  for (auto& info : infos) info = BRAID_DEVICE_INFO_INIT;
  b.Ok(p->enumerate(p, count + 1, infos.data(), sizeof infos[0], &count), "enumerate with too much room");
}

void Info(Bench& b) {
  const braid_device_info& i = b.info();
  Check(i.name.len > 0 && i.name.ptr != nullptr, "the device has no name");
  Check(i.driver.len > 0 && i.driver.ptr != nullptr,
        "the device tells no driver: blobs could not be told apart");
  Check((i.alignment & (i.alignment - 1)) == 0, "ABI-027: the device's alignment is {}", i.alignment);
  Check((i.import_alignment & (i.import_alignment - 1)) == 0, "ABI-027: the device's import_alignment is {}",
        i.import_alignment);
  Check(i.memory_total == 0 || i.memory_free <= i.memory_total, "of {} bytes {} are free", i.memory_total,
        i.memory_free);
  Check(i.transfer_queue == BRAID_NONE || i.transfer_queue < i.queues, "the transfer queue is {} of {}",
        i.transfer_queue, i.queues);
  Check(i.imports == 0 || b.dev().buffer_import != nullptr,
        "ABI-053: the device tells imports {:#x} and has no buffer_import", i.imports);
  Check(i.exports == 0 || b.dev().buffer_export != nullptr,
        "ABI-053: the device tells exports {:#x} and has no buffer_export", i.exports);
  Check(b.ex().save_blob == nullptr || b.dev().load_blob != nullptr,
        "ABI-053: the plugin saves blobs and cannot load them");
  Check(!b.Has(BRAID_MEMORY_MAPPABLE) || b.dev().map != nullptr, "the device is MAPPABLE and has no map");
}

void OpenBadIndex(Bench& b) {
  uint32_t count = 0;
  b.Ok(b.plugin()->enumerate(b.plugin(), 0, nullptr, sizeof(braid_device_info), &count), "enumerate");
  const braid_open_options open = BRAID_OPEN_OPTIONS_INIT;
  for (const uint32_t index : {count, count + 1, UINT32_MAX}) {
    braid_device* device = nullptr;
    b.Refused(b.plugin()->open(b.plugin(), index, &open, &device), {BRAID_INVALID_ARGUMENT},
              fmt::format("open of device {} of {}", index, count));
    Check(device == nullptr, "ABI-022: a refused open gives a device");
  }
}

void OpenBadOption(Bench& b) {
  const braid_option option = {kit::Str("no_such_option"), kit::Str("1")};
  braid_open_options open = BRAID_OPEN_OPTIONS_INIT;
  open.options = &option;
  open.option_count = 1;
  braid_device* device = nullptr;
  const braid_status status = b.plugin()->open(b.plugin(), b.subject().device, &open, &device);
  const std::string text = b.host.error();
  Check(status == BRAID_INVALID_ARGUMENT, "open with an unknown option gives {}", StatusText(status));
  Check(text.find("no_such_option") != std::string::npos,
        "ABI-036: the text does not name the unknown option: '{}'", text);
}

void Several(Bench& b) {
  const Workload w = b.Plain();
  const Exec exec = b.Compile(*w.view);
  Run run(b, w, exec);
  run.Go();
  braid_device* others[3];
  for (braid_device*& d : others) d = b.OpenAnother();
  run.Go();
  run.ExpectRight();
  b.dev().close(others[1]);
  run.Go();
  b.dev().close(others[0]);
  b.dev().close(others[2]);
  run.Go();
  run.ExpectRight();
}

void Reopen(Bench& b) {
  for (int i = 0; i < 5; ++i) {
    const Workload w = b.Plain();
    const Exec exec = b.Compile(*w.view);
    Run run(b, w, exec);
    run.Go();
    run.ExpectRight();
    braid_device* other = b.OpenAnother();
    b.dev().close(other);
  }
}

void Reload(Bench& b) {
  for (int i = 0; i < 3; ++i) {
    {
      const Workload w = b.Plain();
      const Exec exec = b.Compile(*w.view);
      Run run(b, w, exec);
      run.Go();
      run.ExpectRight();
    }
    b.Finish();
  }
}

void ShutDownUnused(Bench& b) {
  for (int i = 0; i < 20; ++i) {
    const Given given(b, b.host.raw());
    b.Ok(given.status, "braid_plugin_query");
  }
}

void Health(Bench& b) {
  using Clock = std::chrono::steady_clock;
  braid_health health = BRAID_HEALTH_INIT;
  b.device();
  auto shortest = Clock::duration::max();
  for (int i = 0; i < 5; ++i) {
    const auto start = Clock::now();
    b.Ok(b.dev().health(b.device(), &health), "health");
    shortest = std::min(shortest, Clock::now() - start);
  }
  Check(shortest < std::chrono::milliseconds(20), "health takes {} microseconds",
        std::chrono::duration_cast<std::chrono::microseconds>(shortest).count());
  Check(b.info().memory_total == 0 || health.memory_free <= b.info().memory_total,
        "health tells {} bytes free of {}", health.memory_free, b.info().memory_total);
}

void ProcessState(Bench& b) {
  const HostState& start = HostStateAtStart();
  const auto check = [&](const char* after) {
    const std::string text = start.Difference(HostState::Now());
    Check(text.empty(), "ABI-056: after {} {}", after, text);
  };
  check("an earlier case of this process");
  b.entry();
  check("the library was loaded");
  b.plugin();
  check("braid_plugin_query");
  b.info();
  check("enumerate");
  b.device();
  check("open");
  {
    const Workload w = b.Plain();
    check("query");
    const Exec exec = b.Compile(*w.view);
    check("compile");
    Run run(b, w, exec);
    check("buffer_alloc");
    run.Prepare();
    check("transfer");
    for (int i = 0; i < 3; ++i) {
      Fence fence = run.Start();
      check("submit");
      const braid_status status = fence.Wait();
      Check(status == BRAID_OK, "a run ends with {}: {}", StatusText(status), fence.Text());
      check("a run");
      run.Collect(fence.get());
    }
    run.ExpectRight();
  }
  check("what was made was freed");
  b.Finish();
  check("shutdown");
}

}  // namespace

std::vector<ContractCase> EntryCases() {
  return {
      {"abi/entry-table", "ABI-053", "the tables have every slot that is not optional, and pairs whole",
       Table},
      {"abi/host-process-state", "ABI-056",
       "calls leave floating-point control, signals, working directory, umask, locale, environment, affinity "
       "and the host's descriptors as they were",
       ProcessState},
      {"abi/entry-twice", "ABI-051", "each query gives a plugin of its own, to one host and to two", Twice},
      {"abi/entry-at-once", "ABI-051", "two hosts query, open, close and shut down at the same time", AtOnce},
      {"abi/entry-larger-host", "ABI-033", "a host table longer than known is taken", LargerHost},
      {"abi/entry-smaller-host", "ABI-033",
       "a host table without its last slot is refused, or the slot not called", SmallerHost},
      {"abi/entry-newer-minor", "ABI-045, ABI-036",
       "a host of the next minor version is refused before 1.0, and taken from then on", NewerMinor},
      {"abi/entry-other-major", "ABI-045, ABI-036", "a host of another major version is refused", OtherMajor},
      {"abi/entry-unknown-extension", "ABI-045", "get_extension answers NULL to a name that nobody knows",
       UnknownExtension},
      {"abi/entry-unused", "ABI-051", "a plugin is shut down without a device having been opened",
       ShutDownUnused},
      {"abi/entry-reload", "ABI-051, ABI-029, ABI-035",
       "after shutdown the library serves a new query, and nothing of the host's is left", Reload},
      {"abi/device-enumerate", "ABI-053", "the count is told for any room, and no info is written beyond it",
       Enumerate},
      {"abi/device-info", "ABI-027, ABI-053", "what a device tells of itself goes together", Info},
      {"abi/device-bad-index", "ABI-045, ABI-036, ABI-022", "a device that is not there is refused",
       OpenBadIndex},
      {"abi/device-bad-option", "ABI-045, ABI-036", "an option that open does not know is refused by name",
       OpenBadOption},
      {"abi/device-several", "ABI-051",
       "a device opened several times is several devices, closed in any order", Several},
      {"abi/device-reopen", "ABI-051", "devices are opened and closed while another one works", Reopen},
      {"abi/device-health", "ABI-053", "health is quick, and tells no more memory than there is", Health},
  };
}

}  // namespace braid::conformance
