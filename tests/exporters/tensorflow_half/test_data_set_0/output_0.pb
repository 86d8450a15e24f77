
B
Identity:0Jä5W1S(W1ö5©-S(©-Õ;