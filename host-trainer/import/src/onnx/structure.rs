//! Nodes that only move numbers.

use super::outer::Role;
use super::proto::Node;
use super::reader::{Reader, together};
use super::step::Step;
use super::tensor::{Axis, Data, Num, Tensor};

/// What a slice or an index takes of an outer axis.
enum Part {
    All,
    First,
    Last,
    Other,
}

impl Reader {
    pub(super) fn transpose(&mut self, node: &Node) -> Step<Tensor> {
        let tensor = self.input(node, 0)?;
        let rank = tensor.axes.len();
        let order: Vec<i64> = match node.attribute("perm") {
            Some(of) => of.ints.clone(),
            None => (0..rank as i64).rev().collect(),
        };
        let mut axes = Vec::new();
        for axis in order {
            axes.push(self.axis(node, axis, rank)?);
        }
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        if sorted != (0..rank).collect::<Vec<_>>() {
            return node.wrong("its order of axes is no order of what it reads");
        }
        Ok(tensor.transposed(&axes))
    }

    pub(super) fn squeeze(&mut self, node: &Node) -> Step<Tensor> {
        let tensor = self.input(node, 0)?;
        let rank = tensor.axes.len();
        let named = self.known(node, "axes", 1)?;
        let mut gone = vec![false; rank];
        match named {
            Some(named) => {
                for axis in named {
                    let axis = self.axis(node, axis, rank)?;
                    self.outers.must_be(&tensor.axes[axis])?;
                    match &tensor.axes[axis] {
                        Axis::Fixed { len: 1, .. } => {}
                        // Taken to be 1, as the file says: one step, or one entry.
                        Axis::Outer(_) => {}
                        Axis::Fixed { len, .. } => {
                            return node.wrong(format!("it drops an axis of {len}"));
                        }
                    }
                    gone[axis] = true;
                }
            }
            None => {
                for (gone, axis) in gone.iter_mut().zip(&tensor.axes) {
                    *gone = axis.len() == Some(1);
                }
            }
        }
        let kept = tensor.axes.iter().zip(gone).filter(|(_, gone)| !gone);
        let axes = kept.map(|(axis, _)| axis.clone()).collect();
        Ok(tensor.with_axes(axes))
    }

    pub(super) fn unsqueeze(&mut self, node: &Node) -> Step<Tensor> {
        let tensor = self.input(node, 0)?;
        let named = self.known(node, "axes", 1)?.unwrap_or_default();
        let rank = tensor.axes.len() + named.len();
        let mut new = vec![false; rank];
        for axis in named {
            let axis = self.axis(node, axis, rank)?;
            if std::mem::replace(&mut new[axis], true) {
                return node.wrong("it names an axis twice");
            }
        }
        let mut old = tensor.axes.iter();
        let next = |new| match new {
            true => Some(Axis::ONE),
            false => old.next().cloned(),
        };
        let axes = new.into_iter().filter_map(next).collect();
        Ok(tensor.with_axes(axes))
    }

    /// What `start..end` is of an outer axis.
    fn part(&self, axis: &Axis, start: &Num, end: Option<&Num>) -> Part {
        let size = self.outers.num(axis);
        let len = self.outers.known(&size);
        let from = |num: &Num| -> Option<i64> {
            let known = self.outers.known(num);
            match (known, len) {
                (Some(x), Some(len)) if x < 0 => Some(x.saturating_add(len).max(0)),
                (known, _) => known,
            }
        };
        let ends = match end {
            None => true,
            Some(end) => {
                let past = from(end).is_some_and(|x| x >= len.unwrap_or(i64::from(i32::MAX)));
                past || *end == size
            }
        };
        let last = match (&size, start) {
            (
                Num::Size { times, of, .. },
                Num::Size {
                    times: t,
                    of: o,
                    plus: -1,
                },
            ) => times == t && of == o,
            _ => from(start) == len.map(|len| len - 1).or(Some(-1)),
        };
        let one = end.is_none_or(|end| self.outers.known(end) == Some(1));
        match from(start) {
            Some(0) if ends && end.is_some() => Part::All,
            Some(x) if x < -i64::from(i32::MAX) && ends && end.is_some() => Part::All,
            _ if last && ends => Part::Last,
            Some(0) if one => Part::First,
            _ => Part::Other,
        }
    }

    /// One entry of an outer axis, which is dropped.
    fn entry(&mut self, node: &Node, tensor: &Tensor, axis: usize, part: &Part) -> Step<Tensor> {
        let Axis::Outer(ids) = &tensor.axes[axis] else {
            return node.wrong("it takes an entry of an axis that is not there");
        };
        let batch = ids
            .iter()
            .all(|id| self.outers.role(*id) == Some(Role::Batch));
        let mut tensor = tensor.clone();
        tensor.axes.remove(axis);
        match part {
            Part::First | Part::Last if batch => Ok(tensor),
            Part::Last => {
                self.note("the file's net gives the last step only; a stream gives every step");
                tensor.last = true;
                Ok(tensor)
            }
            _ => node.refuse(
                "it takes some steps of the sequence apart: the recurrence is unrolled over a \
                 fixed number of steps, or reads other steps than its own",
                "export the layer whole (the TorchScript exporter keeps RNN, GRU and LSTM: \
                 dynamo=False)",
            ),
        }
    }

    pub(super) fn slice(&mut self, node: &Node) -> Step<Tensor> {
        let mut tensor = self.input(node, 0)?;
        let rank = tensor.axes.len();
        let (Some(starts), Some(ends)) = (
            self.numbers(node, "starts", 1)?,
            self.numbers(node, "ends", 2)?,
        ) else {
            return node.wrong("it does not say what it takes");
        };
        let axes = match self.known(node, "axes", 3)? {
            Some(axes) => axes,
            None => (0..starts.len() as i64).collect(),
        };
        let steps = self.known(node, "steps", 4)?;
        let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
        if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
            return node.wrong("its starts, ends, axes and steps are not as many");
        }
        for (k, axis) in axes.iter().enumerate() {
            let axis = self.axis(node, *axis, rank)?;
            let (start, end, step) = (&starts[k], &ends[k], steps[k]);
            let len = match &tensor.axes[axis] {
                Axis::Fixed { len, .. } => *len,
                outer => {
                    if step != 1 {
                        let what = match step {
                            -1 => "it reverses the sequence",
                            _ => "it leaves steps of the sequence out",
                        };
                        let remedy = "a stream takes steps as they come: train without it";
                        return node.refuse(what, remedy);
                    }
                    match self.part(outer, start, Some(end)) {
                        Part::All => {}
                        part => {
                            tensor = self.entry(node, &tensor, axis, &part)?;
                            tensor.axes.insert(axis, Axis::ONE);
                        }
                    }
                    continue;
                }
            };
            let (Some(start), Some(end)) = (self.outers.known(start), self.outers.known(end))
            else {
                return node.refuse(
                    "it takes a part that depends on how long the sequence is",
                    "export the model with fixed sizes",
                );
            };
            let chosen = self.range(node, len, start, end, step)?;
            // A part of an input's axis that is an entry of it may be a step.
            if chosen.len() < len {
                let axes = [Axis::fixed(chosen.len())];
                tensor = tensor.taken(axis, &chosen, &axes);
            } else if step != 1 {
                let axes = [tensor.axes[axis].clone()];
                tensor = tensor.taken(axis, &chosen, &axes);
            }
        }
        Ok(tensor)
    }

    /// The indices of a slice, as numpy counts.
    fn range(&self, node: &Node, len: usize, start: i64, end: i64, step: i64) -> Step<Vec<usize>> {
        let len = i64::try_from(len).unwrap_or(i64::MAX);
        let from_end = |x: i64| if x < 0 { x.saturating_add(len) } else { x };
        let (low, high) = if step < 0 { (-1, len - 1) } else { (0, len) };
        let mut at = from_end(start).clamp(low.max(0).min(high.max(0)), high.max(0));
        if step < 0 && from_end(start) < 0 {
            at = -1;
        }
        let end = match from_end(end) {
            end if step < 0 && end < 0 => -1,
            end => end.clamp(low, high),
        };
        if step == 0 {
            return node.wrong("its step is 0");
        }
        let mut chosen = Vec::new();
        while (step > 0 && at < end) || (step < 0 && at > end) {
            chosen.extend(usize::try_from(at));
            at = at.saturating_add(step);
        }
        Ok(chosen)
    }

    pub(super) fn gather(&mut self, node: &Node) -> Step<Tensor> {
        let (tensor, index) = (self.input(node, 0)?, self.input(node, 1)?);
        let rank = tensor.axes.len();
        let axis = self.axis(node, node.int("axis").unwrap_or(0), rank)?;
        if index.as_elements().is_some() {
            return self.embedding(node, &tensor, &index, axis);
        }
        let Some(nums) = index.as_ints() else {
            return node.wrong("its indices are no whole numbers");
        };
        if let Axis::Outer(_) = &tensor.axes[axis] {
            let [num] = nums else {
                return node.refuse(
                    format!("it takes {} steps of the sequence", nums.len()),
                    "a stream has one step at a time",
                );
            };
            let part = self.part(&tensor.axes[axis], num, None);
            let mut one = self.entry(node, &tensor, axis, &part)?;
            one.axes.splice(axis..axis, index.axes);
            return Ok(one);
        }
        let len = tensor.axes[axis].len().unwrap_or(0);
        let mut chosen = Vec::new();
        for num in nums {
            match self.outers.known(num) {
                Some(at) => chosen.push(self.axis(node, at, len)?),
                None => {
                    let what = "its indices depend on how long the sequence is";
                    return node.refuse(what, "export the model with fixed sizes");
                }
            }
        }
        self.spend(node, tensor.count() / len.max(1) * chosen.len())?;
        Ok(tensor.taken(axis, &chosen, &index.axes))
    }

    pub(super) fn concat(&mut self, node: &Node) -> Step<Tensor> {
        let mut all = Vec::new();
        for k in 0..node.input.len() {
            all.push(self.input(node, k)?);
            self.spend(node, 64)?;
        }
        let Some(first) = all.first().cloned() else {
            return node.wrong("it reads nothing");
        };
        let rank = first.axes.len();
        if all.iter().any(|tensor| tensor.axes.len() != rank) {
            return node.wrong("it puts values with different axes together");
        }
        let axis = self.axis(node, node.int("axis").unwrap_or(-1), rank)?;
        let mut axes = first.axes.clone();
        for tensor in &all[1..] {
            for (k, (to, from)) in axes.iter_mut().zip(&tensor.axes).enumerate() {
                match (&*to, from) {
                    _ if k == axis => {}
                    (Axis::Outer(a), Axis::Outer(b)) => self.outers.unify(node, a, b)?,
                    (Axis::Fixed { len: a, .. }, Axis::Fixed { len: b, .. }) if a == b => {}
                    (Axis::Outer(_), fixed) | (fixed, Axis::Outer(_)) => {
                        self.outers.must_be(fixed)?;
                        return node.refuse(
                            "it puts a value of every step beside one that is not of every step",
                            "give that value as an input at every step",
                        );
                    }
                    _ => return node.wrong("it puts values of different sizes together"),
                }
            }
        }
        self.alike(node, &all.iter().collect::<Vec<_>>())?;
        if all.iter().any(|tensor| tensor.axes[axis].len().is_none()) {
            let used: Vec<&Tensor> = all.iter().filter(|t| t.count() > 0).collect();
            return node.refuse(
                format!("it puts {} sequences one behind the other", used.len()),
                "a stream has one step at a time: keep earlier steps as inputs of the net",
            );
        }
        let count = all
            .iter()
            .fold(0, |sum, tensor| tensor.count().saturating_add(sum));
        self.spend(node, count)?;
        // As one after the other along the first axis, then moved.
        let mut order: Vec<usize> = (0..rank).collect();
        order.remove(axis);
        order.insert(0, axis);
        let moved: Vec<Tensor> = all.iter().map(|tensor| tensor.transposed(&order)).collect();
        let data = joined(&moved);
        let Some(data) = data else {
            return node.refuse(
                "it puts constants beside the net's numbers",
                "leave the constants out",
            );
        };
        let len = all
            .iter()
            .filter_map(|tensor| tensor.axes[axis].len())
            .sum();
        axes[axis] = Axis::fixed(len);
        let joined = Tensor {
            data,
            names: together(&all.iter().collect::<Vec<_>>()),
            last: all.iter().any(|tensor| tensor.last),
            state: all.iter().all(|tensor| tensor.state),
            axes: order.iter().map(|k| axes[*k].clone()).collect(),
        };
        let place = |k: usize| order.iter().position(|of| *of == k).unwrap_or(k);
        let back: Vec<usize> = (0..rank).map(place).collect();
        Ok(joined.transposed(&back))
    }

    pub(super) fn split(&mut self, node: &Node) -> Step<Vec<Option<Tensor>>> {
        let tensor = self.input(node, 0)?;
        let axis = self.axis(node, node.int("axis").unwrap_or(0), tensor.axes.len())?;
        let Some(len) = tensor.axes[axis].len() else {
            return node.refuse(
                "it splits the sequence into parts",
                "a stream has one step at a time",
            );
        };
        let parts: Vec<usize> = match self.known(node, "split", 1)? {
            Some(parts) => {
                let parts = parts
                    .iter()
                    .map(|len| usize::try_from(*len).unwrap_or(usize::MAX));
                parts.collect()
            }
            None => {
                let each = len.div_ceil(node.output.len().max(1)).max(1);
                let count = node.output.len();
                let left = |k: usize| len.saturating_sub(k * each).min(each);
                (0..count).map(left).collect()
            }
        };
        let sum = parts
            .iter()
            .fold(0_usize, |sum, len| sum.saturating_add(*len));
        if sum != len || parts.len() < node.output.len() {
            return node.wrong(format!("its parts are not {len} together"));
        }
        let mut start = 0;
        let mut made = Vec::new();
        for part in parts {
            let chosen: Vec<usize> = (start..start + part).collect();
            made.push(Some(tensor.taken(axis, &chosen, &[Axis::fixed(part)])));
            start += part;
        }
        Ok(made)
    }

    /// Refuses what mixes numbers of the last step with those of every step.
    pub(super) fn alike(&self, node: &Node, all: &[&Tensor]) -> Step<()> {
        let last = all.iter().any(|tensor| tensor.last);
        let every = |tensor: &&&Tensor| !tensor.last && self.outers.time(&tensor.axes);
        if last
            && all
                .iter()
                .any(|tensor| every(&tensor) && tensor.as_elements().is_some())
        {
            return node.refuse(
                "it puts the last step of a sequence beside every step of it",
                "a stream does not know its last step: use only what came before",
            );
        }
        Ok(())
    }

    pub(super) fn shape(&mut self, node: &Node) -> Step<Tensor> {
        let tensor = self.input(node, 0)?;
        let sizes: Vec<Num> = tensor
            .axes
            .iter()
            .map(|axis| self.outers.num(axis))
            .collect();
        let len = sizes.len() as i64;
        let from = |x: i64| if x < 0 { x.saturating_add(len) } else { x };
        let [start, end] = [
            node.int("start").unwrap_or(0),
            node.int("end").unwrap_or(len),
        ]
        .map(|x| from(x).clamp(0, len) as usize);
        Ok(Tensor::ints(
            sizes.get(start..end).unwrap_or_default().to_vec(),
        ))
    }
}

/// Data one behind the other; nothing where they are of different kinds.
fn joined(all: &[Tensor]) -> Option<Data> {
    let all: Vec<&Tensor> = all.iter().filter(|tensor| tensor.count() > 0).collect();
    let floats: Option<Vec<&[f32]>> = all.iter().map(|tensor| tensor.as_floats()).collect();
    if let Some(floats) = floats.filter(|all| !all.is_empty()) {
        return Some(Data::Floats(floats.concat().into()));
    }
    if all.iter().any(|tensor| tensor.as_elements().is_some()) {
        let all: Option<Vec<_>> = all.iter().map(|tensor| tensor.as_elements()).collect();
        let all = all?.into_iter().flat_map(|of| of.iter().copied());
        return Some(Data::Elements(all.collect::<Vec<_>>().into()));
    }
    let all: Option<Vec<&[Num]>> = all.iter().map(|tensor| tensor.as_ints()).collect();
    Some(Data::Ints(all?.concat().into()))
}
