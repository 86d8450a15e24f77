BvariableJ 
!?Jๅ?jถ@Jๅ?{แpภ๒ภาq“@{แpภ