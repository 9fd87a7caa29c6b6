//! What the interface `Login` answers with.

use crate::dictionary::results;

results! {
    /// How a user's login stands.
    LoginState {
        /// Whether there is a login key.
        enrolled: bool = "enrolled",
        /// Whether it is open.
        unlocked: bool = "unlocked",
        /// Whether the password was changed without its old one.
        stale: bool = "stale",
        /// Salt of the password's key.
        salt: Vec<u8> = "salt",
        /// Parameters of the password's key, in PHC form.
        params: String = "params",
        ?
    }
}
