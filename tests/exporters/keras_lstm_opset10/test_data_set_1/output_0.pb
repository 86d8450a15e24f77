B
Identity:0JÞ÷×<Œ†½