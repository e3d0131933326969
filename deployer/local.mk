# deployer
