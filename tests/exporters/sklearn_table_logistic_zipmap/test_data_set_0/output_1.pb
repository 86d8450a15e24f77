
output_probability29"left"middle"right* JŸsp?J$—=JË]ê<