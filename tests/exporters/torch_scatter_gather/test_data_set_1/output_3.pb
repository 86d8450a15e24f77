Bscatter_reduceJ ]¿'u¿™Í?'‚Æ?ã@á?jL
?‡½_¨>