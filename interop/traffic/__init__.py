"""Traffic made to be looked at or to hurt: what passes between two programs, and PDUs that Scapy makes wrong."""
