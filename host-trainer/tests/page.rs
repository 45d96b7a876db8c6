//! The report in a browser: is every section there and drawn, and does nothing stick out, on a desk and on a phone?
//!
//! ```text
//! a copy of the page with a script that writes every section's place into the document -> --dump-dom -> the places
//! the page itself                                                       -> --screenshot at its whole height -> pixels
//! in the band of every section, pixels that are not background; in the figures, the colours of their data
//! ```
//! Needs Chromium (`chromium`, `chromium-browser` or `google-chrome` in PATH, or `GATELET_BROWSER`). Without one the test
//! says that it is skipped; `GATELET_REQUIRE_BROWSER=1` makes that a failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SECTIONS: [&str; 8] = [
    "essential",
    "learning",
    "samples",
    "lag",
    "gates",
    "confusion",
    "device",
    "origin",
];

/// Writes `data-places` into the body: the width and height that the document needs, then name, top, height of every
/// section, then the right end of whatever sticks out without a scroll bar of its own.
const PROBE: &str = "<script>addEventListener('load', () => {
  const root = document.documentElement;
  const places = [...document.querySelectorAll('section')].map(s => { const r = s.getBoundingClientRect();
    return [s.id, Math.round(r.top + scrollY), Math.round(r.height)].join(':'); });
  const out = [...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll') && e.getBoundingClientRect().right > root.clientWidth + 0.5);
  document.body.setAttribute('data-places', [root.clientWidth, root.scrollWidth, root.scrollHeight, out.length, ...places].join(' '));
});</script></body>";

/// A browser, if there is one.
fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("GATELET_BROWSER") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|program| program.is_file())
}

/// Runs the browser on a page, with a profile of its own; gives its standard output.
fn browse(browser: &Path, folder: &Path, page: &Path, size: (u32, u32), more: &[String]) -> String {
    let profile = tempfile::tempdir_in(folder).unwrap();
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--window-size={},{}", size.0, size.1))
        .args(more)
        .arg(format!("file://{}", page.display()))
        .stderr(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{} {more:?}", browser.display());
    String::from_utf8(output.stdout).unwrap()
}

/// Where the sections are, and the document's size.
struct Places {
    width: u32,
    needed: u32,
    height: u32,
    sticking_out: u32,
    sections: Vec<(String, u32, u32)>,
}

fn places(browser: &Path, folder: &Path, page: &Path, width: u32) -> Places {
    let copy = folder.join(format!("probed-{width}.html"));
    let text = fs::read_to_string(page).unwrap();
    fs::write(&copy, text.replace("</body>", PROBE)).unwrap();
    let dom = browse(
        browser,
        folder,
        &copy,
        (width, 800),
        &["--dump-dom".to_owned()],
    );
    let (_, found) = dom.split_once("data-places=\"").expect("the probe ran");
    let words: Vec<&str> = found.split('"').next().unwrap().split(' ').collect();
    let number = |i: usize| words[i].parse().unwrap();
    let section = |word: &&str| {
        let parts: Vec<&str> = word.split(':').collect();
        (
            parts[0].to_owned(),
            parts[1].parse().unwrap(),
            parts[2].parse().unwrap(),
        )
    };
    Places {
        width: number(0),
        needed: number(1),
        height: number(2),
        sticking_out: number(3),
        sections: words[4..].iter().map(section).collect(),
    }
}

/// RGB pixels of a screenshot of the page at its whole height, and its width.
fn screenshot(
    browser: &Path,
    folder: &Path,
    page: &Path,
    size: (u32, u32),
    dark: bool,
) -> (Vec<[u8; 3]>, usize) {
    let path = folder.join(format!("shot-{}.png", size.0));
    let mut more = vec![format!("--screenshot={}", path.display())];
    if dark {
        more.push("--blink-settings=preferredColorScheme=0".to_owned());
    }
    browse(browser, folder, page, size, &more);
    let mut decoder = png::Decoder::new(std::io::BufReader::new(fs::File::open(&path).unwrap()));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    let channels = info.color_type.samples();
    let pixels = bytes[..info.buffer_size()].chunks_exact(channels).map(|p| {
        if channels < 3 {
            [p[0]; 3]
        } else {
            [p[0], p[1], p[2]]
        }
    });
    (pixels.collect(), info.width as usize)
}

fn gatelet(folder: &Path, line: &[&str]) {
    let status = Command::new(env!("CARGO_BIN_EXE_gatelet"))
        .args(line)
        .current_dir(folder)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{line:?}");
}

/// Part of the pixels of rows `top..top + height` that have not the background's colour.
fn drawn(pixels: &[[u8; 3]], width: usize, top: u32, height: u32) -> f64 {
    let rows = &pixels[top as usize * width..((top + height) as usize * width).min(pixels.len())];
    let other = rows.iter().filter(|pixel| **pixel != pixels[0]).count();
    other as f64 / rows.len().max(1) as f64
}

#[test]
fn the_page_looks_right_on_a_desk_and_on_a_phone() {
    let Some(browser) = browser() else {
        let required = std::env::var("GATELET_REQUIRE_BROWSER").is_ok_and(|value| value == "1");
        assert!(
            !required,
            "no Chromium in PATH, and GATELET_REQUIRE_BROWSER is set"
        );
        eprintln!("skipped: no Chromium in PATH (apt-get install chromium)");
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().canonicalize().unwrap();
    let text = "it is a truth universally acknowledged, that a small net can learn a short text.\n";
    fs::write(folder.join("text.txt"), text.repeat(40)).unwrap();
    for (out, cell) in [
        ("a run with a rather long name, as people give them", "lstm"),
        ("other", "rnn"),
    ] {
        gatelet(
            &folder,
            &[
                "train", "text.txt", "--out", out, "--cell", cell, "--hidden", "24", "--epochs",
                "6", "--batch", "4", "--window", "16", "-q",
            ],
        );
    }
    let run = "a run with a rather long name, as people give them";
    gatelet(&folder, &["report", run, "--against", "other"]);
    let page = folder.join(run).join("report/index.html");
    // A browser mostly waits for itself.
    std::thread::scope(|scope| {
        for width in [1280, 820, 390] {
            let (browser, folder, page) = (&browser, &folder, &page);
            scope.spawn(move || looks_right(browser, folder, page, width));
        }
    });
}

/// The page in a window of this width: nothing sticks out, and every section is drawn, in the light and in the dark.
fn looks_right(browser: &Path, folder: &Path, page: &Path, width: u32) {
    let places = places(browser, folder, page, width);
    assert!(
        places.needed <= places.width && places.sticking_out == 0,
        "at {width} the page is {} wide, {} elements stick out",
        places.needed,
        places.sticking_out
    );
    let names: Vec<&str> = places.sections.iter().map(|s| s.0.as_str()).collect();
    assert_eq!(names, SECTIONS);
    for dark in [false, true] {
        let size = (places.width, places.height);
        let (pixels, across) = screenshot(browser, folder, page, size, dark);
        assert_eq!(
            (across, pixels.len() / across),
            (size.0 as usize, size.1 as usize)
        );
        assert_eq!(
            pixels[0].iter().all(|&x| x < 64),
            dark,
            "background {:?}",
            pixels[0]
        );
        for (name, top, height) in &places.sections {
            let part = drawn(&pixels, across, *top, *height);
            // Text alone covers 3 to 10 % of a section; a picture that was not drawn leaves less.
            assert!(part > 0.02, "{name} at {width}, dark {dark}: {part}");
        }
        // Lines in the colours of both cells, of the other run and of the cell state.
        let lines: [[u8; 3]; 4] = if dark {
            [
                [86, 180, 233],
                [240, 137, 58],
                [47, 194, 147],
                [221, 143, 205],
            ]
        } else {
            [[0, 114, 178], [213, 94, 0], [0, 158, 115], [170, 68, 153]]
        };
        let band = |name: &str| {
            let (_, top, height) = places.sections.iter().find(|s| s.0 == name).unwrap();
            &pixels[*top as usize * across..((top + height) as usize * across).min(pixels.len())]
        };
        for color in lines {
            let count = band("lag").iter().filter(|pixel| **pixel == color).count();
            assert!(count > 60, "{color:?} at {width}, dark {dark}: {count}");
        }
        // Heat maps: many colours.
        for name in ["gates", "confusion"] {
            let colors: std::collections::HashSet<_> = band(name).iter().collect();
            assert!(
                colors.len() > 150,
                "{name} at {width}: {} colours",
                colors.len()
            );
        }
    }
    // The essential is one screen of a desk.
    let essential = &places.sections[0];
    assert!(
        width != 1280 || essential.1 + essential.2 <= 800,
        "{essential:?}"
    );
}
