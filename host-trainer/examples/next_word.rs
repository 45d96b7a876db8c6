//! The next word on a phone: three suggestions before a word is typed, and after each of its letters.
//!
//! ```text
//! "can i have your" -> own, time, mind        "can i have your t" -> time, thoughts, teacher
//!
//! 1  type a sentence word by word; at each step the three likeliest words
//! 2  type the first letters of the next word; the three likeliest that begin so
//! 3  go on with the first suggestion each time
//! 4  type a text that the model has not seen: how many keystrokes the suggestions save
//! ```
//! The model is the int8 image that also goes onto the board, an LSTM of 5,000 words trained on English chat; training takes
//! 20 minutes, so it is committed, and `firmware/models/README.md` has the command. What is typed in 4 is the held-out part
//! of its corpus, where `python3 corpora/chat.py` has fetched it, and of `corpora/novels.txt` elsewhere: novels are not chat,
//! and the model finds less of their words. A list of everything suggested in 1 and 2 is written beside the pictures of
//! the other examples; `cargo xtask test --only "the words"` types it at the board in QEMU and compares the suggestions.
//!
//! `cargo run --release --example next_word` (half a minute), or `-- --quick`, or with your own `--model` and `--text`

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use gatelet::Model;
use gatelet_trainer::analysis::suggest::{Typed, suggest};
use gatelet_trainer::analysis::typing::type_text;
use gatelet_trainer::any_model::AnyModel;
use gatelet_trainer::data::corpus::{Reading, Split, Text, Vocabulary};
use gatelet_trainer::error::{Error, Result, Shown};
use gatelet_trainer::files;
use gatelet_trainer::units::grouped;

#[derive(Parser)]
struct Options {
    /// Less text to type: what the tests run
    #[arg(long)]
    quick: bool,
    /// A model of words: checkpoint or .gatelet image [default: firmware/models/chat-words.gatelet]
    #[arg(long)]
    model: Option<PathBuf>,
    /// UTF-8 text whose last tenth is typed [default: corpora/chat.txt if it has been fetched, or corpora/novels.txt]
    #[arg(long)]
    text: Option<PathBuf>,
    /// Folder of the list, which replaces that of an earlier run
    #[arg(long, default_value = "target/course")]
    out: PathBuf,
}

/// What is typed, word by word, and the letters of the word after it.
const SENTENCES: [(&str, &str); 3] = [
    ("Can I have your", "tim"),
    ("What do you", "lik"),
    ("I am going to the", "mov"),
];
/// Suggestions shown, words to go on with, and tokens typed at most.
const SHOWN: usize = 3;
const WORDS: usize = 8;
const TOKENS: usize = 100_000;

/// The words that a phone would show.
fn shown(model: Model<'_>, text: &str) -> Result<Vec<String>> {
    let typed = Typed::new(&model, text, "what is typed")?;
    let likely = suggest(model, &typed)?;
    let words = likely.iter().filter_map(|&(id, _)| model.vocab().word(id));
    // Marks and line breaks are on the keyboard anyway.
    let words = words.filter(|word| word.chars().any(char::is_alphanumeric));
    Ok(words.take(SHOWN).map(|word| word.to_string()).collect())
}

fn main() -> Result<(), Shown> {
    let options = Options::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path =
        (options.model.clone()).unwrap_or_else(|| root.join("firmware/models/chat-words.gatelet"));
    let any = AnyModel::read(&path)?;
    let model = any.model();
    if !model.vocab().is_words() {
        let why =
            "is a model of characters; this example suggests words: train one with --level word";
        return Err(Error::Inference(format!("{} {why}", path.display())).into());
    }
    println!(
        "{}: {} words, {}",
        path.strip_prefix(&root).unwrap_or(&path).display(),
        model.vocab().len(),
        model.net()
    );

    let mut list = Vec::new();
    let mut show = |text: &str| -> Result<Vec<String>> {
        let words = shown(model, text)?;
        println!("  {:<24}{}", text, words.join(", "));
        list.push(serde_json::json!({ "typed": text, "words": words }));
        Ok(words)
    };
    for (sentence, letters) in SENTENCES {
        println!("\n  typed                   suggestions");
        let ends = sentence.match_indices(' ').map(|(at, _)| at);
        for end in ends.chain([sentence.len()]) {
            assert_eq!(show(&format!("{} ", &sentence[..end]))?.len(), SHOWN);
        }
        for end in 1..=letters.len() {
            let begun = &letters[..end];
            let words = show(&format!("{sentence} {begun}"))?;
            assert!(words.iter().all(|word| word.starts_with(begun)));
        }
        let mut text = sentence.to_owned();
        for _ in 0..WORDS {
            let Some(first) = shown(model, &format!("{text} "))?.into_iter().next() else {
                break;
            };
            text = format!("{text} {first}");
        }
        println!("  {text} ...");
    }

    let fetched = root.join("corpora/chat.txt");
    let text = (options.text.clone()).unwrap_or_else(|| {
        let novels = root.join("corpora/novels.txt");
        if fetched.exists() && !options.quick {
            fetched.clone()
        } else {
            novels
        }
    });
    let name = text
        .strip_prefix(&root)
        .unwrap_or(&text)
        .display()
        .to_string();
    let text = Text::open(&text, 0)?;
    let takes = if options.quick {
        ""
    } else {
        ", which takes half a minute on two cores"
    };
    println!("\ntyping {name}, its held-out part{takes} ...");
    let reading = Reading::new(&text, model.rules(), Vocabulary::needed(&model)?, &|_| {});
    let (len, _) = reading.measure()?;
    let from = Split::tail(len, 0.1).train;
    let tokens = if options.quick { TOKENS / 50 } else { TOKENS };
    let found = type_text(model, &reading, from..len.min(from + tokens))?;
    println!(
        "{} characters, {} words, {:.1} % of them known",
        grouped(found.characters),
        grouped(found.words),
        100.0 * found.known as f64 / found.words.max(1) as f64
    );
    println!(
        "  before its first letter a word is the first suggestion in {:.1} %, one of three in {:.1} %",
        100.0 * found.top1,
        100.0 * found.top3
    );
    println!(
        "  {} keystrokes with suggestions: {:.1} % saved",
        grouped(found.keystrokes),
        100.0 * found.savings
    );
    if options.model.is_none() && options.text.is_none() {
        assert!(found.savings > 0.25, "it has not learnt: {found:?}");
    }

    fs::create_dir_all(&options.out).map_err(|source| Error::Write {
        path: options.out.clone(),
        source,
    })?;
    let path = options.out.join("next_word.json");
    files::write_as(
        files::LIST,
        &path,
        (serde_json::Value::from(list).to_string() + "\n").as_bytes(),
    )?;
    println!(
        "\nthe same on the board in QEMU:\n  GATELET_MODEL=firmware/models/chat-words.gatelet cargo xtask demo --prompt \"can i have your \""
    );
    Ok(())
}
