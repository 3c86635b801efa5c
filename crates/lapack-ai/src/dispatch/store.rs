//! What was measured once, kept on disk for the next process.
//!
//! One JSON file for each machine and kind of content, in `LAPACK_AI_CACHE_DIR`, else `XDG_CACHE_HOME/lapack-ai`, else
//! `~/.cache/lapack-ai`. A file is written beside its place and renamed, so that processes at work at the same time see
//! the old one or the new one, never a part; the last one wins. Its name has a hash of the [`Key`] and it holds the
//! whole: what cannot be read, is of another format or of another machine counts as absent and is replaced.

use crate::provider;
use lapack_ai_core::Result;
use lapack_ai_opencl::DeviceInfo;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, process};

/// Raised when the meaning of a stored value changes.
const FORMAT: u32 = 1;

/// All that a measured time depends on beside the operation. One thing different, and the measurement is another's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The processor's name.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Threads that the LAPACK uses.
    pub threads: usize,
    /// The LAPACK's file, vendor and version.
    pub lapack: String,
    /// The OpenCL device and its driver's version; empty without one.
    pub device: String,
    /// Version of this library.
    pub version: String,
}

impl Key {
    /// The key of this process now, with an OpenCL device's name and driver version.
    ///
    /// # Errors
    /// As [`provider`].
    pub fn current(device: Option<(&str, &str)>) -> Result<Self> {
        let library = &provider::provider()?.library;
        let lapack_version = library.version();
        let (major, minor, patch) = (lapack_version.major, lapack_version.minor, lapack_version.patch);
        Ok(Self {
            cpu: cpu_name().unwrap_or_else(|| env::consts::ARCH.to_string()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            threads: library.threads().get(),
            lapack: format!("{} {} {major}.{minor}.{patch}", library.path().display(), library.vendor()),
            device: device.map_or_else(String::new, |(name, driver)| format!("{name}, driver {driver}")),
            version: env!("CARGO_PKG_VERSION").to_string(),
        })
    }

    /// The key of what depends on a device alone: where that is a CPU, on its model and the cores that may be used.
    pub fn of_device(info: &DeviceInfo) -> Self {
        let cores = if info.is_cpu { std::thread::available_parallelism().map_or(1, usize::from) } else { 0 };
        Self {
            cpu: if info.is_cpu { cpu_name().unwrap_or_default() } else { String::new() },
            cores,
            threads: 0,
            lapack: String::new(),
            device: format!("{}, driver {}", info.name, info.driver),
            version: env!("CARGO_PKG_VERSION").to_string(),
        }
    }

    /// FNV-1a over all fields: the same in every process and version of Rust, unlike the standard library's hash.
    fn hash(&self) -> u64 {
        let Self { cpu, cores, threads, lapack, device, version } = self;
        let text = format!("{cpu}\0{cores}\0{threads}\0{lapack}\0{device}\0{version}");
        text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
    }
}

/// `model name` of Linux.
fn cpu_name() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

#[derive(Serialize, Deserialize)]
struct Stored<K, V> {
    format: u32,
    key: K,
    value: V,
}

/// A directory for measurements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    directory: PathBuf,
}

impl Store {
    /// The store that the environment names, read through `variable`; `None` where it names no place. Nothing is created
    /// before the first [`Store::save`].
    pub fn find(variable: impl Fn(&'static str) -> Option<OsString>) -> Option<Self> {
        let path = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        // The XDG specification: relative paths are to be ignored.
        let xdg = || path("XDG_CACHE_HOME").filter(|path| path.is_absolute()).map(|path| path.join("lapack-ai"));
        let home = || path("HOME").or_else(|| path("USERPROFILE")).map(|home| home.join(".cache").join("lapack-ai"));
        path("LAPACK_AI_CACHE_DIR").or_else(xdg).or_else(home).map(Self::at)
    }

    /// The store of this process's environment.
    pub fn of_this_process() -> Option<Self> {
        Self::find(env::var_os)
    }

    /// A store in `directory`.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// Where it lies.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The file of `name` under `key`.
    pub fn path(&self, name: &str, key: &Key) -> PathBuf {
        self.directory.join(format!("{name}-{:016x}.json", key.hash()))
    }

    /// What was saved as `name` under `key`; `None` where nothing was, or nothing that can be used.
    pub fn load<V: DeserializeOwned>(&self, name: &str, key: &Key) -> Option<V> {
        self.read(name, key).ok().flatten()
    }

    /// As [`Store::load`], for whoever tells people of a file that cannot be used.
    ///
    /// # Errors
    /// What is wrong with the file, in words.
    pub fn read<V: DeserializeOwned>(&self, name: &str, key: &Key) -> std::result::Result<Option<V>, String> {
        let bytes = match fs::read(self.path(name, key)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let stored: Stored<Key, V> = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        match stored.format == FORMAT && stored.key == *key {
            true => Ok(Some(stored.value)),
            false => Err("it is of another machine, or of another version's form".to_string()),
        }
    }

    /// Removes what was saved as `name` under `key`. Whether there was anything.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remove(&self, name: &str, key: &Key) -> io::Result<bool> {
        match fs::remove_file(self.path(name, key)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Saves `value` as `name` under `key`, in place of what was there.
    ///
    /// # Errors
    /// Those of the file system; whatever was there before is still there.
    pub fn save<V: Serialize>(&self, name: &str, key: &Key, value: &V) -> io::Result<()> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        fs::create_dir_all(&self.directory)?;
        let target = self.path(name, key);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary = target.with_extension(format!("{}-{number}.tmp", process::id()));
        let text = serde_json::to_vec(&Stored { format: FORMAT, key, value })?;
        let written = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, &target));
        if written.is_err() {
            // Best effort: the error that counts is the first.
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key {
            cpu: "Example 9000".into(),
            cores: 16,
            threads: 16,
            lapack: "/usr/lib/libopenblas.so OpenBLAS 3.12.0".into(),
            device: "NVIDIA H200, driver 555".into(),
            version: "0.1.0".into(),
        }
    }

    /// A directory of its own for each test, removed at its end.
    struct Place(Store);

    impl Place {
        fn new(test: &str) -> Self {
            Self(Store::at(env::temp_dir().join(format!("lapack-ai-store-{}-{test}", process::id()))))
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(self.0.directory());
        }
    }

    fn found(set: &[(&'static str, &str)]) -> Option<PathBuf> {
        let variable = |name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
        Store::find(variable).map(|store| store.directory)
    }

    #[test]
    #[cfg(unix)]
    fn the_directory_is_the_one_named_then_xdgs_then_the_homes_and_else_none() {
        let (own, xdg, home) = (("LAPACK_AI_CACHE_DIR", "/c"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h"));
        assert_eq!(found(&[own, xdg, home]).unwrap(), Path::new("/c"));
        assert_eq!(found(&[xdg, home]).unwrap(), Path::new("/x/lapack-ai"));
        assert_eq!(found(&[home]).unwrap(), Path::new("/h/.cache/lapack-ai"));
        assert_eq!(
            found(&[("LAPACK_AI_CACHE_DIR", ""), ("XDG_CACHE_HOME", "relative"), home]).unwrap(),
            Path::new("/h/.cache/lapack-ai")
        );
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn what_was_saved_is_loaded_under_the_same_key_only() {
        let place = Place::new("keys");
        let store = &place.0;
        assert_eq!(store.load::<Vec<u32>>("times", &key()), None);
        store.save("times", &key(), &vec![1, 2]).unwrap();
        store.save("times", &key(), &vec![3]).unwrap();
        assert_eq!(store.load::<Vec<u32>>("times", &key()).unwrap(), [3]);
        assert_eq!(store.read::<Vec<u32>>("others", &key()), Ok(None), "no file is no fault");
        let others = [
            Key { cpu: "Other".into(), ..key() },
            Key { cores: 8, ..key() },
            Key { threads: 8, ..key() },
            Key { lapack: "MKL".into(), ..key() },
            Key { device: "NVIDIA H200, driver 556".into(), ..key() },
            Key { version: "0.2.0".into(), ..key() },
        ];
        for other in others {
            assert_eq!(store.load::<Vec<u32>>("times", &other), None, "{other:?}");
        }
        assert_eq!(fs::read_dir(store.directory()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_file_that_is_corrupt_foreign_or_of_another_format_counts_as_absent_and_is_replaced() {
        let place = Place::new("corrupt");
        let store = &place.0;
        store.save("times", &key(), &1.5).unwrap();
        let path = store.path("times", &key());
        let good = fs::read_to_string(&path).unwrap();
        let foreign = good.replace("Example", "Another");
        let older = good.replace("\"format\":1", "\"format\":0");
        for bad in ["", "{", &good[..good.len() / 2], "[1, 2]", &good.replace("1.5", "\"x\""), &foreign, &older] {
            fs::write(&path, bad).unwrap();
            assert_eq!(store.load::<f64>("times", &key()), None, "{bad}");
            assert!(store.read::<f64>("times", &key()).is_err_and(|why| !why.is_empty()), "{bad}");
        }
        store.save("times", &key(), &2.5).unwrap();
        assert_eq!(store.load::<f64>("times", &key()), Some(2.5));
    }

    #[test]
    fn readers_beside_several_writers_see_whole_files_only() {
        let place = Place::new("race");
        let store = &place.0;
        store.save("times", &key(), &vec![0_u32; 2000]).unwrap();
        std::thread::scope(|scope| {
            for writer in 1..4_u32 {
                scope.spawn(move || (0..50).for_each(|_| store.save("times", &key(), &vec![writer; 2000]).unwrap()));
            }
            for _ in 0..200 {
                let read: Vec<u32> = store.load("times", &key()).expect("a whole file");
                assert!(read.len() == 2000 && read.iter().all(|value| *value == read[0]));
            }
        });
    }

    #[test]
    fn a_place_that_cannot_be_written_is_an_error_and_no_panic() {
        let place = Place::new("file");
        fs::create_dir_all(place.0.directory()).unwrap();
        let file = place.0.directory().join("file");
        fs::write(&file, "").unwrap();
        assert!(Store::at(file).save("times", &key(), &1).is_err());
    }

    #[test]
    fn the_key_of_this_process_names_processor_and_lapack() {
        let key = Key::current(Some(("Device", "1.2"))).expect("a LAPACK");
        assert!(!key.cpu.is_empty() && key.cores > 0 && key.threads > 0 && !key.lapack.is_empty());
        assert_eq!(key.device, "Device, driver 1.2");
    }
}
