//! Features of sound against numpy's in f64 (`front_end.py`).

use gatelet_trainer::data::front::{FrontEnd, features};
use safetensors::SafeTensors;

#[test]
fn features_are_those_of_the_definitions() {
    let file = include_bytes!("front_end.safetensors");
    let file = SafeTensors::deserialize(file).expect("a safetensors file");
    let sound = file.tensor("sound").expect("the sound");
    let (pairs, _) = sound.data().as_chunks();
    let sound: Vec<i16> = pairs.iter().map(|&pair| i16::from_le_bytes(pair)).collect();
    for (name, recipe) in [
        ("logmel", "logmel:40"),
        ("mfcc", "mfcc:13,hop=20ms"),
        ("padded", "logmel:24,frame=25ms,hop=10ms,low=0,high=8000"),
    ] {
        let front: FrontEnd = recipe.parse().expect("a recipe");
        let found = features(&front, &sound);
        let wanted = file.tensor(name).expect("its features");
        let (words, _) = wanted.data().as_chunks();
        let wanted: Vec<f32> = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
        assert_eq!(found.len(), wanted.len(), "{name}");
        let (mut signal, mut noise) = (0.0, 0.0);
        for (x, y) in found.iter().zip(&wanted) {
            signal += f64::from(y * y);
            noise += f64::from((x - y) * (x - y));
        }
        let decibels = 10.0 * (signal / noise).log10();
        assert!(decibels > 50.0, "{name}: {decibels:.1} dB");
    }
}
