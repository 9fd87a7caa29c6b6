//! The primitives and how they are composed: one file each.
