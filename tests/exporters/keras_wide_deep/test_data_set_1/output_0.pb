B
Identity:0JKù?