// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/isolate/connection.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/plugins/error_sink.h"
#include "core/plugins/host.h"
#include "core/plugins/status.h"
#include "core/plugins/view.h"

extern char** environ;

namespace braid::isolate {
namespace {

// Beyond a call's or run's own deadline, for the plugin to notice it first; and for a run that was cancelled.
constexpr uint64_t kGraceNs = 1'000'000'000;
constexpr uint64_t kCancelGraceNs = 10'000'000'000;
constexpr int kPollMs = 100;
constexpr uint64_t kSmallestBlock = 64 << 10;
constexpr const char* kForked =
    "isolation: this process was forked from the one that started the plugin's, and has no part in it; a "
    "graph that "
    "is loaded here starts its own";
constexpr size_t kPoolBlocks = 64;
constexpr uint64_t kPoolBytes = 256 << 20;

// libexec/braid-plugin-host beside the folder of libbraid, or one further up (lib/x86_64-linux-gnu).
absl::StatusOr<std::string> HostProgram() {
  Dl_info info;
  static const char anchor = 0;
  std::string looked;
  if (dladdr(&anchor, &info) != 0 && info.dli_fname != nullptr) {
    std::unique_ptr<char, decltype(&free)> real(realpath(info.dli_fname, nullptr), &free);
    std::string folder = real == nullptr ? "" : real.get();
    for (int up = 0; up < 3 && !folder.empty(); ++up) {
      folder.resize(folder.rfind('/'));
      if (up == 0) continue;
      const std::string program = folder + "/libexec/braid-plugin-host";
      if (access(program.c_str(), X_OK) == 0) return program;
      absl::StrAppend(&looked, looked.empty() ? "" : ", ", program);
    }
  }
  return absl::NotFoundError(
      absl::StrCat("isolation: the program braid-plugin-host is missing; looked for ", looked));
}

// -1 where the kernel is older than 5.3.
int PidFd(pid_t pid) {
#ifdef SYS_pidfd_open
  return static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
#else
  return -1;
#endif
}

// Of a child, which is not reaped. kUnknown: somebody else has reaped it.
enum class Child { kRuns, kEnded, kUnknown };
Child Look(pid_t pid) {
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0)
    if (errno != EINTR) return Child::kUnknown;
  return info.si_pid == 0 ? Child::kRuns : Child::kEnded;
}

// How long a result can be. An estimate has a cost for each of the ends that it is asked for.
uint64_t MostOf(Op op, const Writer& payload, const braid_graph* graph) {
  if (op == Op::kSaveBlob) return kMaxPayload;
  if (op == Op::kQuery && graph != nullptr)
    return sizeof(uint64_t) + uint64_t{graph->node_count} * sizeof(braid_verdict);
  if (op == Op::kEstimate) return payload.data().size() / sizeof(uint32_t) * sizeof(braid_cost);
  return kMaxAnswer;
}

}  // namespace

Traffic& AllTraffic() {
  static Traffic traffic;
  return traffic;
}

absl::StatusOr<std::shared_ptr<Connection>> Connection::Start(const std::string& library,
                                                              const std::string& cache_dir, OnLost on_lost) {
  auto program = HostProgram();
  if (!program.ok()) return program.status();
  auto board = HostBoard::Create();
  if (!board.ok()) return board.status();
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return absl::ResourceExhaustedError("isolation: no socket is to be had");
  // Above the numbers that the child finds them at, so that neither overwrites the other.
  const int child_end = fcntl(ends[1], F_DUPFD_CLOEXEC, 5),
            child_board = fcntl((*board)->fd(), F_DUPFD_CLOEXEC, 5);
  close(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, child_end, 3);
  posix_spawn_file_actions_adddup2(&actions, child_board, 4);
  // A group of its own, so that what it forks can be ended with it.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  const char* arguments[] = {program->c_str(), library.c_str(), cache_dir.c_str(), nullptr};
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, program->c_str(), &actions, &attributes, const_cast<char**>(arguments), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(child_end);
  close(child_board);
  if (error != 0) {
    close(ends[0]);
    return absl::ResourceExhaustedError(
        absl::StrCat("isolation: ", *program, " cannot be started: ", std::strerror(error)));
  }
  const std::string name = library.substr(library.rfind('/') + 1);
  std::shared_ptr<Connection> connection(
      new Connection(ends[0], pid, PidFd(pid), name, *std::move(board), std::move(on_lost)));
  // Its main thread makes only quick calls between two messages; this is the longest of them.
  connection->channel_.SetPatience(connection->Length(Op::kOpen) + kGraceNs);
  connection->reader_ = std::thread([c = connection.get()] { c->Read(); });
  connection->watcher_ = std::thread([c = connection.get()] { c->Watch(); });
  return connection;
}

uint64_t Connection::Forks() {
  static std::atomic<uint64_t> forks{0};
  static const int registered = pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1); });
  (void)registered;
  return forks.load(std::memory_order_relaxed);
}

Connection::~Connection() {
  if (InFork()) {
    // Its threads are not here, and its socket is that of the process before.
    reader_.detach();
    watcher_.detach();
    if (pidfd_ >= 0) close(pidfd_);
    return;
  }
  closing_.store(true);
  channel_.Shut();
  if (reader_.joinable()) reader_.join();
  if (watcher_.joinable()) watcher_.join();
  if (pidfd_ >= 0) close(pidfd_);
}

std::string Connection::why_lost() {
  if (InFork()) return kForked;
  std::lock_guard<std::mutex> lock(mutex_);
  return why_lost_;
}

void Connection::set_name(const std::string& id) {
  std::lock_guard<std::mutex> lock(mutex_);
  name_ = absl::StrCat(id, " (", name_, ")");
}

void Connection::Read() {
  absl::Status received;
  for (;;) {
    Message message;
    received = channel_.Receive(&message, [this](const Header& header) { return IsPossible(header); });
    if (!received.ok()) break;
    switch (static_cast<Op>(message.header.op)) {
      case Op::kReply:
        OnReply(message);
        break;
      case Op::kEvent:
        OnEvent(message);
        break;
      default:
        OnConstant(message);
        break;
    }
  }
  if (absl::IsInvalidArgument(received)) Fail("sent what is no message, and was ended");
  channel_.Shut();
  std::lock_guard<std::mutex> lock(mutex_);
  reader_ended_ = true;
  read_all_.notify_all();
}

bool Connection::IsPossible(const Header& header) {
  constexpr uint64_t kText = sizeof(uint64_t) + kMaxText;
  switch (static_cast<Op>(header.op)) {
    case Op::kConstant:
      return header.bytes == sizeof(uint64_t) + sizeof(uint32_t);
    case Op::kEvent:
      // Its fence may be done by its cell, and gone.
      return header.id < next_id_.load() &&
             header.bytes <= sizeof(braid_status) + 2 * sizeof(uint64_t) + kText;
    case Op::kReply: {
      std::lock_guard<std::mutex> lock(mutex_);
      const auto found = calls_.find(header.id);
      if (found == calls_.end() || header.bytes > kMaxPayload) return false;
      return header.bytes <= sizeof(braid_status) + kText + sizeof(uint64_t) + found->second->most;
    }
    default:
      return false;
  }
}

void Connection::Fail(std::string_view why) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (why_failed_.empty()) why_failed_ = why;
  }
  channel_.Shut();
}

void Connection::Watch() {
  std::string why;
  for (;;) {
    // The end of the socket alone does not tell: a child of the process may hold it open.
    pollfd ends[2] = {{channel_.fd(), POLLRDHUP, 0}, {pidfd_, POLLIN, 0}};
    if (poll(ends, 2, kPollMs) > 0) break;
    if (pidfd_ < 0 && Look(pid_) != Child::kRuns) break;
    if (why = Overdue(); !why.empty()) break;
    board_->WakeSleepers();
  }
  channel_.Shut();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (why.empty()) why = why_failed_;
  }
  // A process that was asked to end does so at once; one that hangs does not.
  for (int i = 0; i < 100 && why.empty() && Look(pid_) == Child::kRuns; ++i) usleep(1000);
  // With its group, what it has forked. Until it is reaped, nobody else has its number.
  const bool ours = Look(pid_) != Child::kUnknown;
  if (ours) {
    kill(-pid_, SIGKILL);
    kill(pid_, SIGKILL);
  }
  // One that is stuck in a driver does not even end then.
  int status = 0;
  bool gone = false;
  for (int i = 0; i < 1000 && !(gone = waitpid(pid_, &status, WNOHANG) != 0); ++i) usleep(1000);
  if (why.empty()) {
    why = !ours   ? "ended"
          : !gone ? "cannot be ended"
          : WIFSIGNALED(status)
              ? absl::StrCat("was ended by signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)), ")")
              : absl::StrCat("ended with status ", WEXITSTATUS(status));
    why += Place();
  }
  std::string name;
  {
    // What it had sent before is still told.
    std::unique_lock<std::mutex> lock(mutex_);
    read_all_.wait_for(lock, std::chrono::seconds(1), [&] { return reader_ended_; });
    name = name_;
  }
  Lose(absl::StrCat("the process of the plugin ", name, " ", why));
  while (!gone && !closing_.load()) {
    usleep(1000 * kPollMs);
    gone = waitpid(pid_, &status, WNOHANG) != 0;
  }
}

uint64_t Connection::Deadline(Op op) const { return HostNow() + Length(op); }

Op Connection::Busy() const {
  const BoardLayout& board = board_->layout();
  for (const auto* note : {&board.sender_op, &board.worker_op, &board.main_op})
    if (const auto op = static_cast<Op>(note->load()); *SlotName(op) != '\0') return op;
  return Op::kNone;
}

std::string Connection::Place() {
  const BoardLayout& board = board_->layout();
  auto op = static_cast<Op>(board.crash_op.load());
  if (board.crashed.load() != 0 && op == Op::kNone) return " in a thread of the plugin's own";
  if (*SlotName(op) == '\0') op = Busy();
  if (*SlotName(op) != '\0') return absl::StrCat(" in ", SlotName(op));
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [id, call] : calls_)
    if (*SlotName(call->op) != '\0') return absl::StrCat(" in ", SlotName(call->op));
  return "";
}

void Connection::Lose(const std::string& why) {
  if (!closing_.load()) {
    HostLog(BRAID_LOG_WARNING, "", why);
    on_lost_(why);
  }
  std::vector<std::shared_ptr<RemoteFence>> fences;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    why_lost_ = why;
    lost_.store(true);
    for (auto& [id, call] : calls_) {
      call->done = true;
      call->status = BRAID_DEVICE_LOST;
      call->text = why;
    }
    calls_.clear();
    for (auto& [id, fence] : fences_) fences.push_back(fence);
    fences_.clear();
    answered_.notify_all();
  }
  for (const auto& fence : fences) {
    // What had ended before the loss stays so.
    if ((fence->word().load() & kDone) != 0) Settle(fence);
    Complete(fence, BRAID_DEVICE_LOST, why, 0, 0);
  }
  board_->WakeSleepers();
}

std::string Connection::Overdue() {
  const uint64_t now = HostNow();
  const auto late = [](const char* slot) {
    return absl::StrCat("did not answer ", slot, " within its deadline, and was ended");
  };
  std::lock_guard<std::mutex> lock(mutex_);
  // Of several, the one that the others wait for.
  const Waiting* first = nullptr;
  for (const auto& [id, call] : calls_)
    if (now > call->deadline_ns && (first == nullptr || call->deadline_ns < first->deadline_ns)) first = call;
  // A slot that gives no answer may be what keeps another from being called.
  const Op busy = Busy();
  if (first != nullptr) {
    const bool behind = first->op == Op::kShutdown && busy != Op::kNone;
    return late(SlotName(behind ? busy : first->op));
  }
  for (const auto& [id, fence] : fences_) {
    const uint64_t deadline = fence->deadline_ns.load();
    if (deadline == 0 || now <= deadline || fence->status.load() != BRAID_PENDING) continue;
    if ((fence->word().load() & kDone) != 0 && !fence->wanted.load()) continue;
    if (busy != Op::kNone) return late(SlotName(busy));
    return absl::StrCat("did not end a run (", SlotName(fence->op), ") within its deadline, and was ended");
  }
  return "";
}

braid_status Connection::Call(Op op, const Writer& payload, std::string* result, const braid_graph* graph,
                              uint64_t deadline_ns, int fd) {
  if (InFork()) {
    ErrorSink::Set(kForked);
    return BRAID_DEVICE_LOST;
  }
  Waiting waiting;
  waiting.op = op;
  waiting.graph = graph;
  waiting.deadline_ns = deadline_ns != 0 ? deadline_ns + kGraceNs : Deadline(op);
  waiting.most = MostOf(op, payload, graph);
  const uint64_t id = NewId();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (lost_.load()) {
      ErrorSink::Set(why_lost_);
      return BRAID_DEVICE_LOST;
    }
    calls_[id] = &waiting;
  }
  AllTraffic().messages.fetch_add(1, std::memory_order_relaxed);
  // A failure to send is the end of the process, which the reader sees too. Shutdown comes after all work.
  const absl::Status sent =
      op == Op::kShutdown ? Queue(op, id, payload.data()) : Send(op, id, payload.data(), fd);
  std::unique_lock<std::mutex> lock(mutex_);
  if (absl::IsResourceExhausted(sent)) {
    calls_.erase(id);
    ErrorSink::Set(std::string(sent.message()));
    return BRAID_OUT_OF_MEMORY;
  }
  answered_.wait(lock, [&] { return waiting.done; });
  if (!waiting.text.empty()) ErrorSink::Set(waiting.text);
  if (result != nullptr) *result = std::move(waiting.result);
  return waiting.status;
}

void Connection::OnReply(const Message& message) {
  Reader in(message.payload);
  const auto status = in.Get<braid_status>();
  const std::string_view text = in.Bytes(), result = in.Bytes();
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = calls_.find(message.header.id);
  if (found == calls_.end()) return;
  Waiting& waiting = *found->second;
  waiting.status = in.ok() ? status : BRAID_INTERNAL;
  if (status != BRAID_OK) waiting.text = text;
  waiting.result = result;
  waiting.done = true;
  calls_.erase(found);
  answered_.notify_all();
}

void Connection::OnConstant(const Message& message) {
  Reader in(message.payload);
  const auto call = in.Get<uint64_t>();
  const auto value = in.Get<uint32_t>();
  std::shared_ptr<const Constant> constant;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = calls_.find(call);
    if (found != calls_.end() && found->second->graph != nullptr)
      if (const auto* provider = static_cast<const ConstantProvider*>(found->second->graph->host_data))
        constant = provider->constant(value);
  }
  std::unique_ptr<SharedBlock> block;
  if (constant != nullptr)
    if (auto made = SharedBlock::Create(constant->bytes); made.ok()) block = *std::move(made);
  if (block == nullptr) return (void)Send(Op::kConstantIs, message.header.id);
  if (constant->bytes > 0) std::memcpy(block->data(), constant->data, constant->bytes);
  AllTraffic().copied.fetch_add(constant->bytes, std::memory_order_relaxed);
  (void)Send(Op::kConstantIs, message.header.id, Writer().Put(constant->bytes).data(), block->fd());
}

absl::Status Connection::Send(Op op, uint64_t id, std::string_view payload, int fd) {
  absl::Status sent = channel_.Send(op, id, payload, fd);
  if (absl::IsDeadlineExceeded(sent)) Fail("did not read what it was sent, and was ended");
  return sent;
}

absl::Status Connection::SendNumbered(Op op, uint64_t id, std::string_view payload, int fd) {
  std::lock_guard<std::mutex> lock(numbered_mutex_);
  numbered_.fetch_add(1);
  return Send(op, id, payload, fd);
}

absl::Status Connection::Queue(Op op, uint64_t id, std::string_view payload) {
  AllTraffic().messages.fetch_add(1, std::memory_order_relaxed);
  RingHeader header;
  header.header.op = static_cast<uint32_t>(op);
  header.header.id = id;
  if (payload.size() > HostBoard::kMaxInRing) {
    header.header.bytes = RingHeader::kOverSocket;
    if (absl::Status sent = SendNumbered(Op::kPayload, id, payload); !sent.ok()) return sent;
    payload = {};
  } else {
    header.header.bytes = static_cast<uint32_t>(payload.size());
  }
  header.after = numbered_.load();
  uint64_t taken = 0, since = 0;
  for (;;) {
    const HostBoard::Room room = board_->Put(header, payload);
    if (room == HostBoard::Room::kTaken) return absl::OkStatus();
    if (room == HostBoard::Room::kNonsense) Fail("wrote over what it shares with this one, and was ended");
    if (room == HostBoard::Room::kNonsense || lost_.load())
      return absl::UnavailableError("isolation: the other process is gone");
    // It is behind with its work: it has to go on as soon as the slot that it is in has to end.
    const uint64_t now = HostNow(), so_far = board_->taken();
    if (since == 0 || so_far != taken) since = now;
    taken = so_far;
    auto slot = static_cast<Op>(board_->layout().worker_op.load());
    if (*SlotName(slot) == '\0') slot = op;
    if (now - since > Length(slot) + kGraceNs)
      Fail(absl::StrCat("did not end ", SlotName(slot), " within its deadline, and was ended"));
    usleep(50);
  }
}

std::shared_ptr<RemoteFence> Connection::NewFence(Op op, uint64_t deadline_ns) {
  auto fence = std::make_shared<RemoteFence>();
  fence->id = NewId();
  fence->op = op;
  fence->deadline_ns = deadline_ns != 0 ? deadline_ns + kGraceNs : Deadline(op);
  fence->board = board_;
  fence->cell = board_->TakeCell();
  return fence;
}

void Connection::Start(const Writer& payload, const std::shared_ptr<RemoteFence>& fence, uint64_t lane) {
  if (InFork()) return Complete(fence, BRAID_DEVICE_LOST, kForked, 0, 0);
  std::string why;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (lost_.load()) {
      why = why_lost_;
    } else {
      fences_[fence->id] = fence;
      newest_[lane] = fence;
    }
  }
  if (!why.empty()) return Complete(fence, BRAID_DEVICE_LOST, why, 0, 0);
  if (const absl::Status sent = Queue(fence->op, fence->id, payload.data()); absl::IsResourceExhausted(sent))
    Complete(fence, BRAID_OUT_OF_MEMORY, sent.message(), 0, 0);
}

bool Connection::Idle(uint64_t lane) {
  std::shared_ptr<RemoteFence> fence;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = newest_.find(lane);
    if (found != newest_.end()) fence = found->second.lock();
  }
  return fence == nullptr || Wait(fence, 0) != BRAID_PENDING;
}

braid_status Connection::Settle(const std::shared_ptr<RemoteFence>& fence) {
  const braid_status status = fence->status.load(std::memory_order_acquire);
  if (status != BRAID_PENDING) return status;
  Complete(fence, BRAID_OK, "", 0, 0);
  return fence->status.load(std::memory_order_acquire);
}

braid_status Connection::Wait(const std::shared_ptr<RemoteFence>& fence, uint64_t timeout_ns) {
  if (InFork() && fence->status.load() == BRAID_PENDING) {
    Complete(fence, BRAID_DEVICE_LOST, kForked, 0, 0);
    return BRAID_DEVICE_LOST;
  }
  std::atomic<uint32_t>& word = fence->word();
  const auto done = [&] {
    return (word.load(std::memory_order_acquire) & kDone) != 0 || fence->status.load() != BRAID_PENDING;
  };
  if (done()) return Settle(fence);
  if (timeout_ns == 0) return BRAID_PENDING;
  const uint64_t start = HostNow();
  if (SpinFor(done)) return Settle(fence);
  for (;;) {
    const uint64_t spent = HostNow() - start;
    if (timeout_ns != UINT64_MAX && spent >= timeout_ns) return BRAID_PENDING;
    const uint32_t before = word.fetch_or(kSleeping);
    if ((before & kDone) != 0) return Settle(fence);
    const uint64_t left = timeout_ns == UINT64_MAX ? UINT64_MAX : timeout_ns - spent;
    if (fence->cell == kNoCell) {
      FutexWait(&word, before | kSleeping, left);
    } else {
      board_->Sleep(fence->cell, before | kSleeping, left);
    }
    if (done()) return Settle(fence);
  }
}

void Connection::OnReady(const std::shared_ptr<RemoteFence>& fence,
                         void(BRAID_CALL* callback)(void*, braid_status), void* argument) {
  braid_status status;
  {
    std::lock_guard<std::mutex> lock(fence->mutex);
    status = fence->status.load();
    if (status == BRAID_PENDING) {
      fence->callback = callback;
      fence->argument = argument;
      fence->wanted.store(true);
    }
  }
  if (status != BRAID_PENDING) return callback(argument, status);
  if ((fence->word().fetch_or(kWanted) & kDone) != 0) Settle(fence);
}

void Connection::Cancel(const std::shared_ptr<RemoteFence>& fence) {
  if (InFork()) return;
  if (Wait(fence, 0) != BRAID_PENDING) return;
  const uint64_t last = HostNow() + kCancelGraceNs;
  uint64_t deadline = fence->deadline_ns.load();
  while (deadline > last && !fence->deadline_ns.compare_exchange_weak(deadline, last)) {
  }
  Tell(Op::kCancel, fence->id);
}

void Connection::OnEvent(const Message& message) {
  Reader in(message.payload);
  auto status = in.Get<braid_status>();
  const auto start = in.Get<uint64_t>(), end = in.Get<uint64_t>();
  const std::string_view text = in.Bytes();
  if (!in.ok() || status == BRAID_PENDING) status = BRAID_INTERNAL;
  std::shared_ptr<RemoteFence> fence;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = fences_.find(message.header.id);
    if (found == fences_.end()) return;
    fence = found->second;
  }
  Complete(fence, status, text, start, end);
}

void Connection::Complete(const std::shared_ptr<RemoteFence>& fence, braid_status status,
                          std::string_view text, uint64_t start, uint64_t end) {
  std::unique_ptr<SharedBlock> staging;
  void(BRAID_CALL * callback)(void*, braid_status) = nullptr;
  void* argument = nullptr;
  {
    std::lock_guard<std::mutex> lock(fence->mutex);
    if (fence->status.load() != BRAID_PENDING) return;
    // Pending until its bytes are where they belong: PendingRead must find it.
    if (status == BRAID_OK && fence->read_to != nullptr && fence->read_bytes > 0)
      std::memcpy(fence->read_to, fence->staging->data(), fence->read_bytes);
    staging = std::move(fence->staging);
    fence->text = text;
    fence->start_ns = start;
    fence->end_ns = end;
    callback = std::exchange(fence->callback, nullptr);
    argument = fence->argument;
    fence->status.store(status, std::memory_order_release);
    if ((fence->word().fetch_or(kDone) & kSleeping) != 0) FutexWake(&fence->word());
  }
  if (staging != nullptr) GiveBack(std::move(staging));
  {
    std::lock_guard<std::mutex> lock(mutex_);
    fences_.erase(fence->id);
  }
  if (callback != nullptr) callback(argument, status);
}

void Connection::Tell(Op op, uint64_t id, const Writer& payload) {
  if (!lost()) (void)Send(op, id, payload.data());
}

void Connection::TellInOrder(Op op, uint64_t id) {
  if (!lost()) (void)Queue(op, id, {});
}

std::unique_ptr<SharedBlock> Connection::TakeBlock(uint64_t bytes) {
  uint64_t size = kSmallestBlock;
  while (size < bytes && size < (uint64_t{1} << 62)) size *= 2;
  if (InFork()) {
    auto unsent = SharedBlock::Create(size);
    return unsent.ok() ? *std::move(unsent) : nullptr;
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& block : pool_) {
      if (block->bytes() != size) continue;
      std::unique_ptr<SharedBlock> out = std::move(block);
      block = std::move(pool_.back());
      pool_.pop_back();
      pool_bytes_ -= size;
      return out;
    }
  }
  auto made = SharedBlock::Create(size);
  if (!made.ok()) return nullptr;
  (*made)->id = NewId();
  (void)SendNumbered(Op::kBlock, (*made)->id, Writer().Put(size).data(), (*made)->fd());
  (*made)->CloseFd();
  return *std::move(made);
}

void Connection::GiveBack(std::unique_ptr<SharedBlock> block) {
  if (InFork()) return;
  std::vector<std::unique_ptr<SharedBlock>> surplus;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    pool_bytes_ += block->bytes();
    pool_.push_back(std::move(block));
    while (pool_.size() > kPoolBlocks || pool_bytes_ > kPoolBytes) {
      pool_bytes_ -= pool_.front()->bytes();
      surplus.push_back(std::move(pool_.front()));
      pool_.erase(pool_.begin());
    }
  }
  // Without a descriptor the other process forgets it.
  for (const auto& old : surplus)
    if (!lost_.load()) (void)SendNumbered(Op::kBlock, old->id, {});
}

std::shared_ptr<RemoteFence> Connection::PendingRead(const void* memory, uint64_t bytes) {
  const char* begin = static_cast<const char*>(memory);
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [id, fence] : fences_) {
    const char* to = static_cast<const char*>(fence->read_to);
    if (to != nullptr && begin < to + fence->read_bytes && to < begin + bytes) return fence;
  }
  return nullptr;
}

}  // namespace braid::isolate
