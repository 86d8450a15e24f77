B
Identity:0J~Δ>Wu?Βα?