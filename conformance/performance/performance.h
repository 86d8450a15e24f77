// SPDX-License-Identifier: Apache-2.0
//
// Kind "performance": how long a device takes for shapes of kernels that models are made of. Times
// never fail a case; errors after a yes and wrong outputs do. Each timed run has other inputs than the one
// before, and the outputs are looked at, so that a device that gives out what it gave before, or does not
// wait for the end, shows.
#ifndef BRAID_CONFORMANCE_PERFORMANCE_PERFORMANCE_H_
#define BRAID_CONFORMANCE_PERFORMANCE_PERFORMANCE_H_

#include <span>
#include <string>
#include <vector>

#include "conformance/fusion/graphs.h"
#include "conformance/run/job.h"

namespace braid::conformance {

struct Kernel {
  GraphCase graph;
  double work;       // of one run: operations, or bytes that must be read and written at least
  const char* unit;  // "GFLOP/s" or "GB/s"
};
std::span<const Kernel> Kernels();

struct Measured {
  double median = 0, least = 0;  // seconds
  size_t runs = 0;
  double rate = 0;    // work a second in the kernel's unit, of the median
  std::string audit;  // "", or what is wrong with the outputs
};
// Runs the kernel on devices as graph_options.devices has them. Throws TargetError and std::runtime_error.
Measured Measure(const Kernel& kernel, const std::string& devices, uint32_t arithmetic);

// The audit of outputs of runs with different inputs, each the bytes of all outputs: "" if no two that follow
// each other are equal.
std::string AuditOfChange(const std::vector<std::string>& outputs);

std::vector<Job> PerformanceJobs(const std::string& devices, uint32_t arithmetic);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_PERFORMANCE_PERFORMANCE_H_
