// SPDX-License-Identifier: Apache-2.0
//
// The floating-point control of a thread: rounding, traps, whether denormals are zero. A library that was
// linked with -ffast-math changes it as it is loaded, and a plugin may forget to put it back: an
// application's own arithmetic, and other devices', would change.
#ifndef BRAID_CORE_PLUGINS_FLOAT_CONTROL_H_
#define BRAID_CORE_PLUGINS_FLOAT_CONTROL_H_

#include <cfenv>
#include <cstdint>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace braid {

// As long as it lives others may change this thread's floating-point control; then it is what it was.
class FloatControl {
 public:
  FloatControl() : before_(Now()) {}
  ~FloatControl() {
    if (Now() != before_) Set(before_);
  }
  FloatControl(const FloatControl&) = delete;
  FloatControl& operator=(const FloatControl&) = delete;

  // Of this thread, without the flags of what has happened: x86's MXCSR and x87 control word, ARM's FPCR,
  // else the direction of rounding.
  static uint64_t Now() {
#if defined(__SSE__)
    uint16_t x87;
    asm volatile("fnstcw %0" : "=m"(x87));
    return uint64_t{x87} << 32 | (_mm_getcsr() & ~uint32_t{0x3f});
#elif defined(__aarch64__)
    uint64_t fpcr;
    asm volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
#else
    return static_cast<uint64_t>(std::fegetround());
#endif
  }

 private:
  static void Set(uint64_t control) {
#if defined(__SSE__)
    const auto x87 = static_cast<uint16_t>(control >> 32);
    asm volatile("fldcw %0" : : "m"(x87));
    _mm_setcsr(static_cast<uint32_t>(control) | (_mm_getcsr() & 0x3f));
#elif defined(__aarch64__)
    asm volatile("msr fpcr, %0" : : "r"(control));
#else
    std::fesetround(static_cast<int>(control));
#endif
  }
  const uint64_t before_;
};

}  // namespace braid

#endif  // BRAID_CORE_PLUGINS_FLOAT_CONTROL_H_
