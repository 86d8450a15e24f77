B
Identity:0Jò_>ô
Å½