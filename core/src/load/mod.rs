//! From bytes to a model: the only place where anything is validated.
//!
//! Every field is checked once, with checked arithmetic, before a slice is taken. What the kernels rely on
//! (lengths, finite numbers, accumulators that fit) is established here, and nowhere checked again.

mod limits;
mod sections;

use self::limits::{fits, largest, largest_sum, small};
use self::sections::{
    SectionReader, check_scales, check_section_table, checked_header, decoded, dims_of, field,
    layout_of, zeros,
};
use crate::dims::{Cell, Dims, Layout, Precision};
use crate::error::{LoadError, SectionName};
use crate::format::{ALIGN, KnownAnswer, LayerScales, PREAMBLE, SectionKind};
use crate::layer::{
    Embedding, EmbeddingF32, EmbeddingInt8, Head, HeadF32, HeadInt8, Layer, LayerF32, LayerInt8,
    REQUANTIZED_LIMIT,
};
use crate::matrix::{MatrixF32, MatrixInt8, check_pairs, shifts};
use crate::model::Model;
use crate::nibbles;
use crate::order::RowOrder;
use crate::rules::TextRules;
use crate::tiles::{Columns, check_int8, check_slots};
use crate::vocab::Vocab;

/// See [`Model::from_bytes`].
pub(crate) fn load(image: &[u8]) -> Result<Model<'_>, LoadError> {
    let misalignment = image.as_ptr().align_offset(ALIGN);
    if misalignment != 0 {
        return Err(LoadError::Misaligned {
            offset: ALIGN.saturating_sub(misalignment),
        });
    }
    let (version, header_bytes) = checked_header(image)?;
    let header = decoded(version, header_bytes)?;
    let dims = dims_of(&header)?;
    check_scales(&dims, &header)?;
    let layout = layout_of(&header, &dims)?;
    let data_start = (PREAMBLE + header_bytes.len()).next_multiple_of(layout.align());
    zeros(image, PREAMBLE + header_bytes.len(), data_start)?;

    let mut reader = SectionReader {
        image,
        data_start,
        end: data_start,
        index: 0,
        align: layout.align(),
        table: &header.sections,
    };
    check_section_table(&dims, layout, &header)?;
    let vocab = match header.widths.tokens {
        0 => Vocab::of_characters(reader.next()?),
        2 => {
            // Nothing is done to what is no text; a line feed is a byte all the same.
            let done = TextRules {
                lines: false,
                ..header.rules
            };
            field("text rules", done.code().into(), 0, 0)?;
            Vocab::of_byte_values(reader.next()?)
        }
        _ => Vocab::of_words(reader.next()?, dims.vocab),
    };
    let vocab = vocab
        .map_err(|index| LoadError::Vocabulary { index })?
        .with_rules(header.rules)?;
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

    let (widths, table_layout) = (header.widths, dims.table_layout(layout));
    let embedding = read_embedding(&dims, table_layout, widths.embedding_shift, &mut reader)?;
    let mut layers = [EMPTY_LAYER; Dims::MAX_LAYERS];
    let of_layers = layers.iter_mut().zip(header.scales).take(dims.layers);
    for (index, (layer, scales)) in of_layers.enumerate() {
        let table = match (index, embedding) {
            (0, Some(Embedding::F32(table))) => largest(table.weights.weights),
            _ => 1.0,
        };
        *layer = read_layer(&dims, layout, (index, table), scales, &mut reader)?;
    }
    let projection = Affine {
        names: [
            SectionKind::Projection,
            SectionKind::ProjectionMultipliers,
            SectionKind::ProjectionBias,
        ],
        field: "projection shift",
        shift: widths.projection_shift,
        rows: dims.projection,
        columns: (dims.stride(), dims.hidden),
        bits: 8,
        table: None,
        largest: 1.0,
    };
    let (projection, largest) = match dims.projection {
        0 => (None, 1.0),
        _ => {
            let read = read_affine(dims.precision, layout, &projection, &mut reader)?;
            (Some(read.0), read.1)
        }
    };
    let width = match dims.projection {
        0 => dims.hidden,
        width => width,
    };
    let head = Affine {
        names: [
            SectionKind::HeadWeights,
            SectionKind::HeadMultipliers,
            SectionKind::HeadBias,
        ],
        field: "head shift",
        shift: header.head_shift,
        rows: dims.vocab,
        columns: (dims.head_columns(), width),
        bits: dims.four_bits.of_head(),
        table: embedding.filter(|_| dims.tied),
        largest,
    };
    let (head, _) = read_affine(dims.precision, layout, &head, &mut reader)?;
    if reader.end != image.len() {
        return Err(LoadError::Length {
            declared: reader.end,
            have: image.len(),
        });
    }
    Ok(Model {
        dims,
        layout,
        vocab,
        embedding,
        layers,
        projection,
        head,
        known_answer,
        image,
        header: header_bytes,
    })
}

/// What an unused place in the layer array holds.
const EMPTY_LAYER: Layer<'static> = Layer::F32(LayerF32 {
    cell: Cell::Rnn,
    hidden: 0,
    columns: 0,
    input: &[],
    weights: MatrixF32::rows(0, &[]),
});

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

/// Checks the right shift of a requantization.
fn check_shift(
    name: &'static str,
    shift: u8,
    (layout, bits): (Layout, u32),
) -> Result<(), LoadError> {
    let (min, max) = shifts(layout, bits);
    field(name, shift.into(), min.into(), max.into())
}

/// Reads numbers of which there is one a row, and checks them.
fn read_slots<'a, T: bytemuck::Pod>(
    section: SectionName,
    rows: usize,
    order: RowOrder,
    reader: &mut SectionReader<'a, '_>,
    good: impl Fn(&T) -> bool,
) -> Result<&'a [T], LoadError> {
    let numbers = reader.next::<T>()?;
    check(section, numbers, good)?;
    check_slots(numbers, rows, order).map_err(|index| LoadError::Value { section, index })?;
    Ok(numbers)
}

/// Reads and checks an f32 matrix.
fn read_matrix_f32<'a>(
    order: RowOrder,
    rows: usize,
    (columns, used): (usize, Columns),
    section: SectionName,
    reader: &mut SectionReader<'a, '_>,
) -> Result<MatrixF32<'a>, LoadError> {
    let matrix = MatrixF32 {
        order,
        columns,
        weights: reader.next()?,
    };
    let wrong = |index| LoadError::Value { section, index };
    matrix.check(rows, used).map_err(wrong)?;
    Ok(matrix)
}

/// Reads and checks an int8 matrix.
fn read_matrix<'a>(
    (layout, bits): (Layout, u32),
    order: RowOrder,
    rows: usize,
    (columns, used): (usize, Columns),
    section: SectionName,
    reader: &mut SectionReader<'a, '_>,
) -> Result<MatrixInt8<'a>, LoadError> {
    let wrong = |index| LoadError::Value { section, index };
    match layout {
        Layout::Rows | Layout::Pairs if bits == 4 => {
            let words = reader.next::<u32>()?;
            nibbles::check(words, layout, rows, columns, used).map_err(wrong)?;
            Ok(MatrixInt8::Nibbles {
                layout,
                columns,
                words,
            })
        }
        Layout::Rows => {
            let weights = reader.next::<i8>()?;
            // Columns of a row are at least four.
            let good = |(index, &w): (usize, &i8)| match used.has(index % columns.max(1)) {
                true => w != i8::MIN,
                false => w == 0,
            };
            let bad = |at: &(usize, &i8)| !good(*at);
            if let Some((index, _)) = weights.iter().enumerate().find(bad) {
                return Err(wrong(index));
            }
            Ok(MatrixInt8::Rows { columns, weights })
        }
        Layout::Pairs => {
            let words = reader.next::<u32>()?;
            check_pairs(words, rows, columns, used).map_err(wrong)?;
            Ok(MatrixInt8::Pairs { columns, words })
        }
        Layout::Tiles4 | Layout::Tiles8 | Layout::Tiles16 if bits == 4 => {
            let weights = reader.next::<u8>()?;
            nibbles::check_tiles(weights, rows, columns, used, order).map_err(wrong)?;
            Ok(MatrixInt8::NibbleTiles {
                layout,
                order,
                columns,
                weights,
            })
        }
        Layout::Tiles4 | Layout::Tiles8 | Layout::Tiles16 => {
            let weights = reader.next::<u8>()?;
            check_int8(weights, rows, columns, used, order).map_err(wrong)?;
            Ok(MatrixInt8::Tiles {
                layout,
                order,
                columns,
                weights,
            })
        }
    }
}

/// Reads and checks layer `layer`, whose embedding's numbers, if it is the one that reads them, are at most `table`.
fn read_layer<'a>(
    dims: &Dims,
    layout: Layout,
    (layer, table): (usize, f32),
    scales: LayerScales,
    reader: &mut SectionReader<'a, '_>,
) -> Result<Layer<'a>, LoadError> {
    let columns = dims.columns(layer);
    let below = if layer == 0 {
        dims.embedding
    } else {
        dims.hidden
    };
    let used = Columns {
        below,
        padded: columns - dims.stride(),
        own: dims.hidden,
    };
    let order = RowOrder::of_layer(layout, dims.cell);
    let rows = dims.rows();
    let name = |kind| SectionName { kind, layer };
    let (input, weights) = (name(SectionKind::Input), name(SectionKind::Weights));
    match dims.precision {
        Precision::F32 => {
            let input = read_slots(input, rows, order, reader, small)?;
            let section = weights;
            let weights = read_matrix_f32(order, rows, (columns, used), section, reader)?;
            let sum = largest_sum(rows, &weights, (used.padded, table));
            sum.map_err(|row| LoadError::Sum { section, row })?;
            Ok(Layer::F32(LayerF32 {
                cell: dims.cell,
                hidden: dims.hidden,
                columns,
                input,
                weights,
            }))
        }
        Precision::Int8 => {
            let form = (layout, dims.four_bits.of_layer(layer));
            check_shift("layer shift", scales.shift, form)?;
            let input = read_slots(input, rows, order, reader, |_| true)?;
            let weights = read_matrix(form, order, rows, (columns, used), weights, reader)?;
            let multipliers = name(SectionKind::Multipliers);
            let multipliers = read_slots(multipliers, rows, order, reader, |&m| {
                fits(m, (columns, form.1), scales.shift)
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

/// Reads and checks the table of a model that has one.
fn read_embedding<'a>(
    dims: &Dims,
    layout: Layout,
    shift: u8,
    reader: &mut SectionReader<'a, '_>,
) -> Result<Option<Embedding<'a>>, LoadError> {
    let (order, rows) = (RowOrder::of_head(layout), dims.vocab);
    let columns = (dims.embedding_stride(), Columns::new(dims.embedding));
    let name = |kind| SectionName { kind, layer: 0 };
    let weights = name(SectionKind::Embedding);
    match (dims.embedding, dims.precision) {
        (0, _) => Ok(None),
        (_, Precision::F32) => {
            let weights = read_matrix_f32(order, rows, columns, weights, reader)?;
            Ok(Some(Embedding::F32(EmbeddingF32 { weights })))
        }
        (_, Precision::Int8) => {
            // Nothing is multiplied by a kernel, so no layout asks for a shift of its own.
            check_shift("embedding shift", shift, (Layout::Rows, 8))?;
            let weights = read_matrix((layout, 8), order, rows, columns, weights, reader)?;
            let multipliers = name(SectionKind::EmbeddingMultipliers);
            let good = |&m: &i32| m >= 0;
            let multipliers = read_slots(multipliers, rows, RowOrder::PLAIN, reader, good)?;
            Ok(Some(Embedding::Int8(EmbeddingInt8 {
                weights,
                multipliers,
                shift: shift.into(),
            })))
        }
    }
}

/// What has to be known to read the output layer, or the projection before it.
struct Affine<'a> {
    /// Weights, multipliers, bias.
    names: [SectionKind; 3],
    /// The header field of the shift.
    field: &'static str,
    shift: u8,
    rows: usize,
    /// Padded columns, and those of them that are used.
    columns: (usize, usize),
    /// Bits of a weight.
    bits: u32,
    /// The embedding, whose weights a tied head has.
    table: Option<Embedding<'a>>,
    /// In f32, the most that a number of the operand can be.
    largest: f32,
}

/// Reads and checks the output layer, or the projection; in f32 with the most that a result can be.
fn read_affine<'a>(
    precision: Precision,
    layout: Layout,
    of: &Affine<'a>,
    reader: &mut SectionReader<'a, '_>,
) -> Result<(Head<'a>, f32), LoadError> {
    let ((columns, own), rows, shift) = (of.columns, of.rows, of.shift);
    let used = Columns::new(own);
    let order = RowOrder::of_head(layout);
    let [weights, multipliers, bias] = of.names.map(|kind| SectionName { kind, layer: 0 });
    match precision {
        Precision::F32 => {
            let section = weights;
            let weights = match of.table {
                Some(Embedding::F32(table)) => table.weights,
                _ => read_matrix_f32(order, rows, (columns, used), section, reader)?,
            };
            let sum = largest_sum(rows, &weights, (columns, of.largest));
            let sum = sum.map_err(|row| LoadError::Sum { section, row })?;
            let bias = read_slots(bias, rows, order, reader, small)?;
            let head = HeadF32 {
                columns,
                weights,
                bias,
            };
            Ok((Head::F32(head), sum + largest(bias)))
        }
        Precision::Int8 => {
            check_shift(of.field, shift, (layout, of.bits))?;
            let weights = match of.table {
                Some(Embedding::Int8(table)) => table.weights,
                _ => {
                    let columns = (columns, used);
                    read_matrix((layout, of.bits), order, rows, columns, weights, reader)?
                }
            };
            let multipliers = read_slots(multipliers, rows, order, reader, |&m| {
                fits(m, (columns, of.bits), shift)
            })?;
            let bias = read_slots(bias, rows, order, reader, |b: &i32| {
                u64::from(b.unsigned_abs()) <= REQUANTIZED_LIMIT
            })?;
            let head = HeadInt8 {
                columns,
                weights,
                multipliers,
                bias,
                shift: shift.into(),
            };
            Ok((Head::Int8(head), 1.0))
        }
    }
}
