BIdentity_1:0J
¼>÷D>:”>×	?4-?