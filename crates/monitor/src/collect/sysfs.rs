//! GPUs of AMD and Intel, from the files of their drivers.
//!
//! | figure | amdgpu | i915, xe |
//! |---|---|---|
//! | utilisation | `gpu_busy_percent` | - |
//! | memory | `mem_info_vram_used`, `mem_info_vram_total` | - |
//! | power | `hwmon/*/power1_average` or `power1_input`, in microwatts | growth of `hwmon/*/energy1_input`, in microjoules |
//! | power limit, in microwatts | `power1_cap` | `power1_max` |
//! | temperature, in thousandths | `temp1_input` (edge) or `temp2_input` (junction) | `temp1_input` or `temp2_input` |
//! | clock | `freq1_input`, in hertz | `gt_act_freq_mhz` of the card; xe: `tile0/gt0/freq0/act_freq` |
//!
//! Source: Linux kernel documentation, gpu/amdgpu/thermal, gpu/xe/xe_gt_freq, and ABI/testing/sysfs-driver-intel-i915-hwmon and
//! sysfs-driver-intel-xe-hwmon.

use crate::snapshot::GpuFigures;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

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

/// Reads them, and remembers counters of energy from one look to the next.
pub(super) struct Cards {
    cards: PathBuf,
    energy: HashMap<PathBuf, (Instant, f64)>,
}

impl Cards {
    pub(super) fn below(root: &Path) -> Self {
        Self { cards: root.join("sys/class/drm"), energy: HashMap::new() }
    }

    /// All that are there.
    pub(super) fn gpus(&mut self, now: Instant) -> Vec<GpuFigures> {
        let cards = entries(&self.cards);
        cards.iter().filter(|path| is_card(path)).filter_map(|card| self.figures(card, now)).collect()
    }

    /// Watts since the last look at a counter of microjoules, which begins anew when it is full.
    fn power(&mut self, counter: PathBuf, now: Instant) -> Option<f64> {
        let joules = number(&counter)? / 1e6;
        let (then, before) = self.energy.insert(counter, (now, joules))?;
        let seconds = now.saturating_duration_since(then).as_secs_f64();
        (seconds > 0.0 && joules >= before).then(|| (joules - before) / seconds)
    }

    fn figures(&mut self, card: &Path, now: Instant) -> Option<GpuFigures> {
        let device = card.join("device");
        let text = |file: &str| fs::read_to_string(device.join(file)).map(|text| text.trim().to_string());
        let vendor = text("vendor").ok()?;
        let sensor = entries(&device.join("hwmon")).into_iter().next().unwrap_or_default();
        let of_sensor = |files: [&str; 2]| files.iter().find_map(|file| number(&sensor.join(file)));
        let watts = |files| of_sensor(files).map(|microwatts| microwatts / 1e6);
        let temperature = of_sensor(["temp1_input", "temp2_input"]).map(|degrees| degrees / 1e3);
        let id = text("device").unwrap_or_default();
        match vendor.as_str() {
            "0x1002" => {
                let product = text("product_name").ok().filter(|name| !name.is_empty());
                let bytes = |file: &str| number(&device.join(file)).map(|bytes| bytes as u64);
                Some(GpuFigures {
                    name: product.unwrap_or_else(|| format!("AMD GPU {id}")),
                    source: "amdgpu".into(),
                    utilisation: number(&device.join("gpu_busy_percent")).map(|percent| percent / 100.0),
                    memory_used: bytes("mem_info_vram_used"),
                    memory_total: bytes("mem_info_vram_total"),
                    power: watts(["power1_average", "power1_input"]),
                    power_limit: watts(["power1_cap", "power1_cap_default"]),
                    temperature,
                    clock: number(&sensor.join("freq1_input")).map(|hertz| hertz / 1e6),
                    throttled: Vec::new(),
                })
            }
            "0x8086" => Some(GpuFigures {
                name: format!("Intel GPU {id}"),
                source: "intel".into(),
                power: self.power(sensor.join("energy1_input"), now),
                power_limit: watts(["power1_max", "power2_max"]),
                temperature,
                clock: number(&card.join("gt_act_freq_mhz"))
                    .or_else(|| number(&device.join("tile0/gt0/freq0/act_freq"))),
                ..GpuFigures::default()
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;
    use std::time::Duration;

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
        let found = Cards::below(&tree.0).gpus(Instant::now());
        assert_eq!(found.len(), 2);
        let amd = &found[0];
        assert_eq!((amd.name.as_str(), amd.utilisation, amd.power), ("AMD GPU 0x740f", Some(0.37), Some(250.0)));
        assert_eq!((amd.memory_used, amd.memory_total, amd.temperature), (Some(1000), Some(4000), Some(61.0)));
        assert_eq!((found[1].source.as_str(), found[1].clock, found[1].utilisation), ("intel", Some(1500.0), None));
    }

    #[test]
    fn the_names_of_later_cards_are_known_too() {
        let tree = Tree::new(
            "drm-later",
            &[
                ("sys/class/drm/card0/device/vendor", "0x1002\n"),
                ("sys/class/drm/card0/device/product_name", "AMD Instinct MI300X\n"),
                ("sys/class/drm/card0/device/hwmon/hwmon0/power1_input", "550000000\n"),
                ("sys/class/drm/card0/device/hwmon/hwmon0/power1_cap", "750000000\n"),
                ("sys/class/drm/card0/device/hwmon/hwmon0/temp2_input", "48000\n"),
                ("sys/class/drm/card0/device/hwmon/hwmon0/freq1_input", "2100000000\n"),
                ("sys/class/drm/card1/device/vendor", "0x8086\n"),
                ("sys/class/drm/card1/device/tile0/gt0/freq0/act_freq", "2400\n"),
                ("sys/class/drm/card1/device/hwmon/hwmon1/energy1_input", "1000000000\n"),
                ("sys/class/drm/card1/device/hwmon/hwmon1/power1_max", "190000000\n"),
            ],
        );
        let mut cards = Cards::below(&tree.0);
        let now = Instant::now();
        let found = cards.gpus(now);
        let amd = &found[0];
        assert_eq!((amd.name.as_str(), amd.power, amd.power_limit), ("AMD Instinct MI300X", Some(550.0), Some(750.0)));
        assert_eq!((amd.temperature, amd.clock), (Some(48.0), Some(2100.0)));
        assert_eq!((found[1].clock, found[1].power, found[1].power_limit), (Some(2400.0), None, Some(190.0)));
        tree.write("sys/class/drm/card1/device/hwmon/hwmon1/energy1_input", "1240000000\n");
        assert_eq!(cards.gpus(now + Duration::from_secs(2))[1].power, Some(120.0));
        tree.write("sys/class/drm/card1/device/hwmon/hwmon1/energy1_input", "5\n");
        assert_eq!(cards.gpus(now + Duration::from_secs(4))[1].power, None, "the counter began anew");
    }
}
