BprobabilitiesJQdf?
‹≈=é/`;