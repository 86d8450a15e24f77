BIdentity_1:0J3l
¿P}¡=