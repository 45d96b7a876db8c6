//! Caller-owned storage, and its division: see `net/plan.rs`.

use bytemuck::AnyBitPattern;
use bytemuck::NoUninit;

use crate::net::Plan;

/// Storage for a session, aligned for every kernel.
///
/// ```
/// # use gatelet::net::{Activation, Kind, Net};
/// # use gatelet::{Precision, StateBuf};
/// const NET: Net = {
///     let net = Net::tokens(Precision::Int8, 81).then(Kind::lstm(128));
///     let head = Kind::Dense { units: 81, activation: Activation::None };
///     match net.then(head).scores().checked() {
///         Ok(net) => net,
///         Err(_) => panic!("the net is none that can be"), // at compile time
///     }
/// };
/// let mut storage = StateBuf::<{ NET.state_words() }>::new();
/// assert_eq!(storage.as_mut().len(), 96 + 32 + 81);
/// ```
#[repr(C, align(16))]
#[derive(Clone, Debug)]
pub struct StateBuf<const WORDS: usize>([u32; WORDS]);

impl<const WORDS: usize> StateBuf<WORDS> {
    /// All zero.
    pub const fn new() -> Self {
        StateBuf([0; WORDS])
    }
}

impl<const WORDS: usize> Default for StateBuf<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const WORDS: usize> AsMut<[u32]> for StateBuf<WORDS> {
    fn as_mut(&mut self) -> &mut [u32] {
        &mut self.0
    }
}

/// Bytes at a multiple of 16, for images that are linked into a program:
/// `static MODEL: &AlignedBytes<{ include_bytes!("m.gatelet").len() }> = &AlignedBytes(*include_bytes!("m.gatelet"));`
#[repr(C, align(16))]
#[derive(Clone, Debug)]
pub struct AlignedBytes<const N: usize>(pub [u8; N]);

/// The parts of a session's storage, as the numbers of one precision: `H` an element of a value, `C` one
/// of a carried state, `L` a sum.
pub(crate) struct Parts<'a, H, C, L> {
    /// Values, in the order in which they are made, each padded to a multiple of four.
    pub(crate) values: &'a mut [H],
    /// What recurrent operations carry besides h.
    pub(crate) cells: &'a mut [C],
    /// An h being computed.
    pub(crate) next: &'a mut [H],
    /// An operand that is put together.
    pub(crate) gathered: &'a mut [H],
    /// Sums of one operation.
    pub(crate) sums: &'a mut [L],
    /// All outputs, one behind the other.
    pub(crate) outputs: &'a mut [L],
}

/// Splits `storage` ([`Net::state_words`](crate::net::Net::state_words) words, as checked when the
/// session was made).
#[cfg_attr(not(target_arch = "arm"), inline(always))]
pub(crate) fn split<'a, H, C, L>(plan: &Plan, storage: &'a mut [u32]) -> Parts<'a, H, C, L>
where
    H: AnyBitPattern + NoUninit,
    C: AnyBitPattern + NoUninit,
    L: AnyBitPattern + NoUninit,
{
    let (values, rest) = cut(storage, plan.value_words());
    let (cells, rest) = cut(rest, plan.cell_words());
    let (next, rest) = cut(rest, plan.next_words());
    let (gathered, rest) = cut(rest, plan.gathered_words());
    let (sums, outputs) = cut(rest, plan.sums);
    Parts {
        values: numbers(values),
        cells: numbers(cells),
        next: numbers(next),
        gathered: numbers(gathered),
        sums: numbers(sums),
        outputs: numbers(outputs),
    }
}

/// `split_at_mut` for a length that was checked before: it cannot panic.
fn cut(words: &mut [u32], at: usize) -> (&mut [u32], &mut [u32]) {
    words.split_at_mut_checked(at).unwrap_or_default()
}

/// Words seen as numbers of at most four bytes; that always succeeds.
fn numbers<T: AnyBitPattern + NoUninit>(words: &mut [u32]) -> &mut [T] {
    bytemuck::try_cast_slice_mut(words).unwrap_or_default()
}
