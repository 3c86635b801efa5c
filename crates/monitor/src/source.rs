//! Where the page's processes come from: this one, or those that publish.

use crate::process::{View, Wanted};
use crate::snapshot::Process;

/// Knows processes.
pub(crate) trait Source: Send + Sync {
    /// All of them, as much as is wanted of each.
    fn processes(&self, wanted: &dyn Fn(&Process) -> Wanted) -> Vec<Process>;
    /// Whether what it says is fresh.
    fn is_ready(&self) -> bool;
    /// Somebody asks for devices.
    fn find_devices(&self) {}
}

impl Source for View {
    fn processes(&self, wanted: &dyn Fn(&Process) -> Wanted) -> Vec<Process> {
        let asked = Process { identity: self.identity().clone(), ..Process::default() };
        vec![self.process(wanted(&asked))]
    }

    fn is_ready(&self) -> bool {
        View::is_ready(self)
    }

    fn find_devices(&self) {
        View::find_devices(self);
    }
}
