2the cat sat!2
on 3 mats!2ok!Breturn_val3