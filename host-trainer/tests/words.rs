//! Nets of words from the text to the image: the vocabulary, the trainer's loss and the images', the keystrokes saved.

use std::path::Path;

use gatelet::{Precision, Session, TokenId, Tokenizer};
use gatelet_trainer::analysis::typing::{Typing, type_text};
use gatelet_trainer::data::corpus::{Corpus, Level, Outline, Reading, Text};
use gatelet_trainer::evaluate::evaluate;
use gatelet_trainer::image::Image;
use gatelet_trainer::net::{Packs, Shard};
use gatelet_trainer::quantize::export::{export, f32_image};
use gatelet_trainer::train::Trainer;
use gatelet_trainer::train::checkpoint::Checkpoint;
use gatelet_trainer::train::config::Config;
use gatelet_trainer::train::layers::Cell;

const TEXT: &str = "the rose is there, and then the rest is here.\nthese are 'their' roses; don\u{2019}t the others see?\nthat is \
                    what they thought of that thing\n\n";

fn text() -> Text {
    // Words that come once, so that some are not known.
    let line = |i: usize| format!("{TEXT}word{i} ' the end\n");
    let content: String = (0..40).map(line).collect();
    Text::from_bytes("roses".to_owned(), content.into_bytes()).unwrap()
}

fn config(cell: Cell, layers: usize, widths: (usize, usize, bool)) -> Config {
    let size = Config {
        cell,
        layers,
        hidden: 14,
        batch: 4,
        window: 16,
        ..Config::default()
    };
    Config {
        level: Level::Word,
        max_vocab: Some(30),
        embedding: widths.0,
        projection: widths.1,
        tied: widths.2,
        lr: 0.01,
        valid_fraction: 0.2,
        epochs: 8,
        warmup: 0,
        ..size
    }
}

/// A corpus of words, and a net trained on it for so many epochs.
fn trained(config: Config, epochs: usize) -> (Corpus, Checkpoint) {
    let text = text();
    let outline = Outline::of(&text, &config.corpus_options()).unwrap();
    let corpus = outline.corpus(&text, &std::env::temp_dir()).unwrap();
    let mut trainer = Trainer::new(&corpus, config, "gatelet train roses".to_owned()).unwrap();
    while trainer.position().epoch < epochs {
        trainer.step().unwrap();
    }
    let checkpoint = trainer.checkpoint(false);
    drop(trainer);
    (corpus, checkpoint)
}

const NETS: [(Cell, usize, (usize, usize, bool)); 6] = [
    (Cell::Lstm, 1, (9, 9, true)),
    (Cell::Lstm, 2, (10, 7, false)),
    (Cell::Lstm, 1, (0, 6, false)),
    (Cell::Rnn, 2, (14, 0, true)),
    (Cell::Rnn, 1, (5, 0, false)),
    (Cell::Rnn, 1, (0, 0, false)),
];

#[test]
fn images_compute_the_trainers_loss() {
    for (cell, layers, widths) in NETS {
        let (corpus, checkpoint) = trained(config(cell, layers, widths), 8);
        let what = format!("{cell} {layers} {widths:?}");
        let bytes = checkpoint.to_bytes().unwrap();
        assert_eq!(
            Checkpoint::from_bytes(&bytes, Path::new("x")).unwrap(),
            checkpoint,
            "{what}"
        );
        let mut tokens = [0; 201];
        corpus.fill(0, &mut tokens).unwrap();
        let mut shard = Shard::<f32>::new(checkpoint.params.net(), 1, 200);
        shard.load(|_, t| (tokens[t], tokens[t + 1]));
        let want = shard.forward(&Packs::of(&checkpoint.params), 0.0) / 200.0;
        let image = f32_image(&checkpoint).unwrap();
        let found = evaluate(image.model().unwrap(), &tokens).unwrap().nats;
        assert!((found - want).abs() < 1e-5, "{what}: {found} {want}");

        let make = || export(&checkpoint, &corpus, corpus.split(), Precision::Int8).unwrap();
        let (image, report) = make();
        assert_eq!(image.bytes(), make().0.bytes(), "{what}: the same bytes");
        assert!(
            report.before.nats < 0.8 * 30.0_f64.ln(),
            "{what}: it has learnt nothing"
        );
        assert!(report.loss_nats.abs() < 0.1, "{what}: {report:?}");
        assert_eq!(report.embedding_range.is_some(), widths.0 > 0);
        assert_eq!(report.projection_range.is_some(), widths.1 > 0);
        let model = image.model().unwrap();
        let mut storage = vec![0; model.net().state_words()];
        model.self_test(gatelet::Scalar, &mut storage).unwrap();
        let words: Vec<String> = model.vocab().words().map(|w| w.to_string()).collect();
        assert_eq!(words, checkpoint.vocabulary().unwrap().words());
        assert_eq!(words.len(), 30);
        assert!(words.iter().any(|word| word == "don't"), "{words:?}");
    }
}

/// The definition, acted out: letter by letter, with a fresh look at all words each time.
fn acted_out(image: &Image, content: &str, from: usize) -> Typing {
    let model = image.model().unwrap();
    let vocab = model.vocab();
    let words: Vec<String> = vocab.words().map(|w| w.to_string()).collect();
    let mut storage = vec![0; model.net().state_words()];
    let mut session = Session::new(&model, gatelet::Native::default(), &mut storage).unwrap();
    let shown = |session: &Session<'_, '_, gatelet::Native>, begun: &str| -> Vec<usize> {
        let logits = session.logits();
        let mut ids: Vec<usize> = (0..words.len())
            .filter(|&id| words[id].starts_with(begun) && words[id].contains(char::is_alphanumeric))
            .collect();
        ids.sort_by(|&a, &b| {
            let score = |id: usize| logits.get(TokenId(id as u16)).unwrap();
            score(b).total_cmp(&score(a)).then(a.cmp(&b))
        });
        ids
    };
    let (mut typing, mut first, mut three) = (Typing::default(), 0, 0);
    let content = content.replace('\u{2019}', "'");
    let mut rest = content.as_str();
    let mut at = 0;
    while let Some(c) = rest.chars().next() {
        let run = rest.find(|c| !Tokenizer::in_word(c)).unwrap_or(rest.len());
        let counts = at >= from;
        if run == 0 || !rest[..run].contains(char::is_alphanumeric) {
            typing.characters += usize::from(counts);
            typing.keystrokes += usize::from(counts);
            if c == '\n' || !c.is_whitespace() {
                if counts {
                    session
                        .step(vocab.id_of_word(&c.to_string()).unwrap())
                        .unwrap();
                }
                at += 1;
            }
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let word = &rest[..run];
        rest = &rest[run..];
        let spaced = rest.starts_with(' ');
        at += 1;
        if spaced {
            rest = &rest[1..];
        }
        if !counts {
            continue;
        }
        let full = word.len() + usize::from(spaced);
        typing.characters += full;
        typing.words += 1;
        let id = words.iter().position(|other| other == word);
        typing.known += usize::from(id.is_some());
        let place = |begun: &str| {
            let ids = shown(&session, begun);
            ids.iter().position(|&other| Some(other) == id)
        };
        first += usize::from(place("") == Some(0));
        three += usize::from(place("").is_some_and(|place| place < 3));
        let taken = (0..=word.len()).find(|&k| place(&word[..k]).is_some_and(|place| place < 3));
        typing.keystrokes += taken.map_or(full, |k| full.min(k + 1));
        session.step(vocab.id_of_word(word).unwrap()).unwrap();
    }
    typing.savings = 1.0 - typing.keystrokes as f64 / typing.characters as f64;
    typing.top1 = first as f64 / typing.words as f64;
    typing.top3 = three as f64 / typing.words as f64;
    typing
}

#[test]
fn keystrokes_are_those_of_the_definition() {
    let (corpus, checkpoint) = trained(config(Cell::Lstm, 1, (9, 9, true)), 2);
    let (image, _) = export(&checkpoint, &corpus, corpus.split(), Precision::Int8).unwrap();
    let content: String = (0..40)
        .map(|i| format!("{TEXT}word{i} ' the end\n"))
        .collect();
    let text = text();
    let model = image.model().unwrap();
    let reading = Reading::new(&text, model.rules(), corpus.vocab.clone(), &|_| {});
    for from in [0, 1, 700] {
        let found = type_text(model, &reading, from..usize::MAX).unwrap();
        assert_eq!(found, acted_out(&image, &content, from), "from {from}");
        assert!(
            found.savings > 0.1 && found.known < found.words,
            "{found:?}"
        );
        assert!(found.top1 < found.top3, "{found:?}");
    }
}
