// SPDX-License-Identifier: Apache-2.0
//
// Memory that the host and one plugin's process share beside the socket, so that a run costs neither side a
// system call while both are awake:
//
//   - a ring of messages from the host, for work that must keep its order (submits, transfers, frees),
//   - cells in which the process says that a run has ended well,
//   - notes of the process on which slot each of its threads is in, for the text of its obituary.
//
// The process may write anything here. The host reads cells and notes as hints of what the plugin says: a
// wrong one harms that plugin's results and nothing else. A position in the ring that cannot be is the
// process's end, and who sleeps on a cell is woken now and then to look, since kSleeping may be wiped out.
#ifndef BRAID_CORE_PLUGINS_ISOLATE_BOARD_H_
#define BRAID_CORE_PLUGINS_ISOLATE_BOARD_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "core/plugins/isolate/wire.h"

namespace braid::isolate {

// Bits of a cell.
inline constexpr uint32_t kDone = 1;      // the work has ended well
inline constexpr uint32_t kWanted = 2;    // the host wants an event, too
inline constexpr uint32_t kSleeping = 4;  // somebody waits in futex
inline constexpr uint32_t kNoCell = 0xffffffffu;

struct Cell {
  alignas(64) std::atomic<uint32_t> state;
};

struct BoardLayout {
  static constexpr uint32_t kCells = 1024;
  static constexpr uint64_t kRing = 256 << 10;
  alignas(64) std::atomic<uint64_t> written;   // bytes that the host ever put in
  alignas(64) std::atomic<uint64_t> read;      // and the process took out
  alignas(64) std::atomic<uint32_t> sleeping;  // 1: the process waits in futex for more
  alignas(64) std::atomic<uint32_t> main_op, worker_op, sender_op, crash_op, crashed;
  Cell cells[kCells];
  alignas(64) uint8_t ring[kRing];
};
static_assert(std::atomic<uint64_t>::is_always_lock_free && std::atomic<uint32_t>::is_always_lock_free);

// Sleeps while the word has this value, at most timeout_ns (UINT64_MAX: for ever); may wake early.
void FutexWait(std::atomic<uint32_t>* word, uint32_t value, uint64_t timeout_ns);
void FutexWake(std::atomic<uint32_t>* word);

// Spins until `ready`, for as long as is quicker than to sleep and be woken.
bool SpinFor(const std::function<bool()>& ready);

struct RingHeader {
  // In place of a length: the payload has no room here, and came over the socket (Op::kPayload).
  static constexpr uint32_t kOverSocket = UINT32_MAX;
  Header header;
  uint64_t after = 0;  // numbered socket messages that come before it
};

// The host's side.
class HostBoard {
 public:
  static absl::StatusOr<std::shared_ptr<HostBoard>> Create();
  int fd() const { return block_->fd(); }
  const BoardLayout& layout() const { return *board_; }

  // kNoCell: all are in use.
  uint32_t TakeCell();
  void GiveCell(uint32_t cell);
  std::atomic<uint32_t>* cell(uint32_t index) { return &board_->cells[index].state; }
  // FutexWait on a cell, and the end of it whatever the process does.
  void Sleep(uint32_t cell, uint32_t value, uint64_t timeout_ns);
  void WakeSleepers();

  // Largest payload that Put takes.
  static constexpr uint64_t kMaxInRing = BoardLayout::kRing / 4;
  // kFull: there is no room now. kNonsense: the process says what cannot be.
  enum class Room { kTaken, kFull, kNonsense };
  Room Put(const RingHeader& header, std::string_view payload);
  // Bytes that the process had taken out at the last Put.
  uint64_t taken();

 private:
  explicit HostBoard(std::unique_ptr<SharedBlock> block);
  std::unique_ptr<SharedBlock> block_;
  BoardLayout* board_;
  std::mutex cells_mutex_;
  std::vector<uint32_t> free_;
  std::atomic<uint32_t> sleepers_[BoardLayout::kCells] = {};
  std::mutex ring_mutex_;
  uint64_t written_ = 0, read_ = 0;  // as on the board, where the process may write over them
};

// The process's side.
class ProcessBoard {
 public:
  // Takes the descriptor; null if it is none.
  static std::unique_ptr<ProcessBoard> Open(int fd);
  BoardLayout& layout() { return *board_; }
  // Waits for the next message.
  void Next(RingHeader* header, std::string* payload);
  std::atomic<uint32_t>* cell(uint32_t index) {
    return index < BoardLayout::kCells ? &board_->cells[index].state : nullptr;
  }

 private:
  explicit ProcessBoard(std::unique_ptr<SharedBlock> block)
      : block_(std::move(block)), board_(reinterpret_cast<BoardLayout*>(block_->data())) {}
  std::unique_ptr<SharedBlock> block_;
  BoardLayout* board_;
};

}  // namespace braid::isolate

#endif  // BRAID_CORE_PLUGINS_ISOLATE_BOARD_H_
