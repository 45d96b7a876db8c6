//! The products of a training step, in GFLOP/s by MAC/s: `dense/what/shape/isa`.
//!
//! ```text
//! matmul  [rows, k] x [k, n], packed      outer  [rows, m]^T x [rows, n]
//! ```

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gatelet_products::{Columns, PackedShape, Products, matmul_scratch, outer_scratch};
use gatelet_trainer::memory::Memory;
use std::time::Duration;

/// (rows, k, n) of the products of a window: recurrent forward and backward, of 128, 256 and 512 units.
const MATMULS: [(usize, usize, usize); 8] = [
    (16, 128, 512),
    (16, 512, 128),
    (16, 256, 1024),
    (16, 1024, 256),
    (16, 512, 2048),
    (16, 2048, 512),
    (1024, 128, 96),
    (1024, 96, 128),
];
/// (rows, m, n) of gradients.
const OUTERS: [(usize, usize, usize); 4] = [
    (1024, 128, 512),
    (1024, 256, 1024),
    (1024, 512, 2048),
    (1024, 96, 128),
];

fn bench(criterion: &mut Criterion, products: Products) {
    let mut group = criterion.benchmark_group("dense");
    group.sample_size(10);
    group.warm_up_time(Duration::from_millis(100));
    group.measurement_time(Duration::from_millis(300));
    for (rows, k, n) in MATMULS {
        let shape = PackedShape {
            k,
            n,
            columns: Columns::Consecutive,
            lanes: products.lanes(),
        };
        let mut weights = Memory::zeroed(shape.len());
        weights.fill(0.01);
        let (a, mut c) = (vec![0.5; rows * k], vec![0.0; rows * n]);
        group.throughput(Throughput::Elements((rows * k * n) as u64));
        let id = format!("matmul/{rows}x{k}x{n}/{}", products.name());
        group.bench_function(BenchmarkId::from_parameter(id), |bencher| {
            let w = shape.of(&weights).expect("its own length");
            let mut scratch = vec![0.0; matmul_scratch(rows, k)];
            bencher.iter(|| products.matmul(&a, &w, false, true, &mut c, &mut scratch));
        });
    }
    for (rows, m, n) in OUTERS {
        let (a, b) = (vec![0.5; rows * m], vec![0.25; rows * n]);
        let mut c = vec![0.0; m * n];
        let mut scratch = vec![0.0; outer_scratch(rows, m)];
        group.throughput(Throughput::Elements((rows * m * n) as u64));
        let id = format!("outer/{rows}x{m}x{n}/{}", products.name());
        group.bench_function(BenchmarkId::from_parameter(id), |bencher| {
            bencher.iter(|| products.outer((&a, m), (&b, n), false, &mut c, &mut scratch));
        });
    }
    group.finish();
}

fn all(criterion: &mut Criterion) {
    // Without the plain form.
    for products in Products::available().skip(1) {
        bench(criterion, products);
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
