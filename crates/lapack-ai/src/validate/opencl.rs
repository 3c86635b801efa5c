//! The OpenCL loader, the drivers that its ICD files name, and the device nodes that drivers need.

use super::{Check, Section};
use crate::container::Container;
use lapack_ai_opencl::{DeviceInfo, FoundBy, IcdFile, discover, icd_files, icd_folder};
use std::fmt::Write;
use std::path::Path;

const SECTION: Section = Section::OpenCl;

/// Checks them.
pub fn opencl() -> Vec<Check> {
    let container = Container::of_this_process();
    let found = discover().map_err(|fault| fault.text);
    let mut checks = vec![devices(found.as_deref().map_err(String::as_str), &container)];
    checks.push(drivers(&icd_files(), &icd_folder(), found.as_deref().unwrap_or_default()));
    checks.extend(nodes(&container, &refused));
    checks
}

fn devices(found: Result<&[DeviceInfo], &str>, container: &Container) -> Check {
    match found {
        Ok([]) => Check::noted(SECTION, "devices", "a loader, but no device", container.opencl_advice()),
        Ok(devices) => {
            let names: Vec<String> =
                devices.iter().map(|device| format!("{} ({})", device.name, device.platform)).collect();
            Check::passed(SECTION, "devices", names.join("; "))
        }
        Err(why) => Check::noted(SECTION, "devices", why, container.opencl_advice()),
    }
}

/// A file that names a library which is not there is left over from a driver that was removed, or was put into an image whose
/// driver the host should have mounted. It does no harm by itself.
fn drivers(files: &[IcdFile], folder: &Path, devices: &[DeviceInfo]) -> Check {
    let folder = folder.display();
    let broken = files.iter().find_map(|file| Some((file, file.fault.as_deref()?)));
    let unnamed = devices.iter().find(|device| matches!(device.found_by, FoundBy::Name(_)));
    if let Some((file, why)) = broken {
        let library = if file.library.is_empty() { "no library" } else { &file.library };
        let fix = match library.contains("nvidia") {
            true => "start the container with --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility, or outside one install \
                     NVIDIA's driver; without such a GPU this is of no account"
                .to_string(),
            false => format!("install the package that has {library}, or remove the file"),
        };
        return Check::noted(SECTION, "drivers", format!("{} names {library}: {why}", file.path.display()), fix);
    }
    if let Some(device) = unnamed {
        let found = format!("{} was found by {}", device.name, device.found_by.describe());
        let fix = format!("for other programs: echo libnvidia-opencl.so.1 > {folder}/nvidia.icd");
        return Check::noted(SECTION, "drivers", found, fix);
    }
    if files.is_empty() {
        return Check::noted(
            SECTION,
            "drivers",
            format!("{folder} has no *.icd file"),
            "optional: a GPU's OpenCL driver brings one; OCL_ICD_VENDORS names another folder",
        );
    }
    let mut names = String::new();
    for file in files {
        let _ = write!(names, "{}{}", if names.is_empty() { "" } else { ", " }, file.library);
    }
    Check::passed(SECTION, "drivers", format!("{names} open"))
}

/// Each GPU node that this process may not use. `group` gives the numeric group of a node that is refused.
fn nodes(container: &Container, group: &dyn Fn(&Path) -> Option<u32>) -> Option<Check> {
    if container.gpu_nodes.is_empty() {
        return None;
    }
    let Some((node, gid)) = container.gpu_nodes.iter().find_map(|node| Some((node.display(), group(node)?))) else {
        let names: Vec<String> = container.gpu_nodes.iter().map(|node| node.display().to_string()).collect();
        return Some(Check::passed(SECTION, "nodes", format!("{} can be opened", names.join(", "))));
    };
    let fix = match container.evidence {
        Some(_) => format!(
            "docker run --group-add {gid}; Kubernetes: securityContext.supplementalGroups: [{gid}]; compose: group_add: [\"{gid}\"]"
        ),
        None => format!("sudo usermod -aG \"$(getent group {gid} | cut -d: -f1)\" \"$USER\", and log in again"),
    };
    Some(Check::failed(SECTION, "nodes", format!("{node} belongs to group {gid}, which this process is not in"), fix))
}

/// The group of a node that this process cannot read and write; `None` where it can.
#[cfg(unix)]
fn refused(node: &Path) -> Option<u32> {
    use std::os::unix::{ffi::OsStrExt, fs::MetadataExt};
    let name = std::ffi::CString::new(node.as_os_str().as_bytes()).ok()?;
    // Asked instead of opened: opening a GPU's node may wake it.
    // SAFETY: a string that ends with 0, which the call only reads.
    let allowed = unsafe { libc::access(name.as_ptr(), libc::R_OK | libc::W_OK) } == 0;
    if allowed { None } else { Some(std::fs::metadata(node).ok()?.gid()) }
}

#[cfg(not(unix))]
fn refused(_: &Path) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    fn file(library: &str, fault: Option<&str>) -> IcdFile {
        IcdFile { path: "/etc/OpenCL/vendors/x.icd".into(), library: library.into(), fault: fault.map(str::to_string) }
    }

    #[test]
    fn a_driver_that_does_not_open_is_noted_with_its_file_and_the_fix() {
        let folder = Path::new("/etc/OpenCL/vendors");
        let good = file("libpocl.so.2", None);
        let nvidia = file("libnvidia-opencl.so.1", Some("cannot open shared object file"));
        let check = drivers(&[good.clone(), nvidia], folder, &[]);
        assert_eq!(check.outcome, Outcome::Noted);
        assert!(check.found.contains("x.icd names libnvidia-opencl.so.1: cannot open"), "{}", check.found);
        assert!(check.fix.unwrap().contains("--gpus all"));
        let other = drivers(&[file("libigdrcl.so", Some("gone"))], folder, &[]);
        assert!(other.fix.unwrap().contains("install the package that has libigdrcl.so"));
        assert_eq!(drivers(&[good], folder, &[]).outcome, Outcome::Passed);
        assert!(drivers(&[], folder, &[]).found.contains("/etc/OpenCL/vendors has no *.icd file"));
    }

    #[test]
    fn a_node_of_another_group_is_a_failure_with_the_flag_that_adds_it() {
        let inside = Container {
            evidence: Some("/.dockerenv"),
            gpu_nodes: vec!["/dev/dri/renderD128".into(), "/dev/kfd".into()],
            ..Container::default()
        };
        let check = nodes(&inside, &|node| node.ends_with("kfd").then_some(105)).unwrap();
        assert_eq!(check.outcome, Outcome::Failed);
        assert!(check.found.starts_with("/dev/kfd belongs to group 105"), "{}", check.found);
        let fix = check.fix.unwrap();
        assert!(fix.contains("--group-add 105") && fix.contains("supplementalGroups: [105]"), "{fix}");
        let outside = Container { evidence: None, ..inside.clone() };
        assert!(nodes(&outside, &|_| Some(44)).unwrap().fix.unwrap().contains("usermod"));
        assert_eq!(nodes(&inside, &|_| None).unwrap().outcome, Outcome::Passed);
        assert!(nodes(&Container::default(), &|_| Some(1)).is_none());
    }

    #[test]
    fn without_a_device_the_advice_is_the_containers() {
        let inside = Container { evidence: Some("/.dockerenv"), ..Container::default() };
        for found in [Ok(&[][..]), Err("no OpenCL driver")] {
            let check = devices(found, &inside);
            assert_eq!(check.outcome, Outcome::Noted, "OpenCL is optional");
            assert!(check.fix.unwrap().contains("docker run --gpus all"));
        }
    }
}
