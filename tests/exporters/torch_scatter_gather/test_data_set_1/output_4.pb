Bscatter_reduce_1J ]ฟร?อ?๕:าพ7;@jL
?*ฌz=_จ>