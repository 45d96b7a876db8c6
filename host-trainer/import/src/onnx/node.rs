//! What each kind of node does, and why some cannot come along.

use super::arithmetic::Operator;
use super::constant::constant;
use super::proto::Node;
use super::reader::Reader;
use super::step::Step;
use super::tensor::{Axis, Data, Num, Tensor};
use crate::draft::Function;

impl Reader {
    /// What a node makes, one for each output.
    pub(super) fn node(&mut self, node: &Node) -> Step<Vec<Option<Tensor>>> {
        let domain = node.domain.as_deref().unwrap_or_default();
        if !matches!(domain, "" | "ai.onnx") {
            return node.refuse(
                format!("it is no standard operator but one of {domain}"),
                "export the model with standard operators only (opset 13 or above)",
            );
        }
        let one = match node.op() {
            "LSTM" | "GRU" | "RNN" => return self.recurrent(node),
            "If" => return self.condition(node),
            "Split" => return self.split(node),
            "Constant" => self.constant(node)?,
            "Identity" => self.input(node, 0)?,
            "Dropout" => self.input(node, 0)?,
            "Cast" | "CastLike" => self.cast(node)?,
            "Shape" => self.shape(node)?,
            "Size" => self.size(node)?,
            "ConstantOfShape" => self.constant_of_shape(node)?,
            "Expand" => self.expand(node)?,
            "Tile" => self.tile(node)?,
            "ReduceProd" => self.product(node)?,
            "Transpose" => self.transpose(node)?,
            "Squeeze" => self.squeeze(node)?,
            "Unsqueeze" => self.unsqueeze(node)?,
            "Reshape" => self.reshape(node)?,
            "Flatten" => self.flatten(node)?,
            "Slice" => self.slice(node)?,
            "Gather" => self.gather(node)?,
            "Concat" => self.concat(node)?,
            "Add" | "Sum" => self.elementwise(node, Operator::Add)?,
            "Sub" => self.elementwise(node, Operator::Sub)?,
            "Mul" => self.elementwise(node, Operator::Mul)?,
            "Div" => self.elementwise(node, Operator::Div)?,
            "Neg" => self.negative(node)?,
            "Sqrt" => self.folded(node, f32::sqrt)?,
            "Reciprocal" => self.folded(node, f32::recip)?,
            "Exp" => self.folded(node, f32::exp)?,
            "Equal" => self.compare(node, |a, b| a == b)?,
            "Less" => self.compare(node, |a, b| a < b)?,
            "LessOrEqual" => self.compare(node, |a, b| a <= b)?,
            "Greater" => self.compare(node, |a, b| a > b)?,
            "GreaterOrEqual" => self.compare(node, |a, b| a >= b)?,
            "And" => self.compare(node, |a, b| a != 0 && b != 0)?,
            "Or" => self.compare(node, |a, b| a != 0 || b != 0)?,
            "Not" => self.not(node)?,
            "Where" => self.choose(node)?,
            "Relu" => self.function(node, Function::Relu)?,
            "Tanh" => self.function(node, Function::Tanh)?,
            "Sigmoid" => self.function(node, Function::Sigmoid)?,
            "Elu" if node.float("alpha").is_none_or(|alpha| alpha == 1.0) => {
                self.function(node, Function::Elu)?
            }
            "HardSigmoid" => {
                let slope = node.float("alpha").unwrap_or(0.2);
                let offset = node.float("beta").unwrap_or(0.5);
                self.function(node, Function::HardSigmoid { slope, offset })?
            }
            "Clip" => self.clip(node)?,
            "Softmax" => self.softmax(node)?,
            "MatMul" => self.matmul(node)?,
            "Gemm" => self.gemm(node)?,
            "BatchNormalization" => self.batch_normalization(node)?,
            other => {
                let (what, remedy) = reason(other);
                return node.refuse(what, remedy);
            }
        };
        Ok(vec![Some(one)])
    }

    fn constant(&mut self, node: &Node) -> Step<Tensor> {
        let label = node.label();
        for of in &node.attribute {
            let all = |nums: Vec<Num>| Tensor::ints(nums);
            match (of.name.as_deref().unwrap_or_default(), &of.t) {
                ("value", Some(tensor)) => return Ok(constant(tensor, &label)?),
                ("value_float", _) => {
                    let one = Data::Floats(vec![of.f.unwrap_or(0.0)].into());
                    return Ok(Tensor::new(Vec::new(), one));
                }
                ("value_floats", _) => {
                    let axes = vec![Axis::fixed(of.floats.len())];
                    return Ok(Tensor::new(axes, Data::Floats(of.floats.clone().into())));
                }
                ("value_int", _) => {
                    let one = all(vec![Num::Known(of.i.unwrap_or(0))]);
                    return Ok(one.with_axes(Vec::new()));
                }
                ("value_ints", _) => {
                    return Ok(all(of.ints.iter().map(|x| Num::Known(*x)).collect()));
                }
                _ => {}
            }
        }
        node.refuse(
            "it is a constant of text, or sparse",
            "save the model with dense tensors",
        )
    }

    fn size(&mut self, node: &Node) -> Step<Tensor> {
        let tensor = self.input(node, 0)?;
        let mut times = Num::Known(1);
        for axis in &tensor.axes {
            times = super::arithmetic::whole(Operator::Mul, &times, &self.outers.num(axis));
        }
        Ok(Tensor::ints(vec![times]).with_axes(Vec::new()))
    }

    fn not(&mut self, node: &Node) -> Step<Tensor> {
        let tensor = self.input(node, 0)?;
        let Some(all) = tensor.as_ints() else {
            return node.refuse("it negates the net's numbers", "a step has no branches");
        };
        let not = |num: &Num| match num {
            Num::Known(x) => Num::Known(i64::from(*x == 0)),
            _ => Num::Unknown,
        };
        let data = Data::Ints(all.iter().map(not).collect::<Vec<_>>().into());
        Ok(Tensor { data, ..tensor })
    }

    /// The branch that is taken, where the file itself says which.
    fn condition(&mut self, node: &Node) -> Step<Vec<Option<Tensor>>> {
        let condition = self.input(node, 0)?;
        let known = match condition.as_ints() {
            Some([num]) => self.outers.known(num),
            _ => None,
        };
        let branch = match known {
            Some(0) => "else_branch",
            Some(_) => "then_branch",
            None => {
                return node.refuse(
                    "which branch it takes depends on its input or on the sequence's length",
                    "a step has no branches: export each branch on its own",
                );
            }
        };
        let graph = node.attribute(branch).and_then(|of| of.g.as_ref());
        match graph {
            Some(graph) => self.branch(node, graph),
            None => node.wrong(format!("it has no {branch}")),
        }
    }
}

/// Why a kind of node cannot come along, and what to do.
pub(super) fn reason(op: &str) -> (String, &'static str) {
    let text = |what: &str| what.to_owned();
    match op {
        "Loop" | "Scan" => (
            text("it is a loop over a graph of its own"),
            "export the recurrent layer whole, or a single step with its states as inputs and \
             outputs; a Keras model is imported from its .keras",
        ),
        "Conv" | "ConvTranspose" => (
            text("it is a convolution"),
            "Gatelet has recurrent and dense layers only: compute features before the net",
        ),
        "Attention" | "MultiHeadAttention" | "Einsum" => (
            text("it multiplies values of the net with each other (attention)"),
            "Gatelet has recurrent and dense layers only",
        ),
        "LayerNormalization"
        | "GroupNormalization"
        | "InstanceNormalization"
        | "RMSNormalization" => (
            text("it normalises by the mean and variance of the step itself"),
            "train with batch normalisation, which is folded, or with none",
        ),
        "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" | "ReduceL2"
        | "GlobalAveragePool" | "GlobalMaxPool" | "AveragePool" | "MaxPool" => (
            text("it sums or pools several numbers of a value"),
            "read the last step instead of a mean over time",
        ),
        "LogSoftmax" => (
            text("it gives logarithms of probabilities"),
            "let the net end in its scores or in a softmax",
        ),
        "ArgMax" | "TopK" => (
            text("it gives indices, not numbers"),
            "let the net end in its scores",
        ),
        "QuantizeLinear"
        | "DequantizeLinear"
        | "DynamicQuantizeLinear"
        | "MatMulInteger"
        | "QLinearMatMul"
        | "DynamicQuantizeLSTM" => (
            text("it is quantized already"),
            "import the float32 model; export quantizes by its own rules",
        ),
        "LeakyRelu" | "Elu" | "Selu" | "Celu" | "PRelu" | "Softplus" | "Softsign" | "Gelu"
        | "Erf" | "HardSwish" | "Mish" | "ThresholdedRelu" | "Swish" | "Pow" | "Abs" | "Log" => (
            text("Gatelet has no such function"),
            "use relu, tanh, sigmoid or hard_sigmoid",
        ),
        "" => (
            text("it does not say what it is"),
            "check the file with onnx.checker",
        ),
        _ => (
            text("Gatelet has no such operation"),
            "leave it out of the exported net and compute it beside",
        ),
    }
}
