//! GPUs of AMD and Intel, from the files of their drivers.
//!
//! | figure | amdgpu | i915, xe |
//! |---|---|---|
//! | utilisation | `gpu_busy_percent` | - |
//! | memory | `mem_info_vram_used`, `mem_info_vram_total` | - |
//! | power, in microwatts | `hwmon/*/power1_average`, `power1_cap` | - |
//! | temperature, in thousandths | `hwmon/*/temp1_input` | `hwmon/*/temp1_input` |
//! | clock | `hwmon/*/freq1_input`, in hertz | `gt_act_freq_mhz` of the card |
//!
//! Source: Linux kernel documentation, gpu/amdgpu/thermal and ABI/testing/sysfs-driver-intel-i915-hwmon.

use crate::snapshot::GpuFigures;
use std::fs;
use std::path::{Path, PathBuf};

fn number(path: &Path) -> Option<f64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    found.sort();
    found
}

/// `card0`, and not `card0-HDMI-A-1`.
fn is_card(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.strip_prefix("card").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// All that are there.
pub(super) fn gpus(root: &Path) -> Vec<GpuFigures> {
    let cards = entries(&root.join("sys/class/drm"));
    cards.iter().filter(|path| is_card(path)).filter_map(|card| figures(card)).collect()
}

fn figures(card: &Path) -> Option<GpuFigures> {
    let device = card.join("device");
    let vendor = fs::read_to_string(device.join("vendor")).ok()?;
    let sensor = entries(&device.join("hwmon")).into_iter().next().unwrap_or_default();
    let temperature = number(&sensor.join("temp1_input")).map(|degrees| degrees / 1e3);
    let number_of =
        fs::read_to_string(device.join("device")).map_or_else(|_| String::new(), |id| id.trim().to_string());
    match vendor.trim() {
        "0x1002" => {
            let product = fs::read_to_string(device.join("product_name")).map(|name| name.trim().to_string());
            let name = product.ok().filter(|name| !name.is_empty()).unwrap_or_else(|| format!("AMD GPU {number_of}"));
            let bytes = |file: &str| number(&device.join(file)).map(|bytes| bytes as u64);
            let watts = |file: &str| number(&sensor.join(file)).map(|microwatts| microwatts / 1e6);
            Some(GpuFigures {
                name,
                source: "amdgpu".into(),
                utilisation: number(&device.join("gpu_busy_percent")).map(|percent| percent / 100.0),
                memory_used: bytes("mem_info_vram_used"),
                memory_total: bytes("mem_info_vram_total"),
                power: watts("power1_average").or_else(|| watts("power1_input")),
                power_limit: watts("power1_cap"),
                temperature,
                clock: number(&sensor.join("freq1_input")).map(|hertz| hertz / 1e6),
                throttled: Vec::new(),
            })
        }
        "0x8086" => Some(GpuFigures {
            name: format!("Intel GPU {number_of}"),
            source: "intel".into(),
            temperature,
            clock: number(&card.join("gt_act_freq_mhz")),
            ..GpuFigures::default()
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn cards_of_amd_and_intel_are_read_and_connectors_and_others_are_not() {
        let tree = Tree::new(
            "drm",
            &[
                ("sys/class/drm/card0/device/vendor", "0x1002\n"),
                ("sys/class/drm/card0/device/device", "0x740f\n"),
                ("sys/class/drm/card0/device/gpu_busy_percent", "37\n"),
                ("sys/class/drm/card0/device/mem_info_vram_used", "1000\n"),
                ("sys/class/drm/card0/device/mem_info_vram_total", "4000\n"),
                ("sys/class/drm/card0/device/hwmon/hwmon3/power1_average", "250000000\n"),
                ("sys/class/drm/card0/device/hwmon/hwmon3/temp1_input", "61000\n"),
                ("sys/class/drm/card0-HDMI-A-1/device/vendor", "0x1002\n"),
                ("sys/class/drm/card1/device/vendor", "0x8086\n"),
                ("sys/class/drm/card1/device/device", "0x56c0\n"),
                ("sys/class/drm/card1/gt_act_freq_mhz", "1500\n"),
                ("sys/class/drm/card2/device/vendor", "0x10de\n"),
            ],
        );
        let found = gpus(&tree.0);
        assert_eq!(found.len(), 2);
        let amd = &found[0];
        assert_eq!((amd.name.as_str(), amd.utilisation, amd.power), ("AMD GPU 0x740f", Some(0.37), Some(250.0)));
        assert_eq!((amd.memory_used, amd.memory_total, amd.temperature), (Some(1000), Some(4000), Some(61.0)));
        assert_eq!((found[1].source.as_str(), found[1].clock, found[1].utilisation), ("intel", Some(1500.0), None));
    }
}
