/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* braid/ext/draft/cancel.h - the host's extension "braid.cancel/1": whether a run is to end early.
 *
 * A device that works after submit has returned is told by fence.cancel. One with BRAID_SYNCHRONOUS has no fence yet that could be
 * cancelled, and asks within submit, on the thread that submit was called on:
 *
 *   const braid_cancel* cancel = host->get_extension(host, BRAID_CANCEL_ID);
 *   if (cancel != NULL && cancel->cancelled(host)) return BRAID_CANCELLED;
 */
#ifndef BRAID_EXT_DRAFT_CANCEL_H_
#define BRAID_EXT_DRAFT_CANCEL_H_

#include <braid/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BRAID_CANCEL_ID "braid.cancel/1"

typedef struct braid_cancel {
  uint32_t size, reserved;
  /* 1: the run that the host is submitting on this thread should end CANCELLED; 0: go on, or no submit is being made here. Costs a
   * few loads. [any] */
  int32_t (BRAID_CALL *cancelled)(const braid_host*);
} braid_cancel;

#ifdef __cplusplus
}
#endif
#endif /* BRAID_EXT_DRAFT_CANCEL_H_ */
