//! tract: a graph of onnx_graph.py, optimized and run once a token in a state that is kept.
//!
//! `tract-step GRAPH.onnx` prints `ready`, then a line for every line on stdin, as step.py says.

use std::hint::black_box;
use std::io::{Write, stdin, stdout};
use std::time::Instant;

use tract_onnx::prelude::*;

/// Characters of the models, as in gatelet-benches.
const VOCAB: usize = 96;

fn main() -> TractResult<()> {
    let path = std::env::args().nth(1).expect("the path of a graph");
    let model = tract_onnx::onnx().model_for_path(path)?.into_optimized()?;
    let shapes: Vec<Vec<usize>> = (1..model.inputs.len())
        .map(|input| {
            Ok(model
                .input_fact(input)?
                .shape
                .as_concrete()
                .expect("fixed shapes")
                .to_vec())
        })
        .collect::<TractResult<_>>()?;
    let zeros = || -> TractResult<TVec<TValue>> {
        shapes
            .iter()
            .map(|shape| Ok(Tensor::zero::<f32>(shape)?.into_tvalue()))
            .collect()
    };
    let mut engine = model.into_runnable()?.spawn()?;
    // One step: the states go in behind the token, and come out behind the logits in the same order.
    let mut step = |id: usize, states: &mut TVec<TValue>| -> TractResult<TValue> {
        let mut inputs: TVec<TValue> = tvec!(tensor1(&[id as i64]).into());
        inputs.append(states);
        let mut outputs = engine.run(inputs)?;
        let logits = outputs.remove(0);
        *states = outputs;
        Ok(logits)
    };

    let mut states = zeros()?;
    let mut turn = 0;
    println!("ready");
    for line in stdin().lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        let request = words.next().unwrap_or_default();
        let numbers: Vec<usize> = words.map(str::parse).collect::<Result<_, _>>()?;
        match request {
            "logits" => {
                states = zeros()?;
                let mut logits = None;
                for &id in &numbers {
                    logits = Some(step(id, &mut states)?);
                }
                let logits = logits.expect("at least one token");
                let text: Vec<String> = logits
                    .to_plain_array_view::<f32>()?
                    .iter()
                    .map(f32::to_string)
                    .collect();
                println!("{}", text.join(" "));
            }
            "time" => {
                let mut steps = |n| -> TractResult<()> {
                    for _ in 0..n {
                        turn = (turn + 37) % VOCAB;
                        black_box(step(turn, &mut states)?);
                    }
                    Ok(())
                };
                steps(2)?;
                let start = Instant::now();
                steps(numbers[0])?;
                println!(
                    "{}",
                    start.elapsed().as_secs_f64() * 1e9 / numbers[0] as f64
                );
            }
            _ => panic!("not a request: {line:?}"),
        }
        stdout().flush()?;
    }
    Ok(())
}
