// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/isolate/board.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <thread>

namespace braid::isolate {
namespace {

constexpr uint64_t kSpinNs = 40'000;

uint64_t Now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

uint64_t Padded(uint64_t bytes) { return (bytes + 15) / 16 * 16; }

// Bytes of the ring from `position` on, which wraps.
void CopyIn(BoardLayout& board, uint64_t position, const void* from, uint64_t bytes) {
  const uint64_t at = position % BoardLayout::kRing, first = std::min(bytes, BoardLayout::kRing - at);
  if (first > 0) std::memcpy(board.ring + at, from, first);
  if (bytes > first) std::memcpy(board.ring, static_cast<const char*>(from) + first, bytes - first);
}

void CopyOut(const BoardLayout& board, uint64_t position, void* to, uint64_t bytes) {
  const uint64_t at = position % BoardLayout::kRing, first = std::min(bytes, BoardLayout::kRing - at);
  if (first > 0) std::memcpy(to, board.ring + at, first);
  if (bytes > first) std::memcpy(static_cast<char*>(to) + first, board.ring, bytes - first);
}

}  // namespace

void FutexWait(std::atomic<uint32_t>* word, uint32_t value, uint64_t timeout_ns) {
  timespec timeout{static_cast<time_t>(timeout_ns / 1'000'000'000),
                   static_cast<long>(timeout_ns % 1'000'000'000)};
  syscall(SYS_futex, word, FUTEX_WAIT, value, timeout_ns == UINT64_MAX ? nullptr : &timeout, nullptr, 0);
}

void FutexWake(std::atomic<uint32_t>* word) {
  syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, nullptr, nullptr, 0);
}

bool SpinFor(const std::function<bool()>& ready) {
  if (ready()) return true;
  // With one core, who spins keeps the other side from working. So it is on a busy machine where both sides
  // share one: who has spun in vain spins less, and looks now and then whether that has changed.
  static const bool alone = std::thread::hardware_concurrency() < 2;
  if (alone) return false;
  constexpr uint64_t kLeastNs = 1'000;
  constexpr uint32_t kLookEach = 64;
  thread_local uint64_t budget = kSpinNs;
  thread_local uint32_t waits = 0;
  const uint64_t own = ++waits % kLookEach == 0 ? kSpinNs : budget, end = Now() + own;
  do {
    for (int i = 0; i < 16; ++i) {
      if (ready()) {
        budget = kSpinNs;
        return true;
      }
      Pause();
    }
  } while (Now() < end);
  budget = std::max(budget / 4, kLeastNs);
  return ready();
}

HostBoard::HostBoard(std::unique_ptr<SharedBlock> block)
    : block_(std::move(block)), board_(new (block_->data()) BoardLayout()) {
  for (uint32_t i = BoardLayout::kCells; i-- > 0;) free_.push_back(i);
}

absl::StatusOr<std::shared_ptr<HostBoard>> HostBoard::Create() {
  auto block = SharedBlock::Create(sizeof(BoardLayout));
  if (!block.ok()) return block.status();
  return std::shared_ptr<HostBoard>(new HostBoard(*std::move(block)));
}

uint32_t HostBoard::TakeCell() {
  std::lock_guard<std::mutex> lock(cells_mutex_);
  if (free_.empty()) return kNoCell;
  const uint32_t cell = free_.back();
  free_.pop_back();
  board_->cells[cell].state.store(0);
  return cell;
}

void HostBoard::GiveCell(uint32_t cell) {
  std::lock_guard<std::mutex> lock(cells_mutex_);
  free_.push_back(cell);
}

void HostBoard::Sleep(uint32_t cell, uint32_t value, uint64_t timeout_ns) {
  sleepers_[cell].fetch_add(1);
  FutexWait(&board_->cells[cell].state, value, timeout_ns);
  sleepers_[cell].fetch_sub(1);
}

void HostBoard::WakeSleepers() {
  for (uint32_t i = 0; i < BoardLayout::kCells; ++i)
    if (sleepers_[i].load() != 0) FutexWake(&board_->cells[i].state);
}

HostBoard::Room HostBoard::Put(const RingHeader& header, std::string_view payload) {
  const uint64_t bytes = Padded(sizeof header + payload.size());
  std::lock_guard<std::mutex> lock(ring_mutex_);
  const uint64_t read = board_->read.load(std::memory_order_acquire);
  if (read < read_ || read > written_ || Padded(read) != read) return Room::kNonsense;
  read_ = read;
  if (bytes > BoardLayout::kRing - (written_ - read)) return Room::kFull;
  CopyIn(*board_, written_, &header, sizeof header);
  CopyIn(*board_, written_ + sizeof header, payload.data(), payload.size());
  written_ += bytes;
  board_->written.store(written_, std::memory_order_seq_cst);
  if (board_->sleeping.load(std::memory_order_seq_cst) != 0) {
    board_->sleeping.store(0);
    FutexWake(&board_->sleeping);
  }
  return Room::kTaken;
}

uint64_t HostBoard::taken() {
  std::lock_guard<std::mutex> lock(ring_mutex_);
  return read_;
}

std::unique_ptr<ProcessBoard> ProcessBoard::Open(int fd) {
  auto block = SharedBlock::Map(fd, sizeof(BoardLayout));
  if (!block.ok()) return nullptr;
  return std::unique_ptr<ProcessBoard>(new ProcessBoard(*std::move(block)));
}

void ProcessBoard::Next(RingHeader* header, std::string* payload) {
  const uint64_t read = board_->read.load(std::memory_order_relaxed);
  const auto more = [&] { return board_->written.load(std::memory_order_acquire) != read; };
  while (!SpinFor(more)) {
    board_->sleeping.store(1, std::memory_order_seq_cst);
    if (board_->written.load(std::memory_order_seq_cst) == read) FutexWait(&board_->sleeping, 1, UINT64_MAX);
    board_->sleeping.store(0);
  }
  CopyOut(*board_, read, header, sizeof *header);
  const uint32_t bytes = header->header.bytes;
  payload->resize(bytes == RingHeader::kOverSocket ? 0 : std::min<uint64_t>(bytes, HostBoard::kMaxInRing));
  CopyOut(*board_, read + sizeof *header, payload->data(), payload->size());
  board_->read.store(read + Padded(sizeof *header + payload->size()), std::memory_order_release);
}

}  // namespace braid::isolate
