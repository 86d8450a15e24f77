BvariableJ
FÃ?Ğ8¿TõM@€Ò¾ÀÜšf@$Ò«À