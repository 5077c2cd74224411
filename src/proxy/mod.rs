//! What a proxy's managed file says: rendered from a routing table, and read back. Pure.
