BvariableJ y–/¿‹*Z¿’aê?LÇ‹?ã~@ êø&C
@`•ø