// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <system_error>

#include "conformance/contract/host_state.h"
#include "conformance/run/crash.h"
#include "conformance/run/job.h"

namespace braid::conformance {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kNames[] = {"pass", "fail",     "crash",  "hang",  "unsupported",
                                  "core", "resource", "waived", "stale", "invalid"};
constexpr size_t kLongestText = 4096;

void Tell(const Job& job, Result r, size_t i, const std::function<void(size_t, const Result&)>& done) {
  r.id = job.id;
  r.kind = job.kind;
  r.group = job.group;
  done(i, r);
}

// Texts go through the pipe as lengths and bytes.
void Append(std::string* out, const std::string& text) {
  const auto n = static_cast<uint32_t>(std::min(text.size(), kLongestText));
  out->append(reinterpret_cast<const char*>(&n), sizeof n);
  out->append(text, 0, n);
}
template <class T>
void Append(std::string* out, T value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string Packed(const Result& r) {
  std::string body;
  Append(&body, static_cast<int32_t>(r.outcome));
  Append(&body, r.worst);
  Append(&body, r.seconds);
  Append(&body, r.text);
  Append(&body, r.basis);
  Append(&body, r.measured);
  std::string message;
  Append(&message, static_cast<uint32_t>(body.size()));
  return message + body;
}

bool WriteAll(int to, const std::string& data) {
  for (size_t at = 0; at < data.size();) {
    const ssize_t n = write(to, data.data() + at, data.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += static_cast<size_t>(n);
  }
  return true;
}

double Seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

Result Timed(const Job& job) {
  const auto start = Clock::now();
  Result result = job.run();
  result.seconds = Seconds(Clock::now() - start);
  return result;
}

// Each result has the token before it, so that what a plugin writes into the pipe by accident is none.
[[noreturn]] void Serve(int to, uint64_t token, CrashNote* note, const std::vector<Job>& jobs, size_t begin,
                        size_t end) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // What the plugin starts ends with it.
  setpgid(0, 0);
  // Far from the descriptors that a plugin takes for its own; and what it prints is not the report.
  if (const int high = fcntl(to, F_DUPFD_CLOEXEC, 500); high >= 0) {
    close(to);
    to = high;
  }
  dup2(STDERR_FILENO, STDOUT_FILENO);
  HostStateAtStart();
  WriteCrashesTo(note);
  std::string head;
  Append(&head, token);
  for (size_t i = begin; i < end; ++i)
    if (!WriteAll(to, head + Packed(Timed(jobs[i])))) break;
  close(to);
  // Plugins get their end here: what goes wrong while they are unloaded shows in the exit status.
  [[maybe_unused]] static const auto* const watch = new CrashWatch;
  std::exit(0);
}

uint64_t ResidentBytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  uint64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

struct Child {
  pid_t pid = -1;
  int from = -1;
  size_t next = 0, end = 0;   // jobs that it has still to do
  Clock::time_point started;  // of the job at `next`
  std::string buffer;
  CrashNote* note = nullptr;  // shared with it; null: there was no memory
  uint64_t token = 0;
};

class Pool {
 public:
  Pool(const std::vector<Job>& jobs, const ChildOptions& options,
       const std::function<void(size_t, const Result&)>& done)
      : jobs_(jobs), options_(options), done_(done) {
    memory_ = options.memory != 0 ? options.memory
                                  : static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                                        static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) / 2;
  }

  void Run() {
    while (begun_ < jobs_.size() || !children_.empty()) {
      while (begun_ < jobs_.size() &&
             children_.size() < static_cast<size_t>(std::max(options_.children, 1))) {
        const size_t end = std::min(jobs_.size(), begun_ + options_.batch);
        Start(begun_, end);
        begun_ = end;
      }
      Wait();
    }
  }

 private:
  void Start(size_t begin, size_t end) {
    int ends[2];
    if (pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    void* shared =
        mmap(nullptr, sizeof(CrashNote), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CrashNote* const note = shared == MAP_FAILED ? nullptr : new (shared) CrashNote;
    std::fflush(nullptr);  // else the child prints it too
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    const uint64_t token = random_();
    const pid_t pid = fork();
    if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (pid == 0) {
      close(ends[0]);
      for (const Child& c : children_) close(c.from);
      Serve(ends[1], token, note, jobs_, begin, end);
    }
    close(ends[1]);
    children_.push_back({pid, ends[0], begin, end, Clock::now(), {}, note, token});
  }

  void Wait() {
    std::vector<pollfd> polled;
    for (const Child& c : children_) polled.push_back({c.from, POLLIN, 0});
    poll(polled.data(), polled.size(), 100);
    // From the last to the first, since a child that ends is taken out.
    for (size_t i = children_.size(); i-- > 0;) {
      Child& c = children_[i];
      // A process that it has started may hold the pipe open after its own end.
      const bool has_ended = polled[i].revents == 0 && HasEnded(c.pid);
      if (polled[i].revents != 0 || has_ended) {
        char chunk[65536];
        const ssize_t n = read(c.from, chunk, sizeof chunk);
        if (n < 0 && (errno == EINTR || errno == EAGAIN) && !has_ended) continue;
        if (n <= 0) {
          Ended(i);
          continue;
        }
        c.buffer.append(chunk, static_cast<size_t>(n));
        if (!Unpack(c)) Kill(i, Outcome::kCrash, "its process sent what is no result");
      } else if (Seconds(Clock::now() - c.started) > options_.deadline) {
        Kill(i, Outcome::kHang,
             fmt::format(
                 "{}it took longer than {} s",
                 c.next < c.end ? "" : "as its process ended, after all of its cases: ", options_.deadline));
      } else if (c.next < c.end && ResidentBytes(c.pid) > memory_) {
        Kill(i, Outcome::kResource, fmt::format("it took more than {} MB of memory", memory_ >> 20));
      }
    }
  }

  static bool HasEnded(pid_t pid) {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid;
  }

  // False: what came is no result.
  bool Unpack(Child& c) {
    for (;;) {
      constexpr size_t kHead = sizeof(uint64_t) + sizeof(uint32_t);
      constexpr size_t kLongest =
          sizeof(int32_t) + 2 * sizeof(double) + 3 * (sizeof(uint32_t) + kLongestText);
      if (c.buffer.empty()) return true;
      uint64_t token = 0;
      uint32_t length = 0;
      const size_t known = std::min(c.buffer.size(), sizeof token);
      if (std::memcmp(c.buffer.data(), &c.token, known) != 0 || c.next >= c.end) return false;
      if (c.buffer.size() < kHead) return true;
      std::memcpy(&length, c.buffer.data() + sizeof token, sizeof length);
      if (length > kLongest) return false;
      if (c.buffer.size() < kHead + length) return true;
      size_t at = kHead;
      bool whole = true;
      const auto take = [&](void* to, size_t bytes) {
        whole = whole && at + bytes <= kHead + length;
        if (whole) std::memcpy(to, c.buffer.data() + at, bytes);
        at += bytes;
      };
      const auto text = [&] {
        uint32_t n = 0;
        take(&n, sizeof n);
        whole = whole && n <= kHead + length - at;
        std::string s = whole ? c.buffer.substr(at, n) : "";
        at += n;
        return s;
      };
      Result r;
      int32_t outcome = 0;
      take(&outcome, sizeof outcome);
      take(&r.worst, sizeof r.worst);
      take(&r.seconds, sizeof r.seconds);
      r.outcome = static_cast<Outcome>(outcome);
      r.text = text();
      r.basis = text();
      r.measured = text();
      if (!whole || at != kHead + length || outcome < 0 || static_cast<size_t>(outcome) >= std::size(kNames))
        return false;
      c.buffer.erase(0, kHead + length);
      c.started = Clock::now();
      const size_t i = c.next++;
      Tell(jobs_[i], std::move(r), i, done_);
    }
  }

  static int Reap(pid_t pid) {
    const auto limit = Clock::now() + std::chrono::seconds(10);
    while (!HasEnded(pid)) {
      if (Clock::now() > limit) kill(pid, SIGKILL);
      usleep(1000);
    }
    // What it has started, while the number is still its own.
    kill(-pid, SIGKILL);
    int status = 0;
    waitpid(pid, &status, 0);
    return status;
  }

  void Remove(size_t i) {
    close(children_[i].from);
    if (children_[i].note != nullptr) munmap(children_[i].note, sizeof(CrashNote));
    children_.erase(children_.begin() + static_cast<ptrdiff_t>(i));
  }

  // The case that it is at, or, where all of them are told, the last.
  void Kill(size_t i, Outcome outcome, const std::string& text) {
    const Child c = children_[i];
    kill(c.pid, SIGKILL);
    Reap(c.pid);
    Remove(i);
    Result r;
    r.outcome = outcome;
    r.text = text;
    r.seconds = Seconds(Clock::now() - c.started);
    const size_t blamed = std::min(c.next, c.end - 1);
    Tell(jobs_[blamed], std::move(r), blamed, done_);
    if (c.next + 1 < c.end) Start(c.next + 1, c.end);
  }

  void Ended(size_t i) {
    const Child c = children_[i];
    const int status = Reap(c.pid);
    // The child, whose plugin may have written anywhere, has it no more.
    if (c.note != nullptr) c.note->text[sizeof c.note->text - 1] = '\0';
    const std::string known = c.note == nullptr ? "" : c.note->text;
    Remove(i);
    const std::string how = WIFSIGNALED(status)
                                ? fmt::format("it crashed: {}{}", strsignal(WTERMSIG(status)), known)
                                : fmt::format("it ended the process with status {}", WEXITSTATUS(status));
    Result r;
    // Nobody of the suite ends a child so without telling it: it is the kernel, where memory runs out.
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    r.outcome = killed ? Outcome::kResource : Outcome::kCrash;
    if (c.next < c.end) {
      r.text =
          killed ? "its process was ended by SIGKILL, as the kernel does where there is no memory left" : how;
      Tell(jobs_[c.next], std::move(r), c.next, done_);
      if (c.next + 1 < c.end) Start(c.next + 1, c.end);
    } else if (status != 0) {
      // A process that fails as it ends has one of its jobs to blame; the last one stands for them.
      r.text = "as its process ended, after all of its cases: " + how;
      Tell(jobs_[c.end - 1], std::move(r), c.end - 1, done_);
    }
  }

  const std::vector<Job>& jobs_;
  const ChildOptions& options_;
  const std::function<void(size_t, const Result&)>& done_;
  uint64_t memory_;
  std::mt19937_64 random_{std::random_device()()};
  size_t begun_ = 0;
  std::vector<Child> children_;
};

}  // namespace

const char* Name(Outcome outcome) { return kNames[static_cast<size_t>(outcome)]; }

Outcome OutcomeOf(const std::string& name) {
  for (size_t i = 0; i < std::size(kNames); ++i)
    if (name == kNames[i]) return static_cast<Outcome>(i);
  return Outcome::kInvalid;
}

void RunInChildren(const std::vector<Job>& jobs, const ChildOptions& options,
                   const std::function<void(size_t, const Result&)>& done) {
  Pool(jobs, options, done).Run();
}

void RunHere(const std::vector<Job>& jobs, const std::function<void(size_t, const Result&)>& done) {
  for (size_t i = 0; i < jobs.size(); ++i) Tell(jobs[i], Timed(jobs[i]), i, done);
}

}  // namespace braid::conformance
