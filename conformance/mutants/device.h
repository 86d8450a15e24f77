// SPDX-License-Identifier: Apache-2.0
//
// The reference device with a mutant's fault in its nodes and graphs; where the mutant says so, with a thread
// that does the runs, and with blobs.
#ifndef BRAID_CONFORMANCE_MUTANTS_DEVICE_H_
#define BRAID_CONFORMANCE_MUTANTS_DEVICE_H_

#include <braid/kit/queue.h>

#include <memory>
#include <mutex>

#include "conformance/mutants/mutant.h"
#include "plugins/reference/device.h"

namespace braid::mutants {

struct DeviceOptions {
  const Mutant* mutant = nullptr;  // null: no fault
  bool asynchronous = false;       // as in Tables
  bool has_blobs = false;
};

class MutantDevice : public reference::ReferenceDevice {
 public:
  MutantDevice(kit::Host host, const DeviceOptions& options);
  ~MutantDevice() override;

  std::unique_ptr<kit::Executable> Compile(const braid_graph* view, const braid_compile_options&) override;
  braid_status CheckBlob(const braid_graph*, const braid_compile_options&, braid_bytes blob) override;
  std::unique_ptr<kit::Executable> LoadBlob(const braid_graph*, const braid_compile_options&,
                                            braid_bytes blob) override;
  kit::Fence* Transfer(const braid_transfer& t) override;
  kit::Fence* FenceCreate() override;

 private:
  const DeviceOptions options_;
  const std::unique_ptr<reference::NodeHook> hook_;  // null: none
  std::shared_ptr<kit::Queue> queue_;                // of all runs, where they are asynchronous
};

}  // namespace braid::mutants

#endif  // BRAID_CONFORMANCE_MUTANTS_DEVICE_H_
