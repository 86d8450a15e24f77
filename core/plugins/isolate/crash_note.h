// SPDX-License-Identifier: Apache-2.0
//
// Which slot each thread of an isolated plugin's process is in, where the host finds it when the process is
// gone.
#ifndef BRAID_CORE_PLUGINS_ISOLATE_CRASH_NOTE_H_
#define BRAID_CORE_PLUGINS_ISOLATE_CRASH_NOTE_H_

#include <atomic>
#include <cstdint>

#include "core/plugins/isolate/board.h"

namespace braid::isolate {

// This thread is in the slot of a message (an Op) as long as the object lives. place: where it is noted, too.
class SlotNote {
 public:
  SlotNote(std::atomic<uint32_t>* place, uint32_t op);
  ~SlotNote();
  SlotNote(const SlotNote&) = delete;
  SlotNote& operator=(const SlotNote&) = delete;

 private:
  std::atomic<uint32_t>* const place_;
  const uint32_t outer_;
};

// From now on a signal that ends the process first notes on the board which slot it came from, and is then
// handled as it would have been. A plugin may put its own handler in the place. exit() is noted likewise.
void NoteCrashes(BoardLayout* board);

}  // namespace braid::isolate

#endif  // BRAID_CORE_PLUGINS_ISOLATE_CRASH_NOTE_H_
