
BlinearJ®0`´®&Â2§³¯