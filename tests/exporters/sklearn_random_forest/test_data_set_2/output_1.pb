BprobabilitiesJ$Ház?
×#<
×#<ZÆ·>˜ºl>ZÜÑ>XHH?
×#<.¡T>