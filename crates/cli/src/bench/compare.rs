//! Two measurements beside each other.

use super::case::{Case, Measurement};
use super::duration;
use super::record::Machine;
use std::fmt;

/// The medians of a case that both have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) case: Case,
    now: f64,
    was: f64,
}

impl Change {
    pub(crate) fn is_slower(&self, threshold: f64) -> bool {
        self.now > self.was * (1.0 + threshold / 100.0)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (now, was) = (duration(self.now), duration(self.was));
        let percent = (self.now / self.was - 1.0) * 100.0;
        write!(f, "{}: {now}, was {was}: {percent:.0} % slower", self.case)
    }
}

pub(crate) fn changes(now: &[Measurement], was: &[Measurement]) -> Vec<Change> {
    let change = |now: &Measurement| {
        let was = was.iter().find(|was| was.case == now.case)?;
        Some(Change { case: now.case, now: now.seconds.median, was: was.seconds.median })
    };
    now.iter().filter_map(change).collect()
}

/// The cases of `others` that `measured` lacks.
pub(crate) fn missing_from(measured: &[Measurement], others: &[Measurement]) -> Vec<Case> {
    let lacks = |case: &Case| measured.iter().all(|known| known.case != *case);
    others.iter().map(|other| other.case).filter(lacks).collect()
}

/// In what the baseline's machine differs, if figures of the two cannot be compared.
pub(crate) fn other_machine(this: &Machine, other: &Machine) -> Option<String> {
    let mut differences = Vec::new();
    if this.cpu != other.cpu {
        differences.push(format!("CPU: {}, here {}", other.cpu, this.cpu));
    }
    if this.cores != other.cores {
        differences.push(format!("cores: {}, here {}", other.cores, this.cores));
    }
    if this.threads != other.threads {
        differences.push(format!("threads: {}, here {}", other.threads, this.threads));
    }
    (!differences.is_empty()).then(|| differences.join("; "))
}
