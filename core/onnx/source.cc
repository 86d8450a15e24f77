// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/source.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace braid::loader {
namespace {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  void reset(int fd) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

const char* KindOf(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISLNK(mode)) return "a symbolic link";
  return "no regular file";
}

absl::StatusOr<Bytes> MapDescriptor(int fd, uint64_t size) {
  if (size == 0) return Bytes{};
  void* address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (address == MAP_FAILED)
    return absl::UnavailableError(absl::StrCat("cannot be mapped: ", strerror(errno)));
  Bytes result;
  result.span = absl::MakeConstSpan(static_cast<const uint8_t*>(address), size);
  result.owner =
      std::shared_ptr<const void>(address, [size](const void* p) { munmap(const_cast<void*>(p), size); });
  return result;
}

}  // namespace

absl::StatusOr<Bytes> MapFile(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) {
    const std::string cause = absl::StrCat("cannot be opened: ", strerror(errno));
    return errno == ENOENT ? absl::NotFoundError(cause) : absl::InvalidArgumentError(cause);
  }
  struct stat info = {};
  if (fstat(fd.get(), &info) != 0)
    return absl::UnavailableError(absl::StrCat("cannot be read: ", strerror(errno)));
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat("is ", KindOf(info.st_mode)));
  if (info.st_size == 0) return absl::InvalidArgumentError("is empty");
  return MapDescriptor(fd.get(), static_cast<uint64_t>(info.st_size));
}

absl::StatusOr<Bytes> ExternalFiles::Open(const std::string& location) const {
  const auto refuse = [&](std::string_view cause) {
    return absl::InvalidArgumentError(
        absl::StrCat("external data file '", absl::CHexEscape(location), "' ", cause));
  };
  if (folder_.empty()) {
    return refuse("is refused: the model was loaded from memory and no base folder was given");
  }
  if (location.empty()) return refuse("has an empty name");
  if (location.find('\0') != std::string::npos) return refuse("has a NUL in its name");
  if (location[0] == '/')
    return refuse("is an absolute path; only files beneath the model's folder are read");
  const std::vector<std::string> parts = absl::StrSplit(location, '/');
  for (const std::string& part : parts) {
    if (part == "..") return refuse("has '..' in its path; only files beneath the model's folder are read");
  }
  Fd at(open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (at.get() < 0)
    return refuse(absl::StrCat("cannot be reached: folder '", folder_, "': ", strerror(errno)));
  struct stat info = {};
  for (size_t i = 0; i < parts.size(); ++i) {
    const bool last = i + 1 == parts.size();
    if (!last && (parts[i].empty() || parts[i] == ".")) continue;
    if (parts[i].empty()) return refuse("is a directory");
    const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | (last ? O_NONBLOCK | O_NOCTTY : O_DIRECTORY);
    const int next = openat(at.get(), parts[i].c_str(), flags);
    if (next < 0) {
      const int error = errno;
      if (fstatat(at.get(), parts[i].c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode)) {
        return refuse(
            absl::StrCat("is reached through the symbolic link '", parts[i], "', which is not followed"));
      }
      return refuse(absl::StrCat("cannot be opened: ", strerror(error)));
    }
    at.reset(next);
  }
  if (fstat(at.get(), &info) != 0) return refuse(absl::StrCat("cannot be read: ", strerror(errno)));
  if (!S_ISREG(info.st_mode)) return refuse(absl::StrCat("is ", KindOf(info.st_mode)));
  if (info.st_nlink > 1) {
    return refuse("has another name elsewhere (a hard link), and could be any file of this machine; copy it");
  }
  absl::StatusOr<Bytes> bytes = MapDescriptor(at.get(), static_cast<uint64_t>(info.st_size));
  if (!bytes.ok()) return refuse(bytes.status().message());
  return bytes;
}

absl::StatusOr<Bytes> ExternalFiles::Read(const std::string& location, uint64_t offset, uint64_t length) {
  auto found = files_.find(location);
  if (found == files_.end()) {
    absl::StatusOr<Bytes> bytes = Open(location);
    if (!bytes.ok()) return bytes.status();
    found = files_.emplace(location, *std::move(bytes)).first;
  }
  const Bytes& file = found->second;
  if (offset > file.span.size() || length > file.span.size() - offset) {
    return absl::InvalidArgumentError(absl::StrCat("external data file '", absl::CHexEscape(location),
                                                   "' has ", file.span.size(), " bytes, but ", length,
                                                   " bytes at offset ", offset, " are wanted"));
  }
  return Bytes{file.span.subspan(offset, length), file.owner};
}

}  // namespace braid::loader
