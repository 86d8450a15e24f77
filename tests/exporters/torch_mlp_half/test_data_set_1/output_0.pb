
Blinear_1J©Û3W4N5