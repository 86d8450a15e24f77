// SPDX-License-Identifier: Apache-2.0
#include "plugins/vulkan/speed.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <string>

#include "plugins/vulkan/executable.h"
#include "plugins/vulkan/ops/matrix.h"

namespace braid::vulkan {
namespace {

// The shortest of some runs of a program without inputs and outputs, in seconds.
double Time(VulkanDevice& device, int runs, Program program) {
  uint64_t workspace = program.workspace;
  VulkanExecutable executable(device, std::move(program));
  DeviceBytes memory(&device.memory(), workspace, false);
  Buffer buffer{memory.piece(), workspace, false};
  braid_submit submit = BRAID_SUBMIT_INIT;
  submit.binding_stride = sizeof(braid_binding);
  submit.workspace = reinterpret_cast<braid_buffer*>(&buffer);
  double best = 1e9;
  for (int i = 0; i < runs; ++i) {
    uint64_t begin = device.host().Now();
    std::unique_ptr<kit::Fence> fence(executable.Submit(submit));
    if (braid_status status = fence->Wait(UINT64_MAX); status != BRAID_OK)
      throw kit::Error(status, "a measurement failed");
    best = std::min(best, static_cast<double>(device.host().Now() - begin) * 1e-9);
  }
  return best;
}

void Add(Lowering& l, const Tensor& a, const Tensor& b, const Tensor& y) {
  struct Params {
    uint32_t n;
    float alpha;
    uint32_t dim[6], sa[6], sb[6];
  } p{static_cast<uint32_t>(y.count), 0, {static_cast<uint32_t>(y.count)}, {1}, {1}};
  l.Each("binary_Add_f32", {1}, {&a, &b}, {&y}, p, y.count, 1);
}

Speed Measure(VulkanDevice& device) {
  // Large enough to fill the device for about a millisecond, by type.
  bool cpu = device.physical().cpu();
  int64_t rows = cpu ? 128 : 1024, inner = cpu ? 256 : 1024, sums = cpu ? 1 << 17 : 1 << 24,
          copied = cpu ? 1 << 20 : 1 << 24;
  auto run = [&](int runs, const std::function<void(Lowering&)>& steps) {
    braid_graph graph = BRAID_GRAPH_INIT;
    return Time(device, runs, Lowering(device, &graph).Compose(steps));
  };
  auto tiny = [](int count) {
    return [count](Lowering& l) {
      Tensor x = l.Temporary(kF32, {64}), y = l.Temporary(kF32, {64});
      l.Fill(x, 0);
      for (int i = 0; i < count; ++i) Add(l, x, x, i % 2 == 0 ? y : x);
    };
  };
  constexpr int kMany = 9;
  double one = run(12, tiny(1)), many = run(8, tiny(kMany));
  Speed speed;
  speed.dispatch_ns = std::max((many - one) / (kMany - 1), 1e-7) * 1e9;
  speed.submit_ns = one * 1e9;
  double product = run(5, [&](Lowering& l) {
    Tensor a = l.Temporary(kF32, {rows, inner}), b = l.Temporary(kF32, {inner, inner}),
           y = l.Temporary(kF32, {rows, inner});
    l.Fill(a, 0);
    l.Fill(b, 0);
    MatrixProduct(l, {a, BRAID_NONE, {}, rows, inner, inner, 1}, {b, BRAID_NONE, {}, inner, inner, inner, 1},
                  y, {}, 1.0f, {});
  });
  double sum = run(5, [&](Lowering& l) {
    Tensor a = l.Temporary(kF32, {sums}), y = l.Temporary(kF32, {sums});
    l.Fill(a, 0);
    Add(l, a, a, y);
  });
  auto beside = [&](double seconds) { return std::max(seconds - one, seconds / 2); };
  speed.flops = 2.0 * static_cast<double>(rows * inner * inner) / beside(product);
  speed.bytes_per_second = 12.0 * static_cast<double>(sums) / beside(sum);
  double copy = run(5, [&](Lowering& l) {
    Tensor x = l.Temporary(kF32, {copied}), y = l.Temporary(kF32, {copied});
    l.Fill(x, 0);
    l.CopyBytes(x, y);
  });
  speed.copy_bytes_per_second = 12.0 * static_cast<double>(copied) / beside(copy);
  return speed;
}

}  // namespace

Speed GuessSpeed(const VulkanDevice& device) {
  if (device.physical().cpu()) return {6e9, 1e9, 5e9, 80'000, 4'000};
  if (device.physical().properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU)
    return {1e11, 2e10, 2e10, 40'000, 3'000};
  return {5e11, 1e11, 1e11, 40'000, 3'000};
}

Speed MeasuredSpeed(VulkanDevice& device) {
  static std::mutex mutex;
  static auto* const known = new std::map<std::string, Speed>;
  std::string key =
      std::string(reinterpret_cast<const char*>(device.physical().uuid), 16) + device.physical().driver;
  std::lock_guard lock(mutex);
  if (auto it = known->find(key); it != known->end()) return it->second;
  try {
    Speed speed = Measure(device);
    device.host().Log(BRAID_LOG_INFO,
                      "Vulkan: " + device.physical().name +
                          " measured: " + std::to_string(speed.flops * 1e-9) + " GFLOP/s, " +
                          std::to_string(speed.bytes_per_second * 1e-9) + " GB/s by kernels, " +
                          std::to_string(speed.copy_bytes_per_second * 1e-9) + " by copies, " +
                          std::to_string(speed.submit_ns * 1e-3) + " us a submit, " +
                          std::to_string(speed.dispatch_ns * 1e-3) + " us a dispatch");
    return (*known)[key] = speed;
  } catch (const std::exception& error) {
    device.host().Log(BRAID_LOG_WARNING,
                      std::string("Vulkan: the device's speed is guessed: ") + error.what());
    return GuessSpeed(device);
  }
}

}  // namespace braid::vulkan
