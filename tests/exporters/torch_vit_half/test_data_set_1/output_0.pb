
Blinear_8J›7Ç°‘©€­