//! Lists: which lines are held out, in what order they are learnt, and that nothing of a line reaches the next.

use std::collections::BTreeMap;

use gatelet::Precision;
use gatelet_trainer::data::corpus::{Corpus, IN_MEMORY, Level, Outline, Text, Tokens};
use gatelet_trainer::evaluate::{evaluate, evaluate_part};
use gatelet_trainer::quantize::export::{calibrated, export, f32_image, own_image};
use gatelet_trainer::train::Trainer;
use gatelet_trainer::train::config::{Config, Qat};

/// Made-up names, each another, sorted: consonants and vowels in turn.
fn names(count: u32) -> Vec<String> {
    let mut names: Vec<String> = (0..count)
        .map(|i| {
            let mut n = i.wrapping_mul(2_654_435_761) >> 4;
            let mut name = String::new();
            for _ in 0..2 + i % 3 {
                name.push(char::from(b"bdfgklmnprst"[n as usize % 12]));
                name.push(char::from(b"aeiou"[n as usize / 12 % 5]));
                n /= 60;
            }
            format!("{name}{}", ["", "n", "s"][i as usize % 3])
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The same in another order.
fn shuffled(names: &[String]) -> Vec<String> {
    (0..names.len())
        .map(|i| names[i * 7919 % names.len()].clone())
        .collect()
}

fn config() -> Config {
    Config {
        hidden: 24,
        batch: 8,
        window: 32,
        epochs: 1_000_000,
        lines: true,
        ..Config::default()
    }
}

fn text_of(lines: &[String]) -> Text {
    Text::of("names".to_owned(), (lines.join("\n") + "\n").into_bytes())
}

fn corpus_of(text: Text, config: &Config) -> Corpus {
    let folder = std::env::temp_dir();
    let text = config.arranged(text, (IN_MEMORY, &folder)).unwrap();
    let outline = Outline::of(&text, &config.corpus_options()).unwrap();
    outline.corpus(&text, &folder).unwrap()
}

/// The lines of a part with how often each occurs.
fn lines_of(corpus: &Corpus, range: std::ops::Range<usize>) -> BTreeMap<String, usize> {
    let mut text = String::new();
    corpus
        .read(range, &mut |piece| {
            text.extend(
                piece
                    .iter()
                    .map(|&id| corpus.vocab.chars()[usize::from(id)]),
            );
            Ok(())
        })
        .unwrap();
    assert!(
        text.starts_with('\n'),
        "every part begins with a line break"
    );
    let mut lines = BTreeMap::new();
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        *lines.entry(line.to_owned()).or_insert(0) += 1;
    }
    lines
}

fn parts(corpus: &Corpus) -> [BTreeMap<String, usize>; 2] {
    let split = corpus.split();
    [0..split.train, split.train..split.len].map(|range| lines_of(corpus, range))
}

#[test]
fn held_out_lines_depend_on_the_lines_alone() {
    let sorted = names(900);
    let [train, held_out] = parts(&corpus_of(text_of(&sorted), &config()));
    // Each line once, on one side; about a tenth held out, of all initials.
    let tenth = sorted.len() / 10;
    assert!(
        held_out.len() <= tenth && held_out.len() + 3 >= tenth,
        "{}",
        held_out.len()
    );
    let mut all: Vec<&String> = train.keys().chain(held_out.keys()).collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(&sorted));
    let initials: std::collections::BTreeSet<char> = held_out
        .keys()
        .filter_map(|line| line.chars().next())
        .collect();
    assert!(initials.len() >= 10, "{initials:?}");

    // Another order, blank lines, another seed: the same.
    let other = shuffled(&sorted).join("\n\n \n");
    let other = Text::of("other".to_owned(), other.into_bytes());
    let seed = Config {
        seed: 99,
        ..config()
    };
    assert_eq!(
        parts(&corpus_of(other, &seed)),
        [train.clone(), held_out.clone()]
    );

    // Lines that occur several times are on one side.
    let often: Vec<String> = (0..3)
        .flat_map(|times| sorted.iter().skip(times * 300).cloned())
        .collect();
    let [train, held_out] = parts(&corpus_of(text_of(&often), &config()));
    assert!(train.keys().all(|line| !held_out.contains_key(line)));
    let count = |part: &BTreeMap<String, usize>| part.values().sum::<usize>();
    assert_eq!(count(&train) + count(&held_out), often.len());
    assert!(count(&held_out) <= often.len() / 10 && 2 * count(&held_out) > often.len() / 10);
}

#[test]
fn the_order_is_a_shuffle() {
    let sorted = names(900);
    let corpus = corpus_of(text_of(&sorted), &config());
    let mut tokens = vec![0; corpus.train_len];
    corpus.fill(0, &mut tokens).unwrap();
    let text: String = tokens
        .iter()
        .map(|&id| corpus.vocab.chars()[usize::from(id)])
        .collect();
    let lines: Vec<&str> = text.split('\n').skip(1).collect();
    let ascending = lines.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!(
        (ascending as f64 / lines.len() as f64 - 0.5).abs() < 0.06,
        "{ascending}"
    );
}

#[test]
fn a_list_in_a_file_is_the_one_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names.txt");
    let content = shuffled(&names(3000)).join("\n") + "\n";
    std::fs::write(&path, &content).unwrap();
    for level in [Level::Char, Level::Word, Level::Byte] {
        let config = Config { level, ..config() };
        let corpus = |text: Text, in_memory| {
            let text = config.arranged(text, (in_memory, folder.path())).unwrap();
            assert_eq!(text.is_streamed(), in_memory == 0);
            let outline = Outline::of(&text, &config.corpus_options()).unwrap();
            outline.corpus(&text, folder.path()).unwrap()
        };
        let streamed = corpus(Text::open(&path, 0).unwrap(), 0);
        let held = corpus(Text::read(&path).unwrap(), IN_MEMORY);
        assert_eq!(
            (streamed.sha256, streamed.split()),
            (held.sha256, held.split())
        );
        let [a, b] = [&streamed, &held].map(|corpus| {
            let mut tokens = vec![0; corpus.len()];
            corpus.fill(0, &mut tokens).unwrap();
            tokens
        });
        assert!(a == b, "{level}");
        assert_eq!(a[streamed.train_len], streamed.vocab.line_break().unwrap());
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no file is left"
    );
}

fn trained(corpus: &Corpus, config: &Config, steps: usize) -> f64 {
    let mut trainer = Trainer::new(corpus, config.clone(), "test".to_owned()).unwrap();
    for _ in 0..steps {
        trainer.step().unwrap();
    }
    trainer.evaluate().unwrap()
}

/// Sorted or not, a list is learnt as well; as one text it is not.
#[test]
fn a_sorted_list_is_learnt_as_well_as_a_shuffled_one() {
    let sorted = names(900);
    let config = Config {
        lr: 0.02,
        warmup: 10,
        ..config()
    };
    let by_line = trained(&corpus_of(text_of(&sorted), &config), &config, 150);
    let other = trained(
        &corpus_of(text_of(&shuffled(&sorted)), &config),
        &config,
        150,
    );
    assert!((by_line - other).abs() < 0.05, "{by_line} {other}");
    let one = Config {
        lines: false,
        ..config
    };
    let as_one = trained(&corpus_of(text_of(&sorted), &one), &one, 150);
    assert!(as_one > by_line + 0.1, "{as_one} {by_line}");
}

/// Training, evaluation, images of real numbers and of integers: all begin every line alike.
#[test]
fn every_loss_of_a_list_is_the_same_one() {
    let config = config();
    let corpus = corpus_of(text_of(&names(900)), &config);
    let split = corpus.split();
    let mut trainer = Trainer::new(&corpus, config.clone(), "test".to_owned()).unwrap();
    for _ in 0..40 {
        trainer.step().unwrap();
    }
    let nats = trainer.evaluate().unwrap();
    let checkpoint = trainer.checkpoint(false);
    let image = f32_image(&checkpoint).unwrap();
    let model = image.model().unwrap();
    assert!(model.rules().lines && model.vocab().line_break().is_some());
    let whole = evaluate_part(model, &corpus, split.train..split.len).unwrap();
    assert!((whole.nats - nats).abs() < 1e-4, "{} {nats}", whole.nats);
    // The held-out lines one by one, each from the zero state.
    let mut tokens = vec![0; split.held_out()];
    corpus.fill(split.train, &mut tokens).unwrap();
    let line_break = checkpoint.line_break().unwrap();
    let (mut sum, mut count) = (0.0, 0);
    let starts: Vec<usize> = (0..tokens.len())
        .filter(|&t| tokens[t] == line_break)
        .collect();
    for pair in starts.windows(2) {
        let line = evaluate(model, &tokens[pair[0]..=pair[1]]).unwrap();
        (sum, count) = (sum + line.nats * line.tokens as f64, count + line.tokens);
    }
    assert_eq!(count, whole.tokens);
    assert!((sum / count as f64 - whole.nats).abs() < 1e-9);

    // Trained on for integers: what is trained is the image's loss.
    let qat = Qat {
        from: "x".to_owned(),
        from_sha256: String::new(),
        nats: None,
        scheme: calibrated(&checkpoint, &corpus, split).unwrap(),
    };
    let config = Config {
        qat: Some(qat),
        ..config
    };
    let mut aware = Trainer::qat(&corpus, &checkpoint, config, "test".to_owned()).unwrap();
    for _ in 0..5 {
        aware.step().unwrap();
    }
    let nats = aware.evaluate().unwrap();
    let checkpoint = aware.checkpoint(false);
    let image = own_image(&checkpoint).unwrap();
    let found = evaluate(image.model().unwrap(), &tokens).unwrap();
    assert!((found.nats - nats).abs() < 1e-4, "{} {nats}", found.nats);
    let (image, report) = export(&checkpoint, &corpus, split, Precision::Int8).unwrap();
    assert!(image.model().unwrap().rules().lines);
    assert!((report.after.nats - nats).abs() < 1e-4, "{report:?}");
}
