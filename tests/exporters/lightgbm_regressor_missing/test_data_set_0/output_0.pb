BvariableJзу
?