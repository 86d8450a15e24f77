// SPDX-License-Identifier: Apache-2.0
//
// Blobs come from files: nothing in one is trusted.
#include <algorithm>

#include "conformance/contract/cases.h"

namespace braid::conformance {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr std::initializer_list<braid_status> kRefusals = {BRAID_INVALID_ARGUMENT, BRAID_STALE_BLOB};

struct Pieces {
  Bytes bytes;
  static braid_status BRAID_CALL Take(void* self, braid_bytes piece) {
    const auto* data = static_cast<const uint8_t*>(piece.ptr);
    auto& bytes = static_cast<Pieces*>(self)->bytes;
    bytes.insert(bytes.end(), data, data + piece.len);
    return BRAID_OK;
  }
};

Bytes Saved(Bench& b, const Exec& exec) {
  if (b.ex().save_blob == nullptr || b.dev().load_blob == nullptr)
    throw NotThere("the device keeps no blobs");
  Pieces pieces;
  const braid_status status = b.ex().save_blob(exec.get(), &pieces, Pieces::Take);
  if (status == BRAID_UNSUPPORTED) throw NotThere("the executable has no blob");
  b.Ok(status, "save_blob");
  Check(!pieces.bytes.empty(), "ABI-049: save_blob gives OK and no bytes");
  return pieces.bytes;
}

struct Made {
  explicit Made(Bench& b) : w(b.Plain()), exec(b.Compile(*w.view)), blob(Saved(b, exec)) {
    Run run(b, w, exec);
    run.Go();
    run.ExpectRight();
    want = run.outputs();
  }
  Workload w;
  Exec exec;
  Bytes blob;
  std::vector<kit::testing::Array> want;
};

// Loads; what is loaded must give what compile's executable gives. `must`: it has to load.
void Load(Bench& b, const Made& m, const Bytes& blob, bool must, const std::string& what) {
  const braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  const braid_bytes bytes = {blob.data(), blob.size()};
  const braid_status checked = b.dev().check_blob(b.device(), m.w.view, &options, bytes);
  if (must) {
    b.Ok(checked, "ABI-049: check_blob of " + what);
  } else if (checked != BRAID_OK) {
    b.Refused(checked, kRefusals, "ABI-049: check_blob of " + what);
  }
  braid_exec* raw = nullptr;
  const braid_status status = b.dev().load_blob(b.device(), m.w.view, &options, bytes, &raw);
  if (must) b.Ok(status, "ABI-049: load_blob of " + what);
  if (status != BRAID_OK) {
    b.Refused(status, kRefusals, "ABI-049: load_blob of " + what);
    Check(raw == nullptr, "ABI-022: a refused load_blob gives an executable");
    return;
  }
  const Exec exec(b, raw);
  Run run(b, m.w, exec);
  run.Go();
  CheckSame(run.outputs(), m.want, "ABI-049: loaded from " + what);
}

void RoundTrip(Bench& b) {
  Made m(b);
  Load(b, m, m.blob, true, "the blob");
  // Without the executable that it came from, and on another device object.
  m.exec = b.Compile(*m.w.view);
  Load(b, m, m.blob, true, "the blob");
  Check(!Saved(b, m.exec).empty(), "ABI-049: the graph compiled again has no blob");
}

void Truncated(Bench& b) {
  const Made m(b);
  const size_t n = m.blob.size();
  for (const size_t keep :
       {size_t{0}, size_t{1}, size_t{3}, size_t{7}, size_t{8}, n / 4, n / 2, n * 3 / 4, n - 1})
    if (keep < n)
      Load(b, m, Bytes(m.blob.begin(), m.blob.begin() + static_cast<ptrdiff_t>(keep)), false,
           fmt::format("{} of {} bytes of the blob", keep, n));
  Bytes longer = m.blob;
  longer.resize(n + 100, 0xa5);
  Load(b, m, longer, false, "the blob with bytes behind it");
}

void Flipped(Bench& b) {
  const Made m(b);
  const size_t bits = m.blob.size() * 8;
  for (size_t i = 0; i < std::min<size_t>(bits, 200); ++i) {
    const size_t bit = i < 64 ? i % bits : i * 2654435761 % bits;
    Bytes flipped = m.blob;
    flipped[bit / 8] = static_cast<uint8_t>(flipped[bit / 8] ^ 1u << bit % 8);
    Load(b, m, flipped, false, fmt::format("the blob with bit {} flipped", bit));
  }
}

void Garbage(Bench& b) {
  const Made m(b);
  for (const size_t bytes : {size_t{1}, size_t{16}, m.blob.size(), size_t{100'000}})
    for (const int kind : {0, 1, 2}) {
      Bytes garbage(bytes);
      uint32_t state = 12345 + static_cast<uint32_t>(bytes);
      for (uint8_t& byte : garbage) {
        state = state * 1664525 + 1013904223;
        byte = kind == 0 ? 0 : kind == 1 ? 0xff : static_cast<uint8_t>(state >> 24);
      }
      Load(b, m, garbage, false, fmt::format("{} bytes of garbage", bytes));
    }
}

void OtherGraph(Bench& b) {
  const Kind& kind = b.Elementwise();
  const Made m(b);
  // One of other shapes, and one of the same shapes that gives other results.
  for (const Workload& other : {Elementwise(kind, {9, 4}), Chain(kind, {2, 3}, 2)}) {
    const Bytes blob = Saved(b, b.Compile(*other.view));
    Load(b, m, blob, false, "the blob of another graph");
  }
}

void WriteFails(Bench& b) {
  const Made m(b);
  const auto refuse = [](void*, braid_bytes) -> braid_status { return BRAID_IO_ERROR; };
  const braid_status status = b.ex().save_blob(m.exec.get(), nullptr, refuse);
  b.host.error();
  Check(status == BRAID_IO_ERROR, "ABI-049: save_blob whose write fails with IO_ERROR gives {}",
        StatusText(status));
  Check(Saved(b, m.exec) == m.blob, "ABI-049: a blob is another one after a write had failed");
}

}  // namespace

std::vector<ContractCase> BlobCases() {
  return {
      {"abi/blob-round-trip", "ABI-049", "a saved blob is loaded, and runs as what was compiled", RoundTrip},
      {"abi/blob-truncated", "ABI-049, ABI-022, ABI-036",
       "cut or longer blobs are refused, or give the same results", Truncated},
      {"abi/blob-flipped", "ABI-049, ABI-022, ABI-036",
       "blobs with a bit flipped are refused, or give the same results", Flipped},
      {"abi/blob-garbage", "ABI-049, ABI-022, ABI-036", "bytes that are no blob are refused", Garbage},
      {"abi/blob-other-graph", "ABI-049, ABI-022, ABI-036", "another graph's blob is refused", OtherGraph},
      {"abi/blob-write-fails", "ABI-049", "the status of a write that fails is passed on", WriteFails},
  };
}

}  // namespace braid::conformance
