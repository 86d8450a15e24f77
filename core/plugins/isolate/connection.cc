// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/isolate/connection.h"

#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "absl/strings/str_cat.h"
#include "core/plugins/error_sink.h"
#include "core/plugins/host.h"
#include "core/plugins/status.h"
#include "core/plugins/view.h"

extern char** environ;

namespace braid::isolate {
namespace {

constexpr uint64_t kDefaultDeadlineMs = 120'000;
constexpr uint64_t kCompileDeadlineMs = 1'800'000;
constexpr uint64_t kGraceNs =
    1'000'000'000;  // beyond a run's own deadline, for the plugin to notice it first
constexpr int kPollMs = 100;
constexpr uint64_t kSmallestBlock = 64 << 10;
constexpr size_t kPoolBlocks = 64;

// BRAID_ISOLATE_DEADLINE_MS: of every call and run; 0 if it is not set.
uint64_t SetDeadlineMs() {
  const char* text = secure_getenv("BRAID_ISOLATE_DEADLINE_MS");
  if (text == nullptr) return 0;
  uint64_t ms = 0;
  std::from_chars(text, text + std::strlen(text), ms);
  return ms;
}

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

}  // namespace

absl::StatusOr<std::shared_ptr<Connection>> Connection::Start(const std::string& library,
                                                              const std::string& cache_dir) {
  auto program = HostProgram();
  if (!program.ok()) return program.status();
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return absl::ResourceExhaustedError("isolation: no socket is to be had");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 3);
  const char* arguments[] = {program->c_str(), library.c_str(), cache_dir.c_str(), nullptr};
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, program->c_str(), &actions, nullptr, const_cast<char**>(arguments), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    return absl::ResourceExhaustedError(
        absl::StrCat("isolation: ", *program, " cannot be started: ", std::strerror(error)));
  }
  const std::string name = library.substr(library.rfind('/') + 1);
  std::shared_ptr<Connection> connection(new Connection(ends[0], pid, name));
  connection->reader_ = std::thread([c = connection.get()] { c->Read(); });
  return connection;
}

Connection::~Connection() {
  closing_.store(true);
  channel_.Shut();
  if (reader_.joinable()) reader_.join();
}

void Connection::Read() {
  std::string why;
  for (;;) {
    pollfd poll_fd{channel_.fd(), POLLIN, 0};
    const int ready = poll(&poll_fd, 1, kPollMs);
    if (ready < 0 && errno == EINTR) continue;
    if (why = Overdue(); !why.empty()) break;
    if (ready == 0) continue;
    Message message;
    if (!channel_.Receive(&message).ok()) break;
    if (message.fd >= 0) close(message.fd);
    switch (static_cast<Op>(message.header.op)) {
      case Op::kReply:
        OnReply(message);
        break;
      case Op::kEvent:
        OnEvent(message);
        break;
      case Op::kConstant:
        OnConstant(message);
        break;
      default:
        break;
    }
  }
  // A process that was asked to end does so at once; one that hangs does not.
  channel_.Shut();
  int status = 0;
  pid_t ended = 0;
  for (int i = 0; i < 100 && why.empty() && ended == 0; ++i) {
    ended = waitpid(pid_, &status, WNOHANG);
    if (ended == 0) usleep(1000);
  }
  if (ended == 0) {
    kill(pid_, SIGKILL);
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  if (why.empty()) {
    why = WIFSIGNALED(status)
              ? absl::StrCat("was ended by signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)), ")")
              : absl::StrCat("ended with status ", WEXITSTATUS(status));
  }
  Lose(absl::StrCat("the process of the plugin ", name_, " ", why));
}

void Connection::Lose(const std::string& why) {
  if (!closing_.load()) HostLog(BRAID_LOG_WARNING, "", why);
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
  for (const auto& fence : fences) Complete(fence, BRAID_DEVICE_LOST, why, 0, 0);
}

std::string Connection::Overdue() {
  const uint64_t now = HostNow();
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [id, call] : calls_)
    if (now > call->deadline_ns) return "did not answer a call within its deadline, and was ended";
  for (const auto& [id, fence] : fences_)
    if (fence->deadline_ns != 0 && now > fence->deadline_ns)
      return "did not end a run within its deadline, and was ended";
  return "";
}

braid_status Connection::Call(Op op, const Writer& payload, std::string* result, const braid_graph* graph,
                              uint64_t deadline_ns) {
  Waiting waiting;
  waiting.graph = graph;
  const uint64_t set = SetDeadlineMs();
  const bool slow = op == Op::kCompile || op == Op::kLoadBlob || op == Op::kQuery || op == Op::kEstimate;
  const uint64_t ms = set != 0 ? set : slow ? kCompileDeadlineMs : kDefaultDeadlineMs;
  waiting.deadline_ns = deadline_ns != 0 ? deadline_ns + kGraceNs : HostNow() + ms * 1'000'000;
  const uint64_t id = NewId();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (lost_.load()) {
      ErrorSink::Set(why_lost_);
      return BRAID_DEVICE_LOST;
    }
    calls_[id] = &waiting;
  }
  // A failure to send is the end of the process, which the reader sees too.
  const absl::Status sent = channel_.Send(op, id, payload.data());
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
  if (block == nullptr) return (void)channel_.Send(Op::kConstantIs, message.header.id);
  if (constant->bytes > 0) std::memcpy(block->data(), constant->data, constant->bytes);
  (void)channel_.Send(Op::kConstantIs, message.header.id, Writer().Put(constant->bytes).data(), block->fd());
}

void Connection::Start(Op op, const Writer& payload, const std::shared_ptr<RemoteFence>& fence) {
  std::string why;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (lost_.load()) {
      why = why_lost_;
    } else {
      if (const uint64_t ms = SetDeadlineMs(); ms != 0) fence->deadline_ns = HostNow() + ms * 1'000'000;
      fences_[fence->id] = fence;
    }
  }
  if (!why.empty()) return Complete(fence, BRAID_DEVICE_LOST, why, 0, 0);
  if (const absl::Status sent = channel_.Send(op, fence->id, payload.data());
      absl::IsResourceExhausted(sent)) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      fences_.erase(fence->id);
    }
    Complete(fence, BRAID_OUT_OF_MEMORY, sent.message(), 0, 0);
  }
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
  // Pending until its bytes are where they belong: PendingRead must find it.
  Complete(fence, status, text, start, end);
  std::lock_guard<std::mutex> lock(mutex_);
  fences_.erase(message.header.id);
}

void Connection::Complete(const std::shared_ptr<RemoteFence>& fence, braid_status status,
                          std::string_view text, uint64_t start, uint64_t end) {
  if (status == BRAID_OK && fence->read_to != nullptr && fence->read_bytes > 0)
    std::memcpy(fence->read_to, fence->staging->data(), fence->read_bytes);
  if (fence->staging != nullptr) GiveBack(std::move(fence->staging));
  void(BRAID_CALL * callback)(void*, braid_status);
  void* argument;
  {
    std::lock_guard<std::mutex> lock(fence->mutex);
    fence->status = status;
    fence->text = text;
    fence->start_ns = start;
    fence->end_ns = end;
    callback = fence->callback;
    argument = fence->argument;
    fence->callback = nullptr;
    fence->ready.notify_all();
  }
  if (callback != nullptr) callback(argument, status);
}

void Connection::Tell(Op op, uint64_t id) {
  if (!lost_.load()) (void)channel_.Send(op, id);
}

std::unique_ptr<SharedBlock> Connection::TakeBlock(uint64_t bytes) {
  uint64_t size = kSmallestBlock;
  while (size < bytes && size < (uint64_t{1} << 62)) size *= 2;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& block : pool_) {
      if (block->bytes() != size) continue;
      std::unique_ptr<SharedBlock> out = std::move(block);
      block = std::move(pool_.back());
      pool_.pop_back();
      return out;
    }
  }
  auto made = SharedBlock::Create(size);
  if (!made.ok()) return nullptr;
  (*made)->id = NewId();
  (void)channel_.Send(Op::kBlock, (*made)->id, Writer().Put(size).data(), (*made)->fd());
  return *std::move(made);
}

void Connection::GiveBack(std::unique_ptr<SharedBlock> block) {
  std::unique_ptr<SharedBlock> surplus;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    pool_.push_back(std::move(block));
    if (pool_.size() > kPoolBlocks) {
      surplus = std::move(pool_.front());
      pool_.erase(pool_.begin());
    }
  }
  // Without a descriptor the other process forgets it.
  if (surplus != nullptr) Tell(Op::kBlock, surplus->id);
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
