use gatelet::net::Reset;

use super::*;
use crate::draft::{Cell, Output};
use crate::plain::Plain;

fn layer(kind: Kind, reads: &[usize]) -> Layer {
    Layer {
        name: "a layer".to_owned(),
        from: "of a test".to_owned(),
        kind,
        reads: reads.to_vec(),
        tensors: Vec::new(),
        notes: Vec::new(),
    }
}

fn numbers(len: usize, seed: usize) -> Vec<f32> {
    let number = |k: usize| (((k + seed) * 7919 % 201) as f32 - 100.0) / 150.0;
    (0..len).map(number).collect()
}

fn matrix(rows: usize, columns: usize, seed: usize) -> Matrix {
    Matrix::new(rows, columns, numbers(rows * columns, seed)).expect("a matrix")
}

fn draft(layers: Vec<Layer>, width: usize, value: usize) -> Draft {
    Draft {
        format: "test",
        input: Input::Features(vec![("x".to_owned(), width)]),
        layers,
        outputs: vec![Output {
            name: "y".to_owned(),
            value,
        }],
        notes: Vec::new(),
    }
}

/// A GRU over normalised features, a norm behind it, a function behind the dense layer, softmax.
#[test]
fn what_needs_no_operation_is_folded() {
    let gru = Recurrent {
        cell: Cell::Gru {
            reset: Reset::After,
            gate: Function::Sigmoid,
            candidate: Function::Tanh,
        },
        input: matrix(6, 3, 1),
        recurrent: matrix(6, 2, 2),
        bias: numbers(6, 3),
        hidden_bias: numbers(2, 4),
        h: numbers(2, 5),
        c: Vec::new(),
    };
    let affine = |seed| Kind::Affine {
        factor: numbers(2, seed),
        offset: numbers(2, seed + 1),
    };
    let head = Kind::Dense {
        weight: matrix(2, 2, 6),
        bias: numbers(2, 7),
        function: Function::Linear,
    };
    let input = Kind::Affine {
        factor: vec![0.5],
        offset: vec![1.0],
    };
    let layers = vec![
        layer(input, &[0]),
        layer(Kind::Recurrent(Box::new(gru.clone())), &[1]),
        layer(affine(8), &[2]),
        layer(head, &[3]),
        layer(affine(9), &[4]),
        layer(Kind::Activation(Function::Relu), &[5]),
        layer(Kind::Softmax, &[6]),
    ];
    let net = lower(draft(layers, 3, 7)).expect("a net");
    assert_eq!(net.net.len(), 2);
    assert!(net.outputs[0].softmax);

    let x = [0.3_f32, -0.7, 2.0];
    let got = Plain::new(&net).step(&x, 0);
    let plain = lower(draft(
        vec![layer(Kind::Recurrent(Box::new(gru)), &[0])],
        3,
        1,
    ));
    let plain = plain.expect("a net");
    let h = Plain::new(&plain).step(&x.map(|x| 0.5 * x + 1.0), 0);
    let of = |seed: usize, x: &[f64]| -> Vec<f64> {
        let pairs = numbers(2, seed).into_iter().zip(numbers(2, seed + 1));
        let all = x.iter().zip(pairs);
        all.map(|(x, (f, o))| x * f64::from(f) + f64::from(o))
            .collect()
    };
    let (h, weight, bias) = (of(8, &h), numbers(4, 6), numbers(2, 7));
    let row = |k: usize| {
        let sum: f64 = (0..2).map(|j| f64::from(weight[2 * k + j]) * h[j]).sum();
        sum + f64::from(bias[k])
    };
    let y: Vec<f64> = of(9, &[row(0), row(1)])
        .iter()
        .map(|y| y.max(0.0).exp())
        .collect();
    for (got, y_k) in got.iter().zip(&y) {
        let right = y_k / (y[0] + y[1]);
        assert!((got - right).abs() < 1e-6, "{got} {right}");
    }
}

#[test]
fn what_cannot_be_is_named() {
    let error = |layers, width, value| lower(draft(layers, width, value)).expect_err("no net");
    let dense = |columns| Kind::Dense {
        weight: matrix(2, columns, 1),
        bias: numbers(2, 1),
        function: Function::Linear,
    };
    let wrong = error(vec![layer(dense(4), &[0])], 3, 1);
    assert!(wrong.to_string().contains("[2, 4], not [2, 3]"), "{wrong}");
    let forward = error(vec![layer(dense(3), &[2])], 3, 1);
    assert!(forward.to_string().contains("no layer before"), "{forward}");
    let behind = vec![layer(Kind::Softmax, &[0]), layer(dense(3), &[1])];
    let behind = lower(draft(behind, 3, 2)).expect("a net");
    assert_eq!(behind.net.len(), 2);
    let found = Plain::new(&behind).step(&[1.0, 2.0, 0.5], 0);
    let mut weights = vec![layer(dense(3), &[0])];
    let plain = lower(draft(std::mem::take(&mut weights), 3, 1)).expect("a net");
    let parts = [1.0_f32, 2.0, 0.5].map(f32::exp);
    let sum: f32 = parts.iter().sum();
    let right = Plain::new(&plain).step(&parts.map(|x| x / sum), 0);
    for (found, right) in found.iter().zip(right) {
        assert!((found - right).abs() < 1e-6, "{found} {right}");
    }
    let mut nan = matrix(2, 3, 1);
    nan.data[4] = f32::NAN;
    let kind = Kind::Dense {
        weight: nan,
        bias: numbers(2, 1),
        function: Function::Linear,
    };
    let nan = error(vec![layer(kind, &[0])], 3, 1);
    assert!(nan.to_string().contains("at 4"), "{nan}");
}

/// Sizes that a file only declares cost no memory.
#[test]
fn sizes_without_numbers_are_refused() {
    let wide = lower(draft(vec![layer(Kind::Identity, &[0])], 1 << 40, 1)).expect_err("too wide");
    assert!(wide.to_string().contains("of at most 1024"), "{wide}");
    for width in [0, 3] {
        let join = |k: usize| layer(Kind::Concat, &[k; 8]);
        let joined = lower(draft((0..40).map(join).collect(), width, 40)).expect_err("too wide");
        assert!(joined.to_string().contains("any operation"), "{joined}");
    }
}
