//! A whole step: row gather, recurrent product, cell, head. Ids read `step/cell/precision/shape/isa`;
//! throughput is in multiply-accumulates.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gatelet::{Isa, Kernel, Model, Precision, Session, TokenId, WithKernel};
use gatelet_trainer::export;
use gatelet_trainer::image::storage;
use gatelet_trainer::params::{Cell, Shape};

struct Step<'a, 'c> {
    criterion: &'c mut Criterion,
    model: Model<'a>,
}

impl WithKernel for Step<'_, '_> {
    type Output = ();

    fn run<K: Kernel>(self, kernel: K) {
        let dims = self.model.dims();
        let mut memory = storage(&dims);
        let Ok(mut session) = Session::new(self.model, kernel, &mut memory) else {
            return;
        };
        let mut group = self
            .criterion
            .benchmark_group(format!("step/{}/{}", dims.cell, dims.precision));
        group.throughput(Throughput::Elements(dims.macs_per_step() as u64));
        let shape = format!("{}x{}-v{}", dims.layers, dims.hidden, dims.vocab);
        let mut id = 0;
        group.bench_function(BenchmarkId::new(shape, K::NAME), |bencher| {
            bencher.iter(|| {
                id = (id + 1) % dims.vocab as u16;
                session.step(TokenId(id)).map(|logits| logits.argmax())
            });
        });
        group.finish();
    }
}

fn step(criterion: &mut Criterion) {
    for precision in [Precision::F32, Precision::Int8] {
        for (layers, hidden) in [(1, 64), (1, 128), (1, 256), (1, 512), (2, 512)] {
            let shape = Shape {
                cell: Cell::Lstm,
                layers,
                hidden,
                vocab: 96,
            };
            let Ok(image) = export::random(shape, precision, 1, "bench") else {
                continue;
            };
            let Ok(model) = image.model() else { continue };
            for isa in Isa::available() {
                isa.run(Step { criterion, model });
            }
        }
    }
}

criterion_group!(benches, step);
criterion_main!(benches);
