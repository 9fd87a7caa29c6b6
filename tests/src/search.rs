//! Looks for bytes in files.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Bytes by which [`find_each`] recognises a possible needle.
pub const HEAD: usize = 8;

/// The files under `root`, and `root` itself when it is one, whose content or name holds `needle`.
pub fn files_that_hold(root: &Path, needle: &[u8]) -> Vec<PathBuf> {
    assert!(!needle.is_empty());
    files_under(root).into_iter().filter(|file| holds(&contents_and_name(file), needle)).collect()
}

/// Every needle that is found anywhere under `root`, with the file it is in. Needles are at least [`HEAD`] bytes.
pub fn find_each(root: &Path, needles: &[Vec<u8>]) -> Vec<(Vec<u8>, PathBuf)> {
    let mut by_head: HashMap<&[u8], Vec<&Vec<u8>>> = HashMap::new();
    for needle in needles {
        by_head.entry(&needle[..HEAD]).or_default().push(needle);
    }
    let mut found = Vec::new();
    for file in files_under(root) {
        let text = contents_and_name(&file);
        for (at, head) in text.windows(HEAD).enumerate() {
            let candidates = by_head.get(head).into_iter().flatten();
            let hits = candidates.filter(|needle| text[at..].starts_with(needle));
            found.extend(hits.map(|needle| ((*needle).clone(), file.clone())));
        }
    }
    found
}

/// How many bytes the files under `root` have.
pub fn bytes_under(root: &Path) -> u64 {
    files_under(root).iter().map(|file| fs::metadata(file).expect("a file of the test").len()).sum()
}

/// Every regular file under `root`.
pub fn files_under(root: &Path) -> Vec<PathBuf> {
    if !root.is_dir() {
        return if root.is_file() { vec![root.to_owned()] } else { Vec::new() };
    }
    let entries = fs::read_dir(root).expect("reading a directory of the test");
    entries.flat_map(|entry| files_under(&entry.expect("a directory entry").path())).collect()
}

fn contents_and_name(file: &Path) -> Vec<u8> {
    let mut bytes = fs::read(file).expect("reading a file of the test");
    bytes.push(b'\n');
    bytes.extend_from_slice(file.file_name().expect("a file has a name").as_encoded_bytes());
    bytes
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_needle_is_found_in_contents_and_in_a_file_name() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("deep")).unwrap();
        fs::write(root.path().join("deep/one"), b"xxneedlexx").unwrap();
        fs::write(root.path().join("deep/needle.txt"), b"nothing").unwrap();
        fs::write(root.path().join("deep/three"), b"needl e").unwrap();
        assert_eq!(files_that_hold(root.path(), b"needle").len(), 2);
        assert!(files_that_hold(root.path(), b"absent").is_empty());
        assert_eq!(bytes_under(root.path()), 10 + 7 + 7);
        let found = find_each(root.path(), &[b"xxneedlexx".to_vec(), b"not there".to_vec()]);
        assert_eq!(found, [(b"xxneedlexx".to_vec(), root.path().join("deep/one"))]);
    }
}
