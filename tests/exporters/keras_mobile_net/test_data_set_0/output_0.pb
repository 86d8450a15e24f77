B
Identity:0Jj©t>…ú…Ω%ñü<]Ø;