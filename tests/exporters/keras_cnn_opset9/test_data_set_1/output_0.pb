B
Identity:0Jг>O>ши	>EУ>Оn>>