//! What core offers beside the step: activations, sampling, loading. Ids read `operation/type/shape/isa`; `any`
//! stands for code that is the same for every kernel.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gatelet::activation::{SIGMOID, TANH, piecewise, sigmoid_f32, tanh_f32};
use gatelet::{Isa, Logits, Model, Precision, Sampler};
use gatelet_benches::{lstm, model, shape_name};

/// Values of an activation bench: the gates of a layer of 256 units.
const VALUES: usize = 1024;

fn activations(criterion: &mut Criterion) {
    // From -8 to 8, the range of a pre-activation in Q3.12.
    let floats: Vec<f32> = (0..VALUES)
        .map(|i| i as f32 / (VALUES / 16) as f32 - 8.0)
        .collect();
    let integers: Vec<i16> = floats.iter().map(|x| (x * 4095.0) as i16).collect();
    for (name, function) in [
        ("sigmoid", sigmoid_f32 as fn(f32) -> f32),
        ("tanh", tanh_f32),
    ] {
        let mut group = criterion.benchmark_group(format!("{name}/f32/{VALUES}"));
        group.throughput(Throughput::Elements(VALUES as u64));
        group.bench_function("any", |bencher| {
            bencher.iter(|| black_box(&floats).iter().map(|&x| function(x)).sum::<f32>());
        });
    }
    for (name, table) in [("sigmoid", &SIGMOID), ("tanh", &TANH)] {
        let mut group = criterion.benchmark_group(format!("{name}/int16/{VALUES}"));
        group.throughput(Throughput::Elements(VALUES as u64));
        group.bench_function("any", |bencher| {
            let sum = |sum, &z: &i16| sum + i32::from(piecewise(table, z));
            bencher.iter(|| black_box(&integers).iter().fold(0, sum));
        });
    }
}

fn sampling(criterion: &mut Criterion) {
    for vocab in [64, 96, 256] {
        let floats: Vec<f32> = (0..vocab).map(|i| ((i * 37) % 50) as f32 / 10.0).collect();
        let integers: Vec<i32> = floats.iter().map(|x| (x * 65_536.0) as i32).collect();
        for (precision, logits) in [
            (Precision::F32, Logits::of_f32(&floats)),
            (Precision::Int8, Logits::of_q16(&integers)),
        ] {
            let mut sampler = Sampler::new(1)
                .with_temperature(0.8)
                .expect("a temperature in range");
            let mut group = criterion.benchmark_group(format!("sample/{precision}/v{vocab}"));
            group.throughput(Throughput::Elements(vocab as u64));
            group.bench_function("any", |bencher| {
                bencher.iter(|| sampler.sample(black_box(&logits)));
            });
        }
    }
}

/// `Model::from_bytes`: every byte is checked once.
fn loading(criterion: &mut Criterion) {
    for precision in [Precision::F32, Precision::Int8] {
        for hidden in [32, 128, 512] {
            let plain = Isa::available().next().expect("there is the specification");
            let image = model(&lstm(1, hidden, 96), precision, plain).expect("a shape in range");
            let shape = shape_name(&lstm(1, hidden, 96));
            let mut group = criterion.benchmark_group(format!("load/{precision}/{shape}"));
            group.throughput(Throughput::Bytes(image.bytes().len() as u64));
            group.bench_function("any", |bencher| {
                bencher.iter(|| Model::from_bytes(black_box(image.bytes())).map(|m| *m.net()));
            });
        }
    }
}

criterion_group!(
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(50))
        .measurement_time(Duration::from_millis(200))
        .nresamples(1_000);
    targets = activations, sampling, loading
);
criterion_main!(benches);
