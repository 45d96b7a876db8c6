//! A whole step: row gather, recurrent product, cell, head. Ids read `step/type/shape/isa`.
//!
//! A group reports both throughputs at once (`ElementsAndBytes`): elements are multiply-accumulates, bytes are those
//! of the matrices and one gathered row. Ninety shapes for every kernel: samples are few and short, because what is
//! looked for here is a change between two runs; figures to quote come from `cargo xtask bench`.

use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use gatelet::net::Net;
use gatelet::{Isa, Kernel, Model, Precision, Session, TokenId, WithKernel};
use gatelet_benches::{
    footprint, lstm, model, model_of_four_bits, next_token, numbers, shape_name,
};
use gatelet_trainer::image::{Image, storage};

struct Step<'a, 'c> {
    criterion: &'c mut Criterion,
    model: Model<'a>,
}

impl WithKernel for Step<'_, '_> {
    type Output = ();

    fn run<K: Kernel>(self, kernel: K) {
        let net = self.model.net();
        let mut memory = storage(net);
        let mut session = Session::new(&self.model, kernel, &mut memory)
            .expect("the storage is as long as the shape says");
        let shape = shape_name(net);
        let mut group = self
            .criterion
            .benchmark_group(format!("step/{}/{shape}", numbers(net)));
        group.sampling_mode(SamplingMode::Flat);
        group.throughput(Throughput::ElementsAndBytes {
            elements: net.macs_per_step() as u64,
            bytes: footprint(net) as u64,
        });
        let mut id = 0;
        group.bench_function(K::NAME, |bencher| {
            bencher.iter(|| {
                id = next_token(id, net.vocab());
                session.step(TokenId(id)).map(|logits| logits.len())
            });
        });
        group.finish();
    }
}

fn step(criterion: &mut Criterion) {
    type Make = fn(&Net, Isa) -> gatelet_trainer::error::Result<Image>;
    let makers: [Make; 3] = [
        |net, isa| model(net, Precision::F32, isa),
        |net, isa| model(net, Precision::Int8, isa),
        model_of_four_bits,
    ];
    for make in makers {
        for layers in [1, 2] {
            for hidden in [32, 64, 128, 256, 512] {
                for vocab in [64, 96, 256] {
                    let net = lstm(layers, hidden, vocab);
                    for isa in Isa::available() {
                        let image = make(&net, isa).expect("a shape in range");
                        let model = image.model().expect("the image was just made");
                        isa.run(Step { criterion, model });
                    }
                }
            }
        }
    }
}

criterion_group!(
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(20))
        .measurement_time(Duration::from_millis(60))
        .nresamples(1_000);
    targets = step
);
criterion_main!(benches);
