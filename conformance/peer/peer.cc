// SPDX-License-Identifier: Apache-2.0
#include "conformance/peer/peer.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <stdexcept>

#include "conformance/peer/message.h"

namespace braid::conformance {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPeers[] = {"onnxruntime"};
// A reply of more is no reply: what lies in the pipe is something else.
constexpr uint64_t kLongestReply = uint64_t{1} << 36;

// share/braid/conformance, beside the folder of the program.
fs::path ScriptOf(const std::string& peer) {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  fs::path script = program.parent_path().parent_path() / "share/braid/conformance" / (peer + "_peer.py");
  if (error || !fs::exists(script)) throw std::runtime_error(script.string() + ": is not there");
  return script;
}

std::string Python() {
  const char* given = std::getenv("BRAID_PEER_PYTHON");
  return given != nullptr && *given != 0 ? given : "python3";
}

// The peer's process, and the pipes to it.
class Process {
 public:
  explicit Process(const std::string& peer) {
    const std::string script = ScriptOf(peer), python = Python();
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC) != 0) throw std::runtime_error(std::strerror(errno));
    if (pipe2(from, O_CLOEXEC) != 0) {
      const int reason = errno;
      close(to[0]);
      close(to[1]);
      throw std::runtime_error(std::strerror(reason));
    }
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ == 0) Become(parent, to[0], from[1], python, script);
    close(to[0]);
    close(from[1]);
    to_ = to[1];
    from_ = from[0];
    if (pid_ < 0) {
      CloseBoth();
      throw std::runtime_error(std::string("can't fork: ") + std::strerror(errno));
    }
    const std::optional<std::string> hello = Receive();
    if (!hello.has_value())
      throw std::runtime_error("the peer " + peer + " does not start with '" + python + "': " + End());
    const PeerReply reply = HelloOf(*hello);
    if (reply.status != PeerStatus::kDone)
      throw std::runtime_error("the peer " + peer + " does not start with '" + python + "': " + reply.text);
    name_ = reply.text;
  }
  ~Process() {
    if (pid_ > 0) End();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  const std::string& name() const { return name_; }
  // Nothing if the process ended instead.
  std::optional<std::string> Ask(const std::string& request) {
    const auto length = static_cast<uint64_t>(request.size());
    if (!Send(&length, sizeof length) || !Send(request.data(), request.size())) return std::nullopt;
    return Receive();
  }
  // Ends it. What became of it, in words.
  std::string End() {
    CloseBoth();
    int status = 0;
    kill(pid_, SIGTERM);
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM)
      return std::string("its process ended: ") + strsignal(WTERMSIG(status));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return "there is no such program";
    return "its process ended" +
           (WIFEXITED(status) ? " with status " + std::to_string(WEXITSTATUS(status)) : std::string());
  }

 private:
  [[noreturn]] static void Become(pid_t parent, int in, int out, const std::string& python,
                                  const std::string& script) {
    // A case's deadline ends this process's parent; the peer must not stay.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    dup2(in, 0);
    dup2(out, 1);
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, 2);
    // The pool counts the memory of its own children alone.
    const rlimit limit = {
        static_cast<rlim_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) / 2,
        RLIM_INFINITY};
    setrlimit(RLIMIT_AS, &limit);
    execlp(python.c_str(), python.c_str(), "-B", script.c_str(), nullptr);
    _exit(127);
  }

  bool Send(const void* data, size_t n) {
    const char* at = static_cast<const char*>(data);
    while (n > 0) {
      const ssize_t written = write(to_, at, n);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      at += written;
      n -= static_cast<size_t>(written);
    }
    return true;
  }
  bool Read(char* at, size_t n) {
    while (n > 0) {
      const ssize_t got = read(from_, at, n);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      at += got;
      n -= static_cast<size_t>(got);
    }
    return true;
  }
  std::optional<std::string> Receive() {
    uint64_t length = 0;
    if (!Read(reinterpret_cast<char*>(&length), sizeof length) || length > kLongestReply) return std::nullopt;
    std::string reply(length, 0);
    if (!Read(reply.data(), reply.size())) return std::nullopt;
    return reply;
  }
  void CloseBoth() {
    for (int* end : {&to_, &from_}) {
      if (*end >= 0) close(*end);
      *end = -1;
    }
  }

  pid_t pid_ = -1;
  int to_ = -1, from_ = -1;
  std::string name_;
};

class OnPeer : public Target {
 public:
  explicit OnPeer(std::string peer) : peer_(std::move(peer)) {}

  std::vector<std::vector<Value>> Run(const BuiltCase& built) override {
    if (!built.placement.empty())
      throw TargetError(GRAPH_UNSUPPORTED, "a peer shares no graph with another device");
    static std::unique_ptr<Process> process;
    if (process == nullptr) {
      // A peer that is gone shows as the end of a write.
      signal(SIGPIPE, SIG_IGN);
      process = std::make_unique<Process>(peer_);
    }
    const std::optional<std::string> message = process->Ask(RequestOf(built));
    if (!message.has_value()) {
      const std::string end = process->End();
      process.reset();
      throw TargetCrash("the peer's: " + end);
    }
    PeerReply reply = ReplyOf(*message, built);
    if (reply.status == PeerStatus::kDone) return std::move(reply.results);
    throw TargetError(reply.status == PeerStatus::kUnsupported ? GRAPH_UNSUPPORTED
                      : reply.status == PeerStatus::kMemory    ? GRAPH_OUT_OF_MEMORY
                                                               : GRAPH_INTERNAL,
                      reply.text);
  }

 private:
  const std::string peer_;
};

}  // namespace

std::span<const std::string_view> Peers() { return kPeers; }

PeerIdentity ProbePeer(const std::string& peer) {
  const std::string name = Process(peer).name();
  const size_t comma = std::min(name.find('\n'), name.size());
  return {name.substr(0, comma), name.substr(std::min(comma + 1, name.size()))};
}

std::unique_ptr<Target> PeerTarget(const std::string& peer) { return std::make_unique<OnPeer>(peer); }

}  // namespace braid::conformance
