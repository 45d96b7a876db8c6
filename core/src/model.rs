//! A checked model: its shape, its weights, and its self-test.

use crate::dims::{Dims, Layout, Precision};
use crate::error::{LoadError, SelfTestError};
use crate::format::{Header, KnownAnswer, Lengths, PREAMBLE, Provenance, Section, sections_of};
use crate::hash::StateHash;
use crate::kernel::{Kernel, Scalar};
use crate::layer::{Embedding, Head, Layer};
use crate::load::load;
use crate::rules::TextRules;
use crate::session::Session;
use crate::vocab::{TokenId, Vocab};

/// A checked model, borrowed from its image. Cheap to copy: it holds slices and numbers only.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    pub(crate) dims: Dims,
    pub(crate) layout: Layout,
    pub(crate) vocab: Vocab<'a>,
    pub(crate) embedding: Option<Embedding<'a>>,
    pub(crate) layers: [Layer<'a>; Dims::MAX_LAYERS],
    pub(crate) projection: Option<Head<'a>>,
    pub(crate) head: Head<'a>,
    pub(crate) known_answer: KnownAnswer<'a>,
    pub(crate) image: &'a [u8],
    /// The encoded header inside the image, for what is not needed at every step.
    pub(crate) header: &'a [u8],
}

impl<'a> Model<'a> {
    /// Checks an image and borrows its weights.
    ///
    /// `image` must start at a multiple of 16 (see [`AlignedBytes`](crate::AlignedBytes)) and hold exactly one image.
    /// The cost is one pass over all bytes; nothing is copied.
    ///
    /// # Errors
    /// The first thing found wrong, with its name, what was expected and what was found.
    pub fn from_bytes(image: &'a [u8]) -> Result<Self, LoadError> {
        load(image)
    }

    /// The shape.
    pub fn dims(&self) -> Dims {
        self.dims
    }

    /// How the weights are arranged.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The characters or words the model knows.
    pub fn vocab(&self) -> Vocab<'a> {
        self.vocab
    }

    /// How the text was prepared that the model was trained on.
    pub fn rules(&self) -> TextRules {
        self.vocab.rules()
    }

    /// Bytes of the image.
    pub fn image_bytes(&self) -> usize {
        self.image.len()
    }

    /// Layer `index`, counted from the input.
    pub fn layer(&self, index: usize) -> Option<Layer<'a>> {
        self.layers.get(..self.dims.layers)?.get(index).copied()
    }

    /// All layers from the input to the head.
    pub fn layers(&self) -> impl Iterator<Item = Layer<'a>> + use<'a> {
        self.layers.into_iter().take(self.dims.layers)
    }

    /// The table of embeddings, if the model has one.
    pub fn embedding(&self) -> Option<Embedding<'a>> {
        self.embedding
    }

    /// The projection between h and the output layer, if the model has one: its results are what the head reads.
    pub fn projection(&self) -> Option<Head<'a>> {
        self.projection
    }

    /// The output layer. In a tied model its weights are the embedding's.
    pub fn head(&self) -> Head<'a> {
        self.head
    }

    /// The known-answer test.
    pub fn known_answer(&self) -> KnownAnswer<'a> {
        self.known_answer
    }

    /// Where the model comes from.
    pub fn provenance(&self) -> Provenance<'a> {
        self.decoded()
            .map_or(Provenance::default(), |header| header.provenance)
    }

    /// The section table.
    pub fn sections(&self) -> impl Iterator<Item = Section> {
        let data_start = (PREAMBLE + self.header.len()).next_multiple_of(self.layout.align());
        let table = self.decoded().map(|h| h.sections).unwrap_or_default();
        sections_of(&self.dims, self.layout, self.lengths())
            .enumerate()
            .map(move |(index, (name, bytes))| {
                // The table was found to match the shape when the image was loaded.
                let (offset, crc32) = table.get(index).map_or((0, 0), |e| (e.offset, e.crc32));
                Section {
                    name,
                    offset: data_start + offset as usize,
                    bytes,
                    crc32,
                }
            })
    }

    /// The lengths of sections that do not follow from the shape.
    pub(crate) fn lengths(&self) -> Lengths {
        Lengths {
            words: self.vocab.is_words().then(|| self.vocab.bytes().len()),
            known_answer: self.known_answer.tokens.len(),
        }
    }

    /// The header again; it was decoded once already, so this succeeds.
    pub(crate) fn decoded(&self) -> Option<Header<'a>> {
        let (mut header, rest) = postcard::take_from_bytes::<Header<'a>>(self.header).ok()?;
        header.rules = self.vocab.rules();
        if let Some((_, widths @ [_, ..])) = rest.split_first() {
            header.widths = postcard::from_bytes(widths).ok()?;
        }
        header.four_bits = self.dims.four_bits.code();
        Some(header)
    }

    /// Runs the known-answer test: feeds its tokens from the zero state and compares the hash of every state with
    /// the one the exporter stored.
    ///
    /// int8 models run it with `kernel`, whose integers must be the exporter's bit for bit. f32 models run it with
    /// [`Scalar`], whose order of operations is fixed: other f32 kernels agree only within a bound.
    /// `storage` needs [`Dims::state_words`] words and is overwritten.
    ///
    /// # Errors
    /// [`SelfTestError::Mismatch`] when weights or kernel are not the exporter's.
    pub fn self_test<K: Kernel>(
        &self,
        kernel: K,
        storage: &mut [u32],
    ) -> Result<(), SelfTestError> {
        let found = match self.dims.precision {
            Precision::F32 if !K::F32_IS_SCALAR => self.known_answer_hash(Scalar, storage),
            _ => self.known_answer_hash(kernel, storage),
        }?;
        let expected = self.known_answer.hash;
        if found == expected {
            Ok(())
        } else {
            Err(SelfTestError::Mismatch { expected, found })
        }
    }

    /// The hash of every state while the known-answer tokens are fed from the zero state.
    ///
    /// # Errors
    /// When the storage is too small.
    pub fn known_answer_hash<K: Kernel>(
        &self,
        kernel: K,
        storage: &mut [u32],
    ) -> Result<u64, SelfTestError> {
        let mut session = Session::new(*self, kernel, storage).map_err(SelfTestError::Session)?;
        let mut hash = StateHash::new();
        for &id in self.known_answer.tokens {
            session.step(TokenId(id)).map_err(SelfTestError::Step)?;
            session.hash_into(&mut hash);
        }
        Ok(hash.finish())
    }
}
