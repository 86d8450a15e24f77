B
Identity:0Jƒ'ó¼àÙº¬f=g¾=®Î=j¥=