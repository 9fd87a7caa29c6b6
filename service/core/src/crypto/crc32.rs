//! CRC-32 as IEEE 802.3, gzip and PNG have it (polynomial 0x04C11DB7, reflected). It protects nothing from anybody: it tells a
//! token that was mistyped or cut off, and lets a scanner tell a token from something that looks like one.

const POLYNOMIAL: u32 = 0xedb8_8320;

/// What each byte does to the checksum.
const TABLE: [u32; 256] = table();

#[allow(clippy::indexing_slicing, reason = "reckoned by the compiler, which would say so")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let (mut entry, mut bit) = (byte as u32, 0);
        while bit < 8 {
            entry = if entry & 1 == 1 { entry >> 1 ^ POLYNOMIAL } else { entry >> 1 };
            bit += 1;
        }
        table[byte] = entry;
        byte += 1;
    }
    table
}

/// The checksum of `bytes`.
pub fn checksum(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        let place = usize::from(sum.to_le_bytes().first().copied().unwrap_or_default() ^ byte);
        TABLE.get(place).copied().unwrap_or_default() ^ sum >> 8
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_catalogue_comes_out() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
        assert_eq!(checksum(b""), 0);
    }
}
