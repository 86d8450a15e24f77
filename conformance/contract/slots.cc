// SPDX-License-Identifier: Apache-2.0
#include "conformance/contract/slots.h"

#include <atomic>

#include "conformance/run/crash.h"

namespace braid::conformance {
namespace {

template <class Table>
std::atomic<const Table*> own;  // the plugin's

template <auto kSlot>
struct Named;
template <class Table, class R, class... Args, R (*Table::*kSlot)(Args...)>
struct Named<kSlot> {
  static inline const char* name = nullptr;
  static R Call(Args... args) {
    const SlotMark mark(name);
    return (own<Table>.load()->*kSlot)(args...);
  }
  static void Put(Table* table, const char* slot) {
    if (table->*kSlot == nullptr) return;
    name = slot;
    table->*kSlot = Call;
  }
};

}  // namespace

NamedSlots::NamedSlots(const braid_device_fns& d, const braid_exec_fns& e, const braid_fence_fns& f)
    : device(d), exec(e), fence(f) {
  own<braid_device_fns> = &d;
  own<braid_exec_fns> = &e;
  own<braid_fence_fns> = &f;
#define BRAID_NAME(table, slot) Named<&braid_##table##_fns::slot>::Put(&table, #table "." #slot)
  BRAID_NAME(device, query);
  BRAID_NAME(device, estimate);
  BRAID_NAME(device, link);
  BRAID_NAME(device, compile);
  BRAID_NAME(device, check_blob);
  BRAID_NAME(device, load_blob);
  BRAID_NAME(device, buffer_alloc);
  BRAID_NAME(device, buffer_import);
  BRAID_NAME(device, buffer_export);
  BRAID_NAME(device, buffer_free);
  BRAID_NAME(device, map);
  BRAID_NAME(device, unmap);
  BRAID_NAME(device, transfer);
  BRAID_NAME(device, fence_create);
  BRAID_NAME(device, health);
  BRAID_NAME(device, close);
  BRAID_NAME(exec, io_requirements);
  BRAID_NAME(exec, output_dims);
  BRAID_NAME(exec, workspace_size);
  BRAID_NAME(exec, submit);
  BRAID_NAME(exec, take_output);
  BRAID_NAME(exec, save_blob);
  BRAID_NAME(exec, destroy);
  BRAID_NAME(fence, wait);
  BRAID_NAME(fence, on_ready);
  BRAID_NAME(fence, completion);
  BRAID_NAME(fence, cancel);
  BRAID_NAME(fence, signal);
  BRAID_NAME(fence, destroy);
#undef BRAID_NAME
}

}  // namespace braid::conformance
