//! The TPM worker, seen from the daemon: one process per operation.
