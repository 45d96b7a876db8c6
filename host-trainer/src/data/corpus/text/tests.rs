//! Texts in every form.

use super::*;
use gatelet::TextRules;

fn line_ends(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&b| b == b'\n').count()
}

fn file(bytes: &[u8]) -> (tempfile::NamedTempFile, Text) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    let text = Text::open(file.path(), 0).unwrap();
    assert!(text.is_streamed() || bytes.is_empty());
    (file, text)
}

fn whole_of(bytes: &[u8]) -> Pass {
    Pass::Whole(Seen {
        sha256: Sha256::digest(bytes).into(),
        encoding: Some(Encoding::UTF_8),
        changes: Changes::default(),
    })
}

fn whole(text: &Text) -> Result<(String, Pass)> {
    let mut whole = String::new();
    let pass = text.pass(TextRules::default(), &mut |piece, _| {
        whole.push_str(piece);
        Ok(true)
    })?;
    Ok((whole, pass))
}

/// Characters of every length at every place of a block's end.
#[test]
fn characters_on_the_edge_of_a_block_stay_whole() {
    for shift in 0..8 {
        let mut content = "x".repeat(BLOCK - 8 + shift);
        content.push_str(&"é漢😀a".repeat(BLOCK / 10));
        let (_file, text) = file(content.as_bytes());
        let (read, pass) = whole(&text).unwrap();
        assert!(read == content, "shift {shift}");
        assert_eq!(pass, whole_of(content.as_bytes()));
    }
}

#[test]
fn a_bad_byte_is_named_wherever_it_stands() {
    for at in [0, 5, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3] {
        let mut bytes = b"ab\ncd\n".repeat(BLOCK);
        bytes.truncate(2 * BLOCK + 4);
        bytes[at] = 0xff;
        let place = format!("offset {at} (line {})", 1 + line_ends(&bytes[..at]));
        let expected = |error: Error| assert!(error.to_string().contains(&place), "{error}");
        let (_file, text) = file(&bytes);
        expected(whole(&text).unwrap_err());
        expected(Text::from_bytes("t".to_owned(), bytes).unwrap_err());
    }
    // A character that the end cuts off.
    let (_file, text) = file(b"ab\n\xe6\xbc");
    let error = whole(&text).unwrap_err().to_string();
    assert!(error.contains("offset 3 (line 2)"), "{error}");
}

/// Every encoding, byte order mark and line end, with each on the edge of a block.
#[test]
fn a_text_in_any_form_is_the_same_text() {
    let lines = |end: &str| "naïve “漢”".repeat(3).replace('n', end);
    for shift in 0..4 {
        let start = "x".repeat(BLOCK / 2 - 9 + shift);
        let plain = format!("{start}{}", lines("\n"));
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("\u{feff}{start}{}", lines(end));
            let utf_16 = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
                text.encode_utf16().flat_map(order).collect()
            };
            let forms = [
                text.clone().into_bytes(),
                utf_16(u16::to_le_bytes),
                utf_16(u16::to_be_bytes),
            ];
            for bytes in &forms {
                let (_file, streamed) = file(bytes);
                for text in [streamed, Text::of("t".to_owned(), bytes.clone())] {
                    let (read, pass) = whole(&text).unwrap();
                    assert!(read == plain, "shift {shift} {end:?}");
                    let Pass::Whole(seen) = pass else {
                        panic!("stopped")
                    };
                    let found = (seen.changes.cr_lf, seen.changes.cr);
                    let expected = match end {
                        "\r\n" => (3, 0),
                        "\r" => (0, 3),
                        _ => (0, 0),
                    };
                    assert_eq!(found, expected);
                    let sha256: [u8; 32] = Sha256::digest(bytes).into();
                    assert_eq!(seen.sha256, sha256);
                }
            }
        }
    }
}

#[test]
fn an_offered_encoding_reads_the_text() {
    for (bytes, name, expected) in [
        (
            &b"It\x92s na\xefve, caf\xe9"[..],
            "windows-1252",
            "It’s naïve, café",
        ),
        (b"a\0b\0c\0 \0d\0", "utf-16le", "abc d"),
    ] {
        let text = Text::of("my text".to_owned(), bytes.to_vec());
        let error = whole(&text).unwrap_err().to_string();
        let offered = format!("--encoding {name}, ");
        assert!(error.contains(&offered), "{error}");
        let upper = name.to_ascii_uppercase();
        let command = format!("`iconv -f {upper} -t UTF-8`");
        assert!(error.contains(&command), "{error}");
        let text = text.encoded(name.parse().ok());
        assert_eq!(whole(&text).unwrap().0, expected);
    }
}

#[test]
fn memory_and_file_give_the_same_pieces_together() {
    let content = "a truth universally acknowledged, é漢😀 ".repeat(20_000);
    let (_file, streamed) = file(content.as_bytes());
    let held = Text::from_bytes("t".to_owned(), content.clone().into_bytes()).unwrap();
    assert!(whole(&streamed).unwrap() == whole(&held).unwrap());
    let mut pieces = 0;
    let stopped = streamed.pass(TextRules::default(), &mut |_, read| {
        pieces += 1;
        assert!(read <= content.len() as u64);
        Ok(pieces < 2)
    });
    assert_eq!((stopped.unwrap(), pieces), (Pass::Stopped, 2));
}
