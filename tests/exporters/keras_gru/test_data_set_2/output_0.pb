B
Identity:0J\ƒ5½~ó[½U™ú<’«G¾f½FÔ©¼