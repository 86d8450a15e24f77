BprobabilitiesJ$Ž {?/‹<¦*¿8<¿Û>…£>oÔ>õpJ?
SŸ=¨’>