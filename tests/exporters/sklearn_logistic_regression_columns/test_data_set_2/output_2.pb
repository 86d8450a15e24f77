BsmiddleJ/‹<…£>
SŸ=