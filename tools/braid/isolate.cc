// SPDX-License-Identifier: Apache-2.0
#include "tools/braid/isolate.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace braid::cli {
namespace {

using Clock = std::chrono::steady_clock;

// A child serves this many jobs, so that what one leaves behind does not pile up.
constexpr size_t kBatch = 256;

// What goes through the pipe before each text.
struct Message {
  int32_t kind = 0;
  uint32_t length = 0;
  uint64_t violations = 0;
};
constexpr uint32_t kLongestText = 1 << 16;

bool WriteAll(int to, const void* data, size_t bytes) {
  const auto* p = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = write(to, p, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    p += n;
    bytes -= static_cast<size_t>(n);
  }
  return true;
}

[[noreturn]] void Serve(int to, size_t begin, size_t end, const std::function<Outcome(size_t)>& run) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (size_t i = begin; i < end; ++i) {
    Outcome outcome = run(i);
    outcome.text.resize(std::min<size_t>(outcome.text.size(), kLongestText));
    const Message message = {outcome.kind, static_cast<uint32_t>(outcome.text.size()), outcome.violations};
    if (!WriteAll(to, &message, sizeof message) || !WriteAll(to, outcome.text.data(), message.length)) break;
  }
  close(to);
  // Plugins get their end here: what goes wrong while they are unloaded shows in the exit status.
  std::exit(0);
}

enum class Read { kWhole, kEnd, kTimeout };

Read ReadAll(int from, void* data, size_t bytes, Clock::time_point deadline) {
  auto* p = static_cast<char*>(data);
  while (bytes > 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return Read::kTimeout;
    pollfd waiting = {from, POLLIN, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left, 1 << 30)));
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    const ssize_t n = read(from, p, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Read::kEnd;
    p += n;
    bytes -= static_cast<size_t>(n);
  }
  return Read::kWhole;
}

std::string EndText(int status) {
  if (WIFSIGNALED(status)) return fmt::format("it crashed: {}", strsignal(WTERMSIG(status)));
  return fmt::format("it ended the process with status {}", WEXITSTATUS(status));
}

// The child's status; one that has not ended by then is killed.
int Wait(pid_t child, Clock::time_point deadline) {
  int status = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (Clock::now() > deadline) kill(child, SIGKILL);
    usleep(1000);
  }
  return status;
}

}  // namespace

void RunIsolated(size_t count, double timeout, const std::function<Outcome(size_t)>& run,
                 const std::function<void(size_t, const Outcome&)>& done) {
  for (size_t next = 0; next < count;) {
    const size_t begin = next, end = std::min(count, next + kBatch);
    int ends[2];
    if (pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    std::fflush(nullptr);  // else the child prints it too
    const pid_t child = fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (child == 0) {
      close(ends[0]);
      Serve(ends[1], next, end, run);
    }
    close(ends[1]);
    Read read = Read::kWhole;
    Outcome last;  // of the batch: told when the child has ended
    const auto in_time = [&] {
      return Clock::now() +
             std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(timeout));
    };
    while (next < end && read == Read::kWhole) {
      const auto deadline = in_time();
      Message message;
      std::string text;
      read = ReadAll(ends[0], &message, sizeof message, deadline);
      if (read == Read::kWhole) {
        text.resize(std::min(message.length, kLongestText));
        read = ReadAll(ends[0], text.data(), text.size(), deadline);
      }
      if (read != Read::kWhole) break;
      last = {static_cast<Outcome::Kind>(message.kind), text, false, message.violations};
      if (++next < end) done(next - 1, last);
    }
    if (read == Read::kTimeout) kill(child, SIGKILL);
    close(ends[0]);
    const int status = Wait(child, in_time());
    if (read == Read::kTimeout) {
      done(next++, {Outcome::kFailed, fmt::format("it took longer than {} s (--timeout)", timeout), true});
    } else if (read == Read::kEnd) {
      done(next++, {Outcome::kFailed, EndText(status), true});
    } else {
      // A process that fails as it ends has some of its cases to blame; the last one stands for them.
      if (status != 0)
        last = {Outcome::kFailed,
                fmt::format("after the last of {} cases in its process {}{}{}", end - begin, EndText(status),
                            last.text.empty() ? "" : "; ", last.text),
                true, last.violations};
      done(next - 1, last);
    }
  }
}

}  // namespace braid::cli
