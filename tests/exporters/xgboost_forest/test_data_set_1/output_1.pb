BprobabilitiesJ@”Oõ>6X?äOÆ>Ø?'Ñh?Èv¹=œ0/>Ù3T? Ø>ðó?Kte?§]Ô=è­ç=C
c?è>3>F0S?