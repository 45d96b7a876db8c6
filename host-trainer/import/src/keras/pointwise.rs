//! Layers that see one step at a time: dense, activations, normalisation, and what changes nothing.

use serde_json::Value;

use super::builder::{About, Builder, Form, Made, Of, expect, of_last_axis};
use super::function::{Act, activation, function};
use super::json::{damaged, flag, list, real, size};
use super::refuse;
use crate::draft::{Function, Kind, Matrix};
use crate::error::{Result, refused};

/// Smallest deviation that Normalization divides by.
const EPSILON: f64 = 1e-7;

impl Builder<'_> {
    /// A layer of one operand that keeps steps apart.
    pub(super) fn pointwise(&mut self, of: Of<'_>, read: Made) -> Result<Made> {
        match of.class {
            "Dense" => self.dense(of, read),
            "Activation" | "ReLU" | "Softmax" => {
                let act = activation(of.name, of.class, of.config, self.version)?;
                Ok(self.act(of, act, read))
            }
            "BatchNormalization" => self.batch_normalization(of, read),
            "Normalization" => self.normalization(of, read),
            "Rescaling" => self.rescaling(of, read),
            "Dropout" | "SpatialDropout1D" | "GaussianDropout" | "AlphaDropout"
            | "GaussianNoise" => Ok(self.same(of, read, "left out: it acts in training only")),
            "ActivityRegularization" | "Identity" => {
                Ok(self.same(of, read, "left out: it changes nothing"))
            }
            "Flatten" => self.flatten(of, read),
            "Reshape" => self.reshape(of, read),
            class => Err(refuse::class(of.name, class)),
        }
    }

    /// A layer that gives what it reads.
    fn same(&mut self, of: Of<'_>, read: Made, why: &str) -> Made {
        let about = About {
            notes: vec![why.to_owned()],
            ..About::default()
        };
        Made {
            value: self.push(of.name, of.class, Kind::Identity, &[read.value], about),
            ..read
        }
    }

    /// An activation that is a layer of the draft.
    fn act(&mut self, of: Of<'_>, act: Act, read: Made) -> Made {
        let kind = match act {
            Act::Of(function) => Kind::Activation(function),
            Act::Softmax => Kind::Softmax,
        };
        Made {
            value: self.push(of.name, of.class, kind, &[read.value], About::default()),
            ..read
        }
    }

    fn dense(&mut self, of: Of<'_>, read: Made) -> Result<Made> {
        let units = size(of.config, "units", of.name)?;
        let biased = of.config.get("use_bias") != Some(&Value::Bool(false));
        let roles: &[&str] = if biased {
            &["kernel", "bias"]
        } else {
            &["kernel"]
        };
        let tensors = self.store.take(of.name, of.place, roles)?;
        let names = tensors.iter().map(|tensor| tensor.name.clone()).collect();
        let mut tensors = tensors.into_iter();
        let (kernel, bias) = (tensors.next(), tensors.next());
        let kernel = kernel.ok_or_else(|| damaged("a dense layer without a kernel"))?;
        expect(of.name, &kernel.name, &kernel.shape, &[read.width, units])?;
        let weight = Matrix::new(read.width, units, kernel.data).unwrap_or_default();
        let bias = match bias {
            Some(bias) => {
                expect(of.name, &bias.name, &bias.shape, &[units])?;
                bias.data
            }
            None => vec![0.0; units],
        };
        let act = function(of.name, of.config.get("activation"), self.version)?;
        let kind = Kind::Dense {
            weight: weight.transposed(),
            bias,
            function: match act {
                Act::Of(function) => function,
                Act::Softmax => Function::Linear,
            },
        };
        let about = About {
            tensors: names,
            ..About::default()
        };
        let made = Made {
            value: self.push(of.name, of.class, kind, &[read.value], about),
            width: units,
            ..read
        };
        match act {
            Act::Of(_) => Ok(made),
            Act::Softmax => Ok(self.act(of, act, made)),
        }
    }

    /// `factor x + offset`.
    fn affine(&mut self, of: Of<'_>, read: Made, pairs: Vec<[f64; 2]>, names: Vec<String>) -> Made {
        let kind = Kind::Affine {
            factor: pairs.iter().map(|[factor, _]| *factor as f32).collect(),
            offset: pairs.iter().map(|[_, offset]| *offset as f32).collect(),
        };
        let about = About {
            tensors: names,
            notes: vec!["becomes part of the weights beside it".to_owned()],
        };
        Made {
            value: self.push(of.name, of.class, kind, &[read.value], about),
            ..read
        }
    }

    /// `gamma (x - mean) / sqrt(variance + epsilon) + beta`.
    fn batch_normalization(&mut self, of: Of<'_>, read: Made) -> Result<Made> {
        if !of_last_axis(of, read.form, -1)? {
            let what = "it normalises along another axis than the last";
            return Err(refused(of.name, what, "normalise the features"));
        }
        let has = |key: &str| of.config.get(key) != Some(&Value::Bool(false));
        let roles: Vec<&str> = [("scale", "gamma"), ("center", "beta")]
            .into_iter()
            .filter_map(|(key, role)| has(key).then_some(role))
            .chain(["moving_mean", "moving_variance"])
            .collect();
        let epsilon = real(of.config, "epsilon").unwrap_or(1e-3);
        let tensors = self.store.take(of.name, of.place, &roles)?;
        for tensor in &tensors {
            expect(of.name, &tensor.name, &tensor.shape, &[read.width])?;
        }
        let of_role = |role: &str, k: usize, default: f64| {
            let at = roles.iter().position(|other| *other == role);
            at.map_or(default, |at| f64::from(tensors[at].data[k]))
        };
        let pair = |k: usize| {
            let deviation = (of_role("moving_variance", k, 1.0) + epsilon).sqrt();
            let factor = of_role("gamma", k, 1.0) / deviation;
            let mean = of_role("moving_mean", k, 0.0);
            [factor, of_role("beta", k, 0.0) - mean * factor]
        };
        let pairs = (0..read.width).map(pair).collect();
        let names = tensors.iter().map(|tensor| tensor.name.clone()).collect();
        Ok(self.affine(of, read, pairs, names))
    }

    /// `(x - mean) / max(sqrt(variance), epsilon)`, or back.
    fn normalization(&mut self, of: Of<'_>, read: Made) -> Result<Made> {
        if !of_last_axis(of, read.form, -1)? {
            let what = "it normalises along another axis than the last";
            return Err(refused(of.name, what, "normalise the features"));
        }
        let mut names = Vec::new();
        let given = ["mean", "variance"].map(|key| numbers(of.config.get(key)));
        let [mean, variance] = match given {
            [Some(mean), Some(variance)] => [mean, variance],
            _ => {
                let tensors = self.store.take(of.name, of.place, &["mean", "variance"])?;
                names = tensors.iter().map(|tensor| tensor.name.clone()).collect();
                let wide = |at: usize| tensors[at].data.iter().copied().map(f64::from).collect();
                [wide(0), wide(1)]
            }
        };
        let width = if mean.len() == 1 { 1 } else { read.width };
        for (name, numbers) in [("mean", &mean), ("variance", &variance)] {
            expect(of.name, name, &[numbers.len()], &[width])?;
        }
        let back = flag(of.config, "invert");
        let pair = |(mean, variance): (&f64, &f64)| {
            let deviation = variance.sqrt().max(EPSILON);
            match back {
                true => [deviation, *mean],
                false => [deviation.recip(), -mean / deviation],
            }
        };
        let pairs = mean.iter().zip(&variance).map(pair).collect();
        Ok(self.affine(of, read, pairs, names))
    }

    fn rescaling(&mut self, of: Of<'_>, read: Made) -> Result<Made> {
        let scale = numbers(of.config.get("scale")).unwrap_or_else(|| vec![1.0]);
        let offset = numbers(of.config.get("offset")).unwrap_or_else(|| vec![0.0]);
        let len = scale.len().max(offset.len());
        for (name, numbers) in [("scale", &scale), ("offset", &offset)] {
            if !(numbers.len() == 1 || numbers.len() == read.width) {
                expect(of.name, name, &[numbers.len()], &[read.width])?;
            }
        }
        let at = |all: &[f64], k: usize| if all.len() == 1 { all[0] } else { all[k] };
        let pairs = (0..len).map(|k| [at(&scale, k), at(&offset, k)]).collect();
        Ok(self.affine(of, read, pairs, Vec::new()))
    }

    fn flatten(&mut self, of: Of<'_>, read: Made) -> Result<Made> {
        let form = match read.form {
            Form::Vector { .. } => read.form,
            Form::Steps(1) => Form::Vector { last: false },
            Form::Steps(steps) => return Err(over_time(of, steps, read.width)),
        };
        let made = self.same(of, read, "left out: there is one step to flatten");
        Ok(Made { form, ..made })
    }

    fn reshape(&mut self, of: Of<'_>, read: Made) -> Result<Made> {
        let target = list(of.config, "target_shape").iter().map(Value::as_i64);
        let target: Vec<i64> = target.map(Option::unwrap_or_default).collect();
        let width = i64::try_from(read.width).unwrap_or(i64::MAX);
        let is = |size: i64, right: i64| size == right || size == -1;
        let form = match (read.form, &target[..]) {
            (Form::Vector { .. }, [size]) if is(*size, width) => read.form,
            (Form::Vector { last: false }, [steps, size])
                if is(*steps, 1) && is(*size, width) && (*steps, *size) != (-1, -1) =>
            {
                Form::Steps(1)
            }
            (Form::Steps(1), [size]) if is(*size, width) => Form::Vector { last: false },
            (Form::Steps(steps), [again, size])
                if *size == width && (*again == -1 || *again == steps as i64) =>
            {
                read.form
            }
            (Form::Steps(steps), _) => return Err(over_time(of, steps, read.width)),
            _ => {
                let what = format!("it makes {target:?} of a vector of {width} numbers");
                let remedy = "give the net a vector at every step in this form already";
                return Err(refused(of.name, what, remedy));
            }
        };
        let made = self.same(
            of,
            read,
            "left out: a step keeps its numbers and their order",
        );
        Ok(Made { form, ..made })
    }
}

/// Steps become one vector.
fn over_time(of: Of<'_>, steps: usize, width: usize) -> crate::error::Error {
    let steps = match steps {
        0 => "all".to_owned(),
        steps => steps.to_string(),
    };
    let what = format!(
        "{}: it puts {steps} steps of {width} numbers into one vector, and a stream has no end",
        of.class
    );
    let remedy = "train with the last step of a recurrent layer (return_sequences=False) instead";
    refused(of.name, what, remedy)
}

/// Numbers of a configuration: one, or a list of them, however deep.
fn numbers(value: Option<&Value>) -> Option<Vec<f64>> {
    match value? {
        Value::Null => None,
        Value::Array(all) => {
            let all: Option<Vec<Vec<f64>>> = all.iter().map(|one| numbers(Some(one))).collect();
            all.map(|all| all.concat())
        }
        value => value.as_f64().map(|number| vec![number]),
    }
}
