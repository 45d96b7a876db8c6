//! Runs on sequences of numbers: every task from a file to an image, and what is refused.

use std::fmt::Write as _;

use crate::place::Place;

/// 40 sequences of 8 to 12 steps: a wave and its double, fast or slow.
fn table() -> String {
    let mut text = String::from("id,a,b,kind,rest\n");
    for id in 0..40_u32 {
        let speed = if id % 2 == 1 { 1.5 } else { 0.4 };
        let kind = if id % 2 == 1 { "fast" } else { "slow" };
        for t in 0..8 + id % 5 {
            let wave = (speed * f64::from(t) + f64::from(id)).sin();
            writeln!(
                text,
                "s{id},{wave:.4},{:.4},{kind},{:.4}",
                2.0 * wave,
                -wave
            )
            .unwrap();
        }
    }
    text
}

pub(crate) fn place() -> Place {
    let place = Place::new();
    place.write("waves.csv", table().as_bytes());
    place
}

/// A short run of a task.
fn train<'a>(task: &'a str, target: &'a str, out: &'a str) -> Vec<&'a str> {
    vec![
        "train",
        "waves.csv",
        "--task",
        task,
        "--features",
        "a,b",
        "--target",
        target,
        "--group",
        "id",
        "--out",
        out,
        "--hidden",
        "8",
        "--epochs",
        "6",
        "--cell",
        "gru",
        "-q",
    ]
}

#[test]
fn every_task_goes_from_a_table_to_an_image_and_a_session() {
    let place = place();
    for (task, target, outputs) in [
        ("classify", "kind", 2),
        ("label", "kind", 2),
        ("forecast", "a", 3),
        ("regress", "rest", 1),
    ] {
        let run = format!("run-{task}");
        let mut line = train(task, target, &run);
        line.push("--json");
        if task == "forecast" {
            line.extend(["--ahead", "3"]);
        }
        let trained = place.json(&line);
        let figure = trained["figure"].as_f64().unwrap();
        assert!(figure.is_finite() && figure >= 0.0, "{trained}");
        let (best, image) = (format!("{run}/best.safetensors"), format!("{task}.gatelet"));
        let exported = place.json(&["export", &best, "--out", &image, "--accept-loss", "--json"]);
        let held_out = &exported["answers"][0];
        assert_eq!(held_out["part"], "held out");
        assert!(
            (held_out["float"].as_f64().unwrap() - figure).abs() < 0.02,
            "{held_out} {figure}"
        );
        // The image takes the numbers of the file.
        place.write("x.csv", b"a,b\n0.5,1.0\n0.6,1.2\n-0.1,-0.2\n");
        let given = place.good(&["run", &image, "--input", "x.csv", "--output", "-"]);
        let last = given
            .lines()
            .rfind(|line| line.contains(',') || !line.is_empty())
            .unwrap();
        assert_eq!(last.split(',').count(), outputs, "{task}: {given}");
    }
}

#[test]
fn a_run_is_resumed_with_its_own_data_and_changed_where_it_may_be() {
    let place = place();
    place.good(&train("classify", "kind", "whole"));
    let mut short = train("classify", "kind", "parts");
    let epochs = short.iter().position(|word| *word == "6").unwrap();
    short[epochs] = "3";
    place.good(&short);
    let resume = ["train", "waves.csv", "--out", "parts", "--resume", "-q"];
    place.good(&[&resume[..], &["--epochs", "6"]].concat());
    assert_eq!(
        place
            .checkpoint("parts/last.safetensors")
            .meta
            .position
            .unwrap()
            .epoch,
        6
    );
    place.bad(
        &[&resume[..], &["--group", "kind"]].concat(),
        2,
        &["--resume", "--group id"],
    );
    place.write("other.csv", table().replace("s1,", "t1,").as_bytes());
    place.bad(
        &["train", "other.csv", "--out", "parts", "--resume", "-q"],
        1,
        &["other.csv"],
    );
}

#[test]
fn a_net_is_trained_on_for_integers_and_another_is_refused() {
    let place = place();
    place.good(&train("classify", "kind", "float"));
    let qat = [
        "train",
        "waves.csv",
        "--qat",
        "float/best.safetensors",
        "-q",
        "--epochs",
        "2",
    ];
    place.good(&[&qat[..], &["--out", "eight"]].concat());
    place.good(&[&qat[..], &["--out", "four", "--bits", "4"]].concat());
    let found = place.json(&[
        "export",
        "four/best.safetensors",
        "--out",
        "four.gatelet",
        "--accept-loss",
        "--json",
    ]);
    assert_eq!(found["weight_bits"], "4");
    // A net of another number of features.
    place.good(&[
        "random",
        "--features",
        "3",
        "--outputs",
        "2",
        "--out",
        "three.gatelet",
        "--hidden",
        "4",
    ]);
    let mut other = train("regress", "rest", "wrong");
    other.extend(["--qat", "float/best.safetensors"]);
    place.bad(&other, 1, &["scores", "--task regress"]);
}

#[test]
fn what_cannot_be_learnt_from_is_refused_in_a_line_that_says_where() {
    let place = place();
    let mut line = train("classify", "kind", "out");
    line[5] = "a,c";
    place.bad(&line, 1, &["waves.csv", "no column", "c", "there are"]);
    let broken = table().replacen("s3,", "s3,x", 1);
    place.write("text.csv", broken.as_bytes());
    let of = |file: &'static str, more: &[&'static str]| {
        let mut line = train("classify", "kind", "out");
        line[1] = file;
        line.extend(more);
        line
    };
    place.bad(&of("text.csv", &[]), 1, &["text.csv", "is no number"]);
    let gap: String = table().replacen("s0,0.0000,", "s0,,", 1);
    place.write("gap.csv", gap.as_bytes());
    place.bad(&of("gap.csv", &[]), 1, &["1 numbers are missing", "--fill"]);
    place.good(&of("gap.csv", &["--fill", "linear"]));
    place.write("one.csv", table().replace("fast", "slow").as_bytes());
    place.bad(
        &of("one.csv", &["--force"]),
        1,
        &["slow", "nothing to tell apart"],
    );
    place.bad(
        &of("waves.csv", &["--segment", "50", "--force"]),
        1,
        &["50 steps"],
    );
    place.bad(
        &of("waves.csv", &["--hop", "5", "--force"]),
        2,
        &["hop", "--segment"],
    );
    place.bad(
        &of("waves.csv", &["--loss", "huber", "--force"]),
        2,
        &["loss", "--task"],
    );
    place.bad(&of("nowhere.csv", &["--force"]), 1, &["nowhere.csv"]);
}
