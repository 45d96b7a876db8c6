//! What a person's keys and a terminal's reports become.

use super::*;
use proptest::prelude::*;

fn keys(bytes: &[u8]) -> Vec<Key> {
    let mut decoder = Decoder::new();
    bytes.iter().flat_map(|&b| decoder.feed(b)).collect()
}

fn typed(text: &str) -> Vec<Key> {
    text.chars().map(Key::Char).collect()
}

/// Asserts that a sequence is ignored whole, and that nothing around it is.
fn ignored(sequence: &[u8]) {
    let around = [b"a", sequence, b"b"].concat();
    assert_eq!(
        keys(&around),
        typed("ab"),
        "{:?}",
        String::from_utf8_lossy(sequence)
    );
}

#[test]
fn control_characters() {
    assert_eq!(keys(b"\t"), [Key::Tab]);
    assert_eq!(keys(b"\x08\x7f"), [Key::Backspace, Key::Backspace]);
    assert_eq!(keys(b"\x03\x0c"), [Key::Redraw, Key::Redraw]);
    assert_eq!(keys(b"\x07\x0e"), [Key::GoOn, Key::NextSeed]);
    assert_eq!(keys(b"\x01\x18"), [Key::Control(1), Key::Control(0x18)]);
}

#[test]
fn a_line_ends_once() {
    assert_eq!(keys(b"\r"), [Key::Enter]);
    assert_eq!(keys(b"\n"), [Key::Enter]);
    assert_eq!(keys(b"\r\n"), [Key::Enter]);
    assert_eq!(keys(b"\r\r\n\n"), [Key::Enter; 3]);
    assert_eq!(keys(b"\ra\n"), [Key::Enter, Key::Char('a'), Key::Enter]);
    assert_eq!(
        keys("\ré\n".as_bytes()),
        [Key::Enter, Key::Char('é'), Key::Enter]
    );
}

#[test]
fn nul_is_nothing() {
    // Telnet's Return; a break, which some drivers hand over as a NUL; padding.
    assert_eq!(keys(b"\r\0"), [Key::Enter]);
    assert_eq!(
        keys(b"\r\0\r\0a\0"),
        [Key::Enter, Key::Enter, Key::Char('a')]
    );
    assert_eq!(keys(b"\r\0\n"), [Key::Enter]);
    ignored(b"\0\0");
    ignored(b"\x1b\0[\0A");
}

#[test]
fn arrows_and_function_keys_are_swallowed_whole() {
    for sequence in [
        "\x1b[A",
        "\x1b[D",
        "\x1b[H",
        "\x1b[3~",
        "\x1b[1;5C",
        "\x1b[15~",
        "\x1b[Z", // xterm
        "\x1bOP",
        "\x1bOA",
        "\x1bO5P",
        "\x1bO2;3P",
        "\x1bOj", // keypad and F1 to F4
        "\x1b[[A",
        "\x1b[[E", // the Linux console
        "\x1b[1^",
        "\x1b[3$",
        "\x1b[3@",
        "\x1b[23$",
        "\x1bOa", // rxvt
        "\x1b\x1b[A",
        "\x1b\x1bOA",
        "\x1b\x1b[3$", // rxvt with Alt
        "\x1b[97;5u",
        "\x1b[27;5;97~",
        "\x1b[57421u",
        "\x1b[97:65;2:1;97u", // kitty, modifyOtherKeys
        "\x1bf",
        "\x1b\x1b",
        "\x1bé",
        "\x1b漢", // Alt + key
        "\u{9b}A",
        "\u{9b}3~",
        "\u{8f}P", // C1
    ] {
        let around = format!("a{sequence}b");
        let want = match sequence {
            // A second Escape has the next key for its own.
            "\x1b\x1b" => "a",
            _ => "ab",
        };
        assert_eq!(keys(around.as_bytes()), typed(want), "{sequence:?}");
    }
}

#[test]
fn what_terminals_report_vanishes() {
    for report in [
        "\x1b[24;80R",
        "\x1b[?1;2c",
        "\x1b[>41;354;0c",
        "\x1b[=0c",
        "\x1b[0n",
        "\x1b[?25;1$y",
        "\x1b[20;2$y",
        "\x1b[8;24;80t",
        "\x1b[I",
        "\x1b[O",
        "\x1b[?62;c",
        "\x1b[?1u",
        "\x1b[<0;10;5M",
        "\x1b[<0;10;5m",
        "\x1b[32;10;5M", // SGR and urxvt mouse
        "\x1b]11;rgb:0000/0000/0000\x1b\\",
        "\x1b]11;rgb:0000/0000/0000\x07",
        "\x1b]l title é 漢\x1b\\",
        "\x1b]52;c;aGVsbG8=\x07",
        "\x1b]4;1;rgb:ff/00/00\u{9c}",
        "\x1bP>|xterm(390)\x1b\\",
        "\x1bP1$r0m\x1b\\",
        "\x1bP!|00000000\x1b\\",
        "\x1bPabc\x07",
        "\x1b_Gi=31;OK\x1b\\",
        "\x1b^privacy\x1b\\",
        "\x1bXstring\x1b\\",
        "\u{9d}0;x\u{9c}",
        "\u{90}q\u{9c}",
        "\u{9f}x\x1b\\",
        "\u{9e}x\x07",
        "\u{98}x\x1b\\",
        "\x1b(B",
        "\x1b#8",
        "\x1b %G",
        "\x1b F",
    ] {
        ignored(report.as_bytes());
    }
    // Any byte may be a position of the mouse, and as many strings as there are follow each other.
    ignored(b"\x1b[M !!");
    ignored(b"\x1b[M#\x7f~");
    ignored(b"\x1b[M\x20\xc3\xa9");
    ignored(b"\x1b[M\x20\xff\x80");
    ignored(b"\x1b[t!!");
    ignored(b"\x1b[T!!!!!!");
    ignored(b"\x1b]0;broken \xff\xc3 text\x07");
    ignored(b"\x1b]0;a\x1b]0;b\x1b[A");
}

#[test]
fn cancel_and_substitute_end_what_is_under_way() {
    for start in [
        "\x1b", "\x1b[", "\x1b[1;", "\x1b(", "\x1bO", "\x1b]0;x", "\x1bPq", "\x1b[M ",
    ] {
        ignored(format!("{start}\x18").as_bytes());
        ignored(format!("{start}\x1a").as_bytes());
    }
}

#[test]
fn a_control_character_ends_what_is_cut_off() {
    for start in [
        "\x1b", "\x1b[", "\x1b[1", "\x1b(", "\x1bO", "\x1b]0;x", "\x1bP", "\x1b[M ",
    ] {
        for (key, means) in [
            (b'\r', Key::Enter),
            (0x03, Key::Redraw),
            (0x7f, Key::Backspace),
            (b'\t', Key::Tab),
        ] {
            let bytes = [start.as_bytes(), &[key, b'a']].concat();
            match (start, key) {
                // The position of a mouse may be 0x7f.
                ("\x1b[M ", 0x7f) => {}
                _ => assert_eq!(keys(&bytes), [means, Key::Char('a')], "{start:?} {key:#x}"),
            }
        }
    }
}

#[test]
fn escape_alone_costs_one_key() {
    assert_eq!(keys(b"\x1bhello"), typed("ello"));
    assert_eq!(keys(b"\x1b"), []);
}

#[test]
fn pasted_text_is_text() {
    let pasted = keys(b"a\x1b[200~b\r\nc\rd\ne\tf\x1b[201~\r\t");
    let mut want = typed("ab\nc\nd\ne\tf");
    want.extend([Key::Enter, Key::Tab]);
    assert_eq!(pasted, want);
    // What would do something does not, and sequences in it are ignored as ever.
    let pasted = keys(b"\x1b[200~\x07\x7f\x0e\x1b[Ax\x1b[201~");
    let controls = [Key::Control(7), Key::Control(0x7f), Key::Control(0x0e)];
    assert_eq!(pasted[..3], controls);
    assert_eq!(pasted[3..], typed("x"));
    // A paste whose end got lost ends with Ctrl-C.
    assert_eq!(keys(b"\x1b[200~\x03\r"), [Key::Redraw, Key::Enter]);
    // Other numbers are no paste.
    for other in [
        "\x1b[20~",
        "\x1b[2000~",
        "\x1b[456~",
        "\x1b[200;1~",
        "\x1b[?200~",
        "\x1b[200u",
    ] {
        assert_eq!(
            keys(format!("{other}\r").as_bytes()),
            [Key::Enter],
            "{other:?}"
        );
    }
}

#[test]
fn damaged_utf8_costs_one_character() {
    assert_eq!(keys(b"\xc3a"), [Key::Malformed, Key::Char('a')]);
    assert_eq!(keys(b"\x80a"), [Key::Malformed, Key::Char('a')]);
    assert_eq!(keys(b"\x9bA"), [Key::Malformed, Key::Char('A')]);
    assert_eq!(keys(b"\xe0\x80\x80a"), [Key::Malformed, Key::Char('a')]);
    assert_eq!(keys(b"\xed\xa0\x80a"), [Key::Malformed, Key::Char('a')]);
    assert_eq!(keys(b"\xf5a"), [Key::Malformed, Key::Char('a')]);
    assert_eq!(keys(b"\xe2\x82\xc3\xa9"), [Key::Malformed, Key::Char('é')]);
    assert_eq!(keys(b"\xf0\x9f\r"), [Key::Malformed, Key::Enter]);
    assert_eq!(keys(b"\xc3\x1b[Aa"), [Key::Malformed, Key::Char('a')]);
    assert_eq!(keys(b"\x1b[1\xffa"), [Key::Malformed, Key::Char('a')]);
    assert_eq!(keys("\x1b[1é".as_bytes()), typed("é"));
}

proptest! {
    #[test]
    fn text_comes_through(text in "[^\\x00-\\x1f\\x7f-\\u{9f}]*") {
        prop_assert_eq!(keys(text.as_bytes()), typed(&text));
    }

    #[test]
    fn any_bytes_and_then_a_line_are_understood(
        noise in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        // Whatever came before, a control character brings the decoder back.
        let mut bytes = noise;
        bytes.extend_from_slice(b"\x03ok");
        let all = keys(&bytes);
        prop_assert_eq!(&all[all.len() - 3..], &[Key::Redraw, Key::Char('o'), Key::Char('k')]);
    }
}
