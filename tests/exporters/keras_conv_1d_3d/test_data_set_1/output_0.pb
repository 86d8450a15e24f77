B
Identity:0Jž,?xÿ>