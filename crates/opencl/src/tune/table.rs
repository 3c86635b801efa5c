//! Which configuration is best for which class of products on a device: the table, its file form, and the look-up.
//!
//! A class is a kernel, a type, a layout and a range of sizes, a power of two wide in each extent; the batched kernel, which
//! is built for exact extents, has a class for each. A class that a table does not have is served by the nearest one whose
//! ranges lie at most one power of two away; what is further off is left to the rules.

use crate::discovery::DeviceInfo;
use crate::kernels::gemm_config::{Config, Family, Problem};
use lapack_ai_core::DType;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::sync::OnceLock;

/// Raised when a kernel changes in a way that makes former measurements worthless.
const FORMAT: u32 = 1;
/// Batches from which on their number makes no difference, as a power of two.
const LARGE_BATCH: u32 = 14;

/// A kernel, a type, a layout and a range of sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// The kernel.
    pub kernel: Family,
    /// The elements' type.
    #[serde(serialize_with = "dtype_name", deserialize_with = "dtype_named")]
    pub dtype: DType,
    /// Of A and B, whether the terms are contiguous, not the outer indices.
    pub along_k: [bool; 2],
    /// Of A and B, whether all accesses of 16 bytes are aligned.
    pub wide: [bool; 2],
    /// Batch, m, n, k: logarithms to base 2, rounded down. The batched kernel's m, n and k themselves, and its batch left out.
    pub size: [u32; 4],
}

fn dtype_name<S: Serializer>(dtype: &DType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(dtype.name())
}

fn dtype_named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DType, D::Error> {
    let name = String::deserialize(deserializer)?;
    let found = DType::ALL.into_iter().find(|dtype| dtype.name() == name);
    found.ok_or_else(|| de::Error::custom(format!("there is no element type {name}")))
}

impl Class {
    pub(crate) fn of(kernel: Family, problem: &Problem) -> Self {
        let [batch, m, n, k] = problem.shape;
        let log = |extent: usize| extent.max(1).ilog2();
        let size = match kernel {
            Family::Batched => [0, m as u32, n as u32, k as u32],
            _ => [log(batch).min(LARGE_BATCH), log(m), log(n), log(k)],
        };
        let (a, b) = (problem.a, problem.b);
        Self { kernel, dtype: problem.dtype, along_k: [a.along_k, b.along_k], wide: [a.wide, b.wide], size }
    }

    /// How far the sizes are from another class's, in powers of two in all; `None` beyond one in any extent, and between
    /// different kernels, types or layouts.
    fn distance(&self, other: &Self) -> Option<u32> {
        let same = (self.kernel, self.dtype, self.along_k, self.wide)
            == (other.kernel, other.dtype, other.along_k, other.wide);
        let apart = |(a, b): (&u32, &u32)| a.abs_diff(*b);
        let reach = if self.kernel == Family::Batched { 0 } else { 1 };
        let mut pairs = self.size.iter().zip(&other.size);
        (same && pairs.all(|pair| apart(pair) <= reach)).then(|| self.size.iter().zip(&other.size).map(apart).sum())
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |place: usize| match (self.along_k[place], self.wide[place]) {
            (true, true) => "K",
            (true, false) => "k",
            (false, true) => "M",
            (false, false) => "m",
        };
        let [batch, m, n, k] = self.size;
        let of = |log: u32| if self.kernel == Family::Batched { log as usize } else { 1_usize << log };
        write!(f, "{} {} {}{} ", self.kernel.kernel(), self.dtype.name(), letter(0), letter(1))?;
        if batch > 0 {
            write!(f, "{} of ", of(batch))?;
        }
        write!(f, "{} x {} x {}", of(m), of(n), of(k))
    }
}

/// What was found for a class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The class.
    pub class: Class,
    /// The best configuration; `None` if nothing was better than what the rules say.
    pub config: Option<Config>,
    /// Seconds of a product before and with it, the geometric mean of the shapes that were measured.
    pub seconds: [f64; 2],
}

impl Entry {
    /// How many times as fast as before.
    pub fn gain(&self) -> f64 {
        self.seconds[0] / self.seconds[1]
    }
}

/// What was found on one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    format: u32,
    /// The device's name.
    pub device: String,
    /// The devices that it serves beside: [`DeviceInfo::family`].
    pub family: String,
    /// The driver's version.
    pub driver: String,
    /// One for each class.
    pub entries: Vec<Entry>,
}

impl Table {
    /// An empty one for a device.
    pub fn new(info: &DeviceInfo) -> Self {
        let (device, driver) = (info.name.clone(), info.driver.clone());
        Self { format: FORMAT, device, family: info.family(), driver, entries: Vec::new() }
    }

    /// Reads the form that [`Table::to_json`] writes.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let table: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        table.checked()
    }

    /// The table if its contents can be used.
    ///
    /// # Errors
    /// Why they cannot.
    pub fn checked(self) -> Result<Self, String> {
        if self.format != FORMAT {
            return Err(format!("format {} where {FORMAT} is known", self.format));
        }
        let foreign = |entry: &&Entry| entry.config.is_some_and(|config| config.family() != entry.class.kernel);
        match self.entries.iter().find(foreign) {
            Some(entry) => Err(format!("a configuration of another kernel for {}", entry.class)),
            None => Ok(self),
        }
    }

    /// The table as text, an entry a line: what is shipped.
    pub fn to_json(&self) -> String {
        let head = format!(
            "{{\"format\": {}, \"device\": {}, \"family\": {}, \"driver\": {}, \"entries\": [",
            self.format,
            json(&self.device),
            json(&self.family),
            json(&self.driver)
        );
        let lines: Vec<String> = self.entries.iter().map(|entry| format!("  {}", json(entry))).collect();
        format!("{head}\n{}\n]}}\n", lines.join(",\n"))
    }

    /// Takes up an entry, in place of one for the same class.
    pub fn put(&mut self, entry: Entry) {
        match self.entries.iter_mut().find(|known| known.class == entry.class) {
            Some(known) => *known = entry,
            None => self.entries.push(entry),
        }
    }

    /// Whether there is an entry for exactly this class.
    pub fn has(&self, class: &Class) -> bool {
        self.entries.iter().any(|entry| entry.class == *class)
    }

    fn exact(&self, class: &Class) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.class == *class)
    }

    fn nearest(&self, class: &Class) -> Option<&Entry> {
        let near = |entry: &Entry| entry.class.distance(class);
        let found = self.entries.iter().filter_map(|entry| Some((near(entry)?, entry)));
        found.min_by_key(|(distance, _)| *distance).map(|(_, entry)| entry)
    }
}

/// Plain fields, whose serialisation cannot fail.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain fields")
}

/// Where the configurations of a device come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tables {
    /// Found on this machine.
    pub tuned: Option<Table>,
    /// Shipped with the library.
    pub shipped: Option<&'static Table>,
}

/// The tables in `tuned/`, each made by the tuner.
static FILES: [&str; 2] = [include_str!("../../tuned/nvidia-h100.json"), include_str!("../../tuned/pocl.json")];

fn shipped() -> &'static [Table] {
    static TABLES: OnceLock<Vec<Table>> = OnceLock::new();
    TABLES.get_or_init(|| FILES.iter().filter_map(|text| Table::from_json(text).ok()).collect())
}

impl Tables {
    /// What is shipped for a device: of its name, else of its family.
    pub fn shipped_for(info: &DeviceInfo) -> Self {
        let (all, family) = (shipped(), info.family());
        let of_name = all.iter().find(|table| table.device == info.name);
        Self { tuned: None, shipped: of_name.or_else(|| all.iter().find(|table| table.family == family)) }
    }

    /// The configuration for a class, `None` for the rules': that of exactly the class, found here before shipped, else that
    /// of the nearest one, likewise.
    pub fn find(&self, class: &Class) -> Option<Config> {
        let both = || self.tuned.iter().chain(self.shipped);
        let exact = both().find_map(|table| table.exact(class));
        exact.or_else(|| both().find_map(|table| table.nearest(class)))?.config
    }
}

impl fmt::Display for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shipped = self.shipped.map(|table| format!("shipped table for {}", table.device));
        match (&self.tuned, shipped) {
            (Some(tuned), Some(shipped)) => {
                write!(f, "tuned on this machine ({} classes), else {shipped}", tuned.entries.len())
            }
            (Some(tuned), None) => write!(f, "tuned on this machine ({} classes), else rules", tuned.entries.len()),
            (None, Some(shipped)) => f.write_str(&shipped),
            (None, None) => f.write_str("rules, nothing was measured for this device"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::gemm_choose::Place;
    use crate::kernels::gemm_config::General;

    fn problem(shape: [usize; 4]) -> Problem {
        let place = Place { along_k: false, ld: 1, wide: true };
        Problem { dtype: DType::Float32, shape, a: place, b: place }
    }

    fn class(shape: [usize; 4]) -> Class {
        Class::of(Family::General, &problem(shape))
    }

    fn config(bm: usize) -> Config {
        Config::General(General { bm, bn: 64, bk: 16, rm: 4, rn: 4 })
    }

    fn table(entries: &[([usize; 4], Option<usize>)]) -> Table {
        let entry = |(shape, bm): &([usize; 4], Option<usize>)| Entry {
            class: class(*shape),
            config: bm.map(config),
            seconds: [2.0, 1.0],
        };
        let entries = entries.iter().map(entry).collect();
        let (device, family) = ("Device 1".to_string(), "Devices".to_string());
        Table { format: FORMAT, device, family, driver: "1".to_string(), entries }
    }

    #[test]
    fn a_class_is_a_power_of_two_wide_and_a_batched_one_is_exact() {
        assert_eq!(class([1, 1024, 1024, 1024]), class([1, 2047, 1500, 1025]));
        assert_ne!(class([1, 1024, 1024, 1024]), class([1, 1023, 1024, 1024]));
        assert_ne!(class([1, 1024, 1024, 1024]), class([2, 1024, 1024, 1024]));
        assert_eq!(class([1 << 14, 8, 8, 8]), class([1 << 20, 8, 8, 8]));
        let batched = |shape| Class::of(Family::Batched, &problem(shape));
        assert_eq!(batched([1000, 8, 8, 8]), batched([9_000_000, 8, 8, 8]));
        assert_ne!(batched([1000, 8, 8, 8]), batched([1000, 8, 9, 8]));
    }

    #[test]
    fn the_own_class_comes_before_the_nearest_and_this_machine_before_the_shipped_table() {
        let tuned = table(&[([1, 1024, 1024, 1024], Some(128)), ([1, 64, 64, 64], Some(16))]);
        let shipped: &'static Table =
            Box::leak(Box::new(table(&[([1, 1024, 1024, 1024], Some(32)), ([1, 2048, 2048, 2048], Some(256))])));
        let tables = Tables { tuned: Some(tuned), shipped: Some(shipped) };
        let bm = |shape| tables.find(&class(shape));
        assert_eq!(bm([1, 1500, 1024, 1024]), Some(config(128)), "both have it");
        assert_eq!(bm([1, 2048, 2048, 2048]), Some(config(256)), "only the shipped one has it");
        assert_eq!(bm([1, 512, 1024, 1024]), Some(config(128)), "both have a neighbour");
        assert_eq!(bm([1, 4096, 2048, 2048]), Some(config(256)), "only the shipped one has a neighbour");
        assert_eq!(bm([1, 256, 256, 256]), None, "two powers of two from any");
    }

    #[test]
    fn the_nearest_class_is_at_most_one_power_of_two_away_in_each_extent_and_of_the_same_kind() {
        let tables = Tables {
            tuned: Some(table(&[([1, 1024, 1024, 1024], Some(128)), ([1, 2048, 2048, 1024], Some(32))])),
            shipped: None,
        };
        assert_eq!(tables.find(&class([1, 2048, 1024, 512])), Some(config(128)), "2 away, not 3");
        assert_eq!(tables.find(&class([2, 512, 512, 512])), Some(config(128)));
        assert_eq!(tables.find(&class([1, 256, 1024, 1024])), None);
        let other = |class: Class| tables.find(&class);
        let near = class([1, 1024, 1024, 1024]);
        assert_eq!(other(Class { dtype: DType::Float64, ..near }), None);
        assert_eq!(other(Class { wide: [false, true], ..near }), None);
        assert_eq!(other(Class { along_k: [true, false], ..near }), None);
        assert_eq!(other(Class { kernel: Family::Small, ..near }), None);
    }

    #[test]
    fn where_the_rules_were_best_the_table_says_so_and_no_other_class_steps_in() {
        let tables = Tables {
            tuned: Some(table(&[([1, 1024, 1024, 1024], None), ([1, 2048, 1024, 1024], Some(32))])),
            shipped: None,
        };
        assert_eq!(tables.find(&class([1, 1024, 1024, 1024])), None);
        assert_eq!(tables.find(&class([1, 512, 1024, 1024])), None, "the rules' class is nearer");
    }

    #[test]
    fn a_table_is_what_was_written_and_damage_is_refused_in_words() {
        let written = table(&[([1, 1024, 1024, 1024], Some(128)), ([3, 5, 7, 9], None)]);
        let text = written.to_json();
        assert_eq!(Table::from_json(&text).unwrap(), written);
        assert_eq!(text.lines().count(), 4, "{text}");
        let refused = |text: &str| Table::from_json(text).unwrap_err();
        assert!(refused(&text.replace("\"format\": 1", "\"format\": 0")).contains("format 0"));
        assert!(refused(&text[..text.len() / 2]).contains("EOF"));
        assert!(refused(&text.replace("float32", "float16")).contains("float16"));
        assert!(refused(&text.replace("\"bm\":128", "\"bm\":-1")).contains("-1"));
        let other = text.replacen("\"class\":{\"kernel\":\"gemm\"", "\"class\":{\"kernel\":\"gemm_small\"", 1);
        assert!(refused(&other).contains("another kernel"), "{other}");
    }

    #[test]
    fn a_new_entry_takes_the_place_of_the_one_for_its_class() {
        let mut table = table(&[([1, 1024, 1024, 1024], Some(128))]);
        let entry = Entry { config: Some(config(32)), ..table.entries[0] };
        table.put(entry);
        table.put(Entry { class: class([1, 8, 8, 8]), ..entry });
        assert_eq!((table.entries.len(), table.entries[0].config), (2, Some(config(32))));
    }

    #[test]
    fn every_shipped_table_can_be_read_and_has_entries_of_its_kernels() {
        assert_eq!(shipped().len(), FILES.len());
        for table in shipped() {
            assert!(!table.entries.is_empty() && !table.family.is_empty(), "{}", table.device);
            for entry in &table.entries {
                assert!(entry.gain() >= 1.0 || entry.config.is_none(), "{} {}", table.device, entry.class);
            }
        }
    }
}
