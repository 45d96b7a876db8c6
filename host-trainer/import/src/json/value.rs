//! JSON in the order of the file, with compact lists of numbers.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// The longest text that is read: as many numbers as a net of the largest layers has need no more.
const LONGEST: usize = 1 << 28;
/// How many axes a tensor has at most.
const AXES: usize = 8;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    /// A list of nothing but numbers; an empty list too.
    Numbers(Vec<f64>),
    List(Vec<Json>),
    /// In the order of the file; no key twice.
    Map(Vec<(String, Json)>),
}

/// Reads a text: at most 128 levels deep (the limit of serde_json).
pub(crate) fn parse(bytes: &[u8]) -> Result<Json, String> {
    if bytes.len() > LONGEST {
        return Err(format!("longer than {} MB", LONGEST >> 20));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

impl Json {
    /// The value of a key of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Self::Map(entries) => {
                let found = entries.iter().find(|(name, _)| name == key)?;
                Some(&found.1)
            }
            _ => None,
        }
    }

    /// A text.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// A number that counts something: at most 2^32.
    pub(crate) fn count(&self) -> Option<usize> {
        let number = self.number()?;
        let right = number.fract() == 0.0 && (0.0..=4_294_967_296.0).contains(&number);
        right.then_some(number as usize)
    }

    /// The values of a list that is not of numbers.
    pub(crate) fn items(&self) -> Option<&[Json]> {
        match self {
            Self::List(all) => Some(all),
            Self::Numbers(all) if all.is_empty() => Some(&[]),
            _ => None,
        }
    }

    /// A number, or lists of lists of numbers, as a tensor: its shape, and its numbers row after
    /// row. Nothing where it is something else, or a list is longer than those beside it.
    pub(crate) fn tensor(&self) -> Option<(Vec<usize>, Vec<f32>)> {
        let mut shape = Vec::new();
        let mut at = self;
        loop {
            match at {
                Self::Numbers(all) => shape.push(all.len()),
                Self::List(all) => {
                    shape.push(all.len());
                    at = all.first()?;
                    if shape.len() < AXES {
                        continue;
                    }
                    return None;
                }
                Self::Number(_) => {}
                _ => return None,
            }
            break;
        }
        let mut numbers = Vec::new();
        self.collect(&shape, &mut numbers)?;
        Some((shape, numbers))
    }

    fn collect(&self, shape: &[usize], numbers: &mut Vec<f32>) -> Option<()> {
        match (self, shape) {
            (Self::Number(number), []) => numbers.push(*number as f32),
            (Self::Numbers(all), [len]) if all.len() == *len => {
                numbers.extend(all.iter().map(|x| *x as f32));
            }
            (Self::List(all), [len, inner @ ..]) if all.len() == *len => {
                for value in all {
                    value.collect(inner, numbers)?;
                }
            }
            _ => return None,
        }
        Some(())
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut numbers = Vec::new();
        let other = loop {
            match from.next_element()? {
                None => return Ok(Json::Numbers(numbers)),
                Some(Json::Number(number)) => numbers.push(number),
                Some(other) => break other,
            }
        };
        let mut all: Vec<Json> = numbers.into_iter().map(Json::Number).collect();
        all.push(other);
        while let Some(value) = from.next_element()? {
            all.push(value);
        }
        Ok(Json::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Json, A::Error> {
        let mut entries: Vec<(String, Json)> = Vec::new();
        let mut keys = HashSet::new();
        while let Some((key, value)) = from.next_entry::<String, Json>()? {
            if !keys.insert(key.clone()) {
                return Err(A::Error::custom(format!("the key {key:?} is there twice")));
            }
            entries.push((key, value));
        }
        Ok(Json::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_become_tensors_and_nothing_else_does() {
        let of = |text: &str| parse(text.as_bytes()).expect("JSON").tensor();
        let all = vec![1.0, 2.0, 3.0, 4.0];
        assert_eq!(of("[[1, 2], [3, 4]]"), Some((vec![2, 2], all)));
        assert_eq!(of("0.5"), Some((vec![], vec![0.5])));
        assert_eq!(of("[]"), Some((vec![0], vec![])));
        for wrong in [
            "[[1, 2], [3]]",
            "[1, [2]]",
            "[[1], 2]",
            "[true]",
            "{}",
            "[[[[[[[[[1]]]]]]]]]",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_no_json_is_said() {
        let twice = parse(b"{\"a\": 1, \"a\": 2}").expect_err("a key twice");
        assert!(twice.contains("twice"), "{twice}");
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        let deep = parse(&deep).expect_err("too deep");
        assert!(deep.contains("recursion"), "{deep}");
        assert_eq!(parse(b"\xef\xbb\xbf[1]"), Ok(Json::Numbers(vec![1.0])));
        let order = parse(b"{\"b\": 1, \"a\": [null]}").expect("JSON");
        let Json::Map(entries) = &order else {
            panic!("{order:?}");
        };
        assert_eq!(entries[0].0, "b");
        assert_eq!(
            (order.get("b").and_then(Json::count), order.get("c")),
            (Some(1), None)
        );
        assert_eq!(Json::Number(1.5).count(), None);
    }
}
