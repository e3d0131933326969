# Unit tests and fuzz mains of daemon/.
