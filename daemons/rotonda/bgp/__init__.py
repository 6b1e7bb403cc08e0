"""BGP, BMP and MRT in our terms: octets to batches of routes, without files, sockets or clocks."""
