//! Stories of connecting and of the token life cycle.
