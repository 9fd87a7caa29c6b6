//! Which texts name a TPM.

use tokenvault_tpm::{DEFAULT_TCTI, Tcti, TctiError};

#[test]
fn accepted_forms_mean_what_they_say() {
    for text in [
        DEFAULT_TCTI,
        "device:/dev/tpmrm1",
        "swtpm:host=127.0.0.1,port=2321",
        "swtpm:host=localhost,port=1",
        "swtpm:host=::1,port=65534",
        "tabrmd:",
    ] {
        assert_eq!(text.parse::<Tcti>().unwrap().to_string(), text);
    }
    let swapped: Tcti = "swtpm:port=9,host=tpm.example".parse().unwrap();
    assert_eq!(swapped, Tcti::Swtpm { host: "tpm.example".into(), port: 9 });
}

#[test]
fn an_emulators_socket_is_refused_with_the_way_that_works() {
    let error = "swtpm:path=/run/tpm.sock".parse::<Tcti>().unwrap_err();
    assert_eq!(error, TctiError::SwtpmPath);
    assert!(error.to_string().contains("swtpm:host=127.0.0.1,port=N"));
    assert_eq!("swtpm:host=a,port=1,path=/x".parse::<Tcti>(), Err(TctiError::SwtpmPath));
}

#[test]
fn everything_the_library_would_guess_at_is_refused() {
    for text in ["swtpm:", "swtpm:port=1", "swtpm:host=a", "swtpm:host=a,port=0", "swtpm:host=a,port=65535"] {
        assert_eq!(text.parse::<Tcti>(), Err(TctiError::SwtpmAddress), "{text}");
    }
    for text in
        ["swtpm:host=a,port=1,port=2", "swtpm:host=a,port=1,speed=9", "swtpm:host=a b,port=1", "swtpm:host=,port=1"]
    {
        assert_eq!(text.parse::<Tcti>(), Err(TctiError::SwtpmAddress), "{text}");
    }
    for text in ["device:", "device:tpmrm0", "device:../dev/tpmrm0"] {
        assert_eq!(text.parse::<Tcti>(), Err(TctiError::RelativeDevice), "{text}");
    }
    for text in ["", "device", "swtpm", "tabrmd", "tabrmd:bus_type=session", "mssim:host=a,port=1", "/dev/tpmrm0"] {
        assert!(matches!(text.parse::<Tcti>(), Err(TctiError::UnknownForm(_))), "{text}");
    }
    for text in ["device:/dev/tpm\n", "device:/dev/\0"] {
        assert_eq!(text.parse::<Tcti>(), Err(TctiError::Malformed));
    }
    assert_eq!(format!("device:/{}", "x".repeat(600)).parse::<Tcti>(), Err(TctiError::Malformed));
}
