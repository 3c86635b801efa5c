//! What limits this process: memory and processors of its control groups, a container, and the GPU devices that the
//! container was given.
//!
//! A control group's limit holds for all groups below it, so the one that counts is the smallest on the way from the
//! process's group to the root. Inside a container the path in `/proc/self/cgroup` is often the host's, and does not exist
//! below the mount; the mount itself is then the container's group. So both are looked at: every part of the path that
//! exists, and the mount.
//!
//! Memory in use is what cannot be taken back at once: the kernel's count less inactive pages of files.
//!
//! Everything is read below a root directory, so that tests can build one.
//!
//! Source: Linux kernel documentation, admin-guide/cgroup-v2 and admin-guide/cgroup-v1/memory.

use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Version 1 writes the largest multiple of the page size for "no limit"; no machine has an exbibyte.
const NO_LIMIT: u64 = 1 << 60;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Container {
    /// The smallest memory limit that holds for this process, in bytes; `None` where there is none.
    pub memory_limit: Option<u64>,
    /// Memory in use in the group with that limit, in bytes; in the process's own group where no group has a limit.
    /// `None` where it cannot be known.
    pub memory_used: Option<u64>,
    /// Bytes that this process can still take before a limit is reached, the least over all groups; `None` where no group
    /// has a limit.
    pub memory_headroom: Option<u64>,
    /// Processors' worth of time that the process may use, for example 1.5; `None` where there is no limit.
    pub cpu_quota: Option<f64>,
    /// What shows that this is a container, for example `/.dockerenv`; `None` outside.
    pub evidence: Option<&'static str>,
    /// GPU device nodes, for example `/dev/nvidia0`, sorted.
    pub gpu_nodes: Vec<PathBuf>,
}

/// Names of one version's files.
struct Files {
    limit: &'static str,
    used: &'static str,
    inactive: &'static str,
}

const V2: Files = Files { limit: "memory.max", used: "memory.current", inactive: "inactive_file" };
const V1: Files =
    Files { limit: "memory.limit_in_bytes", used: "memory.usage_in_bytes", inactive: "total_inactive_file" };

impl Container {
    /// This process's.
    pub fn of_this_process() -> Self {
        Self::below(Path::new("/"), std::env::var_os)
    }

    /// The one described by the files below `root` and by the environment, read through `variable`.
    pub fn below(root: &Path, variable: impl Fn(&'static str) -> Option<OsString>) -> Self {
        let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        let mut found = Self { gpu_nodes: gpu_nodes(root), ..Self::default() };
        let mount = root.join("sys/fs/cgroup");
        let of = |controller| path_of(&groups, controller);
        let unified = directories(&mount, of(""));
        let hybrid = directories(&mount.join("unified"), of(""));
        let memory = directories(&mount.join("memory"), of("memory"));
        let chains = [(unified.as_slice(), &V2), (hybrid.as_slice(), &V2), (memory.as_slice(), &V1)];
        for (directory, files) in chains.into_iter().flat_map(|(chain, files)| chain.iter().map(move |d| (d, files))) {
            found.note_memory(directory, files);
        }
        let cpu = ["cpu", "cpu,cpuacct"].map(|name| directories(&mount.join(name), of("cpu"))).concat();
        let quotas = unified.iter().chain(&hybrid).filter_map(|directory| quota_v2(directory));
        found.cpu_quota = quotas.chain(cpu.iter().filter_map(|directory| quota_v1(directory))).min_by(f64::total_cmp);
        found.evidence = evidence(root, &groups, variable);
        found
    }

    fn note_memory(&mut self, directory: &Path, files: &Files) {
        let used = number(&directory.join(files.used)).map(|used| {
            let text = fs::read_to_string(directory.join("memory.stat")).unwrap_or_default();
            let inactive = text.lines().find_map(|line| line.strip_prefix(files.inactive)?.trim().parse().ok());
            used.saturating_sub(inactive.unwrap_or(0))
        });
        let limit = number(&directory.join(files.limit)).filter(|limit| *limit < NO_LIMIT);
        if let Some(limit) = limit {
            let left = limit.saturating_sub(used.unwrap_or(0));
            self.memory_headroom = Some(self.memory_headroom.map_or(left, |known| known.min(left)));
            if self.memory_limit.is_none_or(|known| limit < known) {
                (self.memory_limit, self.memory_used) = (Some(limit), used);
            }
        } else if self.memory_limit.is_none() && self.memory_used.is_none() {
            self.memory_used = used;
        }
    }

    /// Whether a GPU of NVIDIA was passed in.
    pub fn has_nvidia(&self) -> bool {
        self.gpu_nodes.iter().any(|node| node.to_string_lossy().starts_with("/dev/nvidia"))
    }

    /// What to do where OpenCL finds no device, in one sentence.
    pub fn opencl_advice(&self) -> String {
        const NVIDIA: &str = "NVIDIA_DRIVER_CAPABILITIES=compute,utility";
        let nodes = || {
            let names: Vec<_> = self.gpu_nodes.iter().map(|node| node.display().to_string()).collect();
            names.join(", ")
        };
        match (self.evidence.is_some(), self.gpu_nodes.is_empty()) {
            (true, true) => format!(
                "optional: this container was given no GPU; NVIDIA: docker run --gpus all -e {NVIDIA}; \
                 AMD: --device /dev/kfd --device /dev/dri; Intel: --device /dev/dri; Kubernetes: the resource limit of \
                 the device plug-in, for example nvidia.com/gpu: 1"
            ),
            (true, false) if self.has_nvidia() => format!(
                "optional: {} is there but no OpenCL driver; start the container with -e {NVIDIA} and have \
                 /etc/OpenCL/vendors/nvidia.icd in the image (a file with the line libnvidia-opencl.so.1)",
                nodes()
            ),
            (_, false) if self.gpu_nodes.iter().all(|node| node.ends_with("dxg")) => {
                "optional: WSL 2 shows the GPU as /dev/dxg, for which NVIDIA has no OpenCL driver; use Linux itself, or \
                 a GPU whose maker has one"
                    .to_string()
            }
            (_, false) => format!(
                "optional: {} is there but no OpenCL driver; install the GPU's OpenCL driver{}",
                nodes(),
                if self.evidence.is_some() { " in the image" } else { "" }
            ),
            (false, true) => {
                "optional: install your GPU's OpenCL driver; PoCL (Debian: pocl-opencl-icd) runs OpenCL on \
                              the CPU"
                    .to_string()
            }
        }
    }
}

/// The path of this process's group for a controller of version 1, or, for "", of version 2.
fn path_of<'a>(groups: &'a str, controller: &str) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (controllers, path) = (parts.nth(1)?, parts.next()?);
        controllers.split(',').any(|name| name == controller).then_some(path)
    })
}

/// The group's directory and those above it, up to the mount, innermost first.
fn directories(mount: &Path, path: Option<&str>) -> Vec<PathBuf> {
    let inside: PathBuf = path.unwrap_or("").split('/').filter(|part| !part.is_empty()).collect();
    // A path with `..` leads out of what is mounted here.
    let reachable = inside.components().all(|part| matches!(part, Component::Normal(_)));
    let inside = if reachable { inside } else { PathBuf::new() };
    inside.ancestors().map(|part| mount.join(part)).collect()
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// `cpu.max`: quota and period in microseconds; the quota is `max` where there is none.
fn quota_v2(directory: &Path) -> Option<f64> {
    let text = fs::read_to_string(directory.join("cpu.max")).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    share(quota.parse().ok()?, period.parse().ok()?)
}

/// The quota is -1 where there is none, and then no unsigned number.
fn quota_v1(directory: &Path) -> Option<f64> {
    share(number(&directory.join("cpu.cfs_quota_us"))?, number(&directory.join("cpu.cfs_period_us"))?)
}

fn share(quota: u64, period: u64) -> Option<f64> {
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

fn evidence(root: &Path, groups: &str, variable: impl Fn(&'static str) -> Option<OsString>) -> Option<&'static str> {
    let mark = |file: &'static str| root.join(file.trim_start_matches('/')).exists().then_some(file);
    let kubernetes = || variable("KUBERNETES_SERVICE_HOST").map(|_| "KUBERNETES_SERVICE_HOST");
    let named = || {
        let runtimes = ["docker", "kubepods", "containerd", "libpod", "lxc"];
        groups.lines().any(|line| runtimes.iter().any(|name| line.contains(name))).then_some("/proc/self/cgroup")
    };
    mark("/.dockerenv").or_else(|| mark("/run/.containerenv")).or_else(kubernetes).or_else(named)
}

fn gpu_nodes(root: &Path) -> Vec<PathBuf> {
    let names = |directory: &str| {
        let entries = fs::read_dir(root.join(directory.trim_start_matches('/'))).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let is_nvidia = |name: &str| {
        let rest = name.strip_prefix("nvidia");
        rest.is_some_and(|rest| rest == "ctl" || (!rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())))
    };
    let is_gpu = |name: &str| is_nvidia(name) || matches!(name, "kfd" | "dxg");
    let direct = names("/dev").into_iter().filter(|name| is_gpu(name)).map(|name| Path::new("/dev").join(name));
    let render = names("/dev/dri").into_iter().filter(|name| name.starts_with("renderD"));
    let mut nodes: Vec<PathBuf> = direct.chain(render.map(|name| Path::new("/dev/dri").join(name))).collect();
    nodes.sort();
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    /// A file tree of its own for each test, removed at its end.
    struct Tree(PathBuf);

    impl Tree {
        fn new(test: &str, files: &[(&str, &str)]) -> Self {
            let root = std::env::temp_dir().join(format!("lapack-ai-container-{}-{test}", std::process::id()));
            for (name, text) in files {
                let path = root.join(name);
                fs::create_dir_all(path.parent().expect("a directory")).expect("a temporary directory");
                fs::write(path, text).expect("a temporary file");
            }
            Self(root)
        }

        fn look(&self) -> Container {
            Container::below(&self.0, |_| None)
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn of_nested_groups_the_smallest_limit_and_the_least_headroom_count() {
        let tree = Tree::new(
            "nested",
            &[
                ("proc/self/cgroup", "0::/outer/inner\n"),
                ("sys/fs/cgroup/outer/memory.max", "2147483648\n"),
                ("sys/fs/cgroup/outer/memory.current", "1879048192\n"),
                ("sys/fs/cgroup/outer/memory.stat", "anon 5\ninactive_file 268435456\n"),
                ("sys/fs/cgroup/outer/cpu.max", "150000 100000\n"),
                ("sys/fs/cgroup/outer/inner/memory.max", "1073741824\n"),
                ("sys/fs/cgroup/outer/inner/memory.current", "268435456\n"),
                ("sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n"),
            ],
        );
        let found = tree.look();
        assert_eq!((found.memory_limit, found.memory_used), (Some(GIB), Some(GIB / 4)));
        assert_eq!(found.memory_headroom, Some(GIB / 2), "2 GiB less 1.75 in use, 0.25 of that of inactive files");
        assert_eq!((found.cpu_quota, found.evidence), (Some(1.5), None));
    }

    #[test]
    fn where_the_path_is_the_hosts_the_mount_is_the_containers_group() {
        for path in ["/system.slice/docker-abc.scope", "/../../other", "/"] {
            let groups = format!("0::{path}\n");
            let files = [
                ("proc/self/cgroup", groups.as_str()),
                ("sys/fs/cgroup/memory.max", "1073741824"),
                ("sys/fs/cgroup/cpu.max", "max 100000"),
            ];
            let found = Tree::new(&format!("host-{}", path.len()), &files).look();
            let expected = (Some(GIB), Some(GIB), None);
            assert_eq!((found.memory_limit, found.memory_headroom, found.cpu_quota), expected, "{path}");
            assert_eq!(found.evidence.is_some(), path.contains("docker"), "{path}");
        }
    }

    #[test]
    fn version_1_is_read_and_its_huge_number_is_no_limit() {
        let files = |limit, quota| {
            [
                ("proc/self/cgroup", "5:memory:/job\n4:cpuacct,cpu:/job\n0::/\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ("sys/fs/cgroup/memory/job/memory.limit_in_bytes", limit),
                ("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "600\n"),
                ("sys/fs/cgroup/memory/job/memory.stat", "total_inactive_file 100\n"),
                ("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", quota),
                ("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n"),
            ]
        };
        let limited = Tree::new("v1", &files("1000\n", "50000\n")).look();
        assert_eq!(
            (limited.memory_limit, limited.memory_used, limited.memory_headroom),
            (Some(1000), Some(500), Some(500))
        );
        assert_eq!(limited.cpu_quota, Some(0.5));
        let free = Tree::new("v1-free", &files("9223372036854771712\n", "-1\n")).look();
        assert_eq!((free.memory_limit, free.memory_used, free.memory_headroom), (None, Some(500), None));
        assert_eq!(free.cpu_quota, None);
    }

    #[test]
    fn a_limit_of_max_is_none_and_an_empty_tree_says_nothing() {
        let files = [("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "max\n")];
        assert_eq!(Tree::new("max", &files).look(), Container::default());
        assert_eq!(Tree::new("empty", &[]).look(), Container::default());
    }

    #[test]
    fn a_container_is_known_by_its_marks_its_environment_or_its_groups() {
        assert_eq!(Tree::new("docker", &[(".dockerenv", "")]).look().evidence, Some("/.dockerenv"));
        assert_eq!(Tree::new("podman", &[("run/.containerenv", "")]).look().evidence, Some("/run/.containerenv"));
        let groups = [("proc/self/cgroup", "0::/kubepods/pod1/c\n")];
        assert_eq!(Tree::new("groups", &groups).look().evidence, Some("/proc/self/cgroup"));
        let tree = Tree::new("kubernetes", &[]);
        let set = |name| (name == "KUBERNETES_SERVICE_HOST").then(|| "10.0.0.1".into());
        assert_eq!(Container::below(&tree.0, set).evidence, Some("KUBERNETES_SERVICE_HOST"));
    }

    #[test]
    fn gpu_nodes_are_those_that_compute_and_no_others() {
        let nodes = [
            "nvidia0",
            "nvidia11",
            "nvidiactl",
            "nvidia-uvm",
            "nvidia",
            "kfd",
            "dxg",
            "null",
            "dri/renderD128",
            "dri/card0",
        ];
        let names: Vec<String> = nodes.iter().map(|node| format!("dev/{node}")).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        let found = Tree::new("nodes", &files).look();
        let expected =
            ["/dev/dri/renderD128", "/dev/dxg", "/dev/kfd", "/dev/nvidia0", "/dev/nvidia11", "/dev/nvidiactl"];
        assert_eq!(found.gpu_nodes, expected.map(PathBuf::from));
    }

    #[test]
    fn the_advice_names_what_is_missing_here() {
        let advice = |evidence, nodes: &[&str]| {
            let gpu_nodes = nodes.iter().map(PathBuf::from).collect();
            Container { evidence, gpu_nodes, ..Container::default() }.opencl_advice()
        };
        let none = advice(Some("/.dockerenv"), &[]);
        for part in ["docker run --gpus all", "--device /dev/kfd --device /dev/dri", "compute,utility"] {
            assert!(none.contains(part), "{none}");
        }
        assert!(
            advice(Some("/.dockerenv"), &["/dev/nvidia0"]).contains("-e NVIDIA_DRIVER_CAPABILITIES=compute,utility")
        );
        assert!(
            advice(Some("/.dockerenv"), &["/dev/kfd"])
                .ends_with("/dev/kfd is there but no OpenCL driver; install the GPU's OpenCL driver in the image")
        );
        assert!(advice(Some("/.dockerenv"), &["/dev/dxg"]).contains("WSL 2"));
        assert!(advice(None, &["/dev/dri/renderD128"]).ends_with("install the GPU's OpenCL driver"));
        assert!(advice(None, &[]).contains("pocl-opencl-icd"));
    }
}
