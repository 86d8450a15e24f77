B
Identity:0J0Í¦>·cà>4
·>æŒÕ>