//! Figures of the machine, the process and its GPUs.
//!
//! Everything is read below a root directory, so that tests can build one. What is not there is `None` and no error: a page
//! without GPU figures is right on a machine without a GPU.

mod host;
mod nvml;
mod sysfs;

pub(crate) use host::HostCollector;
pub use nvml::Nvml;

use crate::snapshot::Machine;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Least time between two looks at the machine. NVML answers in about a millisecond, and asking it more often slows GPUs down.
const PERIOD: Duration = Duration::from_millis(500);

/// All of it.
pub(crate) struct Collector {
    host: HostCollector,
    cards: sysfs::Cards,
    nvml: Option<Nvml>,
    last: Option<(Instant, Machine)>,
}

impl Collector {
    /// Of this machine.
    pub(crate) fn new() -> Self {
        Self::below(PathBuf::from("/"), Nvml::load())
    }

    pub(crate) fn below(root: PathBuf, nvml: Option<Nvml>) -> Self {
        Self { cards: sysfs::Cards::below(&root), host: HostCollector::below(root), nvml, last: None }
    }

    /// The machine now, or as it was less than half a second ago.
    pub(crate) fn machine(&mut self, now: Instant, unix: f64) -> Machine {
        if let Some((at, machine)) = &self.last
            && now.saturating_duration_since(*at) < PERIOD
        {
            return machine.clone();
        }
        let mut machine = self.host.machine(now);
        machine.at = unix;
        machine.gpus = self.nvml.as_ref().map_or_else(Vec::new, Nvml::gpus);
        machine.gpus.extend(self.cards.gpus(now));
        self.last = Some((now, machine.clone()));
        machine
    }
}

#[cfg(test)]
pub(crate) mod tree {
    use std::fs;
    use std::path::PathBuf;

    /// A file tree of its own for each test, removed at its end.
    pub(crate) struct Tree(pub(crate) PathBuf);

    impl Tree {
        pub(crate) fn new(test: &str, files: &[(&str, &str)]) -> Self {
            let root = std::env::temp_dir().join(format!("lapack-ai-monitor-{}-{test}", std::process::id()));
            let tree = Self(root);
            files.iter().for_each(|(name, text)| tree.write(name, text));
            tree
        }

        pub(crate) fn write(&self, name: &str, text: &str) {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().expect("a directory")).expect("a temporary directory");
            fs::write(path, text).expect("a temporary file");
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
