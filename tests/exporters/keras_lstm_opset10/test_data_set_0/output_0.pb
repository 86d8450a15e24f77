B
Identity:0JÐN£¼JK°½ê½¨<º²¨½