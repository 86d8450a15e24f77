
B
Identity:0Jp@