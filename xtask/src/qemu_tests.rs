//! What the firmware must do, seen from outside: through the emulated serial port and through
//! cargo's messages.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use crate::bench::{measure, random};
use crate::board;
use crate::command::{root, work_folder};
use crate::elf::Embedded;
use crate::emulator::Emulator;
use crate::firmware::{self, Log, console, program};
use crate::screen::Line;
use crate::selftest;

/// A person's session: typing, suggestions, Tab, Backspace, Enter, keys that are refused, a long
/// line.
pub(crate) fn session() -> Result<()> {
    let elf = console(Log::Semihosting).quiet().build()?.elf;
    let mut board = Emulator::boot(&elf, false)?;
    let empty = board.prompt()?;
    ensure!(
        empty.panel.matches('%').count() == 3,
        "what comes first, before anything is typed: {empty:?}"
    );
    let banner = board.look(|screen| screen.text());
    for part in [
        "gatelet",
        "model default: int8, lstm",
        "known-answer test ok",
    ] {
        ensure!(
            banner.contains(part),
            "the banner lacks {part:?}:\n{banner}"
        );
    }

    let log = std::fs::metadata(&board.log)?.len();
    ensure!(log > 0, "the log is empty");

    let typed = board.type_text("Emma coul")?;
    ensure!(typed.typed == "Emma coul", "typed: {typed:?}");
    ensure!(
        typed.panel.matches('%').count() == 3,
        "three suggestions: {typed:?}"
    );
    ensure!(typed.panel.starts_with('d'), "'d' comes next: {typed:?}");
    ensure!(
        !typed.completion.trim().is_empty(),
        "a completion: {typed:?}"
    );

    // Backspace brings back exactly what was predicted before; so does typing the same again.
    let further = board.press("d")?;
    let back = board.press("\x7f")?;
    ensure!(back == typed, "Backspace: {back:?} is not {typed:?}");
    ensure!(board.press("d")? == further, "typing it again");
    board.press("\x08")?;

    let accepted = board.press("\t")?;
    let wanted = format!("{}{}", typed.typed, typed.completion.trim_end());
    ensure!(
        accepted.typed.trim_end() == wanted,
        "Tab: {accepted:?} is not {wanted:?}"
    );

    let bells = board.look(|screen| screen.bells());
    let refused = board.press("é")?;
    ensure!(refused.panel == "not in vocabulary: 'é'", "{refused:?}");
    ensure!(
        refused.typed == accepted.typed,
        "a refused key changes nothing: {refused:?}"
    );
    ensure!(board.look(|screen| screen.bells()) == bells + 1, "the bell");
    ensure!(
        board.press("\x03")? == accepted,
        "Ctrl-C draws the line again"
    );
    for nothing in [
        "\x1b[A\x1b[3~\x1bOP",
        "\x1b[[A",
        "\x1b]11;rgb:0000/0000/0000\x1b\\",
        "\x1bP1$r0m\x1b\\\x1b_G\x1b\\\x1b^a\x07\x1bXa\x07",
        "\x1b[Mabc\x1b[<0;1;1M\x1b[3$\0",
    ] {
        board.send(nothing.as_bytes())?;
        ensure!(
            board.press("\x0c")? == accepted,
            "{nothing:?} does something"
        );
    }

    let reset = board.press("\r")?;
    ensure!(reset == empty, "Enter: {reset:?} is not {empty:?}");
    ensure!(
        board.type_text("Emma coul")? == typed,
        "the same line after Enter"
    );
    let bells = board.look(|screen| screen.bells());
    board.press("\r")?;
    board.send(b"\0")?;
    ensure!(board.press("\x0c")? == empty, "telnet's Enter");
    ensure!(board.look(|screen| screen.bells()) == bells, "its bell");

    long_line(&mut board, &empty)?;
    paste(&mut board)
}

/// A model of words: the letters of a word narrow down what is suggested, Tab takes the first, a
/// finished word steps the net, Backspace restores.
pub(crate) fn words() -> Result<()> {
    let shape = [
        "--hidden",
        "32",
        "--vocab",
        "2000",
        "--embedding",
        "24",
        "--projection",
        "24",
        "--tied",
        "--words",
        "--target",
        "cortex-m4",
    ];
    let model = random(&shape, "random-words.gatelet")?;
    let elf = console(Log::Semihosting).model(Some(model)).quiet();
    let mut board = Emulator::boot(&elf.build()?.elf, false)?;
    let empty = board.prompt()?;
    let banner = board.look(|screen| screen.text());
    for part in ["lstm 32, 2000 words", "known-answer test ok (32 words)"] {
        ensure!(
            banner.contains(part),
            "the banner lacks {part:?}:\n{banner}"
        );
    }

    let typed = board.type_text("ta! Ba")?;
    ensure!(typed.typed == "ta! Ba", "typed: {typed:?}");
    let list: Vec<&str> = typed.panel.split("  ").collect();
    ensure!(
        list.len() == 3 && list.iter().all(|word| word.starts_with("ba")),
        "three words that begin with \"ba\": {typed:?}"
    );
    ensure!(typed.completion.trim_end() == &list[0][2..], "{typed:?}");
    let further = board.press("r")?;
    ensure!(
        further
            .panel
            .split("  ")
            .all(|word| word.starts_with("bar")),
        "{further:?}"
    );
    let back = board.press("\x7f")?;
    ensure!(back == typed, "Backspace: {back:?} is not {typed:?}");

    let accepted = board.press("\t")?;
    let wanted = format!("ta! Ba{} ", &list[0][2..]);
    ensure!(
        accepted.typed == wanted,
        "Tab: {accepted:?} is not {wanted:?}"
    );
    ensure!(
        accepted.panel != typed.panel,
        "other words follow: {accepted:?}"
    );
    let undone = board.press("\x7f")?;
    ensure!(
        undone.panel.starts_with(list[0]),
        "the word is under way again: {undone:?}"
    );
    ensure!(board.press(" ")? == accepted, "a space ends it again");

    // No word has it, so nothing is suggested; as a word it is the unknown one.
    let strange = board.type_text("zzz")?;
    ensure!(
        strange.panel.is_empty() && strange.completion.trim().is_empty(),
        "{strange:?}"
    );
    let refused = board.press("\t")?;
    ensure!(refused.panel == "nothing to complete", "{refused:?}");
    ensure!(!board.press(" ")?.panel.is_empty(), "after an unknown word");

    let reset = board.press("\r")?;
    ensure!(reset == empty, "Enter: {reset:?} is not {empty:?}");
    ensure!(
        board.type_text("ta! Ba")? == typed,
        "the same line after Enter"
    );
    Ok(())
}

/// More than the terminal is wide, and more than the history holds: taken back to the empty line,
/// nothing is left.
fn long_line(board: &mut Emulator, empty: &Line) -> Result<()> {
    board.press("\r")?;
    let text = "It is a truth universally acknowledged, that a single man in possession of a good fortune, ";
    let line = board.type_text(text)?;
    ensure!(
        line.typed.starts_with('<') && line.typed.ends_with("fortune, "),
        "{line:?}"
    );
    let mut last = line;
    for _ in text.chars() {
        last = board.press("\x7f")?;
    }
    ensure!(
        &last == empty,
        "after taking everything back: {last:?} is not {empty:?}"
    );
    let nothing = board.press("\x7f")?;
    ensure!(nothing.panel == "the line is empty", "{nothing:?}");
    Ok(())
}

/// Several times what the receive queue holds, in one go: QEMU holds the rest back, and no byte is
/// lost.
fn paste(board: &mut Emulator) -> Result<()> {
    let words = ["Emma", "Harriet", "Alice", "the Rabbit", "Mr. Knightley"];
    let lines: Vec<String> = (0..66)
        .map(|n| format!("{} saw {}", words[n % 5], words[n / 5 % 5]))
        .collect();
    let before = board.look(|screen| screen.redraws());
    board.send(format!("{}\rEmma coul", lines.join("\r")).as_bytes())?;
    let (text, redraws) = board.wait_for("end of the pasted text", |screen| {
        let end = screen.line().is_some_and(|line| line.typed == "Emma coul");
        end.then(|| (screen.text(), screen.redraws() - before))
    })?;
    ensure!(redraws > lines.len(), "lines are missing:\n{text}");
    // The screen's other rows.
    let shown: Vec<_> = text.lines().rev().skip(1).map(str::trim_end).collect();
    let sent = lines.iter().rev().map(|line| format!("> {line}"));
    ensure!(
        shown.len() == 23 && sent.zip(&shown).all(|(sent, shown)| sent == *shown),
        "not as pasted:\n{text}"
    );
    Ok(())
}

/// The image for the board, whose log goes to RTT, boots in QEMU too.
pub(crate) fn board_image_boots() -> Result<()> {
    let elf = console(Log::Rtt).quiet().build()?.elf;
    let mut board = Emulator::boot(&elf, false)?;
    board.prompt()?;
    ensure!(board.type_text("the")?.typed == "the", "typing");
    Ok(())
}

/// The console as it was built, in which bits of its model are flipped: the compiler cannot know of
/// it, as it would of damage before the build.
struct Damage(Embedded);

impl Damage {
    fn of_console() -> Result<Self> {
        let elf = console(Log::Rtt).quiet().build()?.elf;
        let model = std::fs::read(root().join("firmware/models/default.gatelet"))?;
        Embedded::find(std::fs::read(&elf)?, &model).map(Damage)
    }

    /// Boots it with one bit of the model flipped, and waits for the refusal; it has to say this.
    fn boot(&self, bit: usize, said: &str) -> Result<Emulator> {
        let damaged = work_folder()?.join("damaged.elf");
        std::fs::write(&damaged, self.0.flipped(bit)?)?;
        let board = Emulator::boot(&damaged, false)?;
        let text = board.wait_for(&format!("refusal of bit {bit}"), |screen| {
            let text = screen.text();
            (refusals(&text) == 1 && text.contains("Flash an image")).then_some(text)
        })?;
        ensure!(text.contains(said), "bit {bit}: no {said:?} in\n{text}");
        Ok(board)
    }
}

fn refusals(text: &str) -> usize {
    text.matches("model default refused:").count()
}

/// One flipped bit in the header or in a section: refused with a message, and the board stays
/// alive.
pub(crate) fn bad_model() -> Result<()> {
    let damage = Damage::of_console()?;
    for (offset, said) in [(40, "header's checksum"), (100_000, "checksum of section")] {
        let mut board = damage.boot(8 * offset, said)?;
        board.send(b"x")?;
        board.wait_for("second refusal", |screen| {
            (refusals(&screen.text()) == 2).then_some(())
        })?;
        ensure!(!board.ended(), "byte {offset}: the board is gone");
    }
    Ok(())
}

/// Every bit, or some of every field, of the model's preamble, which no checksum covers.
pub(crate) fn preamble(step: usize) -> Result<()> {
    let damage = Damage::of_console()?;
    for bit in (0..8 * PREAMBLE).step_by(step) {
        let field = match bit / 8 {
            0..8 => "magic",
            8..12 => "version",
            12..16 => "header length",
            16..20 => "image length",
            20..24 => "CRC-32",
            24..28 => "capabilities",
            _ => "zero",
        };
        damage.boot(bit, &format!("header field {field} is "))?;
    }
    Ok(())
}

/// Bytes before an image's header.
const PREAMBLE: usize = 32;

/// A panic, a fault and a full stack: the board starts again, and says once why.
pub(crate) fn failures() -> Result<()> {
    let elf = console(Log::Semihosting)
        .feature("provoke")
        .quiet()
        .build()?
        .elf;
    let mut board = Emulator::boot(&elf, false)?;
    let empty = board.prompt()?;
    const SAYS: &str = "error: the run before ended with ";
    let banner = board.look(|screen| screen.text());
    ensure!(!banner.contains(SAYS), "the first start:\n{banner}");
    for (key, why) in [
        ("\x1c", "a fault at 08"),
        ("\x1e", "a panic, line "),
        ("\x1f", "a full stack"),
    ] {
        board.press("a")?;
        board.send(key.as_bytes())?;
        let text = board.wait_for("another start", |screen| {
            let text = screen.text();
            let (_, after) = text.rsplit_once(SAYS)?;
            let whole = after.starts_with(why) && after.contains("seed") && screen.line().is_some();
            whole.then_some(text)
        })?;
        let (_, after) = text.rsplit_once(SAYS).unwrap_or_default();
        ensure!(after.contains("known-answer test ok"), "{why}:\n{text}");
        ensure!(board.press("\x0c")? == empty, "{why}: an empty line");
    }
    Ok(())
}

/// The board's states are this machine's, with every integer kernel.
pub(crate) fn same_bits() -> Result<()> {
    for isa in ["scalar", "portable"] {
        let comparison = selftest::compare(board::default(), None, isa)?;
        ensure!(comparison.equal, "{isa}: {comparison:?}");
    }
    Ok(())
}

/// Two counts of the same program are the same number.
pub(crate) fn counting_is_exact() -> Result<()> {
    let count = || {
        measure(
            board::default(),
            "default",
            None,
            board::default().processor.export(),
        )
    };
    let [first, second] = [count()?, count()?];
    ensure!(first == second, "{first:?} and then {second:?}");
    Ok(())
}

/// Nothing in core can panic, on any kind of processor; and the proof fails when something can.
pub(crate) fn no_panic() -> Result<()> {
    for board in board::kinds() {
        // It holds all of core, for several kernels: more than a small part's flash.
        let probe = program("panic_probe", &[]).variable("GATELET_LINKED_KIB", 4096);
        let probe = probe.board(board).quiet();
        probe.build().with_context(|| format!("for the {board}"))?;
    }
    must_fail(
        program("panic_probe", &["panic-probe-negative"]),
        &["does not link", "core can panic"],
    )
}

/// What does not fit, or is no model, stops the build with one line.
pub(crate) fn misfits() -> Result<()> {
    let large = random(&["--hidden", "1024", "--vocab", "64"], "too-large.gatelet")?;
    let large = console(Log::Rtt).model(Some(large));
    must_fail(
        large,
        &[
            "does not fit the flash of the STM32F405: need",
            "have 1048576",
        ],
    )?;

    let wide = random(&["--hidden", "8", "--vocab", "8000"], "too-wide.gatelet")?;
    let wide = console(Log::Rtt)
        .model(Some(wide))
        .variable("GATELET_RAM_KIB", 48);
    must_fail(
        wide,
        &["does not fit the RAM of the STM32F405: need", "have 49152"],
    )?;

    let no_model = Some(root().join("README.md"))
        .filter(|p| p.exists())
        .unwrap_or(root().join("Cargo.toml"));
    must_fail(
        console(Log::Rtt).model(Some(no_model)),
        &["not a Gatelet model"],
    )?;

    let missing = Some(PathBuf::from("/no/such.gatelet"));
    must_fail(
        console(Log::Rtt).model(missing),
        &["cannot read the model /no/such.gatelet"],
    )
}

/// The build must stop, with one line that says all this.
fn must_fail(build: firmware::Build, said: &[&str]) -> Result<()> {
    let Err(error) = build.quiet().build() else {
        bail!("it was built, but must not be: {said:?}");
    };
    let text = format!("{error:#}");
    ensure!(!text.contains('\n'), "more than one line: {text}");
    for part in said {
        text.contains(part)
            .then_some(())
            .with_context(|| format!("no {part:?} in: {text}"))?;
    }
    Ok(())
}
