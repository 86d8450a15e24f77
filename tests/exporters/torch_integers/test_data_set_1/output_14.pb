B
_to_copy_2Jçù$$