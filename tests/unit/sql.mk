# Unit tests and fuzz mains of sql/.
