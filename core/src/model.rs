//! From bytes to a model: the only place where anything is validated.
//!
//! Every field is checked once, with checked arithmetic, before a slice is taken. What the kernels rely on
//! (lengths, finite numbers, accumulators that fit) is established here, and nowhere checked again.

use crate::dims::{Cell, Dims, Layout, Precision};
use crate::error::{LoadError, SectionName, SelfTestError};
use crate::format::{
    ALIGN, Header, KnownAnswer, LayerScales, MAGIC, MAX_KNOWN_ANSWER, PREAMBLE, Provenance,
    Section, SectionEntry, SectionKind, VERSION, at, checksum, sections_of,
};
use crate::hash::StateHash;
use crate::kernel::{Kernel, Scalar};
use crate::layer::{
    Head, HeadF32, HeadInt8, Layer, LayerF32, LayerInt8, MAX_CELL_BITS, MAX_SHIFT, MIN_CELL_BITS,
    MIN_SHIFT, REQUANTIZED_LIMIT,
};
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

        let mut reader = SectionReader {
            image,
            data_start,
            end: data_start,
            index: 0,
            table: &header.sections,
        };
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
        if reader.end != image.len() {
            return Err(LoadError::Length {
                declared: reader.end,
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

/// Checks that `image[start..end]` is zero.
fn zeros(image: &[u8], start: usize, end: usize) -> Result<(), LoadError> {
    let padding = image.get(start..end).ok_or(LoadError::Length {
        declared: end,
        have: image.len(),
    })?;
    match padding.iter().position(|&byte| byte != 0) {
        Some(at) => Err(LoadError::Padding { offset: start + at }),
        None => Ok(()),
    }
}

/// Checks that the table lists exactly the sections this shape has, each where and as long as it must be.
fn check_section_table(dims: &Dims, header: &Header<'_>) -> Result<(), LoadError> {
    let known_answer_bytes = header.sections.get(1).map_or(0, |s| s.bytes as usize);
    let tokens = known_answer_bytes / 2;
    field(
        "known answer tokens",
        tokens as u64,
        0,
        MAX_KNOWN_ANSWER as u64,
    )?;
    let found = header.sections.len();
    let expected = sections_of(dims, tokens).count();
    if found != expected {
        return Err(LoadError::SectionCount { expected, found });
    }
    let mut end = 0_usize;
    for (index, (entry, (section, bytes))) in header
        .sections
        .iter()
        .zip(sections_of(dims, tokens))
        .enumerate()
    {
        if (entry.kind, usize::from(entry.layer)) != (section.kind.code(), section.layer) {
            return Err(LoadError::SectionOrder {
                index,
                expected: section,
            });
        }
        if entry.offset as usize != end {
            return Err(LoadError::SectionOffset {
                section,
                expected: end,
                found: entry.offset as usize,
            });
        }
        if entry.bytes as usize != bytes {
            return Err(LoadError::SectionLength {
                section,
                expected: bytes,
                found: entry.bytes as usize,
            });
        }
        end = end.saturating_add(bytes.next_multiple_of(ALIGN));
    }
    Ok(())
}

/// Takes the sections one after the other, in the order of the table.
struct SectionReader<'a, 't> {
    image: &'a [u8],
    data_start: usize,
    /// End of the last section taken, padding included.
    end: usize,
    index: usize,
    table: &'t [SectionEntry],
}

impl<'a> SectionReader<'a, '_> {
    /// The next section as a slice of numbers, once checksum and padding are right.
    fn next<T: bytemuck::AnyBitPattern>(&mut self) -> Result<&'a [T], LoadError> {
        let entry = self.table.get(self.index).ok_or(LoadError::SectionCount {
            expected: self.index + 1,
            found: self.index,
        })?;
        self.index += 1;
        let section = SectionName {
            kind: kind_of(entry.kind),
            layer: entry.layer.into(),
        };
        let cut = LoadError::Length {
            declared: self
                .data_start
                .saturating_add(entry.offset as usize)
                .saturating_add(entry.bytes as usize),
            have: self.image.len(),
        };
        let start = self
            .data_start
            .checked_add(entry.offset as usize)
            .ok_or(cut)?;
        let end = start.checked_add(entry.bytes as usize).ok_or(cut)?;
        let bytes = self.image.get(start..end).ok_or(cut)?;
        let found = checksum(bytes);
        if found != entry.crc32 {
            return Err(LoadError::SectionChecksum {
                section,
                expected: entry.crc32,
                found,
            });
        }
        self.end = end.checked_next_multiple_of(ALIGN).ok_or(cut)?;
        zeros(self.image, end, self.end)?;
        bytemuck::try_cast_slice(bytes).map_err(|_| LoadError::SectionLength {
            section,
            expected: bytes.len().next_multiple_of(size_of::<T>().max(1)),
            found: bytes.len(),
        })
    }
}

/// The kind a code of a checked table stands for.
fn kind_of(code: u8) -> SectionKind {
    match code {
        1 => SectionKind::Vocabulary,
        2 => SectionKind::KnownAnswer,
        3 => SectionKind::Input,
        4 => SectionKind::Weights,
        5 => SectionKind::Multipliers,
        6 => SectionKind::HeadWeights,
        7 => SectionKind::HeadMultipliers,
        _ => SectionKind::HeadBias,
    }
}

/// Checks every element of a section.
fn check<T>(
    section: SectionName,
    values: &[T],
    good: impl Fn(&T) -> bool,
) -> Result<(), LoadError> {
    match values.iter().position(|value| !good(value)) {
        Some(index) => Err(LoadError::Value { section, index }),
        None => Ok(()),
    }
}

/// Whether the requantization of an accumulator of `columns` products stays within an int32 with room for the addend.
fn fits(multiplier: i32, columns: usize, shift: u8) -> bool {
    let largest = 127 * 128 * columns as u64;
    u64::try_from(multiplier).is_ok_and(|m| (m * largest) >> shift < REQUANTIZED_LIMIT)
}

/// Reads and checks layer `layer`.
fn read_layer<'a>(
    dims: &Dims,
    layer: usize,
    scales: LayerScales,
    reader: &mut SectionReader<'a, '_>,
) -> Result<Layer<'a>, LoadError> {
    let columns = dims.columns(layer);
    let name = |kind| SectionName { kind, layer };
    match dims.precision {
        Precision::F32 => {
            let (input, weights) = (reader.next::<f32>()?, reader.next::<f32>()?);
            check(name(SectionKind::Input), input, |x| x.is_finite())?;
            check(name(SectionKind::Weights), weights, |x| x.is_finite())?;
            Ok(Layer::F32(LayerF32 {
                cell: dims.cell,
                hidden: dims.hidden,
                columns,
                input,
                weights,
            }))
        }
        Precision::Int8 => {
            field(
                "layer shift",
                scales.shift.into(),
                MIN_SHIFT.into(),
                MAX_SHIFT.into(),
            )?;
            let (min, max) = (MIN_CELL_BITS, MAX_CELL_BITS);
            field(
                "layer cell bits",
                scales.cell_bits.into(),
                min.into(),
                max.into(),
            )?;
            let (input, weights) = (reader.next::<i16>()?, reader.next::<i8>()?);
            let multipliers = reader.next::<i32>()?;
            check(name(SectionKind::Weights), weights, |&w| w != i8::MIN)?;
            check(name(SectionKind::Multipliers), multipliers, |&m| {
                fits(m, columns, scales.shift)
            })?;
            Ok(Layer::Int8(LayerInt8 {
                cell: dims.cell,
                hidden: dims.hidden,
                columns,
                input,
                weights,
                multipliers,
                shift: scales.shift.into(),
                cell_bits: scales.cell_bits.into(),
            }))
        }
    }
}

/// Reads and checks the output layer.
fn read_head<'a>(
    dims: &Dims,
    shift: u8,
    reader: &mut SectionReader<'a, '_>,
) -> Result<Head<'a>, LoadError> {
    let columns = dims.stride();
    let name = |kind| SectionName { kind, layer: 0 };
    match dims.precision {
        Precision::F32 => {
            let (weights, bias) = (reader.next::<f32>()?, reader.next::<f32>()?);
            check(name(SectionKind::HeadWeights), weights, |x| x.is_finite())?;
            check(name(SectionKind::HeadBias), bias, |x| x.is_finite())?;
            Ok(Head::F32(HeadF32 {
                columns,
                weights,
                bias,
            }))
        }
        Precision::Int8 => {
            field(
                "head shift",
                shift.into(),
                MIN_SHIFT.into(),
                MAX_SHIFT.into(),
            )?;
            let (weights, multipliers) = (reader.next::<i8>()?, reader.next::<i32>()?);
            let bias = reader.next::<i32>()?;
            check(name(SectionKind::HeadWeights), weights, |&w| w != i8::MIN)?;
            check(name(SectionKind::HeadMultipliers), multipliers, |&m| {
                fits(m, columns, shift)
            })?;
            check(name(SectionKind::HeadBias), bias, |b| {
                u64::from(b.unsigned_abs()) <= REQUANTIZED_LIMIT
            })?;
            Ok(Head::Int8(HeadInt8 {
                columns,
                weights,
                multipliers,
                bias,
                shift: shift.into(),
            }))
        }
    }
}
