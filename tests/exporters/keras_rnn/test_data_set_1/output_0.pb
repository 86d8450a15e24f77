B
Identity:0Jüã>€=½