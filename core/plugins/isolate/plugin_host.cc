// SPDX-License-Identifier: Apache-2.0
//
// braid-plugin-host: the process that a plugin is isolated in. Serves one plugin (server.h) over the socket
// that it was started with (descriptor 3) and the memory of board.h (4), and ends when the host does: a
// thread waits for that.
//
//   braid-plugin-host LIBRARY [CACHE_FOLDER]
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "core/plugins/isolate/server.h"

namespace braid::isolate {
namespace {

constexpr int kSocket = 3, kBoard = 4;

void EndAll() {
  kill(-getpid(), SIGKILL);
  kill(getpid(), SIGKILL);  // should it no longer be in that group
}

// Whatever the plugin's threads do, and with all that it has forked. PR_SET_PDEATHSIG would not do: it goes
// by the thread that started this process, and what is forked does not have it.
void EndWithTheHost(pid_t host) {
  std::thread([host] {
    int pidfd = -1;
#ifdef SYS_pidfd_open
    pidfd = static_cast<int>(syscall(SYS_pidfd_open, host, 0));
#endif
    constexpr int kPollMs = 500;
    for (;;) {
      pollfd ends[2] = {{kSocket, POLLRDHUP, 0}, {pidfd, POLLIN, 0}};
      if (poll(ends, 2, pidfd < 0 ? kPollMs : -1) > 0 || getppid() != host) break;
    }
    EndAll();
  }).detach();
}

BoardLayout* board_of_all = nullptr;

// A child that goes on without exec would else keep the socket open, and write its crash where ours belongs.
void LeaveToTheParent() {
  close(kSocket);
  close(kBoard);
  mmap(board_of_all, sizeof *board_of_all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
       -1, 0);
}

}  // namespace
}  // namespace braid::isolate

#ifdef BRAID_SANITIZED
// A signal ends the process as it does without sanitizers: the host is told which.
extern "C" const char* __asan_default_options();
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {
  return "handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigfpe=0:handle_sigill=0";
}
#endif

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: braid-plugin-host LIBRARY [CACHE_FOLDER]; Braid starts it by itself\n");
    return 2;
  }
  using namespace braid::isolate;
  // Whoever made the socket; it may be gone by now.
  ucred host{};
  socklen_t size = sizeof host;
  if (getsockopt(kSocket, SOL_SOCKET, SO_PEERCRED, &host, &size) != 0 || getppid() != host.pid) return 1;
  for (int fd : {kSocket, kBoard}) fcntl(fd, F_SETFD, FD_CLOEXEC);
  // What a plugin prints is not the application's output.
  dup2(STDERR_FILENO, STDOUT_FILENO);
  auto board = ProcessBoard::Open(kBoard);
  if (board == nullptr) return 2;
  // No signal of the plugin's is handled there.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  EndWithTheHost(host.pid);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  board_of_all = &board->layout();
  pthread_atfork(nullptr, nullptr, LeaveToTheParent);
  NoteCrashes(board_of_all);
  auto* server = new Server(kSocket, std::move(board), argv[1], argc > 2 ? argv[2] : "");
  server->Run();
  // Threads of the plugin may still run, and what it has forked: no destructor waits for them.
  EndAll();
}
