//! `Metrics`: an honest count of what was done, in a form that the parsers of Prometheus take, with nothing of anybody in it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use tokenvault_proto::{ADMIN_INTERFACE, SetUserOptions, TOKENS_INTERFACE};

use crate::common::*;
use crate::run::*;

/// The strict parser of OpenMetrics, and the one of the older text format, which is how node_exporter reads a file.
const OPENMETRICS: &str = "prometheus_client.openmetrics.parser";
const TEXT: &str = "prometheus_client.parser";

/// What a parser, of the system's Python as Debian packages it, makes of a page: each sample with its labels, and the types of the
/// families.
fn parsed(parser: &str, page: &str) -> (BTreeMap<String, f64>, BTreeMap<String, String>) {
    let program = format!(
        "import sys, json\n\
         from {parser} import text_string_to_metric_families as parse\n\
         families = list(parse(sys.stdin.read()))\n\
         labels = lambda s: ''.join(sorted('{{%s=%s}}' % pair for pair in s.labels.items()))\n\
         samples = {{s.name + labels(s): s.value for f in families for s in f.samples}}\n\
         print(json.dumps([samples, {{f.name: f.type for f in families}}]))"
    );
    let mut child = Command::new("/usr/bin/python3")
        .args(["-c", &program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{page}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn samples(client: &Client) -> BTreeMap<String, f64> {
    parsed(OPENMETRICS, &client.metrics().unwrap()).0
}

fn calls(method: &str, outcome: &str) -> String {
    format!("tokenvault_calls_total{{method={method}}}{{outcome={outcome}}}")
}

through_both_doors! {
    fn every_call_is_counted_once_by_how_it_ended(door) {
        let vault = Vault::start();
        let (alice, root) = (vault.client(ALICE, door), vault.client(ROOT, door));
        let before = samples(&root);
        alice.put("a", b"v", &defaults()).unwrap();
        for _ in 0..10 {
            alice.get("a", &defaults()).unwrap();
        }
        for name in ["none", "nothing"] {
            assert_eq!(code(alice.get(name, &defaults())), ErrorCode::NotFound);
        }
        assert_eq!(code(alice.seal()), ErrorCode::AccessDenied);
        let wire = vault.wire(ALICE, door);
        wire.call(TOKENS_INTERFACE, "Get", &7_u32).unwrap_err();
        wire.call(ADMIN_INTERFACE, "Nothing", &()).unwrap_err();
        let expected = [
            (calls("Tokens.Put", "ok"), 1.0),
            (calls("Tokens.Get", "ok"), 10.0),
            (calls("Tokens.Get", "NotFound"), 2.0),
            (calls("Tokens.Get", "InvalidArgs"), 1.0),
            (calls("Admin.Seal", "AccessDenied"), 1.0),
            (calls("other", "InvalidArgs"), 1.0),
            ("tokenvault_call_duration_seconds_count{method=Tokens.Get}".to_owned(), 13.0),
        ];
        // A call is counted when its reply was written: a moment later than its caller may know of it.
        let after = wait::until("every call to be counted", || {
            let now = samples(&root);
            let more = |sample: &str| now.get(sample).unwrap_or(&0.0) - before.get(sample).unwrap_or(&0.0);
            expected.iter().all(|(sample, count)| more(sample) == *count).then_some(now)
        });
        let took = after["tokenvault_call_duration_seconds_sum{method=Tokens.Get}"];
        assert!(took > 0.0 && took < 60.0, "{took}");
    }

    fn what_is_stored_written_and_asked_of_the_tpm_is_told(door) {
        let vault = Vault::start();
        let (alice, root) = (vault.client(ALICE, door), vault.client(ROOT, door));
        for (name, times) in [("a", 1), ("b", 3)] {
            for _ in 0..times {
                alice.put(name, b"v", &defaults()).unwrap();
            }
        }
        vault.client(BOB, door).put("c", b"v", &defaults()).unwrap();
        let now = samples(&root);
        assert_eq!((now["tokenvault_tokens"], now["tokenvault_versions"]), (3.0, 5.0));
        assert!(now["tokenvault_stored_bytes"] > 1_000.0 && now["tokenvault_disk_bytes"] > 10_000.0, "{now:?}");
        assert!(now["tokenvault_writes_total"] >= 5.0, "{now:?}");
        assert_eq!(now["tokenvault_commit_writes_sum"], now["tokenvault_writes_total"]);
        let commits = now["tokenvault_commit_writes_count"];
        assert!(commits > 0.0 && now["tokenvault_commit_writes_bucket{le=+Inf}"] == commits, "{now:?}");
        assert!(now["tokenvault_audit_records_total"] >= 5.0, "{now:?}");
        assert!(now["tokenvault_tpm_operations_total{operation=seal}{outcome=ok}"] >= 1.0, "{now:?}");
        assert_eq!(now["tokenvault_state{state=serving}"], 1.0);
        assert_eq!(now["tokenvault_state{state=sealed}"], 0.0);
        root.seal().unwrap();
        let sealed = samples(&root);
        assert_eq!((sealed["tokenvault_state{state=sealed}"], sealed["tokenvault_tokens"]), (1.0, 3.0));
    }

    fn who_is_no_administrator_learns_nothing_of_others(door) {
        let vault = Vault::builder().limit("tokens", 50).start();
        let (alice, bob) = (vault.client(ALICE, door), vault.client(BOB, door));
        alice.put("a", b"v", &defaults()).unwrap();
        let before = samples(&bob);
        for _ in 0..3 {
            alice.put("b", b"v", &defaults()).unwrap();
            alice.get("b", &defaults()).unwrap();
        }
        assert_eq!(samples(&bob), before, "whatever others do");
        assert_eq!((before["tokenvault_tokens"], before["tokenvault_quota_tokens"]), (0.0, 50.0));
        assert_eq!(samples(&alice)["tokenvault_tokens"], 2.0);
        assert!(!before.keys().any(|sample| sample.contains("calls") || sample.contains("commit")), "{before:?}");
        vault.client(ROOT, door).seal().unwrap();
        let sealed = samples(&bob);
        assert!(sealed["tokenvault_state{state=sealed}"] == 1.0 && !sealed.contains_key("tokenvault_tokens"), "{sealed:?}");
    }

    fn an_administrator_by_role_is_told_of_all(door) {
        let vault = Vault::start();
        let (alice, root) = (vault.client(ALICE, door), vault.client(ROOT, door));
        assert!(!samples(&alice).contains_key("tokenvault_versions"));
        root.set_user(ALICE.uid, &SetUserOptions { role: Some("admin".into()), ..defaults() }).unwrap();
        assert!(samples(&alice).contains_key("tokenvault_versions"));
    }

    fn no_name_and_no_value_is_in_it(door) {
        let vault = Vault::start();
        let alice = vault.client(ALICE, door);
        let marked = PutOptions { attributes: attributes(&[("marker-key", "marker-attribute")]), ..defaults() };
        alice.put("marker-name", b"marker-value", &marked).unwrap();
        let purpose = GetOptions { purpose: Some("marker-purpose".into()), app: Some("marker-app".into()), ..defaults() };
        alice.get("marker-name", &purpose).unwrap();
        let _refused = alice.get("marker-missing", &defaults());
        for user in [ALICE, ROOT] {
            let page = vault.client(user, door).metrics().unwrap();
            for word in ["marker", "alice", "4242", "uid"] {
                assert!(!page.contains(word), "{word} in {page}");
            }
        }
    }
}

#[test]
fn both_parsers_take_the_page_and_agree() {
    let vault = Vault::start();
    let root = vault.client(ROOT, Door::Socket);
    root.put("a", b"v", &defaults()).unwrap();
    root.get("a", &defaults()).unwrap();
    let page = root.metrics().unwrap();
    assert!(page.ends_with("\n# EOF\n"));
    let (strict, types) = parsed(OPENMETRICS, &page);
    let (old, _) = parsed(TEXT, &page);
    assert_eq!(strict, old);
    assert_eq!(types["tokenvault_calls"], "counter");
    assert_eq!(types["tokenvault_call_duration_seconds"], "histogram");
    assert_eq!(types["tokenvault_tokens"], "gauge");
    // That the strict one is strict is seen by what it refuses.
    let broken = page.replace("# EOF\n", "");
    let refused = std::panic::catch_unwind(|| parsed(OPENMETRICS, &broken));
    assert!(refused.is_err());
}

#[test]
fn the_command_prints_the_page_and_puts_it_into_a_file_for_everybody() {
    let vault = Vault::start();
    let page = ok(run(&vault, ROOT, Door::Socket, &["tokenvaultctl", "metrics"]));
    assert_eq!(parsed(OPENMETRICS, &page).0["tokenvault_state{state=serving}"], 1.0);
    let file = vault.path().join("tokenvault.prom");
    let textfile = ["tokenvaultctl", "metrics", "--textfile", file.to_str().unwrap()];
    for _ in 0..2 {
        assert_eq!(ok(run(&vault, ROOT, Door::Socket, &textfile)), "");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(parsed(TEXT, &text).0.contains_key(&calls("Tokens.Get", "ok")));
    }
    let document: Json = json(&ok(run(&vault, ALICE, Door::Socket, &["tokenvaultctl", "metrics", "--json"])));
    assert!(document["text"].as_str().unwrap().contains("tokenvault_quota_tokens 10000\n"), "{document}");
    let (status, line) =
        failed(run(&vault, ROOT, Door::Socket, &["tokenvaultctl", "metrics", "--textfile", "/nowhere/a.prom"]));
    assert_eq!(status, 2, "{line}");
}
