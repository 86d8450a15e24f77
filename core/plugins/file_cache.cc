// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/file_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/plugins/hash.h"

namespace braid {
namespace {

constexpr char kMagic[8] = {'B', 'R', 'A', 'I', 'D', 'C', '1', '\n'};
constexpr uint64_t kAlign = 64;
constexpr time_t kAbandoned = 3600;  // seconds after which a temporary file's writer is taken for dead

struct Header {
  char magic[8];
  uint64_t key_bytes, data_bytes;
  Hash128 check;  // of key and data
};

uint64_t DataOffset(uint64_t key_bytes) {
  return (sizeof(Header) + key_bytes + kAlign - 1) / kAlign * kAlign;
}

Hash128 Check(std::string_view key, std::string_view data) {
  Hasher hasher;
  hasher.Add(key);
  hasher.Add(data);
  return hasher.Finish();
}

absl::Status Failed(const std::string& what, const std::string& path) {
  const int error = errno;
  const std::string text = absl::StrCat("cache: cannot ", what, " ", path, ": ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(text);
  return absl::DataLossError(text);
}

absl::Status MakeDirectories(const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) return Failed("make the folder", part);
    if (slash == std::string::npos) return absl::OkStatus();
  }
}

bool WriteAll(int fd, const void* data, uint64_t bytes) {
  const char* p = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = write(fd, p, std::min<uint64_t>(bytes, 1u << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    p += n;
    bytes -= static_cast<uint64_t>(n);
  }
  return true;
}

struct Fd {
  int value;
  ~Fd() {
    if (value >= 0) close(value);
  }
};

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

FileCache::FileCache(std::string directory, uint64_t limit_bytes)
    : directory_(std::move(directory)), limit_(limit_bytes) {}

FileCache::Entry::~Entry() { munmap(mapping_, mapped_); }

std::string FileCache::PathOf(std::string_view key) const {
  return absl::StrCat(directory_, "/", HexOf(HashOf(key)), ".blob");
}

absl::StatusOr<std::unique_ptr<FileCache::Entry>> FileCache::Get(std::string_view key) const {
  const std::string path = PathOf(key);
  const Fd file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (file.value < 0) return absl::NotFoundError("cache: no entry");
  struct stat info;
  // What another user put here is not trusted: blobs hold code.
  if (fstat(file.value, &info) != 0 || !S_ISREG(info.st_mode) ||
      (info.st_uid != geteuid() && info.st_uid != 0))
    return absl::NotFoundError("cache: the entry is not a file of this user");
  const auto damaged = [&] {
    unlink(path.c_str());
    return absl::NotFoundError(absl::StrCat("cache: ", path, " was damaged and has been removed"));
  };
  const uint64_t size = static_cast<uint64_t>(info.st_size);
  if (size < sizeof(Header)) return damaged();
  void* mapping = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (mapping == MAP_FAILED) return absl::NotFoundError(absl::StrCat("cache: ", path, " cannot be mapped"));
  Header header;
  std::memcpy(&header, mapping, sizeof header);
  const char* base = static_cast<const char*>(mapping);
  auto entry = std::make_unique<Entry>(mapping, size, 0, 0);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.key_bytes > size - sizeof(Header) ||
      DataOffset(header.key_bytes) > size || header.data_bytes != size - DataOffset(header.key_bytes))
    return damaged();
  const std::string_view stored(base + sizeof(Header), header.key_bytes);
  const std::string_view data(base + DataOffset(header.key_bytes), header.data_bytes);
  if (Check(stored, data) != header.check) return damaged();
  if (stored != key) return absl::NotFoundError("cache: no entry");  // another key of the same hash
  futimens(file.value, nullptr);                                     // used now: keeps it from being trimmed
  entry->offset_ = DataOffset(header.key_bytes);
  entry->bytes_ = header.data_bytes;
  return entry;
}

absl::Status FileCache::Put(std::string_view key, std::string_view data) {
  const uint64_t total = DataOffset(key.size()) + data.size();
  if (total > limit_)
    return absl::ResourceExhaustedError(
        absl::StrCat("cache: an entry of ", total, " bytes is beyond the limit of ", limit_));
  if (absl::Status s = MakeDirectories(directory_); !s.ok()) return s;
  Trim(total);
  std::string temporary = directory_ + "/new.XXXXXX";
  const Fd file{mkostemp(temporary.data(), O_CLOEXEC)};
  if (file.value < 0) return Failed("make a file in", directory_);
  Header header;
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.key_bytes = key.size();
  header.data_bytes = data.size();
  header.check = Check(key, data);
  static constexpr char kZeros[kAlign] = {};
  const bool written = WriteAll(file.value, &header, sizeof header) &&
                       WriteAll(file.value, key.data(), key.size()) &&
                       WriteAll(file.value, kZeros, DataOffset(key.size()) - sizeof header - key.size()) &&
                       WriteAll(file.value, data.data(), data.size());
  if (!written || rename(temporary.c_str(), PathOf(key).c_str()) != 0) {
    absl::Status failed = Failed(written ? "rename" : "write", temporary);
    unlink(temporary.c_str());
    return failed;
  }
  return absl::OkStatus();
}

void FileCache::Trim(uint64_t incoming) const {
  struct File {
    timespec used;
    uint64_t bytes;
    std::string path;
  };
  std::vector<File> files;
  uint64_t total = incoming;
  DIR* dir = opendir(directory_.c_str());
  if (dir == nullptr) return;
  while (const dirent* item = readdir(dir)) {
    const std::string_view name = item->d_name;
    const std::string path = absl::StrCat(directory_, "/", item->d_name);
    struct stat info;
    if (lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (name.substr(0, 4) == "new.") {
      if (info.st_mtim.tv_sec + kAbandoned < time(nullptr)) unlink(path.c_str());
    } else if (EndsWith(name, ".blob")) {
      files.push_back({info.st_mtim, static_cast<uint64_t>(info.st_size), path});
      total += files.back().bytes;
    }
  }
  closedir(dir);
  if (total <= limit_) return;
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  for (const File& file : files) {
    if (total <= limit_) break;
    if (unlink(file.path.c_str()) == 0) total -= file.bytes;
  }
}

}  // namespace braid
