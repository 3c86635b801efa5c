//! What the container gives: memory, processors, a user without privileges, a folder for what is kept.

use super::{Check, Section};
use crate::container::Container;
use crate::dispatch::store::Store;
use lapack_ai_host::{default_threads, requested_threads};
use std::fs;
use std::path::Path;

const SECTION: Section = Section::Container;
const MIB: u64 = 1 << 20;
/// Less than this is used up by one decomposition of order 2000 with its vectors and workspace (about 200 MB in float64).
const LITTLE: u64 = 256 * MIB;

/// Checks them.
pub fn container() -> Vec<Check> {
    let container = Container::of_this_process();
    let mut checks = vec![place(&container)];
    checks.extend(memory(&container));
    checks.push(processors(&container, requested_threads(), default_threads()));
    checks.extend(user(&container, user_id()));
    checks.push(folder(Store::of_this_process().as_ref().map(Store::directory)));
    checks
}

fn place(container: &Container) -> Check {
    let found = match container.evidence {
        Some(evidence) => format!("this is a container ({evidence})"),
        None => "this is no container".to_string(),
    };
    Check::passed(SECTION, "place", found)
}

fn memory(container: &Container) -> Option<Check> {
    let (limit, left) = (container.memory_limit?, container.memory_headroom?);
    let found = format!("{} MiB of a limit of {} MiB are left", left / MIB, limit / MIB);
    Some(match left < LITTLE {
        true => Check::noted(
            SECTION,
            "memory",
            found,
            format!("docker run --memory {}m; Kubernetes: resources.limits.memory: {0}Mi", (limit + 4 * LITTLE) / MIB),
        ),
        false => Check::passed(SECTION, "memory", found),
    })
}

/// Threads beyond the quota are stopped by the kernel for the rest of every period, in the middle of a matrix.
fn processors(container: &Container, requested: Option<usize>, threads: usize) -> Check {
    let Some(quota) = container.cpu_quota else {
        return Check::passed(SECTION, "processors", format!("no quota; {threads} threads"));
    };
    let within = quota.ceil().max(1.0) as usize;
    let wish = requested.map_or(String::new(), |wish| format!(", {wish} asked for"));
    let found = format!("time for {quota:.1} processors; {threads} threads{wish}");
    match threads > within {
        true => Check::noted(
            SECTION,
            "processors",
            found,
            format!("set OMP_NUM_THREADS={within}, or raise the quota: docker run --cpus {threads}"),
        ),
        false => Check::passed(SECTION, "processors", found),
    }
}

fn user(container: &Container, id: Option<u32>) -> Option<Check> {
    container.evidence?;
    Some(match id? {
        0 => Check::noted(
            SECTION,
            "user",
            "root, which nothing here needs",
            "docker run --user 10001; Kubernetes: securityContext.runAsNonRoot: true",
        ),
        id => Check::passed(SECTION, "user", format!("{id}, without privileges")),
    })
}

/// Kernels that were built and measurements are kept between processes; without a folder each process builds them anew.
fn folder(place: Option<&Path>) -> Check {
    let fix = "mount a volume and name it: docker run -v lapack-ai-cache:/cache -e XDG_CACHE_HOME=/cache";
    let Some(place) = place else {
        return Check::noted(
            SECTION,
            "cache",
            "no folder: HOME, XDG_CACHE_HOME and LAPACK_AI_CACHE_DIR are not set",
            fix,
        );
    };
    let name = place.join(format!(".validate-{}", std::process::id()));
    let written = fs::create_dir_all(place).and_then(|()| fs::write(&name, "")).and_then(|()| fs::remove_file(&name));
    match written {
        Ok(()) => Check::passed(SECTION, "cache", format!("{} can be written", place.display())),
        Err(error) => Check::noted(
            SECTION,
            "cache",
            format!("{} cannot be written ({error}), so kernels are built anew in each process", place.display()),
            fix,
        ),
    }
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "other systems have none")]
fn user_id() -> Option<u32> {
    // SAFETY: the call has no arguments and cannot fail.
    Some(unsafe { libc::geteuid() })
}

#[cfg(not(unix))]
fn user_id() -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    #[test]
    fn little_memory_is_noted_with_the_flag_that_raises_the_limit() {
        let limited =
            |left| Container { memory_limit: Some(512 * MIB), memory_headroom: Some(left), ..Container::default() };
        let check = memory(&limited(40 * MIB)).unwrap();
        assert_eq!(check.outcome, Outcome::Noted);
        assert_eq!(check.found, "40 MiB of a limit of 512 MiB are left");
        assert!(check.fix.unwrap().contains("--memory 1536m"));
        assert_eq!(memory(&limited(400 * MIB)).unwrap().outcome, Outcome::Passed);
        assert!(memory(&Container::default()).is_none());
    }

    #[test]
    fn more_threads_than_the_quota_pays_for_are_noted() {
        let container = Container { cpu_quota: Some(1.5), ..Container::default() };
        let check = processors(&container, Some(8), 8);
        assert_eq!(check.outcome, Outcome::Noted);
        assert!(check.found.contains("time for 1.5 processors; 8 threads, 8 asked for"), "{}", check.found);
        assert!(check.fix.unwrap().contains("OMP_NUM_THREADS=2"));
        assert_eq!(processors(&container, None, 2).outcome, Outcome::Passed);
        assert_eq!(processors(&Container::default(), None, 64).outcome, Outcome::Passed);
    }

    #[test]
    fn root_is_noted_in_a_container_only() {
        let inside = Container { evidence: Some("/.dockerenv"), ..Container::default() };
        assert_eq!(user(&inside, Some(0)).unwrap().outcome, Outcome::Noted);
        assert_eq!(user(&inside, Some(10_001)).unwrap().outcome, Outcome::Passed);
        assert!(user(&Container::default(), Some(0)).is_none());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_noted_and_one_that_can_is_left_empty() {
        let place = std::env::temp_dir().join(format!("lapack-ai-validate-{}", std::process::id()));
        assert_eq!(folder(Some(&place)).outcome, Outcome::Passed);
        assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
        fs::remove_dir_all(&place).unwrap();
        for place in [Some(Path::new("/dev/null/cache")), None] {
            let check = folder(place);
            assert_eq!(check.outcome, Outcome::Noted);
            assert!(check.fix.unwrap().contains("XDG_CACHE_HOME=/cache"));
        }
    }
}
