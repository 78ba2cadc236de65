//! A part as bytes.
//!
//! One line of text, so that a person can see what it is (`head -1`), then [postcard]'s encoding of a [`Part`]:
//!
//! ```text
//! palier-shard 1 0.1.0 2/8 SHA-256-OF-WHAT-FOLLOWS
//! ```
//!
//! The first number is that of the layout of this line; what follows it is laid out as the version of palier that is
//! named does, and read by no other. Histograms are kept bucket for bucket, so nothing is lost.
//!
//! [postcard]: https://postcard.jamesmunns.com/wire-format

use std::fmt::Write as _;

use super::Part;
use crate::plan::Shard;

const MAGIC: &str = "palier-shard";
const LAYOUT: &str = "1";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why bytes are no part that could be merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// They are something else.
    #[error("it holds no results of a shard")]
    NotAShard,
    /// Another version of palier wrote them.
    #[error("palier {0} wrote it, and this is palier {VERSION}: shards and `merge` must be of one version")]
    OtherVersion(String),
    /// They are not as they were written.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// What the file of a shard is called.
pub fn file_name(shard: Shard) -> String {
    format!("shard-{}-of-{}.palier", shard.number(), shard.count())
}

/// The part as bytes.
pub fn encode(part: &Part) -> Result<Vec<u8>, postcard::Error> {
    let body = postcard::to_stdvec(part)?;
    let line = format!("{MAGIC} {LAYOUT} {VERSION} {} {}\n", part.shard, checksum(&body));
    Ok([line.as_bytes(), &body].concat())
}

/// The part that these bytes are.
pub fn decode(bytes: &[u8]) -> Result<Part, Unreadable> {
    // No first line is longer.
    let end = bytes.iter().take(300).position(|byte| *byte == b'\n').ok_or(Unreadable::NotAShard)?;
    let line = std::str::from_utf8(&bytes[..end]).map_err(|_| Unreadable::NotAShard)?;
    let words: Vec<&str> = line.split(' ').collect();
    let [MAGIC, layout, version, shard, sum] = words[..] else { return Err(Unreadable::NotAShard) };
    if (layout, version) != (LAYOUT, VERSION) {
        return Err(Unreadable::OtherVersion(version.chars().filter(|c| !c.is_control()).collect()));
    }
    let body = &bytes[end + 1..];
    if checksum(body) != sum {
        return Err(Unreadable::Damaged("its checksum is not that of its content".to_owned()));
    }
    let part: Part = postcard::from_bytes(body).map_err(|error| Unreadable::Damaged(error.to_string()))?;
    if part.shard.to_string() != shard {
        return Err(Unreadable::Damaged("its first line names another shard than its content".to_owned()));
    }
    Ok(part)
}

fn checksum(body: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, body);
    digest.as_ref().iter().fold(String::new(), |mut text, byte| {
        // A string takes everything.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
