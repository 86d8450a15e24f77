BIdentity_5:0J
¼>÷D>