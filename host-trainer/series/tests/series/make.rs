//! Files and folders of data, and what a set gives.

use std::fs;
use std::path::{Path, PathBuf};

use gatelet_series::{Options, Set, Task, Wanted, WantedBuffer};
use hound::{SampleFormat, WavSpec, WavWriter};
use npyz::WriterBuilder;
use tempfile::TempDir;

/// A folder of files.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, bytes).expect("a file");
        path
    }

    pub(crate) fn wav(&self, name: &str, rate: u32, channels: u16, samples: &[i16]) -> PathBuf {
        let path = self.write(name, "");
        let spec = WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut writer = WavWriter::create(&path, spec).expect("a file");
        samples
            .iter()
            .for_each(|&x| writer.write_sample(x).expect("a sample"));
        writer.finalize().expect("a file");
        path
    }
}

/// The bytes of a `.npy`.
pub(crate) fn npy<T: npyz::Serialize + npyz::AutoSerialize + Copy>(
    shape: &[u64],
    numbers: &[T],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(shape);
    let mut writer = options.writer(&mut bytes).begin_nd().expect("a header");
    writer.extend(numbers.iter().copied()).expect("numbers");
    writer.finish().expect("a file");
    bytes
}

/// The bytes of a `.npz`.
pub(crate) fn npz(arrays: &[(&str, Vec<u8>)], compressed: bool) -> Vec<u8> {
    use std::io::Write;
    use zip::CompressionMethod::{Deflated, Stored};
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let method = if compressed { Deflated } else { Stored };
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in arrays {
        zip.start_file(format!("{name}.npy"), options)
            .expect("a member");
        zip.write_all(bytes).expect("its bytes");
    }
    zip.finish().expect("a zip").into_inner()
}

/// What is asked, in a form that can be kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    Class(u16),
    Labels(Vec<u16>),
    Values(Vec<f32>),
    Value(Vec<f32>),
}

/// All steps of a sequence, and what is asked of them.
pub(crate) fn whole(set: &Set, k: usize) -> (Vec<f32>, Asked) {
    part(set, k, 0, set.steps(k), 0)
}

/// Some steps of it.
pub(crate) fn part(
    set: &Set,
    k: usize,
    from: usize,
    steps: usize,
    shift: i64,
) -> (Vec<f32>, Asked) {
    let mut inputs = vec![-99.0; steps * set.width()];
    let mut wanted = WantedBuffer::new();
    set.read_shifted(k, from, shift, &mut inputs, &mut wanted)
        .expect("steps");
    let asked = match wanted.wanted() {
        Wanted::Class(class) => Asked::Class(class),
        Wanted::Labels(labels) => Asked::Labels(labels.to_vec()),
        Wanted::Values(values) => Asked::Values(values.to_vec()),
        Wanted::Value(values) => Asked::Value(values.to_vec()),
    };
    (inputs, asked)
}

/// Options with a target.
pub(crate) fn options(task: Task, target: &[&str]) -> Options {
    Options {
        target: target.iter().map(|&name| name.to_owned()).collect(),
        ..Options::new(task)
    }
}

/// Options of names that files have.
pub(crate) fn grouped(task: Task, target: &[&str], group: &str) -> Options {
    Options {
        group: Some(group.to_owned()),
        ..options(task, target)
    }
}
