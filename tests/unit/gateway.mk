# Unit tests and fuzz mains of gateway/.
