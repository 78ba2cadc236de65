//! Taking the compression off a body that checks or captures read.
//!
//! Nothing asks a server for it unless the profile sets `Accept-Encoding`. Bytes and times are those of what went over
//! the wire, whatever becomes of it here.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::connect::Trouble;
use super::exchange::LARGEST_BODY;
use crate::units::Bytes as Size;
use crate::words::ErrorKind;

/// More layers of compression than this no server has a reason for.
const MOST_LAYERS: usize = 4;

/// The body without its compression; `None` where it has none.
pub(super) fn decode(headers: &HeaderMap, body: &Bytes) -> Result<Option<Bytes>, Trouble> {
    let Some(first) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
    if body.is_empty() {
        // HEAD, 204 and 304 say how the body would be encoded that they do not have.
        return Ok(None);
    }
    let mut codings = Vec::new();
    for value in std::iter::once(first).chain(headers.get_all(CONTENT_ENCODING).iter().skip(1)) {
        let value = value.to_str().unwrap_or("?");
        codings.extend(value.split(',').map(|coding| coding.trim().to_ascii_lowercase()));
    }
    codings.retain(|coding| !coding.is_empty() && coding != "identity");
    if codings.len() > MOST_LAYERS {
        let message = format!("the body is compressed {} times over", codings.len());
        return Err(Trouble::new(ErrorKind::Protocol, message));
    }
    let mut decoded: Option<Bytes> = None;
    // What was applied last is taken off first.
    for coding in codings.iter().rev() {
        let whole = unpack(coding, decoded.as_deref().unwrap_or(body))?;
        decoded = Some(Bytes::from(whole));
    }
    Ok(decoded)
}

fn unpack(coding: &str, body: &[u8]) -> Result<Vec<u8>, Trouble> {
    let broken = |error: io::Error| {
        Trouble::new(ErrorKind::Protocol, format!("the body is not the `{coding}` that it says: {error}"))
    };
    match coding {
        "gzip" | "x-gzip" => capped(MultiGzDecoder::new(body)),
        // The name means zlib's format (RFC 9110, 8.4.1.2); some servers send the bare one.
        "deflate" if body.first().is_some_and(|first| first & 0x0f == 8) => capped(ZlibDecoder::new(body)),
        "deflate" => capped(DeflateDecoder::new(body)),
        "br" => capped(brotli_decompressor::Decompressor::new(body, 4096)),
        "zstd" => match ruzstd::decoding::StreamingDecoder::new(body) {
            Ok(decoder) => capped(decoder),
            Err(error) => Err(Unpacked::Broken(io::Error::other(error.to_string()))),
        },
        _ => {
            let message = format!("the body is encoded as `{coding}`, which palier does not know");
            return Err(Trouble::new(ErrorKind::Protocol, message));
        }
    }
    .map_err(|error| match error {
        Unpacked::Broken(error) => broken(error),
        Unpacked::TooLarge => {
            let largest = Size(LARGEST_BODY as u64);
            let message = format!("the body is larger than {largest} once its `{coding}` is taken off");
            Trouble::new(ErrorKind::TooLarge, message)
        }
    })
}

enum Unpacked {
    Broken(io::Error),
    TooLarge,
}

/// Reads to the end, but no more than checks read: a few bytes can stand for gigabytes.
fn capped(decoder: impl Read) -> Result<Vec<u8>, Unpacked> {
    let mut whole = Vec::new();
    decoder.take(LARGEST_BODY as u64 + 1).read_to_end(&mut whole).map_err(Unpacked::Broken)?;
    if whole.len() > LARGEST_BODY { Err(Unpacked::TooLarge) } else { Ok(whole) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    fn of(coding: &'static str, body: &[u8]) -> Result<Option<Bytes>, Trouble> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, coding.parse().unwrap());
        decode(&headers, &Bytes::copy_from_slice(body))
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_servers_compress_with_is_taken_off() {
        let text = b"hello, hello, hello";
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(text).unwrap();
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::fast());
        bare.write_all(text).unwrap();
        // Written by the programs `brotli` and `zstd`.
        let brotli = b"\x0b\x09\x80hello, hello, hello\x03";
        let zstd = b"\x28\xb5\x2f\xfd\x20\x13\x99\x00\x00hello, hello, hello";
        for (coding, body) in [
            ("gzip", gzip(text)),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", bare.finish().unwrap()),
            ("br", brotli.to_vec()),
            ("zstd", zstd.to_vec()),
            ("gzip, x-gzip", gzip(&gzip(text))),
        ] {
            let decoded = of(coding, &body).unwrap_or_else(|trouble| panic!("{coding}: {trouble:?}"));
            assert_eq!(decoded.as_deref(), Some(&text[..]), "{coding}");
        }
        assert_eq!(of("identity", text), Ok(None));
        assert_eq!(of("gzip", b""), Ok(None), "an answer to HEAD has no body");
    }

    #[test]
    fn what_is_broken_or_unknown_or_a_bomb_is_said() {
        let kind = |coding, body: &[u8]| of(coding, body).map_err(|trouble| trouble.kind).unwrap_err();
        assert_eq!(kind("gzip", b"<html>"), ErrorKind::Protocol);
        assert_eq!(kind("zstd", b"<html>"), ErrorKind::Protocol);
        assert_eq!(kind("lzma", b"x"), ErrorKind::Protocol);
        assert_eq!(kind("deflate, gzip", &gzip(b"")), ErrorKind::Protocol, "nothing, packed");
        let whole = gzip(b"hello");
        assert_eq!(kind("gzip", &whole[..whole.len() - 4]), ErrorKind::Protocol, "its end is missing");
        let bomb = gzip(&vec![0; LARGEST_BODY + 1]);
        assert!(bomb.len() < 100_000);
        assert_eq!(kind("gzip", &bomb), ErrorKind::TooLarge);
    }

    proptest! {
        #[test]
        fn no_body_panics(
            body in proptest::collection::vec(any::<u8>(), 1..64),
            coding in prop::sample::select(vec!["gzip", "deflate", "br", "zstd", "deflate, identity", "gzip, deflate"]),
        ) {
            let _ = of(coding, &body);
        }
    }
}
