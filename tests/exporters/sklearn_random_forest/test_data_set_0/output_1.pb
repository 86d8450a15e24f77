BprobabilitiesJò‹u?0–ü<
×#<