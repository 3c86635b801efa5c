//! Processors, memory, container.
//!
//! Source: Linux manual, proc(5). Memory that can still be had is the machine's or the control group's, whichever is less.

use crate::snapshot::Machine;
use lapack_ai::container::Container;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

/// Ticks of `/proc/stat` in a second: fixed at 100 on every Linux that Rust supports.
const TICKS: f64 = 100.0;

/// What a process takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Figures {
    /// Processor time, in cores.
    pub(crate) cpu: f64,
    /// Resident bytes.
    pub(crate) memory: f64,
}

/// Reads them, and remembers counters from one look to the next.
pub(crate) struct HostCollector {
    root: PathBuf,
    machine_ticks: Option<(Instant, f64)>,
    process_ticks: Option<(Instant, f64)>,
}

impl HostCollector {
    pub(crate) fn below(root: PathBuf) -> Self {
        Self { root, machine_ticks: None, process_ticks: None }
    }

    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.root.join(name)).ok()
    }

    /// Cores in use since the last look.
    fn rate(last: &mut Option<(Instant, f64)>, now: Instant, ticks: f64) -> Option<f64> {
        let (then, before) = last.replace((now, ticks))?;
        let seconds = now.saturating_duration_since(then).as_secs_f64();
        (seconds > 0.0).then(|| ((ticks - before) / TICKS / seconds).max(0.0))
    }

    pub(crate) fn machine(&mut self, now: Instant) -> Machine {
        let container = Container::below(&self.root, std::env::var_os);
        let meminfo = self.read("proc/meminfo").unwrap_or_default();
        let kilobytes = |name: &str| {
            let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
        };
        let available = kilobytes("MemAvailable");
        let ticks = self.read("proc/stat").and_then(|text| busy_ticks(&text));
        let mark = self.read("run/.containerenv").unwrap_or_default();
        Machine {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu_quota: container.cpu_quota,
            cpu: ticks.and_then(|ticks| Self::rate(&mut self.machine_ticks, now, ticks)),
            load: self.read("proc/loadavg").and_then(|text| load(&text)),
            memory_total: kilobytes("MemTotal"),
            memory_available: match (available, container.memory_headroom) {
                (Some(available), Some(headroom)) => Some(available.min(headroom)),
                (available, headroom) => available.or(headroom),
            },
            memory_limit: container.memory_limit,
            memory_used: container.memory_used.filter(|_| container.memory_limit.is_some()),
            container: container.evidence.map(str::to_string),
            container_id: quoted(&mark, "id").or_else(|| self.container_id()),
            container_image: quoted(&mark, "image"),
            ..Machine::default()
        }
    }

    /// What this process takes.
    pub(crate) fn process(&mut self, now: Instant) -> Figures {
        let ticks = self.read("proc/self/stat").and_then(|text| process_ticks(&text));
        let cpu = ticks.and_then(|ticks| Self::rate(&mut self.process_ticks, now, ticks)).unwrap_or(0.0);
        let status = self.read("proc/self/status").unwrap_or_default();
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
        Figures { cpu, memory: resident.unwrap_or(0.0) * 1024.0 }
    }

    /// The 64 hexadecimal digits that container runtimes put into the group's path, or into that of the mounted host name.
    fn container_id(&self) -> Option<String> {
        let places = ["proc/self/cgroup", "proc/self/mountinfo"];
        places.iter().find_map(|place| {
            let text = self.read(place)?;
            let mut words = text.split(|letter: char| !letter.is_ascii_hexdigit());
            words.find(|word| word.len() == 64).map(str::to_string)
        })
    }
}

/// Ticks that all processors were busy: all but idle and waiting for a disk. Guests are within the user's time.
fn busy_ticks(stat: &str) -> Option<f64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<f64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    (ticks.len() >= 8).then(|| ticks[..8].iter().sum::<f64>() - ticks[3] - ticks[4])
}

/// User's and system's ticks; the name in parentheses may contain anything.
fn process_ticks(stat: &str) -> Option<f64> {
    let mut words = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(words.next()?.parse::<f64>().ok()? + words.next()?.parse::<f64>().ok()?)
}

fn load(text: &str) -> Option<[f64; 3]> {
    let mut words = text.split_whitespace().map(|word| word.parse().ok());
    Some([words.next()??, words.next()??, words.next()??])
}

/// `name="value"` on a line of its own, as podman writes it.
fn quoted(text: &str, name: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    let value = value.trim().trim_matches('"');
    (!value.is_empty()).then(|| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;
    use std::time::Duration;

    const STAT: &str = "cpu  100 0 50 1000 20 0 0 0 0 0\ncpu0 100 0 50 1000 20 0 0 0 0 0\n";

    #[test]
    fn the_machine_of_a_tree_is_read_and_its_load_comes_from_two_looks() {
        let tree = Tree::new(
            "host",
            &[
                ("proc/meminfo", "MemTotal:       8000 kB\nMemFree: 1 kB\nMemAvailable:   6000 kB\n"),
                ("proc/loadavg", "1.50 0.75 0.25 2/300 4242\n"),
                ("proc/stat", STAT),
                ("proc/self/cgroup", "0::/\n"),
                ("sys/fs/cgroup/memory.max", "4096000\n"),
                ("sys/fs/cgroup/memory.current", "1024000\n"),
                ("sys/fs/cgroup/cpu.max", "150000 100000\n"),
                ("run/.containerenv", "engine=\"podman-5\"\nid=\"abc\"\nimage=\"lapack:1\"\n"),
            ],
        );
        let mut collector = HostCollector::below(tree.0.clone());
        let now = Instant::now();
        let machine = collector.machine(now);
        assert_eq!((machine.cpu, machine.load), (None, Some([1.5, 0.75, 0.25])));
        assert_eq!((machine.memory_total, machine.memory_available), (Some(8_192_000), Some(3_072_000)));
        assert_eq!((machine.memory_limit, machine.memory_used), (Some(4_096_000), Some(1_024_000)));
        assert_eq!((machine.cpu_quota, machine.container_image.as_deref()), (Some(1.5), Some("lapack:1")));
        assert_eq!(
            (machine.container.as_deref(), machine.container_id.as_deref()),
            (Some("/run/.containerenv"), Some("abc"))
        );
        tree.write("proc/stat", "cpu  200 0 100 1050 20 0 0 0 0 0\n");
        let later = collector.machine(now + Duration::from_secs(1));
        assert!((later.cpu.unwrap() - 1.5).abs() < 1e-9);
    }

    #[test]
    fn the_number_of_a_container_is_found_in_the_path_of_its_group() {
        let number = "0123456789abcdef".repeat(4);
        let tree = Tree::new("number", &[("proc/self/cgroup", &format!("0::/docker/{number}\n"))]);
        let machine = HostCollector::below(tree.0.clone()).machine(Instant::now());
        assert_eq!(machine.container_id, Some(number));
    }

    #[test]
    fn a_process_whose_name_has_parentheses_is_read() {
        let fields = "4242 (a) (b)) S 1 1 1 0 -1 0 0 0 0 0 30 20 0 0 20 0 5 0 100 1000 200\n";
        let tree = Tree::new("process", &[("proc/self/stat", fields), ("proc/self/status", "VmRSS:\t  2048 kB\n")]);
        let mut collector = HostCollector::below(tree.0.clone());
        let now = Instant::now();
        assert_eq!(collector.process(now), Figures { cpu: 0.0, memory: 2_097_152.0 });
        tree.write("proc/self/stat", &fields.replace("30 20", "130 70"));
        assert!((collector.process(now + Duration::from_secs(1)).cpu - 1.5).abs() < 1e-9);
    }

    #[test]
    fn where_nothing_can_be_read_nothing_is_said() {
        let tree = Tree::new("nothing", &[]);
        let mut collector = HostCollector::below(tree.0.clone());
        let machine = collector.machine(Instant::now());
        assert_eq!(
            (machine.cpu, machine.load, machine.memory_total, machine.memory_available),
            (None, None, None, None)
        );
        assert_eq!(collector.process(Instant::now()), Figures::default());
    }
}
