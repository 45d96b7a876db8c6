//! From bytes to a model: the only place where anything is validated.
//!
//! Every field is checked once, with checked arithmetic, before a slice is taken. What the kernels rely on
//! (lengths, finite numbers, accumulators that fit) is established here, and nowhere checked again.

mod sections;

use sections::{SectionReader, check, check_section_table, read_head, read_layer, zeros};

use crate::dims::{Cell, Dims, Layout, Precision};
use crate::error::{LoadError, SectionName, SelfTestError};
use crate::format::{
    ALIGN, Header, KnownAnswer, MAGIC, PREAMBLE, Provenance, Section, SectionKind, VERSION, at,
    checksum, sections_of,
};
use crate::hash::StateHash;
use crate::kernel::{Kernel, Scalar};
use crate::layer::{Head, Layer, LayerF32};
use crate::session::Session;
use crate::vocab::{TokenId, Vocab};

/// A checked model, borrowed from its image. Cheap to copy: it holds slices and numbers only.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    dims: Dims,
    vocab: Vocab<'a>,
    layers: [Layer<'a>; Dims::MAX_LAYERS],
    head: Head<'a>,
    known_answer: KnownAnswer<'a>,
    image: &'a [u8],
    /// The encoded header inside the image, for what is not needed at every step.
    header: &'a [u8],
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
        let misalignment = image.as_ptr().align_offset(ALIGN);
        if misalignment != 0 {
            return Err(LoadError::Misaligned {
                offset: ALIGN.saturating_sub(misalignment),
            });
        }
        let header_bytes = checked_header(image)?;
        let (header, rest) = postcard::take_from_bytes::<Header<'a>>(header_bytes)
            .map_err(|_| LoadError::HeaderEncoding)?;
        if !rest.is_empty() {
            return Err(LoadError::HeaderEncoding);
        }
        let dims = dims_of(&header)?;
        let data_start = (PREAMBLE + header_bytes.len()).next_multiple_of(ALIGN);
        zeros(image, PREAMBLE + header_bytes.len(), data_start)?;

        let mut reader = SectionReader::new(image, data_start, &header.sections);
        check_section_table(&dims, &header)?;
        let vocab = Vocab::new(reader.next()?).map_err(|index| LoadError::Vocabulary { index })?;
        let known_answer = KnownAnswer {
            tokens: reader.next()?,
            hash: header.known_answer_hash,
        };
        let known_answer_name = SectionName {
            kind: SectionKind::KnownAnswer,
            layer: 0,
        };
        check(known_answer_name, known_answer.tokens, |&id| {
            usize::from(id) < dims.vocab
        })?;

        let mut layers = [EMPTY_LAYER; Dims::MAX_LAYERS];
        let of_layers = layers.iter_mut().zip(header.scales).take(dims.layers);
        for (index, (layer, scales)) in of_layers.enumerate() {
            *layer = read_layer(&dims, index, scales, &mut reader)?;
        }
        let head = read_head(&dims, header.head_shift, &mut reader)?;
        if reader.end() != image.len() {
            return Err(LoadError::Length {
                declared: reader.end(),
                have: image.len(),
            });
        }
        Ok(Model {
            dims,
            vocab,
            layers,
            head,
            known_answer,
            image,
            header: header_bytes,
        })
    }

    /// The shape.
    pub fn dims(&self) -> Dims {
        self.dims
    }

    /// How the weights are arranged.
    pub fn layout(&self) -> Layout {
        Layout::Rows
    }

    /// The characters the model knows.
    pub fn vocab(&self) -> Vocab<'a> {
        self.vocab
    }

    /// Bytes of the image.
    pub fn image_bytes(&self) -> usize {
        self.image.len()
    }

    /// Layer `index`, counted from the input.
    pub fn layer(&self, index: usize) -> Option<Layer<'a>> {
        self.layers().nth(index)
    }

    /// All layers from the input to the head.
    pub fn layers(&self) -> impl Iterator<Item = Layer<'a>> + use<'a> {
        self.layers.into_iter().take(self.dims.layers)
    }

    /// The output layer.
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
        let data_start = (PREAMBLE + self.header.len()).next_multiple_of(ALIGN);
        let table = self.decoded().map(|h| h.sections).unwrap_or_default();
        sections_of(&self.dims, self.known_answer.tokens.len())
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

    /// The header again; it was decoded once already, so this succeeds.
    fn decoded(&self) -> Option<Header<'a>> {
        postcard::from_bytes(self.header).ok()
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
            Precision::Int8 => self.known_answer_hash(kernel, storage),
            Precision::F32 => self.known_answer_hash(Scalar, storage),
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

/// What an unused place in the layer array holds.
const EMPTY_LAYER: Layer<'static> = Layer::F32(LayerF32 {
    cell: Cell::Rnn,
    hidden: 0,
    columns: 0,
    input: &[],
    weights: &[],
});

/// Little-endian u32 at `at`; the caller has checked that it is there.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let field = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    u32::from_le_bytes(*field.unwrap_or(&[0; 4]))
}

/// Checks the preamble, and returns the header's bytes once their checksum is right.
fn checked_header(image: &[u8]) -> Result<&[u8], LoadError> {
    let have = image.len();
    let starts_like_one = image.iter().zip(MAGIC).all(|(&a, b)| a == b);
    if !starts_like_one || have < MAGIC.len() {
        return Err(LoadError::Magic);
    }
    if have < PREAMBLE {
        return Err(LoadError::Length {
            declared: PREAMBLE,
            have,
        });
    }
    let found = (u32_at(image, at::VERSION) & 0xffff) as u16;
    if found != VERSION {
        return Err(LoadError::Version {
            found,
            supported: VERSION,
        });
    }
    let reserved = (at::FLAGS..at::HEADER_LEN).chain(at::ZEROS..PREAMBLE);
    for (offset, &byte) in image.iter().enumerate().take(PREAMBLE) {
        if byte != 0 && reserved.clone().any(|r| r == offset) {
            return Err(LoadError::Reserved { offset });
        }
    }
    let declared = u32_at(image, at::IMAGE_LEN) as usize;
    if declared != have {
        return Err(LoadError::Length { declared, have });
    }
    let header_len = u32_at(image, at::HEADER_LEN) as usize;
    let header = PREAMBLE
        .checked_add(header_len)
        .and_then(|end| image.get(PREAMBLE..end))
        .ok_or(LoadError::HeaderLength {
            declared: header_len,
            have,
        })?;
    let (expected, found) = (u32_at(image, at::HEADER_CRC), checksum(header));
    if expected != found {
        return Err(LoadError::HeaderChecksum { expected, found });
    }
    Ok(header)
}

/// Checks that the header field `name` is in `min..=max`.
fn field(name: &'static str, found: u64, min: u64, max: u64) -> Result<(), LoadError> {
    if (min..=max).contains(&found) {
        Ok(())
    } else {
        Err(LoadError::Field {
            name,
            found,
            min,
            max,
        })
    }
}

/// The shape in the header, once it is in range.
fn dims_of(header: &Header<'_>) -> Result<Dims, LoadError> {
    let cell = match header.cell {
        0 => Cell::Rnn,
        1 => Cell::Lstm,
        other => return field("cell", other.into(), 0, 1).and(Err(LoadError::HeaderEncoding)),
    };
    let precision = match header.precision {
        0 => Precision::F32,
        1 => Precision::Int8,
        other => return field("precision", other.into(), 0, 1).and(Err(LoadError::HeaderEncoding)),
    };
    field("layout", header.layout.into(), 0, 0)?;
    Dims::new(
        cell,
        precision,
        header.layers.into(),
        header.hidden.into(),
        header.vocab.into(),
    )
    .map_err(LoadError::Dims)
}
