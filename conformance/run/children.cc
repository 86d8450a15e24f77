// SPDX-License-Identifier: Apache-2.0
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
#include <system_error>

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

[[noreturn]] void Serve(int to, CrashNote* note, const std::vector<Job>& jobs, size_t begin, size_t end) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  WriteCrashesTo(note);
  for (size_t i = begin; i < end; ++i)
    if (!WriteAll(to, Packed(Timed(jobs[i])))) break;
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
    const pid_t pid = fork();
    if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (pid == 0) {
      close(ends[0]);
      for (const Child& c : children_) close(c.from);
      Serve(ends[1], note, jobs_, begin, end);
    }
    close(ends[1]);
    children_.push_back({pid, ends[0], begin, end, Clock::now(), {}, note});
  }

  void Wait() {
    std::vector<pollfd> polled;
    for (const Child& c : children_) polled.push_back({c.from, POLLIN, 0});
    poll(polled.data(), polled.size(), 100);
    // From the last to the first, since a child that ends is taken out.
    for (size_t i = children_.size(); i-- > 0;) {
      Child& c = children_[i];
      if (polled[i].revents != 0) {
        char chunk[65536];
        const ssize_t n = read(c.from, chunk, sizeof chunk);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (n <= 0) {
          Ended(i);
          continue;
        }
        c.buffer.append(chunk, static_cast<size_t>(n));
        Unpack(c);
      } else if (c.next < c.end && Seconds(Clock::now() - c.started) > options_.deadline) {
        Kill(i, Outcome::kHang, fmt::format("it took longer than {} s", options_.deadline));
      } else if (c.next < c.end && ResidentBytes(c.pid) > memory_) {
        Kill(i, Outcome::kResource, fmt::format("it took more than {} MB of memory", memory_ >> 20));
      }
    }
  }

  void Unpack(Child& c) {
    for (;;) {
      uint32_t length = 0;
      if (c.buffer.size() < sizeof length) return;
      std::memcpy(&length, c.buffer.data(), sizeof length);
      if (c.buffer.size() < sizeof length + length || c.next >= c.end) return;
      size_t at = sizeof length;
      const auto take = [&](void* to, size_t bytes) {
        std::memcpy(to, c.buffer.data() + at, bytes);
        at += bytes;
      };
      const auto text = [&] {
        uint32_t n = 0;
        take(&n, sizeof n);
        std::string s = c.buffer.substr(at, n);
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
      c.buffer.erase(0, sizeof length + length);
      c.started = Clock::now();
      const size_t i = c.next++;
      Tell(jobs_[i], std::move(r), i, done_);
    }
  }

  static int Reap(pid_t pid) {
    int status = 0;
    const auto limit = Clock::now() + std::chrono::seconds(10);
    while (waitpid(pid, &status, WNOHANG) == 0) {
      if (Clock::now() > limit) kill(pid, SIGKILL);
      usleep(1000);
    }
    return status;
  }

  void Remove(size_t i) {
    close(children_[i].from);
    if (children_[i].note != nullptr) munmap(children_[i].note, sizeof(CrashNote));
    children_.erase(children_.begin() + static_cast<ptrdiff_t>(i));
  }

  void Kill(size_t i, Outcome outcome, const std::string& text) {
    const Child c = children_[i];
    kill(c.pid, SIGKILL);
    Reap(c.pid);
    Remove(i);
    Result r;
    r.outcome = outcome;
    r.text = text;
    r.seconds = Seconds(Clock::now() - c.started);
    Tell(jobs_[c.next], std::move(r), c.next, done_);
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
    r.outcome = Outcome::kCrash;
    if (c.next < c.end) {
      r.text = how;
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
