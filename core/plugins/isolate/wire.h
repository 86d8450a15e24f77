// SPDX-License-Identifier: Apache-2.0
//
// What goes over the socket between the host and a plugin's process, and the memory that both see.
//
// The socket carries calls, answers, descriptors and the ends of failed work. Work itself goes through the
// ring of board.h. A message is a header, a payload and at most one file descriptor. The host numbers every
// object (device, buffer, executable, fence) itself, so that it need not wait for an answer where the ABI
// does not. Nothing that the plugin's process sends is trusted: a message that nobody waits for, or that is
// longer than such a one can be, is refused by its header, memory grows with what has come, and Reader never
// reads beyond the payload.
#ifndef BRAID_CORE_PLUGINS_ISOLATE_WIRE_H_
#define BRAID_CORE_PLUGINS_ISOLATE_WIRE_H_

#include <braid/plugin.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace braid::isolate {

enum class Op : uint32_t {
  kNone = 0,
  // Host to plugin; answered by kReply with the same id.
  kHello = 1,
  kEnumerate,
  kOpen,
  kQuery,
  kEstimate,
  kLink,
  kCompile,
  kCheckBlob,
  kLoadBlob,
  kSaveBlob,
  kAlloc,   // with the descriptor of memory to import, if it is to be shared
  kImport,  // with a descriptor
  kFenceCreate,
  kHealth,
  kIo,
  kDims,
  kWorkspace,
  kTake,
  kShutdown,  // the last
  // Host to plugin; not answered. Work ends with kEvent.
  kSubmit,
  kTransfer,
  kCancel,
  kSignal,
  kFree,
  kDestroyExec,
  kDestroyFence,
  kClose,
  kBlock,       // memory that later messages name; with its descriptor
  kPayload,     // of the ring's message of this id, which has no room there
  kConstantIs,  // answers kConstant; with a descriptor unless empty
  // Plugin to host.
  kReply = 100,
  kEvent,     // a fence is done
  kConstant,  // asks for a constant of the graph of a call
  // Never sent: where a thread of the plugin's process is.
  kCompletion = 200,
};

// The slots that a plugin may leave out, in the answer to kHello: those that it has.
enum Slots : uint32_t {
  kEstimateSlot = 1u << 0,
  kLinkSlot = 1u << 1,
  kCheckBlobSlot = 1u << 2,
  kLoadBlobSlot = 1u << 3,
  kSaveBlobSlot = 1u << 4,
  kCancelSlot = 1u << 5,
  kImportSlot = 1u << 6,       // where buffers can be memory of both processes
  kFenceCreateSlot = 1u << 7,  // with signal
};

struct Header {
  uint32_t op = 0, bytes = 0;
  uint64_t id = 0;  // of the call, fence or question
};

inline constexpr uint32_t kMaxPayload = 1u << 30;
// Of the text of a failure, which ErrorSink cuts off; and of answers that are not as long as what they are
// about.
inline constexpr uint64_t kMaxText = 64 << 10, kMaxAnswer = 1 << 20;

class Writer {
 public:
  template <class T>
  Writer& Put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    data_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Writer& Bytes(const void* data, uint64_t bytes) {
    Put(bytes);
    if (bytes > 0) data_.append(static_cast<const char*>(data), bytes);
    return *this;
  }
  Writer& Text(std::string_view text) { return Bytes(text.data(), text.size()); }
  Writer& Append(const Writer& other) {
    data_ += other.data_;
    return *this;
  }
  const std::string& data() const { return data_; }

 private:
  std::string data_;
};

class Reader {
 public:
  explicit Reader(std::string_view data) : data_(data) {}
  // Zero where the payload has ended; ok() then says so.
  template <class T>
  T Get() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    if (data_.size() < sizeof value) {
      ok_ = false;
      data_ = {};
      return value;
    }
    std::memcpy(&value, data_.data(), sizeof value);
    data_.remove_prefix(sizeof value);
    return value;
  }
  std::string_view Bytes() {
    const auto bytes = Get<uint64_t>();
    if (bytes > data_.size()) {
      ok_ = false;
      data_ = {};
      return {};
    }
    const std::string_view out = data_.substr(0, bytes);
    data_.remove_prefix(bytes);
    return out;
  }
  bool ok() const { return ok_; }

 private:
  std::string_view data_;
  bool ok_ = true;
};

struct Message {
  Header header;
  std::string payload;
  int fd = -1;  // the receiver's to close
};

// One end of the socket. Send is safe from any thread; Receive from one.
class Channel {
 public:
  explicit Channel(int fd) : fd_(fd) {}
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  int fd() const { return fd_; }
  // Unavailable: the other end is gone. DeadlineExceeded: it has read nothing for as long as SetPatience
  // said, and may now have half a message.
  absl::Status Send(Op op, uint64_t id, std::string_view payload = {}, int fd = -1);
  void SetPatience(uint64_t ns);
  // From the host.
  absl::Status Receive(Message* message);
  // From a process that is not trusted, without descriptors. InvalidArgument: can_be says no to the header.
  absl::Status Receive(Message* message, const std::function<bool(const Header&)>& can_be);
  // Makes every later call fail, and the other end see the end.
  void Shut();

 private:
  const int fd_;
  std::mutex mutex_;
};

// Memory that both processes map.
class SharedBlock {
 public:
  static absl::StatusOr<std::unique_ptr<SharedBlock>> Create(uint64_t bytes);
  // Takes the descriptor. Fails if the file is shorter than `bytes`.
  static absl::StatusOr<std::unique_ptr<SharedBlock>> Map(int fd, uint64_t bytes);
  ~SharedBlock();
  SharedBlock(const SharedBlock&) = delete;
  SharedBlock& operator=(const SharedBlock&) = delete;
  uint8_t* data() const { return data_; }
  uint64_t bytes() const { return bytes_; }
  int fd() const { return fd_; }
  // The memory stays. Descriptors are few.
  void CloseFd();
  uint64_t id = 0;

 private:
  SharedBlock(int fd, uint8_t* data, uint64_t bytes) : fd_(fd), data_(data), bytes_(bytes) {}
  int fd_;
  uint8_t* const data_;
  const uint64_t bytes_;
};

// The view as it is, its pointers made offsets from the start of `to`; FlatBytes says how much room it needs.
uint64_t FlatBytes(const braid_graph& graph);
void Flatten(const braid_graph& graph, uint8_t* to);
// The graph at `from`, with pointers again.
braid_graph Unflatten(const uint8_t* from);

}  // namespace braid::isolate

#endif  // BRAID_CORE_PLUGINS_ISOLATE_WIRE_H_
