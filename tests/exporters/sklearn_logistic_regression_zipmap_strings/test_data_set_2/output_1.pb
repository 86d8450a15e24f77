
output_probability29"left"middle"right* JŽ {?J/‹<J¦*¿829"left"middle"right* J<¿Û>J…£>JoÔ>29"left"middle"right* JõpJ?J
SŸ=J¨’>