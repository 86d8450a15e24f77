B
Identity:0JpX¾9ãÆ>çx>c´=