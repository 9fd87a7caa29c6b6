//! The one table of errors: D-Bus name, C number, exit status.

use crate::ERROR_PREFIX;

macro_rules! error_table {
    ($($(#[$meta:meta])* $variant:ident = $number:literal, $exit:literal, $text:literal;)*) => {
        /// Every way a call to the vault can fail. The discriminant is the C number.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i32)]
        pub enum ErrorCode {
            $($(#[$meta])* $variant = $number,)*
        }

        impl ErrorCode {
            /// The whole table, by number.
            pub const TABLE: &'static [ErrorEntry] = &[
                $(ErrorEntry {
                    code: Self::$variant,
                    name: stringify!($variant),
                    exit_status: $exit,
                    text: $text,
                },)*
            ];

            const fn entry(self) -> &'static ErrorEntry {
                match self {
                    $(Self::$variant => &ErrorEntry {
                        code: Self::$variant,
                        name: stringify!($variant),
                        exit_status: $exit,
                        text: $text,
                    },)*
                }
            }
        }
    };
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorEntry {
    /// The code.
    pub code: ErrorCode,
    /// Last part of the D-Bus name.
    pub name: &'static str,
    /// Exit status of the commands.
    pub exit_status: u8,
    /// What it means, for people; the same text as `tokenvault_strerror`.
    pub text: &'static str,
}

error_table! {
    /// Internal; details are in the journal under the request id in the message.
    Failed = 1, 10, "internal error";
    /// Malformed name, unknown option, value over its size, empty value.
    InvalidArgs = 2, 2, "invalid argument";
    /// Missing, another's, expired: one text, one code path.
    NotFound = 3, 3, "no such token";
    /// Something the caller can see but may not do.
    AccessDenied = 4, 4, "not permitted";
    /// `create` on a live name.
    Exists = 5, 5, "the token exists already";
    /// `expect-version` differs.
    Conflict = 6, 5, "the token has another version than expected";
    /// No slot has opened the vault.
    Sealed = 7, 6, "the vault is sealed";
    /// Login class, and its owner has not unlocked.
    Locked = 8, 6, "the login-class tokens of this user are locked";
    /// The store failed verification.
    Quarantined = 9, 6, "the vault is quarantined";
    /// Quota or rate.
    LimitsExceeded = 10, 7, "a limit is reached";
    /// Disk full, read-only, directory service down, lockdown, daemon not reachable, outcome unknown.
    Unavailable = 11, 8, "the vault is not available";
    /// A deadline passed.
    Timeout = 12, 8, "the deadline has passed";
    /// No TPM answers.
    NoTpm = 13, 9, "no TPM answers";
    /// Another TPM than the one the vault was sealed to.
    WrongTpm = 14, 9, "the TPM is not the one the vault was sealed to";
    /// The TPM is in dictionary-attack lockout.
    TpmLockout = 15, 9, "the TPM is locked out after failed attempts";
    /// The machine's measured state differs.
    PolicyMismatch = 16, 9, "the machine's measured state differs";
    /// The slot's data is damaged.
    DamagedSlot = 17, 9, "the slot is damaged";
    /// polkit would ask and the caller did not allow it.
    InteractiveAuthorizationRequired = 18, 4, "interactive authorization is required";
}

/// D-Bus name of the one error that keeps its standard name.
const INTERACTIVE: &str = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired";

impl ErrorCode {
    /// The number of the C ABI.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The exit status of the commands.
    pub const fn exit_status(self) -> u8 {
        self.entry().exit_status
    }

    /// What it means, for people.
    pub const fn text(self) -> &'static str {
        self.entry().text
    }

    /// The full D-Bus error name.
    pub fn dbus_name(self) -> String {
        match self {
            Self::InteractiveAuthorizationRequired => INTERACTIVE.to_owned(),
            _ => format!("{ERROR_PREFIX}{}", self.entry().name),
        }
    }

    /// The code with this C number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::TABLE.iter().find(|entry| entry.code.number() == number).map(|entry| entry.code)
    }

    /// The code a D-Bus error name stands for, the standard ones of buses and libraries included. Names nobody knows are
    /// [`ErrorCode::Failed`].
    pub fn from_dbus_name(name: &str) -> Self {
        if let Some(short) = name.strip_prefix(ERROR_PREFIX) {
            return Self::TABLE.iter().find(|entry| entry.name == short).map_or(Self::Failed, |entry| entry.code);
        }
        match name.strip_prefix("org.freedesktop.DBus.Error.").unwrap_or(name) {
            "InteractiveAuthorizationRequired" => Self::InteractiveAuthorizationRequired,
            "InvalidArgs"
            | "InvalidSignature"
            | "UnknownMethod"
            | "UnknownInterface"
            | "UnknownObject"
            | "UnknownProperty"
            | "PropertyReadOnly"
            | "InconsistentMessage" => Self::InvalidArgs,
            "AccessDenied" | "AuthFailed" => Self::AccessDenied,
            "LimitsExceeded" | "NoMemory" => Self::LimitsExceeded,
            "Timeout" | "TimedOut" => Self::Timeout,
            "NoReply" | "ServiceUnknown" | "NameHasNoOwner" | "NoServer" | "Disconnected" | "NoNetwork" | "IOError" => {
                Self::Unavailable
            }
            // Whoever was to start the daemon could not: the bus itself, or the service manager for it.
            name if name.starts_with("Spawn.") || name.starts_with("org.freedesktop.systemd1.") => Self::Unavailable,
            _ => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_again_by_its_number_and_its_name() {
        for entry in ErrorCode::TABLE {
            assert_eq!(ErrorCode::from_number(entry.code.number()), Some(entry.code));
            assert_eq!(ErrorCode::from_dbus_name(&entry.code.dbus_name()), entry.code);
        }
    }

    #[test]
    fn numbers_run_from_one_without_gaps() {
        for (index, entry) in ErrorCode::TABLE.iter().enumerate() {
            assert_eq!(entry.code.number() as usize, index + 1);
        }
    }

    #[test]
    fn foreign_names_are_failed_and_standard_ones_are_mapped() {
        assert_eq!(ErrorCode::from_dbus_name("com.example.Odd"), ErrorCode::Failed);
        assert_eq!(ErrorCode::from_dbus_name("org.tokenvault1.Error.Odd"), ErrorCode::Failed);
        assert_eq!(ErrorCode::from_dbus_name("org.freedesktop.DBus.Error.ServiceUnknown"), ErrorCode::Unavailable);
        assert_eq!(ErrorCode::from_dbus_name("org.freedesktop.DBus.Error.Spawn.ExecFailed"), ErrorCode::Unavailable);
        assert_eq!(ErrorCode::from_dbus_name("org.freedesktop.systemd1.UnitMasked"), ErrorCode::Unavailable);
    }
}
