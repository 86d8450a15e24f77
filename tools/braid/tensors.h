// SPDX-License-Identifier: Apache-2.0
//
// Tensors of the command: read from files, made from a seed, compared, written.
#ifndef BRAID_TOOLS_BRAID_TENSORS_H_
#define BRAID_TOOLS_BRAID_TENSORS_H_

#include <braid/graph.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace braid::cli {

// A value in host memory, in the parts that graph_tensor has.
struct HostData {
  int32_t kind = GRAPH_TENSOR;
  int32_t type = 0;
  std::vector<int64_t> dims;
  std::vector<uint8_t> bytes;  // as graph_tensor.data
  std::vector<HostData> items;
  std::string name;
  bool shape_only = false;  // a tensor without elements, for graph_prepare
};

// A graph_tensor that borrows `data`; `items` keeps the arrays of sequences.
graph_tensor Borrow(const HostData& data, std::vector<std::unique_ptr<std::vector<graph_tensor>>>& items);
HostData CopyOf(const graph_tensor& tensor);

// The bytes of a file. Throws a UsageError with the system's reason.
std::string ReadFile(const std::string& path);

// .npy (format 1.0 to 3.0). Errors are UsageErrors that name the file.
HostData ReadNpy(const std::string& path);
void WriteNpy(const std::string& path, const HostData& data);
// The .pb of an ONNX test case, for a value that the model declares as `info`.
HostData ReadPb(const std::string& path, const graph_value_info& info);
// NumPy has no bfloat16: .npy files, and the .pb files that ONNX wrote before 1.19, hold it as 16-bit
// integers.
void TakeAsBfloat16(HostData* data, const graph_value_info& info);

// Seeded numbers: floats in [0, 1), small non-negative integers, both booleans.
HostData Random(const std::string& name, int32_t type, const std::vector<int64_t>& dims, uint64_t seed);

std::string TypeText(int32_t type);                       // "float32"
std::string ShapeText(const std::vector<int64_t>& dims);  // "1x3x224x224", "scalar"
std::string InfoText(const graph_value_info& info);       // "float32[1,3,H,W]"
std::string ElementText(const HostData& data, uint64_t index);
uint64_t ElementCount(const HostData& data);
// Bytes of a tensor; UINT64_MAX where they are beyond 64 bits.
uint64_t BytesOf(int32_t type, const std::vector<int64_t>& dims);

// "" if equal within |got - want| <= atol + rtol |want| (floats; others exactly), NaN equal to NaN; else what
// differs first.
std::string Compare(const HostData& got, const HostData& want, double rtol, double atol);

}  // namespace braid::cli

#endif  // BRAID_TOOLS_BRAID_TENSORS_H_
