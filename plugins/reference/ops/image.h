// SPDX-License-Identifier: Apache-2.0
//
// The operators of the image family that have files of their own; the table is in image.cc.
#ifndef BRAID_PLUGINS_REFERENCE_OPS_IMAGE_H_
#define BRAID_PLUGINS_REFERENCE_OPS_IMAGE_H_

#include "plugins/reference/ops/op.h"

namespace braid::reference {

void Resize(OpContext& op);    // resize.cc
void Upsample(OpContext& op);  // resize.cc
Judgement JudgeInterpolation(
    const kit::Node& node);        // resize.cc: strings have no interpolation, only nearest
void GridSample(OpContext& op);    // grid_sample.cc
void ImageDecoder(OpContext& op);  // image_decoder.cc

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_IMAGE_H_
