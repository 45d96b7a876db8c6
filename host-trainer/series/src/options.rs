//! What is wanted of data.

use gatelet::front::FrontEnd;

/// What is asked of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// A class of each sequence.
    Classify,
    /// A label of each step.
    Label,
    /// At each step, some numbers of the next steps.
    Forecast {
        /// How many steps ahead.
        steps: usize,
    },
    /// Numbers, of each step or of each sequence.
    Regress,
}

/// What stands where a number is missing. Only inputs are filled: what is missing of what is asked
/// is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// The last number before it; before the first one, that.
    Previous,
    /// The line between the numbers beside it; before the first and after the last, those.
    Linear,
    /// Zero.
    Zero,
    /// Nothing: the step is left out.
    Drop,
}

/// What is read of DATA, and how. [`Options::new`] has what suits most.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is asked.
    pub task: Task,
    /// Names of the inputs; none: every column that has no other use.
    pub features: Vec<String>,
    /// Names of what is asked: a column of classes or labels, columns of numbers, or the file that
    /// holds them (`y.npy`). None: the names of files and folders, or, to forecast, every feature.
    pub target: Vec<String>,
    /// The column whose values tell sequences apart, and which a split keeps together. Of a folder
    /// of recordings, `name`: the part of a file's name that follows its class.
    pub group: Option<String>,
    /// A column that tells sequences of a group apart.
    pub sequence: Option<String>,
    /// The column of times, which have to rise.
    pub time: Option<String>,
    /// What stands where a number is missing; none: that is refused.
    pub fill: Option<Fill>,
    /// Steps of a window; none: sequences are whole.
    pub window: Option<usize>,
    /// Steps from one window to the next; none: as many as a window has.
    pub hop: Option<usize>,
    /// Which channel of recordings, from 0; none: the mean of all.
    pub channel: Option<u16>,
    /// What makes features of recordings, each step a frame; none: a step is a sample.
    pub front: Option<FrontEnd>,
    /// Whether a sequence is asked for numbers once, after its last step; none: where the numbers
    /// are the same at all steps of each sequence.
    pub once: Option<bool>,
    /// The classes, where another set has decided on them; none: those that there are.
    pub classes: Vec<String>,
    /// Bytes of numbers that are held in memory.
    pub memory: u64,
}

impl Options {
    /// Bytes of numbers that are held unless something else is said: 1 GiB.
    pub const MEMORY: u64 = 1 << 30;

    /// Those of a task.
    pub const fn new(task: Task) -> Self {
        Self {
            task,
            features: Vec::new(),
            target: Vec::new(),
            group: None,
            sequence: None,
            time: None,
            fill: None,
            window: None,
            hop: None,
            channel: None,
            front: None,
            once: None,
            classes: Vec::new(),
            memory: Self::MEMORY,
        }
    }
}
