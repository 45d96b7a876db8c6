//! A step of several streams at once. Ids read `batch/type/shape-b<streams>/isa`; elements are the multiply-accumulates of
//! all streams, so that throughput compares with `step`'s, and what sharing the weights gains can be read off.

use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use gatelet::{Batch, Isa, Kernel, Model, Precision, TokenId, WithKernel};
use gatelet_benches::{VOCAB, lstm, model, next_token, shape_name};

struct Step<'a, 'c> {
    criterion: &'c mut Criterion,
    model: Model<'a>,
    streams: usize,
}

impl WithKernel for Step<'_, '_> {
    type Output = ();

    fn run<K: Kernel>(self, kernel: K) {
        let net = self.model.net();
        let mut memory = vec![0; self.streams * net.state_words()];
        let mut batch = Batch::new(&self.model, kernel, self.streams, &mut memory)
            .expect("the storage is as long as the shape says");
        let shape = shape_name(net);
        let name = format!("batch/{}/{shape}-b{}", net.precision, self.streams);
        let mut group = self.criterion.benchmark_group(name);
        group.sampling_mode(SamplingMode::Flat);
        group.throughput(Throughput::Elements(
            (self.streams * net.macs_per_step()) as u64,
        ));
        let mut ids = vec![TokenId(0); self.streams];
        group.bench_function(K::NAME, |bencher| {
            bencher.iter(|| {
                for id in &mut ids {
                    *id = TokenId(next_token(id.0, net.vocab()));
                }
                batch.step(&ids)
            });
        });
        group.finish();
    }
}

fn batch(criterion: &mut Criterion) {
    for precision in [Precision::F32, Precision::Int8] {
        for (layers, hidden) in [(1, 64), (1, 128), (1, 512), (2, 512)] {
            for isa in Isa::available() {
                let image = model(&lstm(layers, hidden, VOCAB), precision, isa).expect("a shape");
                for streams in [1, 8, 32] {
                    isa.run(Step {
                        criterion,
                        model: image.model().expect("the image was just made"),
                        streams,
                    });
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
    targets = batch
);
criterion_main!(benches);
