//! The lines that the manual gives for systems without pam-auth-update(8), in files like those of such systems.

use std::fs;

use tokenvault_tests::{ALICE, Door, ROOT, program};

use crate::class::{can_read, logged_in, opened_by_login, until_locked, vault_and_site};
use crate::kit::{Site, Under, check};

/// The files of a system with authselect, as far as they matter here: what asks for the password suffices.
const SYSTEM_AUTH: &str = "auth sufficient pam_unix.so\nauth required pam_deny.so\naccount required pam_permit.so\n\
    password sufficient pam_unix.so\npassword required pam_deny.so\nsession required pam_unix.so\n";
const LOGIN: &str = "auth substack system-auth\nauth include postlogin\naccount include system-auth\n\
    password substack system-auth\npassword substack postlogin\nsession include system-auth\nsession include postlogin\n";

/// The lines of an example of the manual, the first one being 0.
fn example(number: usize) -> String {
    let manual = fs::read_to_string(program::source_root().join("packaging/man/pam_tokenvault.8")).unwrap();
    let mut examples = manual.split(".Bd -literal -offset indent\n").skip(1);
    let example = examples.nth(number).expect("as many examples").split(".Ed\n").next().unwrap();
    assert!(example.lines().all(|line| line.contains("pam_")), "{example}");
    example.to_owned()
}

/// Writes files of services, in which the modules are those of the test.
fn write(site: &Site, files: &[(&str, String)]) {
    let services = site.file("services");
    let packaged = fs::read_to_string(services.join(site.service())).unwrap();
    let module = |at: usize| packaged.lines().nth(at).unwrap().splitn(3, ' ').nth(2).unwrap().to_owned();
    let (passwords, ours) = (module(0), module(1));
    let of_the_test = |line: &str| {
        // What knows the passwords of the test has no session.
        let passwords = if line.starts_with("session") { "pam_permit.so" } else { &passwords };
        let line = line.replace("pam_unix.so", passwords).replace("pam_tokenvault.so", &ours);
        match line.rsplit_once(' ') {
            // libpam looks for the files of others in /etc/pam.d, whatever directory it was given.
            Some((how, name)) if how.ends_with("include") || how.ends_with("substack") => {
                format!("{how} {}\n", services.join(name).display())
            }
            _ => line + "\n",
        }
    };
    for (name, text) in files {
        fs::write(services.join(name), text.lines().map(of_the_test).collect::<String>()).unwrap();
    }
}

/// A login opens the login class, and so does one with a password that was changed there.
fn assert_that_they_work(files: &[(&str, String)]) {
    let (vault, site) = vault_and_site(&[(ALICE, "horse")], Door::Socket);
    write(&site, files);
    opened_by_login(&vault, &site, ALICE, "horse").end();
    until_locked(&vault, ALICE);

    let who = format!("setuid-for:{}", ALICE.uid);
    let change = [&who, "answer:horse", "answer:stable", "chauthtok", "end"];
    check(&site.run(Under::Plain, "alice", &change), &["chauthtok"]);
    vault.client(ROOT, Door::Socket).lock_login(ALICE.uid).unwrap();
    site.set_password("alice", "stable");
    // A password that was changed opens it too.
    opened_by_login(&vault, &site, ALICE, "stable").end();
    until_locked(&vault, ALICE);
}

#[test]
fn the_lines_work_in_the_postlogin_of_a_system_with_authselect() {
    assert_that_they_work(&[("login", LOGIN.into()), ("system-auth", SYSTEM_AUTH.into()), ("postlogin", example(0))]);
}

#[test]
fn the_lines_work_behind_those_that_skip_a_refusal() {
    let account = "account required pam_permit.so\n";
    assert_that_they_work(&[("login", account.to_owned() + &example(1))]);
}

#[test]
fn the_lines_are_not_reached_behind_one_that_suffices() {
    let (vault, site) = vault_and_site(&[(ALICE, "horse")], Door::Socket);
    let system_auth = SYSTEM_AUTH.to_owned() + &example(0);
    write(&site, &[("login", LOGIN.into()), ("system-auth", system_auth), ("postlogin", String::new())]);
    let guest = logged_in(&site, "alice", Some("horse"));
    assert!(!can_read(&vault, ALICE), "the manual says that they are not");
    guest.end();
}
