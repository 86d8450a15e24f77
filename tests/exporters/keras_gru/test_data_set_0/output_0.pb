B
Identity:0J¾„€½ (½jû±½ıÅı½