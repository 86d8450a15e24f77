// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/isolate/wire.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"

namespace braid::isolate {
namespace {

absl::Status Gone(const char* what) { return absl::UnavailableError(absl::StrCat("isolation: ", what)); }

bool ReceiveAll(int fd, char* to, uint64_t bytes) {
  while (bytes > 0) {
    const ssize_t n = recv(fd, to, std::min<uint64_t>(bytes, 1u << 30), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    to += n;
    bytes -= static_cast<uint64_t>(n);
  }
  return true;
}

// The arrays of a graph, in one order for both directions.
template <class Visit>
void Arrays(braid_graph& g, const Visit& visit) {
  visit(g.nodes, uint64_t{g.node_stride} * (uint64_t{g.node_count} + g.older_count));
  visit(g.values, uint64_t{g.value_stride} * g.value_count);
  visit(g.attrs, uint64_t{g.attr_stride} * g.attr_count);
  visit(g.dims, uint64_t{g.dim_stride} * g.dim_count);
  visit(g.ints, uint64_t{sizeof(int64_t)} * g.int_count);
  visit(g.refs, uint64_t{sizeof(uint32_t)} * g.ref_count);
  visit(g.floats, uint64_t{sizeof(float)} * g.float_count);
  visit(g.strings, uint64_t{sizeof(braid_span)} * g.string_count);
  visit(g.symbols, uint64_t{sizeof(braid_span)} * g.symbol_count);
  visit(g.inputs, uint64_t{sizeof(uint32_t)} * g.input_count);
  visit(g.outputs, uint64_t{sizeof(uint32_t)} * g.output_count);
  visit(g.chars, uint64_t{g.char_count});
}

uint64_t Aligned(uint64_t n) { return (n + 63) / 64 * 64; }

}  // namespace

Channel::~Channel() { close(fd_); }

void Channel::Shut() { shutdown(fd_, SHUT_RDWR); }

void Channel::SetPatience(uint64_t ns) {
  timeval limit{static_cast<time_t>(ns / 1'000'000'000), static_cast<suseconds_t>(ns / 1000 % 1'000'000)};
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

absl::Status Channel::Send(Op op, uint64_t id, std::string_view payload, int fd) {
  if (payload.size() > kMaxPayload) return absl::ResourceExhaustedError("isolation: a message beyond 1 GiB");
  Header header;
  header.op = static_cast<uint32_t>(op);
  header.bytes = static_cast<uint32_t>(payload.size());
  header.id = id;
  iovec parts[2] = {{&header, sizeof header}, {const_cast<char*>(payload.data()), payload.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(part), &fd, sizeof fd);
  }
  std::lock_guard<std::mutex> lock(mutex_);
  for (;;) {
    const ssize_t n = sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN)
      return absl::DeadlineExceededError("isolation: the other process does not read");
    if (n < 0) return Gone("the other process is gone");
    message.msg_control = nullptr;
    message.msg_controllen = 0;
    uint64_t sent = static_cast<uint64_t>(n);
    for (iovec& part : parts) {
      const uint64_t of_part = std::min<uint64_t>(sent, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + of_part;
      part.iov_len -= of_part;
      sent -= of_part;
    }
    if (parts[0].iov_len + parts[1].iov_len == 0) return absl::OkStatus();
  }
}

absl::Status Channel::Receive(Message* out) {
  out->fd = -1;
  char* at = reinterpret_cast<char*>(&out->header);
  uint64_t missing = sizeof out->header;
  while (missing > 0) {
    iovec part{at, missing};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t n = recvmsg(fd_, &message, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Gone("the other process has ended");
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c))
      if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        std::memcpy(&out->fd, CMSG_DATA(c), sizeof out->fd);
    at += n;
    missing -= static_cast<uint64_t>(n);
  }
  if (out->header.bytes > kMaxPayload) return Gone("the other process sent a message that cannot be");
  out->payload.resize(out->header.bytes);
  if (!ReceiveAll(fd_, out->payload.data(), out->header.bytes))
    return Gone("the other process ended within a message");
  return absl::OkStatus();
}

absl::Status Channel::Receive(Message* out, const std::function<bool(const Header&)>& can_be) {
  constexpr uint64_t kFirst = 64 << 10;
  // Descriptors are closed by the kernel, since there is no room for them.
  if (!ReceiveAll(fd_, reinterpret_cast<char*>(&out->header), sizeof out->header))
    return Gone("the other process has ended");
  if (!can_be(out->header))
    return absl::InvalidArgumentError("isolation: the other process sent a message that cannot be");
  out->payload.clear();
  // Memory for what has come, and as much again: the rest may never come.
  for (uint64_t have = 0; have < out->header.bytes; have = out->payload.size()) {
    out->payload.resize(std::min<uint64_t>(out->header.bytes, have + std::max(have, kFirst)));
    if (!ReceiveAll(fd_, out->payload.data() + have, out->payload.size() - have))
      return Gone("the other process ended within a message");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<SharedBlock>> SharedBlock::Create(uint64_t bytes) {
  const int fd = memfd_create("braid", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return absl::ResourceExhaustedError("isolation: no shared memory is to be had");
  bytes = std::max<uint64_t>(bytes, 1);
  // Sealed, so that the other process cannot shrink it under our reads.
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0 ||
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    close(fd);
    return absl::ResourceExhaustedError(
        absl::StrCat("isolation: no ", bytes, " bytes of shared memory are to be had"));
  }
  return Map(fd, bytes);
}

absl::StatusOr<std::unique_ptr<SharedBlock>> SharedBlock::Map(int fd, uint64_t bytes) {
  struct stat info;
  if (fd < 0 || fstat(fd, &info) != 0 || static_cast<uint64_t>(info.st_size) < bytes) {
    if (fd >= 0) close(fd);
    return absl::InvalidArgumentError("isolation: shared memory is shorter than was said");
  }
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) {
    close(fd);
    return absl::ResourceExhaustedError(
        absl::StrCat("isolation: ", bytes, " bytes of shared memory cannot be mapped"));
  }
  return std::unique_ptr<SharedBlock>(new SharedBlock(fd, static_cast<uint8_t*>(data), bytes));
}

SharedBlock::~SharedBlock() {
  munmap(data_, bytes_);
  CloseFd();
}

void SharedBlock::CloseFd() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

uint64_t FlatBytes(const braid_graph& graph) {
  braid_graph g = graph;
  uint64_t total = Aligned(sizeof g);
  Arrays(g, [&](auto&, uint64_t bytes) { total += Aligned(bytes); });
  return total;
}

void Flatten(const braid_graph& graph, uint8_t* to) {
  braid_graph g = graph;
  uint64_t offset = Aligned(sizeof g);
  Arrays(g, [&](auto& array, uint64_t bytes) {
    if (bytes > 0) std::memcpy(to + offset, array, bytes);
    array = reinterpret_cast<std::remove_reference_t<decltype(array)>>(offset);
    offset += Aligned(bytes);
  });
  g.host_data = nullptr;
  std::memcpy(to, &g, sizeof g);
}

braid_graph Unflatten(const uint8_t* from) {
  braid_graph g;
  std::memcpy(&g, from, sizeof g);
  Arrays(g, [&](auto& array, uint64_t) {
    array =
        reinterpret_cast<std::remove_reference_t<decltype(array)>>(from + reinterpret_cast<uintptr_t>(array));
  });
  return g;
}

}  // namespace braid::isolate
