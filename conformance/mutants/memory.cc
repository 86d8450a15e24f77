// SPDX-License-Identifier: Apache-2.0
//
// Memory that is not the device's to touch, and memory that it does not give back.
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "conformance/mutants/mutant.h"
#include "conformance/mutants/tables.h"

namespace braid::mutants {
namespace {

// Runs, and then does something with each binding that has memory: f(memory, bytes, is_output).
template <class F>
braid_status RunThen(braid_exec* exec, const braid_submit* submit, braid_fence** fence, const F& f) {
  const braid_status status = Real().exec.submit(exec, submit, fence);
  if (status != BRAID_OK) return status;
  for (uint32_t i = 0; i < submit->binding_count; ++i) {
    const braid_binding b = BindingAt(*submit, i);
    if (char* memory = MemoryOf(b); memory != nullptr && b.bytes > 0) f(memory, b.bytes, IsOutput(exec, b));
  }
  return status;
}

#define BRAID_AFTER_RUN(BODY)                                                             \
  [](braid_exec* exec, const braid_submit* submit, braid_fence** fence) -> braid_status { \
    return RunThen(exec, submit, fence, BODY);                                            \
  }

char* kept = nullptr;  // an output of the last run

}  // namespace

void AddMemory(std::vector<Mutant>* all) {
  const auto add = [&](const std::string& name, const std::string& what, std::function<void(Tables&)> f) {
    all->push_back({.name = name, .what = what, .family = Family::kMemory, .tables = std::move(f)});
  };
  add("writes_past_output", "one byte behind an output is written", [](Tables& t) {
    t.exec.submit = BRAID_AFTER_RUN(([](char* p, uint64_t n, bool out) {
      if (out) p[n] = 0x5a;
    }));
  });
  add("writes_vector_past_output", "an output is written in vectors of 16 bytes, to the end of the last",
      [](Tables& t) {
        t.exec.submit = BRAID_AFTER_RUN(([](char* p, uint64_t n, bool out) {
          if (out && n % 16 != 0) std::memset(p + n, 0, 16 - n % 16);
        }));
      });
  add("writes_before_output", "one byte before an output is written", [](Tables& t) {
    t.exec.submit = BRAID_AFTER_RUN(([](char* p, uint64_t, bool out) {
      if (out) p[-1] = 0x5a;
    }));
  });
  add("reads_past_input", "64 bytes behind an input are read", [](Tables& t) {
    t.exec.submit = BRAID_AFTER_RUN(([](char* p, uint64_t n, bool out) {
      if (out) return;
      for (uint64_t i = 0; i < 64; ++i) (void)*static_cast<volatile char*>(p + n + i);
    }));
  });
  add("changes_input", "a byte of an input is another after the run", [](Tables& t) {
    t.exec.submit = BRAID_AFTER_RUN(([](char* p, uint64_t, bool out) {
      if (!out) *p = static_cast<char>(*p ^ 1);
    }));
  });
  add("writes_last_output", "a run writes to the output of the run before", [](Tables& t) {
    t.exec.submit = BRAID_AFTER_RUN(([](char* p, uint64_t, bool out) {
      if (!out) return;
      if (kept != nullptr && kept != p) *kept = static_cast<char>(*kept ^ 1);
      kept = p;
    }));
  });
  add("leaks_submit", "a megabyte of each run is never given back", [](Tables& t) {
    t.exec.submit = BRAID_AFTER_RUN(([](char*, uint64_t, bool out) {
      if (out) std::memset(std::malloc(1 << 20), 1, 1 << 20);
    }));
  });
  add("leaks_buffer", "the memory of buffers is never given back",
      [](Tables& t) { t.device.buffer_free = [](braid_device*, braid_buffer*) {}; });
  add("leaks_exec", "executables are never destroyed",
      [](Tables& t) { t.exec.destroy = [](braid_exec*) {}; });
  add("leaks_tokens", "constants are never released",
      [](Tables& t) { t.host.constant_release = [](const braid_host*, void*) {}; });
  add("frees_buffer_twice", "the memory of a buffer is freed twice", [](Tables& t) {
    t.device.buffer_free = [](braid_device* device, braid_buffer* buffer) {
      Real().device.buffer_free(device, buffer);
      Real().device.buffer_free(device, buffer);
    };
  });
  add("frees_exec_twice", "an executable is destroyed twice", [](Tables& t) {
    t.exec.destroy = [](braid_exec* exec) {
      Real().exec.destroy(exec);
      Real().exec.destroy(exec);
    };
  });
  add("assumes_alignment", "memory that is not aligned to 64 bytes is taken for aligned", [](Tables& t) {
    t.exec.submit = BRAID_AFTER_RUN(([](char* p, uint64_t n, bool out) {
      if (out && reinterpret_cast<uintptr_t>(p) % 64 != 0) std::memset(p, 0, n < 4 ? n : 4);
    }));
  });
  add("transfers_words", "transfers are made in words of 4 bytes, without the rest", [](Tables& t) {
    t.device.transfer = [](braid_device* device, const braid_transfer* transfer, braid_fence** fence) {
      braid_transfer words = *transfer;
      words.bytes &= ~uint64_t{3};
      return Real().device.transfer(device, &words, fence);
    };
  });
  add("transfers_to_start", "the offset to write to is not looked at", [](Tables& t) {
    t.device.transfer = [](braid_device* device, const braid_transfer* transfer, braid_fence** fence) {
      braid_transfer moved = *transfer;
      moved.to_offset = 0;
      return Real().device.transfer(device, &moved, fence);
    };
  });
  add("transfers_from_start", "the offset to read from is not looked at", [](Tables& t) {
    t.device.transfer = [](braid_device* device, const braid_transfer* transfer, braid_fence** fence) {
      braid_transfer moved = *transfer;
      moved.from_offset = 0;
      return Real().device.transfer(device, &moved, fence);
    };
  });
  add("maps_at_start", "the offset of a mapping is not looked at", [](Tables& t) {
    t.device.map = [](braid_device* device, braid_buffer* buffer, uint64_t, uint64_t bytes, void** out) {
      return Real().device.map(device, buffer, 0, bytes, out);
    };
  });
  add("writes_constant", "a constant's bytes are written to", [](Tables& t) {
    t.host.constant = [](const braid_host* host, const braid_graph* graph, uint32_t value, braid_bytes* out,
                         void** token) {
      const braid_status status = Real().host.constant(host, graph, value, out, token);
      if (status == BRAID_OK && out->len > 0) {
        auto* byte = static_cast<volatile char*>(const_cast<void*>(out->ptr));
        *byte = static_cast<char>(*byte ^ 1);
      }
      return status;
    };
  });
  add("uses_released_constant", "a constant is read after its token was released", [](Tables& t) {
    t.host.constant = [](const braid_host* host, const braid_graph* graph, uint32_t value, braid_bytes* out,
                         void** token) {
      const braid_status status = Real().host.constant(host, graph, value, out, token);
      if (status == BRAID_OK && token != nullptr) {
        Real().host.constant_release(host, *token);
        *token = nullptr;
      }
      return status;
    };
  });
}

}  // namespace braid::mutants
