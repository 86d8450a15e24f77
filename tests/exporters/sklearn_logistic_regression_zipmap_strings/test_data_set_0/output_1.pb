
output_probability29"left"middle"right* J­\e?JX*Î=Jò^;