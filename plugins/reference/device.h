// SPDX-License-Identifier: Apache-2.0
//
// The CPU as a device that runs the reference operators in the caller's memory before submit returns. The
// plugin `reference` is this alone; others derive from it.
#ifndef BRAID_PLUGINS_REFERENCE_DEVICE_H_
#define BRAID_PLUGINS_REFERENCE_DEVICE_H_

#include <braid/ext/draft/cancel.h>
#include <braid/kit/graph_view.h>
#include <braid/kit/plugin.h>

#include <memory>
#include <string_view>
#include <vector>

#include "plugins/reference/runner.h"

namespace braid::reference {

class ReferenceExec : public kit::Executable {
 public:
  // `hook` as in Program.
  ReferenceExec(const braid_graph* view, kit::Host host, const NodeHook* hook = nullptr);

  void IoRequirements(uint32_t, braid_io_requirements* out) override;
  braid_status OutputDims(kit::StructArray<braid_binding> inputs, uint32_t output, int32_t* rank,
                          int64_t* dims) override;
  kit::Fence* Submit(const braid_submit& submit) override;
  void TakeOutput(kit::Fence* fence, uint32_t value, braid_buffer** buffer, int32_t* rank,
                  int64_t* dims) override;

 protected:
  const Program& program() const { return program_; }
  const kit::Host& host() const { return host_; }

 private:
  Program program_;
  kit::Host host_;
  const braid_cancel* cancel_;  // null: this host can't cancel
};

class ReferenceDevice : public kit::Device {
 public:
  explicit ReferenceDevice(kit::Host host) : host_(host) {}

  void Query(const braid_graph* view, const braid_compile_options&,
             std::vector<braid_verdict>& verdicts) override;
  bool Estimate(const braid_graph* view, const braid_compile_options&, const uint32_t* nodes,
                const uint32_t* ends, std::vector<braid_cost>& costs) override;
  std::unique_ptr<kit::Executable> Compile(const braid_graph* view, const braid_compile_options&) override;
  braid_buffer* BufferAlloc(const braid_buffer_desc& desc) override;
  braid_buffer* BufferImport(const braid_handle& handle) override;
  void BufferFree(braid_buffer* buffer) override;
  void* Map(braid_buffer* buffer, uint64_t offset, uint64_t bytes) override;
  kit::Fence* Transfer(const braid_transfer& t) override;
  braid_status Health(braid_health* out) override;

 protected:
  const kit::Host& host() const { return host_; }

 private:
  kit::Host host_;
};

// What enumerate tells of it. The strings must live as long as the info.
braid_device_info ReferenceDeviceInfo(std::string_view name, std::string_view version);

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_DEVICE_H_
