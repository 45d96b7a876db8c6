//! `gatelet random`.

use gatelet::net::{Activation, Kind, MAX_SIZE, Net};
use gatelet::{DimsError, FourBits, Precision};
use gatelet_random::{SIZES, Seeded, mixed};
use serde_json::json;

use super::export::Bits;
use super::out::{say, say_json};
use super::stream::Destination;
use super::target::Target;
use crate::data::corpus::MAX_VOCAB;
use crate::error::{Error, Result};
use crate::files::IMAGE;
use crate::net::FrontEnd;
use crate::quantize::export::random;
use crate::random::{image, image_of_sound};
use crate::shape::{Cell, Shape};
use crate::train::config::Config;

/// Write a model of random weights, for benches: a fixed shape that needs no training.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gatelet random --cell lstm --hidden 128 --vocab 64 --layers 1 --seed 1 --bits 8 --out random.gatelet"
)]
pub(super) struct Args {
    /// Kind of cell
    #[arg(long, default_value = "lstm")]
    cell: Cell,
    /// Hidden units a layer, 1 to 1024
    #[arg(long, value_name = "N", default_value_t = 128)]
    hidden: usize,
    /// Characters, 2 to 16384: printable ASCII first, then the code points after it; with --words, words
    #[arg(long, value_name = "N", default_value_t = 64)]
    vocab: usize,
    /// Real numbers that are read at every step in place of a token, 1 to 1024; what comes out is
    /// then numbers too
    #[arg(long, value_name = "N", group = "numbers", conflicts_with_all = ["vocab", "embedding", "projection", "tied", "words"])]
    features: Option<usize>,
    /// What makes the features of samples of sound: logmel:BANDS or mfcc:COEFFICIENTS, and
    /// optionally ,rate=16000,frame=32ms,hop=16ms,low=20,high=7600
    #[arg(long, value_name = "RECIPE", group = "numbers", conflicts_with_all = ["vocab", "embedding", "projection", "tied", "words"])]
    front_end: Option<FrontEnd>,
    /// Numbers that come out of a net of --features or --front-end, 1 to 1024
    #[arg(long, value_name = "N", default_value_t = 1, requires = "numbers")]
    outputs: usize,
    /// Recurrent layers, 1 to 4
    #[arg(long, value_name = "N", default_value_t = 1)]
    layers: usize,
    /// Numbers of a token's embedding, 4 to 1024; 0: none, a token selects a row of the first layer's input
    #[arg(long, value_name = "N", default_value_t = 0)]
    embedding: usize,
    /// Numbers of a projection between the last layer and the head, 4 to 1024; 0: none
    #[arg(long, value_name = "N", default_value_t = 0)]
    projection: usize,
    /// The head has the embedding's weights: --embedding is then what the head reads, --projection or else --hidden
    #[arg(long)]
    tied: bool,
    /// A net that mixes the operations, of features or tokens: which, their sizes (1 to 129) and the
    /// 4-bit weights of some are drawn by --seed
    #[arg(long, conflicts_with_all = ["cell", "hidden", "vocab", "features", "front_end", "layers", "embedding", "projection", "tied", "words"])]
    mixed: bool,
    /// Tokens are words, made of syllables, and not characters
    #[arg(long)]
    words: bool,
    /// Seed: the same seed gives the same file
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Number format
    #[arg(long, default_value = "8")]
    bits: Bits,
    /// Processor whose kernel the weights are arranged for
    #[arg(long, default_value = "any")]
    target: Target,
    /// Image to write
    #[arg(long, value_name = "FILE")]
    out: Destination,
    /// Replace --out if it is there
    #[arg(long)]
    force: bool,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// Which option a shape out of range comes from.
fn shape_error(args: &Args, error: DimsError) -> Error {
    let width = "it has to be 0 or from 4 to 1024";
    let (option, found, rule) = match error {
        DimsError::Embedding { found } => ("embedding", found, width),
        DimsError::Projection { found } => ("projection", found, width),
        _ => (
            "embedding",
            args.embedding,
            "with --tied it has to be what --projection is, or without one --hidden",
        ),
    };
    Error::Option {
        option,
        found: found.to_string(),
        rule,
    }
}

/// The net with 4 bits for what they are asked for.
fn with_bits(net: Net, bits: Bits) -> Net {
    let four = |kind: Kind| match bits {
        Bits::Four => kind.gates() > 0,
        Bits::W4 => kind.is_recurrent(),
        Bits::F32 | Bits::Eight => false,
    };
    let operations = net.operations().enumerate();
    let four = operations.filter(|(_, of)| four(of.kind));
    four.fold(net, |net, (index, _)| net.with_bits(index, 4))
}

/// The net of real numbers: features, layers, a dense operation.
fn real_net(args: &Args, width: usize) -> Result<Net> {
    let mut net = Net::features(Precision::from(args.bits), width);
    for _ in 0..args.layers {
        net = net.then(gatelet::Cell::from(args.cell).kind(args.hidden));
    }
    let head = Kind::Dense {
        units: args.outputs,
        activation: Activation::None,
    };
    net = with_bits(net.then(head).values(), args.bits);
    let sizes = [("features", width), ("outputs", args.outputs)];
    if let Some((option, found)) = sizes
        .into_iter()
        .find(|(_, size)| !(1..=MAX_SIZE).contains(size))
    {
        return Err(Error::Option {
            option,
            found: found.to_string(),
            rule: "it has to be from 1 to 1024",
        });
    }
    net.checked()
        .map_err(|error| Error::Export(error.to_string()))
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    Config {
        hidden: args.hidden,
        layers: args.layers,
        ..Config::default()
    }
    .validate()?;
    if !(2..=MAX_VOCAB).contains(&args.vocab) {
        let rule = "it has to be from 2 to 16384";
        return Err(Error::Option {
            option: "vocab",
            found: args.vocab.to_string(),
            rule,
        });
    }
    let out = args.out.output(IMAGE, args.force)?;
    out.check()?;
    let shape = Shape {
        cell: args.cell,
        layers: args.layers,
        hidden: args.hidden,
        vocab: args.vocab,
        ..Shape::PLAIN
    };
    let precision = Precision::from(args.bits);
    let four_bits = match args.bits {
        Bits::F32 | Bits::Eight => FourBits::NONE,
        Bits::Four | Bits::W4 => {
            let layers = std::array::from_fn(|layer| layer < args.layers);
            FourBits::new(layers, args.bits == Bits::Four && !args.tied)
        }
    };
    let plain = four_bits.is_none()
        && !args.words
        && (args.embedding, args.projection, args.tied) == (0, 0, false);
    let read = match (args.features, args.front_end) {
        (None, None) => format!("--vocab {}", args.vocab),
        (Some(width), _) => format!("--features {width} --outputs {}", args.outputs),
        (_, Some(front)) => format!("--front-end {front} --outputs {}", args.outputs),
    };
    let mut command = format!(
        "gatelet random --cell {} --hidden {} {read} --layers {} --seed {} --bits {}",
        args.cell, args.hidden, args.layers, args.seed, args.bits
    );
    let image = if args.mixed {
        let net = mixed(&mut Seeded::new(args.seed), precision, &SIZES);
        command = format!(
            "gatelet random --mixed --seed {} --bits {}",
            args.seed, args.bits
        );
        image(&with_bits(net, args.bits), false, args.seed, &command)?
    } else if let Some(front) = args.front_end {
        let net = real_net(args, front.0.features())?;
        image_of_sound(&net, front, args.seed, &command)?
    } else if let Some(width) = args.features {
        image(&real_net(args, width)?, false, args.seed, &command)?
    } else if plain {
        random(shape, precision, args.seed, &command)?
    } else {
        let shape = Shape {
            embedding: args.embedding,
            projection: args.projection,
            tied: args.tied,
            ..shape
        };
        let dims = shape
            .dims(precision)
            .map_err(|error| shape_error(args, error))?;
        let dims = dims
            .with_four_bits(four_bits)
            .map_err(|error| shape_error(args, error))?;
        let options = [
            ("embedding", args.embedding),
            ("projection", args.projection),
        ];
        for (name, width) in options.into_iter().filter(|&(_, width)| width > 0) {
            command += &format!(" --{name} {width}");
        }
        for (name, _) in [("tied", args.tied), ("words", args.words)]
            .into_iter()
            .filter(|o| o.1)
        {
            command += &format!(" --{name}");
        }
        image(&dims.net(), args.words, args.seed, &command)?
    };
    let (image, note) = args.target.apply(image)?;
    out.write(image.bytes())?;
    let (out, bytes) = (args.out.to_string(), image.bytes().len());
    if args.json {
        return say_json(json!({ "out": out, "bytes": bytes, "precision": precision.to_string() }));
    }
    say(format!("{out}: {bytes} bytes, {precision}, random weights"))?;
    note.map_or(Ok(()), |note| say(format!("note: {note}")))
}
