// SPDX-License-Identifier: Apache-2.0
//
// Runs a fuzz target where there is no libFuzzer: the corpus, then mutations of it. The same seed gives the
// same inputs in the same order, so that a test that uses it is repeatable. Options as libFuzzer spells them:
//   fuzz_NAME [-max_total_time=S] [-runs=N] [-seed=N] [-artifact_prefix=FOLDER/] [FOLDER|FILE ...]
// Files alone are run once each. An input that ends the process is written to the folder and named.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/harness.h"

extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*)());
// A target's own, which may call LLVMFuzzerMutate.
extern "C" __attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most,
                                                                unsigned int seed);
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

namespace {

constexpr size_t kLongest = 4096;
constexpr unsigned kTimeout = 25;  // seconds of the clock for one input

std::string current, prefix = "./";
uint64_t executions = 0;

// May run in a signal handler.
void Keep() {
  static bool kept = false;
  if (kept) return;
  kept = true;
  uint64_t hash = 1469598103934665603ull;
  for (const char c : current) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ull;
  char path[4096];
  std::snprintf(path, sizeof path, "%scrash-%016llx", prefix.c_str(), static_cast<unsigned long long>(hash));
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || write(fd, current.data(), current.size()) != static_cast<ssize_t>(current.size()))
    std::fprintf(stderr, "the input can't be written to %s\n", path);
  else
    std::fprintf(stderr, "Test unit written to %s\n", path);
}

void Died(int signal) {
  std::fprintf(stderr, "%s after %llu executions\n",
               signal == SIGALRM ? "ran out of time" : strsignal(signal),
               static_cast<unsigned long long>(executions));
  Keep();
  _exit(77);
}

void RunOne(const std::string& input) {
  current = input;
  ++executions;
  alarm(kTimeout);
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(current.data()), current.size());
  alarm(0);
}

class Mutator {
 public:
  Mutator(uint64_t seed, const std::vector<std::string>& corpus) : random_(seed), corpus_(corpus) {}

  std::string Next() {
    std::string s = corpus_.empty() ? "" : corpus_[Below(corpus_.size())];
    if (LLVMFuzzerCustomMutator == nullptr) return Blindly(std::move(s));
    const size_t size = std::min(s.size(), kLongest);
    s.resize(kLongest);
    s.resize(LLVMFuzzerCustomMutator(reinterpret_cast<uint8_t*>(s.data()), size, kLongest,
                                     static_cast<unsigned int>(random_())));
    return s;
  }

  std::string Blindly(std::string s) {
    for (size_t n = 1 + Below(4); n > 0; --n) Mutate(&s);
    s.resize(std::min(s.size(), kLongest));
    return s;
  }

 private:
  size_t Below(size_t count) { return static_cast<size_t>(random_() % std::max<size_t>(count, 1)); }

  void Mutate(std::string* s) {
    static constexpr uint64_t kEdges[] = {0,          1,          0x7f,       0x80,       0xff,
                                          0x7fff,     0xffff,     0x7fffffff, 0x80000000, 1 << 20,
                                          0xffffffff, 1ull << 40, 1ull << 62, ~0ull >> 1, ~0ull};
    const size_t at = Below(s->size() + 1);
    switch (Below(7)) {
      case 0:  // a bit
        if (at < s->size()) (*s)[at] = static_cast<char>((*s)[at] ^ (1 << Below(8)));
        break;
      case 1:  // a byte
        if (at < s->size()) (*s)[at] = static_cast<char>(random_());
        break;
      case 2: {  // a number at an edge, over what is there
        const size_t width = size_t{1} << Below(4);
        const uint64_t edge = kEdges[Below(std::size(kEdges))];
        for (size_t i = 0; i < width && at + i < s->size(); ++i)
          (*s)[at + i] = static_cast<char>(edge >> (8 * i));
        break;
      }
      case 3:  // out
        s->erase(at, 1 + Below(8));
        break;
      case 4:  // in
        for (size_t n = 1 + Below(8); n > 0; --n)
          s->insert(s->begin() + static_cast<long>(at), static_cast<char>(random_()));
        break;
      case 5:  // twice
        s->insert(at, s->substr(Below(s->size() + 1), 1 + Below(32)));
        break;
      default:  // the end of another
        if (!corpus_.empty()) {
          const std::string& other = corpus_[Below(corpus_.size())];
          *s = s->substr(0, at) + other.substr(Below(other.size() + 1));
        }
    }
  }

  std::mt19937_64 random_;
  const std::vector<std::string>& corpus_;
};

Mutator* mutator = nullptr;

std::string Content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most) {
  std::string s = mutator->Blindly({reinterpret_cast<const char*>(data), size});
  s.resize(std::min(s.size(), most));
  std::copy(s.begin(), s.end(), data);
  return s.size();
}

int main(int argc, char** argv) {
  double seconds = 0;
  uint64_t runs = 0, seed = 1;
  bool mutate = false;
  std::vector<std::string> corpus;
  LLVMFuzzerInitialize(&argc, &argv);
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto value = [&](const char* name) -> const char* {
      return argument.rfind(name, 0) == 0 ? argument.c_str() + std::strlen(name) : nullptr;
    };
    if (const char* v = value("-max_total_time=")) {
      seconds = std::atof(v), mutate = true;
    } else if (const char* n = value("-runs=")) {
      runs = std::strtoull(n, nullptr, 10), mutate = true;
    } else if (const char* s = value("-seed=")) {
      seed = std::strtoull(s, nullptr, 10);
    } else if (const char* p = value("-artifact_prefix=")) {
      prefix = p;
    } else if (argument[0] == '-') {
      std::fprintf(stderr, "%s: an option of libFuzzer that this driver has not\n", argv[i]);
      return 2;
    } else if (std::filesystem::is_directory(argument)) {
      std::vector<std::filesystem::path> paths;
      for (const auto& entry : std::filesystem::directory_iterator(argument)) paths.push_back(entry.path());
      std::sort(paths.begin(), paths.end());
      for (const auto& path : paths) corpus.push_back(Content(path));
    } else if (std::filesystem::exists(argument)) {
      corpus.push_back(Content(argument));
    } else {
      std::fprintf(stderr, "%s: no such file or folder\n", argv[i]);
      return 2;
    }
  }
  for (const int s : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM}) signal(s, Died);
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(Keep);

  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  for (const std::string& input : corpus) {
    if (seconds > 0 && elapsed() > seconds) break;
    RunOne(input);
  }
  const uint64_t replayed = executions;
  Mutator made(seed, corpus);
  mutator = &made;
  while (mutate && (runs == 0 || executions < runs) && (seconds == 0 || elapsed() < seconds))
    RunOne(mutator->Next());
  std::printf("Done %llu runs in %.0f second(s): %llu of the corpus\n",
              static_cast<unsigned long long>(executions), elapsed(),
              static_cast<unsigned long long>(replayed));
  return 0;
}
