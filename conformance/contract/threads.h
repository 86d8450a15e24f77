// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CONFORMANCE_CONTRACT_THREADS_H_
#define BRAID_CONFORMANCE_CONTRACT_THREADS_H_

#include <string>
#include <thread>
#include <vector>

#include "conformance/contract/bench.h"

namespace braid::conformance {

// Runs `body(i)` on `n` threads at once; the first that throws is thrown on.
template <class Body>
void OnThreads(int n, const Body& body) {
  std::vector<std::string> failed(static_cast<size_t>(n));
  std::vector<std::thread> threads;
  for (int i = 0; i < n; ++i)
    threads.emplace_back([&, i] {
      try {
        body(i);
      } catch (const std::exception& e) {
        failed[static_cast<size_t>(i)] = e.what();
      }
    });
  for (std::thread& t : threads) t.join();
  for (const std::string& text : failed) Check(text.empty(), "{}", text);
}

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CONTRACT_THREADS_H_
