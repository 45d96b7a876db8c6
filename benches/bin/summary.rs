//! `cargo xtask bench`: a step of every kernel of this machine against the limit of the same run.
//!
//! ```text
//! machine: multiply-adds, reads in each cache
//! for f32, int8 and int4, and every shape:
//!     contestants: read the footprint forward; read it forward and backward in turn; a step of every kernel
//!     interleaved rounds -> medians -> ratios
//! ```

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use gatelet::net::Net;
use gatelet::{Isa, Precision};
use gatelet_benches::limit::{Footprint, Sweep, fma_flops};
use gatelet_benches::report::{Machine, ReadSpeed, Report, Step};
use gatelet_benches::rounds::{Effort, median, medians};
use gatelet_benches::{SHAPES, VOCAB, contest, footprint, lstm, model, model_of_four_bits, show};
use gatelet_trainer::figure::save;
use gatelet_trainer::image::Image;

/// Anything that stops the program.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Footprints that fit the caches of today's cores with room to spare.
const CACHES: [(&str, usize); 3] = [("L1", 24 << 10), ("L2", 512 << 10), ("L3", 8 << 20)];

/// Time a step of every kernel against the limit of this machine.
#[derive(Debug, Parser)]
struct Options {
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Only this kernel
    #[arg(long, value_name = "NAME", value_parser = kernel)]
    isa: Option<Isa>,
    /// Fewer and shorter samples
    #[arg(long)]
    quick: bool,
    /// Folder of bench.svg and bench.png, which replace those of an earlier run
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    out: PathBuf,
}

/// The kernel of that name, or what there is instead.
fn kernel(name: &str) -> std::result::Result<Isa, String> {
    Isa::from_name(name).ok_or_else(|| {
        let have: Vec<&str> = Isa::available().map(Isa::name).collect();
        format!("this machine has {}", have.join(", "))
    })
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let effort = if options.quick {
        Effort::QUICK
    } else {
        Effort::FULL
    };
    let isas: Vec<Isa> = match options.isa {
        Some(isa) => vec![isa],
        None => Isa::available().collect(),
    };
    let machine = machine(effort);
    let mut steps = Vec::new();
    let eight = |precision| move |net: &Net, isa| model(net, precision, isa);
    let makers: [&Maker; 3] = [
        &eight(Precision::F32),
        &eight(Precision::Int8),
        &model_of_four_bits,
    ];
    for make in makers {
        for (layers, hidden) in SHAPES {
            if !options.json {
                let (done, all) = (steps.len() + 1, makers.len() * SHAPES.len());
                eprint!("\rmeasuring {done} of {all} ");
            }
            steps.push(step(make, &lstm(layers, hidden, VOCAB), &isas, effort)?);
        }
    }
    if !options.json {
        eprintln!("\r                    \r");
    }
    let report = Report {
        samples: effort.rounds,
        machine,
        steps,
    };
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{report}");
        let picture = save(&show::picture(&report), &options.out)?;
        println!("picture: {}", picture.with_extension("svg").display());
    }
    Ok(())
}

/// The machine's limits, whatever the shape.
fn machine(effort: Effort) -> Machine {
    let footprints = CACHES.map(|(_, bytes)| Footprint::new(bytes));
    let mut contestants = Vec::from(
        footprints
            .each_ref()
            .map(|footprint| footprint.contestant(Sweep::Forward)),
    );
    let seconds = medians(&mut contestants, effort);
    Machine {
        fma_gflops: median((0..effort.rounds).map(|_| fma_flops()).collect()) / 1e9,
        reads: CACHES
            .into_iter()
            .zip(seconds)
            .map(|((cache, footprint_bytes), seconds)| ReadSpeed {
                cache: cache.to_owned(),
                footprint_bytes,
                gbytes: footprint_bytes as f64 / seconds / 1e9,
            })
            .collect(),
    }
}

/// Makes a model of a shape for a kernel.
type Maker = dyn Fn(&Net, Isa) -> gatelet_trainer::error::Result<Image>;

/// One shape: limits and kernels in turn.
fn step(make: &Maker, net: &Net, isas: &[Isa], effort: Effort) -> Result<Step> {
    let images: Vec<Image> = isas
        .iter()
        .map(|&isa| make(net, isa))
        .collect::<std::result::Result<_, _>>()?;
    let models = isas
        .iter()
        .zip(&images)
        .map(|(&isa, image)| Ok((isa, image.model()?)))
        .collect::<Result<Vec<_>>>()?;
    let net = models.first().ok_or("no kernel")?.1.net();
    let bytes = footprint(net);
    Ok(Step::new(
        net,
        bytes,
        &contest::run(&models, bytes, effort)?,
    ))
}
