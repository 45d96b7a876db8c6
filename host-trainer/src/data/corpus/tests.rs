use gatelet::TextRules;

use super::*;

use std::fs;

fn text(content: &[u8]) -> Result<Text> {
    Text::from_bytes("t.txt".to_owned(), content.to_vec())
}

fn all(tokens: &impl Tokens, range: Range<usize>) -> Vec<u16> {
    let mut all = Vec::new();
    tokens
        .read(range, &mut |piece| {
            all.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
    all
}

#[test]
fn ids_are_ranks_and_the_last_tenth_is_held_out() {
    let corpus = Corpus::new(&text("héllo hello hello hé".as_bytes()).unwrap(), 0.1).unwrap();
    assert_eq!(corpus.vocab.chars(), [' ', 'e', 'h', 'l', 'o', 'é']);
    assert_eq!(all(&corpus, 0..5), [2, 5, 3, 3, 4]);
    assert_eq!((corpus.train_len, corpus.validation_len()), (18, 2));
    assert_eq!(all(&corpus, 18..usize::MAX), [2, 5]);
}

#[test]
fn bad_texts_name_what_is_wrong() {
    let error = text(b"ab\ncd\xff").unwrap_err();
    assert!(
        error.to_string().contains("byte at offset 5 (line 2)"),
        "{error}"
    );
    assert!(matches!(
        Corpus::new(&text(b"").unwrap(), 0.1),
        Err(Error::EmptyCorpus { .. })
    ));
    assert!(matches!(
        Corpus::new(&text(b"aaaa").unwrap(), 0.1),
        Err(Error::OneCharacter { only: 'a', .. })
    ));
    let corpus = Corpus::new(&text(b"abababababab").unwrap(), 0.2).unwrap();
    let error = corpus.check_length(2, 8).unwrap_err();
    assert!(
        matches!(
            error,
            Error::TooShort {
                have: 10,
                need: 18,
                ..
            }
        ),
        "{error}"
    );
    assert!(corpus.check_length(2, 4).is_ok());
}

/// A text of several blocks in which accents, spaces and capitals stand everywhere.
fn long() -> String {
    let line = "A\u{308}nderung  der\tO\u{308}l-Preise: \u{fb01}n 漢😀\r\n";
    (0..20_000_usize)
        .map(|i| &line[..line.floor_char_boundary(i * 7 % 50)])
        .collect()
}

fn options(rules: TextRules, max_vocab: Option<usize>) -> CorpusOptions {
    CorpusOptions {
        level: Level::Char,
        keep_cr: false,
        valid_fraction: 0.1,
        rules: TextRules {
            unknown: max_vocab.is_some(),
            ..rules
        },
        max_vocab,
    }
}

#[test]
fn a_streamed_corpus_is_the_one_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.txt");
    let content = long();
    fs::write(&path, &content).unwrap();
    let (streamed, held) = (Text::open(&path, 0).unwrap(), Text::read(&path).unwrap());
    assert!(streamed.is_streamed() && !held.is_streamed());
    let prepared = TextRules {
        lower_case: true,
        normalisation: gatelet::Normalisation::Nfkc,
        fold_space: true,
        ..TextRules::default()
    };
    for rules in [TextRules::default(), prepared] {
        for max_vocab in [None, Some(9)] {
            let options = options(rules, max_vocab);
            let corpus = |text: &Text| {
                let outline = Outline::of(text, &options).unwrap();
                outline.corpus(text, folder.path()).unwrap()
            };
            let (a, b) = (corpus(&streamed), corpus(&held));
            assert_eq!(a.vocab, b.vocab);
            assert_eq!(
                (a.sha256, a.train_len, a.len()),
                (b.sha256, b.train_len, b.len())
            );
            let tokens = all(&a, 0..usize::MAX);
            assert!(tokens == all(&b, 0..usize::MAX));
            let reading_of = |corpus: &Corpus| {
                Reading::new(&streamed, options.rules, corpus.vocab.clone(), &|_| {})
            };
            let words = CorpusOptions {
                level: Level::Word,
                ..options
            };
            let words = CorpusOptions {
                rules: TextRules {
                    unknown: true,
                    ..words.rules
                },
                ..words
            };
            let corpus_of_words = |text: &Text| {
                let outline = Outline::of(text, &words).unwrap();
                outline.corpus(text, folder.path()).unwrap()
            };
            let (a_words, b_words) = (corpus_of_words(&streamed), corpus_of_words(&held));
            assert_eq!(
                (&a_words.vocab, a_words.len()),
                (&b_words.vocab, b_words.len())
            );
            let all_words = all(&a_words, 0..usize::MAX);
            assert!(all_words == all(&b_words, 0..usize::MAX));
            let encoded = a_words
                .vocab
                .encode(&prepare(words.rules, &content), "whole");
            assert!(all_words == encoded.unwrap());
            let reading = reading_of(&a_words);
            assert_eq!(reading.measure().unwrap(), (a_words.len(), a_words.sha256));
            let middle = a_words.len() / 2;
            for range in [0..usize::MAX, 0..1, middle..middle + 9, middle..usize::MAX] {
                let end = range.end.min(all_words.len());
                assert!(all(&reading, range.clone()) == all_words[range.start..end]);
            }
            let whole = prepare(options.rules, &content);
            assert!(tokens == a.vocab.encode(&whole, "whole").unwrap());
            // The same without a corpus, from any place.
            let reading = Reading::new(&streamed, options.rules, a.vocab.clone(), &|_| {});
            assert_eq!(reading.measure().unwrap(), (a.len(), a.sha256));
            for range in [0..usize::MAX, 0..1, 77_777..200_001, a.train_len..a.len()] {
                let end = range.end.min(tokens.len());
                assert!(
                    all(&reading, range.clone()) == tokens[range.start..end],
                    "{range:?}"
                );
            }
        }
    }
}

#[test]
fn a_text_that_changes_between_the_passes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.txt");
    let content = long();
    // Longer, shorter, another character, the same characters in another order.
    let changes = [
        format!("{content}n"),
        content[..content.len() - 1].to_owned(),
        format!("{content}\u{416}"),
        content.replacen("nder", "ndre", 1),
    ];
    for (index, change) in changes.iter().enumerate() {
        fs::write(&path, &content).unwrap();
        let text = Text::open(&path, 0).unwrap();
        let outline = Outline::of(&text, &options(TextRules::default(), None)).unwrap();
        let vocab = outline.vocab.clone();
        let reading = Reading::new(&text, TextRules::default(), vocab, &|_| {});
        reading.measure().unwrap();
        fs::write(&path, change).unwrap();
        let error = outline.corpus(&text, folder.path()).unwrap_err();
        assert!(
            matches!(error, Error::TextChanged { .. }),
            "{index}: {error}"
        );
        let read = reading.read(0..usize::MAX, &mut |_| Ok(()));
        assert!(read.is_err(), "{index}");
    }
}

#[test]
fn an_unknown_character_is_named_with_its_place_in_the_whole_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.txt");
    let content = format!("{}X", "ab".repeat(400_000));
    fs::write(&path, content).unwrap();
    let text = Text::open(&path, 0).unwrap();
    let reading = Reading::new(&text, TextRules::default(), Vocabulary::of("ab"), &|_| {});
    for from in [0, 799_990] {
        let error = reading.read(from..usize::MAX, &mut |_| Ok(())).unwrap_err();
        let place = matches!(
            error,
            Error::UnknownCharacter {
                found: 'X',
                position: 800_000,
                ..
            }
        );
        assert!(place, "{error}");
    }
    reading.read(5..700_000, &mut |_| Ok(())).unwrap();
}
