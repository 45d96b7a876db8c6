//! What is read from memory and what is read from files are the same bits.

use gatelet::front::FrontEnd;
use gatelet_series::{Fill, Options, Set, Task, WantedBuffer};

use super::make::{Asked, Folder, grouped, npy, npz, options, part};

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

/// Opens both ways and compares reads of all lengths.
fn same(path: &std::path::Path, options: &Options) {
    let held = Set::open(path, options).expect("in memory");
    let by_position = Options {
        memory: 0,
        ..options.clone()
    };
    let streamed = Set::open(path, &by_position).expect("by position");
    assert_eq!(held.sha256(), streamed.sha256());
    assert_eq!(held.notes(), streamed.notes());
    assert_eq!(held.len(), streamed.len());
    for k in 0..held.len() {
        let steps = held.steps(k);
        assert_eq!((steps, held.name(k)), (streamed.steps(k), streamed.name(k)));
        for (from, count) in [
            (0, steps),
            (0, 1),
            (steps / 3, steps - steps / 3),
            (steps / 2, 1),
        ] {
            for shift in [0, -2, 3] {
                let (a, b) = (
                    part(&held, k, from, count, shift),
                    part(&streamed, k, from, count, shift),
                );
                assert_eq!(
                    bits(&a.0),
                    bits(&b.0),
                    "{path:?} {k} {from} {count} {shift}"
                );
                match (a.1, b.1) {
                    (Asked::Values(a), Asked::Values(b)) | (Asked::Value(a), Asked::Value(b)) => {
                        assert_eq!(bits(&a), bits(&b));
                    }
                    (a, b) => assert_eq!(a, b),
                }
            }
        }
    }
}

/// Numbers with many digits.
fn numbers(count: u64) -> Vec<f32> {
    (0..count)
        .map(|k| ((k * 7919 % 1013) as f32 / 997.0).sin())
        .collect()
}

#[test]
fn tables() {
    let folder = Folder::new();
    let mut text = String::from("who,t,x,y,what\n");
    for (k, x) in numbers(400).iter().enumerate() {
        let who = ["ann", "bob", "eve"][k % 7 % 3];
        let t = k + usize::from(k > 200) * 40;
        let gone = if k % 13 == 0 {
            String::new()
        } else {
            x.to_string()
        };
        text += &format!(
            "{who},{t},{gone},\"{}\",{}\n",
            x * 3.0,
            ["up", "down", ""][k / 20 % 3]
        );
    }
    let path = folder.write("a.csv", &text);
    for fill in [Fill::Previous, Fill::Linear, Fill::Zero, Fill::Drop] {
        for task in [Task::Label, Task::Forecast { steps: 3 }, Task::Regress] {
            let mut wanted = match task {
                Task::Label => grouped(task, &["what"], "who"),
                _ => grouped(task, &["y"], "who"),
            };
            wanted.features = vec!["x".into()];
            wanted.fill = Some(fill);
            same(&path, &wanted);
            wanted.time = Some("t".into());
            wanted.window = Some(30);
            wanted.hop = Some(17);
            same(&path, &wanted);
        }
    }
    let mut classes = grouped(Task::Classify, &["who"], "who");
    classes.features = vec!["y".into()];
    same(&path, &classes);
}

/// Numbers past the bound are read and let go; a read of what is held allocates nothing.
#[test]
fn memory_is_bounded() {
    let folder = Folder::new();
    let path = folder.write("x.npy", npy(&[8, 200_000, 2], &numbers(3_200_000)));
    let small = Options {
        memory: 1 << 20,
        ..Options::new(Task::Forecast { steps: 1 })
    };
    let open = |options| {
        let mut set = None;
        let used = allocation_counter::measure(|| set = Set::open(&path, options).ok());
        (set.expect("a set"), used.bytes_max)
    };
    let (streamed, used) = open(&small);
    assert!(used < 4 << 20, "{used}");
    let (held, used) = open(&Options::new(small.task));
    assert!(used > 4 * 2 * 3_200_000, "{used}");
    let mut room = WantedBuffer::new();
    let mut inputs = vec![0.0; 2 * 100];
    held.read(7, 0, &mut inputs, &mut room).expect("steps");
    let again = |set: &Set, room: &mut WantedBuffer, inputs: &mut [f32]| {
        let read = || set.read(3, 777, inputs, room).expect("steps");
        allocation_counter::measure(read)
    };
    assert_eq!(again(&held, &mut room, &mut inputs).count_total, 0);
    assert!(again(&streamed, &mut room, &mut inputs).bytes_max < 1 << 16);
}

#[test]
fn sets_are_read_by_several_threads() {
    const fn shared<T: Send + Sync>() {}
    shared::<Set>();
}

#[test]
fn arrays() {
    let folder = Folder::new();
    let x = numbers(5 * 300 * 3);
    let wide: Vec<f64> = x.iter().map(|x| f64::from(*x) / 3.0).collect();
    let labels: Vec<i16> = (0..5 * 300).map(|k| k / 7 % 4 - 1).collect();
    let once: Vec<f32> = numbers(5);
    folder.write("labels.npy", npy(&[5, 300], &labels));
    folder.write("once.npy", npy(&[5], &once));
    folder.write("classes.npy", npy(&[5], &[3_u32, 1, 1, 3, 2]));
    folder.write("steps.npy", npy(&[5, 300, 2], &numbers(3000)));
    for path in [
        folder.write("x.npy", npy(&[5, 300, 3], &x)),
        folder.write("w.npy", npy(&[5, 300, 3], &wide)),
    ] {
        same(&path, &options(Task::Label, &["labels.npy"]));
        same(&path, &options(Task::Classify, &["classes.npy"]));
        same(&path, &options(Task::Regress, &["once.npy"]));
        let mut wanted = options(Task::Regress, &["steps.npy"]);
        wanted.window = Some(64);
        same(&path, &wanted);
        wanted = options(Task::Forecast { steps: 5 }, &["2", "0"]);
        wanted.features = vec!["1".into()];
        same(&path, &wanted);
    }
    let arrays = [("x", npy(&[5, 300, 3], &x)), ("y", npy(&[5, 300], &labels))];
    same(
        &folder.write("a.npz", npz(&arrays, false)),
        &Options::new(Task::Label),
    );
    let compressed = folder.write("b.npz", npz(&arrays, true));
    let small = Options {
        memory: 1000,
        ..Options::new(Task::Label)
    };
    let error = Set::open(&compressed, &small)
        .expect_err("compressed")
        .to_string();
    assert!(error.contains("numpy.savez"), "{error}");
}

#[test]
fn cases() {
    let folder = Folder::new();
    let mut text = String::from("@classLabel true a b\n@data\n");
    for k in 0..20_u64 {
        let line = |from: u64| {
            let all: Vec<String> = numbers(from + 30 + k).iter().map(f32::to_string).collect();
            all[from as usize..].join(",")
        };
        text += &format!("{}:{}:{}\n", line(k), line(5), ["a", "b"][k as usize % 2]);
    }
    let path = folder.write("a.ts", text);
    same(&path, &Options::new(Task::Classify));
    let mut wanted = Options::new(Task::Forecast { steps: 2 });
    wanted.window = Some(9);
    same(&path, &wanted);
}

#[test]
fn recordings() {
    let folder = Folder::new();
    let samples: Vec<i16> = numbers(6000)
        .iter()
        .map(|x| (x * 30_000.0) as i16)
        .collect();
    folder.wav("a_1.wav", 16_000, 2, &samples);
    folder.wav("b_1.wav", 16_000, 1, &samples[..500]);
    let mut wanted = Options::new(Task::Classify);
    same(folder.path(), &wanted);
    wanted.window = Some(400);
    wanted.hop = Some(100);
    same(folder.path(), &wanted);
    wanted.front = Some(FrontEnd::log_mel(16_000, 256, 100, 20));
    wanted.window = Some(3);
    wanted.hop = Some(1);
    same(folder.path(), &wanted);
    for name in ["a_1.txt", "b_1.txt"] {
        folder.write(name, "0.001\t0.02\tone\n0.02\t0.1\ttwo\n");
    }
    wanted.task = Task::Label;
    same(folder.path(), &wanted);
    let pair = format!("{0}/b_1.wav,{0}/a_1.wav", folder.path().display());
    same(pair.as_ref(), &Options::new(Task::Regress));
    same(
        &folder.path().join("a_1.wav"),
        &Options::new(Task::Forecast { steps: 4 }),
    );
}
