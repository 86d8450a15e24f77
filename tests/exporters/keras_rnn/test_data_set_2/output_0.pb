B
Identity:0J0NdพM…ฝ๏พฟ"ธ@>ae๖ฟ…หรพ