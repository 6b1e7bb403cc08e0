"""Sessions on Twisted transports. The only room of the library that imports Twisted."""
