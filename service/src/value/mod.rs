//! Values on their way in and out: always through a pipe, never inside a message.
