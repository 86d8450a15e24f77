// SPDX-License-Identifier: Apache-2.0
//
// Blobs by key in a folder, for several processes at once: each entry is a file, written beside and renamed
// into place, with a checksum and the key in it. A damaged entry is a miss and is removed. Past the size
// limit the entries that were used longest ago go.
#ifndef BRAID_CORE_PLUGINS_FILE_CACHE_H_
#define BRAID_CORE_PLUGINS_FILE_CACHE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace braid {

class FileCache {
 public:
  // The folder is made at the first Put. limit_bytes: of all entries together.
  FileCache(std::string directory, uint64_t limit_bytes);

  // A read-only mapping, which lives as long as the object, whatever becomes of the file.
  class Entry {
   public:
    Entry(void* mapping, uint64_t mapped, uint64_t offset, uint64_t bytes)
        : mapping_(mapping), mapped_(mapped), offset_(offset), bytes_(bytes) {}
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    std::string_view data() const { return {static_cast<const char*>(mapping_) + offset_, bytes_}; }

   private:
    friend class FileCache;
    void* mapping_;
    uint64_t mapped_, offset_, bytes_;
  };

  // NotFound: none, or a damaged one. [any thread]
  absl::StatusOr<std::unique_ptr<Entry>> Get(std::string_view key) const;
  // The last writer of a key wins. An entry beyond the limit is refused. [any thread]
  absl::Status Put(std::string_view key, std::string_view data);
  const std::string& directory() const { return directory_; }

 private:
  std::string PathOf(std::string_view key) const;
  void Trim(uint64_t incoming) const;
  const std::string directory_;
  const uint64_t limit_;
};

}  // namespace braid

#endif  // BRAID_CORE_PLUGINS_FILE_CACHE_H_
