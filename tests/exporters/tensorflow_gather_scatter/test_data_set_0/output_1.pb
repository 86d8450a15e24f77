BIdentity_1:0J÷D>•O¿
¼>