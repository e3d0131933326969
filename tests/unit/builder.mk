# Unit tests and fuzz mains of builder/.
