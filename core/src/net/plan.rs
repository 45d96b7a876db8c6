//! Where a session keeps what: values, carried state, sums and outputs, in one stretch of words.
//!
//! ```text
//! [ values | what cells carry besides h | h being computed | operands put together | sums | outputs ]
//! ```
//! Values stand in the order in which they are made, each padded with zeros to a multiple of four
//! elements. So the operand of a layer above another, `[h below ; h own]`, is a slice of the values
//! and costs no copy; one whose parts do not stand side by side is put together first.

use super::{Input, Kind, MAX_OPERATIONS, Net, Precision, Value, at, at_mut};

/// No place.
pub(crate) const NOWHERE: usize = usize::MAX;

/// Where an operation finds and leaves things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The first element of its value, among the values; [`NOWHERE`] for one that nothing reads.
    pub(crate) value: usize,
    /// The first element of what it carries besides h; [`NOWHERE`] without.
    pub(crate) cell: usize,
    /// The first element of its operand, among the values; [`NOWHERE`] for one to be put together.
    pub(crate) x: usize,
    /// Padded columns of its operand.
    pub(crate) columns: usize,
    /// The first word of the output that it is, among the outputs; [`NOWHERE`] for none.
    pub(crate) output: usize,
    /// Whether it reads the token.
    pub(crate) reads_token: bool,
}

const NO_PLACE: Place = Place {
    value: NOWHERE,
    cell: NOWHERE,
    x: NOWHERE,
    columns: 0,
    output: NOWHERE,
    reads_token: false,
};

/// The places of all operations, and the sizes of the regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    places: [Place; MAX_OPERATIONS],
    /// Elements of the values.
    pub(crate) values: usize,
    /// Elements of the carried state besides h.
    pub(crate) cells: usize,
    /// Elements of the widest h.
    pub(crate) next: usize,
    /// Elements of the widest operand to be put together.
    pub(crate) gathered: usize,
    /// Sums of one operation, at most.
    pub(crate) sums: usize,
    /// Numbers of all outputs.
    pub(crate) outputs: usize,
    /// Whether an output has to be copied: one that no dense operation leaves in its place.
    pub(crate) copies: bool,
    /// Elements of h of all recurrent operations.
    hidden: usize,
    precision: Precision,
}

const fn larger(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

impl Plan {
    /// The plan of a net.
    pub(crate) const fn of(net: &Net) -> Self {
        let mut plan = Plan::none();
        plan.make(net);
        plan
    }

    /// Nothing has a place yet.
    #[inline(always)]
    pub(crate) const fn none() -> Self {
        Plan {
            places: [NO_PLACE; MAX_OPERATIONS],
            values: 0,
            cells: 0,
            next: 0,
            gathered: 0,
            sums: 0,
            outputs: 0,
            copies: false,
            hidden: 0,
            precision: Precision::F32,
        }
    }

    /// Makes the plan of a net, of a plan that is none yet.
    pub(crate) const fn make(&mut self, net: &Net) {
        self.precision = net.precision;
        if let Input::Features { .. } = net.input {
            self.values = net.stride(Value::INPUT);
        }
        let mut index = 0;
        while index < net.output_len() {
            self.place_output(net, index);
            index += 1;
        }
        index = 0;
        while index < net.len() {
            self.place(net, index);
            index += 1;
        }
    }

    /// Gives output `index` its words. The operation that makes it leaves it in the first of them.
    const fn place_output(&mut self, net: &Net, index: usize) {
        let Some(output) = net.output(index) else {
            return;
        };
        let dense = match output.value().operation() {
            Some(operation) => is_dense(net, operation),
            None => false,
        };
        let mut placed = false;
        if let Some(operation) = output.value().operation()
            && let Some(place) = at_mut(&mut self.places, operation)
            && place.output == NOWHERE
        {
            place.output = self.outputs;
            placed = dense;
        }
        self.copies |= !placed;
        self.outputs += net.width(output.value());
    }

    /// Gives operation `index` its places.
    const fn place(&mut self, net: &Net, index: usize) {
        let Some(operation) = net.operation(index) else {
            return;
        };
        let kind = operation.kind;
        let stride = net.stride(Value::of(index));
        let is_read = kind.is_recurrent() || is_read(net, index);
        let (value, cell) = (self.values, self.cells);
        if is_read {
            self.values += stride;
        }
        let (carries, sums) = match kind.cell() {
            Some(form) => (form.carries(self.precision), form.sums(self.precision)),
            None => (false, 0),
        };
        let carried = if carries { stride } else { 0 };
        self.cells += carried;
        if kind.is_recurrent() {
            self.next = larger(self.next, stride);
            self.hidden += stride;
        }
        let Some(place) = at_mut(&mut self.places, index) else {
            return;
        };
        place.value = if is_read { value } else { NOWHERE };
        place.cell = if carried > 0 { cell } else { NOWHERE };
        place.columns = net.columns(index);
        place.reads_token = net.reads_token(index);
        let (columns, is_output) = (place.columns, place.output != NOWHERE);
        let x = self.operand(net, index);
        if let Some(place) = at_mut(&mut self.places, index) {
            place.x = x;
        }
        if x == NOWHERE && !matches!(kind, Kind::Embedding { .. } | Kind::Add) {
            self.gathered = larger(self.gathered, columns);
        }
        let sums = match (kind, self.precision) {
            (Kind::Dense { .. }, Precision::Int8) if !is_output => 1,
            _ => sums,
        };
        self.sums = larger(self.sums, sums * kind.units());
    }

    /// The first element of operation `index`'s operand, if its parts stand side by side.
    const fn operand(&self, net: &Net, index: usize) -> usize {
        let Some(operation) = net.operation(index) else {
            return NOWHERE;
        };
        let (mut start, mut end, mut part) = (NOWHERE, NOWHERE, 0);
        let own = operation.kind.is_recurrent() as usize;
        while part < operation.operand.len() + own {
            let value = if part < operation.operand.len() {
                operation.operand.part(part)
            } else {
                Value::of(index)
            };
            let (first, stride) = (self.value(value), net.stride(value));
            part += 1;
            if stride == 0 {
                continue;
            }
            if start == NOWHERE {
                start = first;
            } else if first != end {
                return NOWHERE;
            }
            end = first + stride;
        }
        start
    }

    /// The first element of a value.
    pub(crate) const fn value(&self, value: Value) -> usize {
        match value.operation() {
            None => 0,
            Some(index) => self.at(index).value,
        }
    }

    /// The places of operation `index`.
    pub(crate) const fn at(&self, index: usize) -> &Place {
        match at(&self.places, index) {
            Some(place) => place,
            None => &NO_PLACE,
        }
    }

    /// Words of all values.
    pub(crate) const fn value_words(&self) -> usize {
        self.values * self.precision.hidden_bytes() / 4
    }

    /// Words of the carried state besides h.
    pub(crate) const fn cell_words(&self) -> usize {
        self.cells * self.precision.cell_bytes() / 4
    }

    /// Words of an h being computed.
    pub(crate) const fn next_words(&self) -> usize {
        self.next * self.precision.hidden_bytes() / 4
    }

    /// Words of an operand to be put together.
    pub(crate) const fn gathered_words(&self) -> usize {
        self.gathered * self.precision.hidden_bytes() / 4
    }

    /// All words of a session.
    pub(crate) const fn words(&self) -> usize {
        self.value_words()
            + self.cell_words()
            + self.next_words()
            + self.gathered_words()
            + self.sums
            + self.outputs
    }

    /// Words of a snapshot.
    pub(crate) const fn snapshot_words(&self) -> usize {
        self.hidden * self.precision.hidden_bytes() / 4 + self.cell_words()
    }
}

/// Whether an operation behind `index` reads what it makes, or an output has to be copied from it.
const fn is_read(net: &Net, index: usize) -> bool {
    let code = Value::of(index).code();
    let mut reader = index + 1;
    while let Some(operation) = net.operation(reader) {
        let mut part = 0;
        while part < operation.operand.len() {
            if operation.operand.part(part).code() == code {
                return true;
            }
            part += 1;
        }
        reader += 1;
    }
    let dense = is_dense(net, index);
    let mut output = 0;
    while let Some(given) = net.output(output) {
        // A dense operation leaves its results among the outputs.
        if given.value().code() == code && !dense {
            return true;
        }
        output += 1;
    }
    false
}

/// Whether an operation leaves its results among the outputs.
const fn is_dense(net: &Net, index: usize) -> bool {
    match net.operation(index) {
        Some(operation) => matches!(operation.kind, Kind::Dense { .. }),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Activation, Operand, Output, Reset};
    use super::*;

    const HEAD: Kind = Kind::Dense {
        units: 9,
        activation: Activation::None,
    };

    #[test]
    fn layers_above_each_other_are_side_by_side() {
        let net = Net::tokens(Precision::Int8, 9)
            .then(Kind::lstm(5))
            .then(Kind::lstm(7))
            .then(HEAD)
            .scores();
        let plan = Plan::of(&net);
        let of = |index: usize| (plan.at(index).x, plan.at(index).columns);
        assert_eq!([of(0), of(1), of(2)], [(0, 8), (0, 16), (8, 8)]);
        assert_eq!((plan.cells, plan.next, plan.gathered), (16, 8, 0));
        assert_eq!((plan.sums, plan.outputs), (0, 9));
        assert!(!plan.copies);
        assert_eq!(plan.words(), 16 / 4 + 16 / 2 + 8 / 4 + 9);
        assert_eq!(plan.snapshot_words(), 16 / 4 + 16 / 2);
    }

    #[test]
    fn what_is_not_side_by_side_is_put_together() {
        let skip = Operand::two(Value::INPUT, Value::of(1));
        let net = Net::features(Precision::F32, 3)
            .then(Kind::gru(6, Reset::After))
            .then(Kind::Dense {
                units: 2,
                activation: Activation::Relu,
            })
            .with(HEAD, skip)
            .with_output(Output::Values(Value::of(2)))
            .with_output(Output::Values(Value::of(0)));
        let plan = Plan::of(&net);
        assert_eq!((plan.at(0).x, plan.at(0).columns), (0, 12));
        assert_eq!((plan.at(1).x, plan.at(1).value), (4, 12));
        assert_eq!((plan.at(2).x, plan.gathered), (NOWHERE, 8));
        assert_eq!(plan.at(2).value, NOWHERE);
        assert_eq!((plan.sums, plan.outputs), (24, 15));
        assert!(plan.copies);
        assert_eq!((plan.at(2).output, plan.at(0).output), (0, 9));
        // In f32 a GRU carries nothing but h.
        assert_eq!((plan.cells, plan.snapshot_words()), (0, 8));
    }
}
