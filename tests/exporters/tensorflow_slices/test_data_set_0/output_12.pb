BIdentity_12:0J
¼>™À„¾÷D>A9Û¾