// SPDX-License-Identifier: Apache-2.0
//
// The tables of the mutant plugin, for faults at the ABI: slots that a fault replaces call those of Real(),
// which are as the kit made them.
#ifndef BRAID_CONFORMANCE_MUTANTS_TABLES_H_
#define BRAID_CONFORMANCE_MUTANTS_TABLES_H_

#include <braid/plugin.h>

namespace braid::mutants {

struct Tables {
  braid_device_fns device;
  braid_exec_fns exec;
  braid_fence_fns fence;
  braid_plugin plugin;
  braid_host host;            // what the plugin sees of the host
  bool asynchronous = false;  // runs are done by a thread, and told by fences
  bool has_blobs = false;
};

// The tables without a fault. A process has one mutant, so that they can be found without a context.
const Tables& Real();
// Memory behind a binding (the address that the device works at); null where there is none.
char* MemoryOf(const braid_binding& binding);
braid_binding BindingAt(const braid_submit& submit, uint32_t i);
// Whether the binding is of an output, by the executable that it was made for.
bool IsOutput(braid_exec* exec, const braid_binding& binding);

// ---- For the plugin: what the above know ----
void SetReal(const Tables& tables);
void NoteOpened(braid_device* device);  // the last one: all have the same memory
void NoteCompiled(braid_exec* exec, const braid_graph* graph);

}  // namespace braid::mutants

#endif  // BRAID_CONFORMANCE_MUTANTS_TABLES_H_
