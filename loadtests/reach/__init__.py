"""How a server is reached: address, path, keys, proxy and certificates, and why it cannot be."""
