//! The streams over a line in memory, with the committed models.

use super::*;
use gatelet::{NativeF32, NativeRows, Scalar};
use gatelet_sound::synth::guitar::play;
use gatelet_sound::synth::scene::scene;

/// Bytes that come, and those that went. After the last one the line is cut.
#[derive(Default)]
struct Port {
    comes: std::collections::VecDeque<u8>,
    went: Vec<u8>,
}

impl ErrorType for Port {
    type Error = embedded_io::ErrorKind;
}

impl Read for Port {
    fn read(&mut self, to: &mut [u8]) -> Result<usize, Self::Error> {
        let byte = self.comes.pop_front();
        to[0] = byte.ok_or(embedded_io::ErrorKind::ConnectionReset)?;
        Ok(1)
    }
}

impl Write for Port {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.went.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl Port {
    fn with(blocks: &[Vec<u8>]) -> Self {
        let mut port = Port::default();
        for bytes in blocks {
            let (before, behind) = wire::around(bytes);
            port.comes.extend(before);
            port.comes.extend(bytes);
            port.comes.extend(behind);
        }
        port
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&self.went).into_owned()
    }
}

fn of_floats(sound: &[f32]) -> Vec<Vec<u8>> {
    let blocks = sound.chunks(BLOCK).map(|block| block.iter());
    blocks
        .map(|block| block.flat_map(|x| x.to_le_bytes()).collect())
        .chain([Vec::new()])
        .collect()
}

fn of_frames(samples: &[i16]) -> Vec<Vec<u8>> {
    let blocks = samples.chunks(FRAME).map(|block| block.iter());
    blocks
        .map(|block| block.flat_map(|x| x.to_le_bytes()).collect())
        .chain([Vec::new()])
        .collect()
}

fn amplified(port: &mut Port) -> Ended<Port> {
    let image = gatelet::include_model!("../../models/amplifier.gatelet");
    let (model, mut state) = (image.model().unwrap(), image.state());
    amplify(port, &model, NativeF32::default(), state.as_mut(), &())
}

fn listened(port: &mut Port) -> Ended<Port> {
    let image = gatelet::include_model!("../../models/voice.gatelet");
    let (model, mut state) = (image.model().unwrap(), image.state());
    listen(port, &model, NativeRows::default(), state.as_mut(), |_| ())
}

#[test]
fn what_comes_back_is_the_session_s() {
    let sound = play(4, 10 * BLOCK + 17);
    let mut port = Port::with(&of_floats(&sound));
    assert_eq!(amplified(&mut port), Ok(()));
    let first = port.went.iter().position(|&b| b == b'\n').unwrap() + 1;
    let image = gatelet::include_model!("../../models/amplifier.gatelet");
    let (model, mut state) = (image.model().unwrap(), image.state());
    let mut session = Session::new(&model, Scalar, state.as_mut()).unwrap();
    let (mut receiver, mut found) = (Receiver::<BYTES>::new(), Vec::new());
    for &byte in &port.went[first..] {
        if let Some(block) = receiver.push(byte).filter(|_| found.len() < sound.len()) {
            let (numbers, _) = block.unwrap().as_chunks();
            found.extend(numbers.iter().map(|&x| f32::from_le_bytes(x)));
        }
    }
    for (&x, y) in sound.iter().zip(&found) {
        session.step(&[x]).unwrap();
        let asked = session.values(0).next().unwrap();
        assert!((asked - y).abs() < 1e-5, "{asked} {y}");
    }
    assert_eq!(found.len(), sound.len());
    let said = port.said();
    assert!(said.starts_with("amplifier: kernel "), "{said}");
    let end = format!(
        "{{\"samples\":{},\"instructions\":0,\"most\":0}}\r\n",
        sound.len()
    );
    assert!(said.ends_with(&end), "{said}");
}

#[test]
fn every_frame_is_acknowledged_and_changes_are_said() {
    let scene = scene(12, 300);
    let mut port = Port::with(&of_frames(&scene.samples));
    assert_eq!(listened(&mut port), Ok(()));
    let acknowledged = port.went.iter().filter(|&&byte| byte == ACK).count();
    assert_eq!(acknowledged, 301);
    let said = port.said().replace(char::from(ACK), "");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("voice: kernel "), "{said}");
    assert!(lines[1].ends_with(" s  noise") || lines[1].ends_with(" s  voice"));
    assert!(
        lines[lines.len() - 2].contains("4.80 s  end; voice in"),
        "{said}"
    );
    assert!(lines[lines.len() - 1].starts_with("states "), "{said}");
}

#[test]
fn what_arrives_damaged_is_said() {
    let sound = of_floats(&play(4, 2 * BLOCK));
    let frames = of_frames(&scene(1, 2).samples);
    for at in [0, 1, 2, 40] {
        let mut port = Port::with(&sound);
        port.comes[at] ^= 0x81;
        assert_eq!(amplified(&mut port), Err(Broken::Block), "{at}");
        assert!(port.said().ends_with("a byte was lost\r\n"));
        let mut port = Port::with(&frames);
        port.comes[at] ^= 0x81;
        assert_eq!(listened(&mut port), Err(Broken::Block), "{at}");
    }
    // A block of half a sample, and of too few.
    assert_eq!(
        amplified(&mut Port::with(&[vec![0; 6]])),
        Err(Broken::Block)
    );
    assert_eq!(
        listened(&mut Port::with(&[vec![0; 510]])),
        Err(Broken::Block)
    );
}

#[test]
fn a_sample_that_is_no_number_and_a_cut_line_end_it() {
    let sound = [0.5, f32::NAN, 0.5];
    let mut port = Port::with(&of_floats(&sound));
    assert_eq!(amplified(&mut port), Err(Broken::Sample));
    assert!(port.said().ends_with("error: a sample is no number\r\n"));
    let cut = embedded_io::ErrorKind::ConnectionReset;
    assert_eq!(amplified(&mut Port::default()), Err(Broken::Line(cut)));
}

#[test]
fn another_model_is_refused() {
    let image = gatelet::include_model!("../../models/voice.gatelet");
    let (model, mut state) = (image.model().unwrap(), image.state());
    let mut port = Port::default();
    let ended = spot(&mut port, &model, Scalar, state.as_mut(), || ());
    assert_eq!(ended, Err(Broken::Model));
    let mut port = Port::default();
    let ended = amplify(&mut port, &model, Scalar, state.as_mut(), &());
    assert_eq!(ended, Err(Broken::Model));
    assert_eq!(
        port.said(),
        "error: the model is not one for this program\r\n"
    );
}
