BprobabilitiesJ`YY_Á JÁŒæÁÃÃÁ@Ï@ªÖÏ@Æ¾~r¾½Û>dçp?Û|Þ>Åe¹=è¿xúÃ?Èè?Ö’"¿»P&?A¾c?Cº¥@KKs@
rÀtZÊ¿ˆâI¾#÷?