
output_probability29"left"middle"right* J{›K?Jæ­7=J›¦#>29"left"middle"right* Jr—g?J’‹ã<J‹aŠ=29"left"middle"right* Jœ”¥>J©­»=Jý¿?