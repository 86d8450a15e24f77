BIdentity_9:0JÖIæ5eãæå“ú>Å–
?