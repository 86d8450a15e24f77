BvariableJ
é³?