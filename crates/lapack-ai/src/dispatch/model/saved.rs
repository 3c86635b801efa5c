//! A model as it is kept on disk.

use super::{Model, OpKind, Rates, Table};
use crate::report::Engine;
use lapack_ai_core::DType;
use serde::{Deserialize, Serialize};

/// The measured part of a [`Model`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedModel {
    /// The plain rates that the tables are relative to, CPU and GPU.
    rates: [Vec<f64>; 2],
    /// Engine, operation, type, and their table.
    tables: Vec<(String, String, String, Table)>,
    /// Whole calls on the GPU: operation, type, and their table.
    #[serde(default)]
    whole: Vec<(String, String, Table)>,
    transfers: [Option<Table>; 2],
    /// The device's measured rates; empty where they were not measured.
    #[serde(default)]
    device: Vec<f64>,
    corrections: Vec<u64>,
}

fn numbers(rates: &Rates) -> Vec<f64> {
    vec![rates.flops64, rates.flops32, rates.memory, rates.threads as f64, rates.launch]
}

/// Equal but for what reading and writing in decimals may lose.
fn agree(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-9 * a.abs())
}

impl Model {
    fn all_rates(&self) -> [Vec<f64>; 2] {
        [numbers(&self.cpu), self.gpu.as_ref().map_or_else(Vec::new, |(rates, _)| numbers(rates))]
    }

    fn places() -> impl Iterator<Item = (Engine, OpKind, DType)> {
        [Engine::Cpu, Engine::OpenCl]
            .into_iter()
            .flat_map(|engine| OpKind::ALL.map(move |op| DType::ALL.map(move |dtype| (engine, op, dtype))))
            .flatten()
    }

    /// What is worth keeping for the next process.
    pub fn save(&self) -> SavedModel {
        let table = |(engine, op, dtype): (Engine, OpKind, DType)| {
            let table = self.tables[Self::index(engine, op, dtype)].clone()?;
            Some((engine.name().to_string(), op.name().to_string(), dtype.name().to_string(), table))
        };
        let whole = |(_, op, dtype): (Engine, OpKind, DType)| {
            let table = self.whole[Self::index(Engine::Cpu, op, dtype)].clone()?;
            Some((op.name().to_string(), dtype.name().to_string(), table))
        };
        let once = Self::places().filter(|(engine, ..)| *engine == Engine::OpenCl);
        SavedModel {
            whole: once.filter_map(whole).collect(),
            rates: self.all_rates(),
            tables: Self::places().filter_map(table).collect(),
            transfers: self.transfers.clone(),
            device: self.measured.as_ref().map_or_else(Vec::new, |r| vec![r.flops64, r.flops32, r.memory]),
            corrections: self.corrections.words(),
        }
    }

    /// Takes up what another process has kept, in place of what is here. False, and without effect, if it is relative to
    /// other rates or does not hold together; unknown operations are passed over.
    pub fn restore(&mut self, saved: SavedModel) -> bool {
        let sound = saved.tables.iter().map(|(.., table)| table).chain(saved.transfers.iter().flatten());
        let sound = sound.chain(saved.whole.iter().map(|(.., table)| table));
        let same = self.all_rates().iter().zip(&saved.rates).all(|(mine, theirs)| agree(mine, theirs));
        if !same || !sound.into_iter().all(Table::is_sound) {
            return false;
        }
        self.measured = match saved.device[..] {
            [flops64, flops32, memory] if memory > 0.0 => Some(Rates::gpu(flops64, flops32, memory)),
            _ => None,
        };
        for place in Self::places() {
            let (engine, op, dtype) = place;
            let names = (engine.name(), op.name(), dtype.name());
            let found = saved.tables.iter().find(|(engine, op, dtype, _)| names == (engine, op, dtype));
            self.tables[Self::index(engine, op, dtype)] = found.map(|(.., table)| table.clone());
            let found = saved.whole.iter().find(|(op, dtype, _)| (names.1, names.2) == (op, dtype));
            self.whole[Self::index(Engine::Cpu, op, dtype)] = found.map(|(.., table)| table.clone());
        }
        self.transfers = saved.transfers;
        self.corrections.forget(|_, _, _| true);
        self.corrections.restore(&saved.corrections);
        self.find_floor();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::model::{Case, Direction, Moves};

    fn model(threads: usize) -> Model {
        Model::new(Rates::cpu(threads), Some((Rates::gpu(3e13, 6e13, 4e12), &[OpKind::Matmul])))
    }

    #[test]
    fn a_model_read_back_from_json_predicts_the_same() {
        let mut first = model(8);
        let case = Case::matmul(DType::Float64, 100, 200, 300);
        let moves = Moves::all(&case);
        assert!(first.put(
            (Engine::Cpu, OpKind::Matmul, DType::Float64),
            vec![vec![0.0, 5.0]],
            &[Some(0.3), Some(1.7)]
        ));
        assert!(first.put((Engine::OpenCl, OpKind::Matmul, DType::Float64), vec![vec![0.0]], &[Some(2.5)]));
        assert!(first.put_transfers(Direction::Upload, &[(1000, 1e-5), (1_000_000, 1e-3)]));
        (0..10).for_each(|_| first.learn(&case, Engine::Cpu, 1e-2, 0.0));
        first.put_rates(5e13, 4e13, 3e12);
        let text = serde_json::to_string(&first.save()).unwrap();
        let mut second = model(8);
        assert!(second.restore(serde_json::from_str(&text).unwrap()));
        let (a, b) = (first.predict(&case, moves), second.predict(&case, moves));
        let close = |a: Option<f64>, b: Option<f64>| (a.unwrap() / b.unwrap() - 1.0).abs() < 1e-9;
        assert!(close(a.cpu, b.cpu) && close(a.gpu, b.gpu) && close(a.transfer, b.transfer), "{a:?} {b:?}");
        assert_ne!(second.predict(&case, moves), model(8).predict(&case, moves));
        assert!(second.has_rates() && !model(8).has_rates());
    }

    #[test]
    fn what_is_relative_to_other_rates_or_broken_is_refused() {
        let mut first = model(8);
        assert!(first.put((Engine::Cpu, OpKind::Qr, DType::Float32), vec![vec![0.0, 1.0]], &[Some(2.0), Some(3.0)]));
        assert!(!model(9).restore(first.save()));
        assert!(!Model::new(Rates::cpu(8), None).restore(first.save()));
        let text = serde_json::to_string(&first.save()).unwrap();
        let broken: SavedModel = serde_json::from_str(&text.replace("[0.0,1.0]", "[1.0,0.0]")).unwrap();
        assert!(!model(8).restore(broken));
        let newer: SavedModel = serde_json::from_str(&text.replace("\"qr\"", "\"fft\"")).unwrap();
        assert!(model(8).restore(newer));
    }
}
