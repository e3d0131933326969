# Unit tests and fuzz mains of deployer/.
