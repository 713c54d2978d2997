//! Stories of organizations, people, keys, the API and operation.
