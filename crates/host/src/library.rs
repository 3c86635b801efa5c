//! One opened LAPACK: its symbols, its integer width, its version, its thread control.

use crate::Routine;
use crate::int::Width;
use crate::threads::ThreadControl;
use lapack_ai_core::{Code, DType, Error, Result};
use libloading::Symbol;
use std::collections::HashMap;
use std::ffi::{CStr, OsStr, c_char, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Decorations of a Fortran name in the order in which they are tried: PyPI's OpenBLAS wheels, gfortran, ILP64 builds
/// of Debian, Fedora and Julia, compilers that add nothing.
const PREFIXES: [&str; 2] = ["scipy_", ""];
const SUFFIXES: [&str; 5] = ["_", "_64_", "64_", "", "__"];

/// Gives the address of a symbol, if there is one.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<*const c_void>;

/// LAPACK's version as `ILAVER` gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// 3 since 1999.
    pub major: i64,
    /// 12 in 3.12.1.
    pub minor: i64,
    /// 1 in 3.12.1.
    pub patch: i64,
}

/// An open LAPACK. It is never closed: other code in the process may hold its threads.
#[derive(Debug)]
pub struct Library {
    path: PathBuf,
    prefix: &'static str,
    suffix: &'static str,
    width: Width,
    version: Version,
    vendor: String,
    addresses: [[*const c_void; 4]; Routine::COUNT],
    threads: ThreadControl,
    replicas: Mutex<Replicas>,
}

/// Further images of a library, made as they are needed and kept for good.
#[derive(Debug, Default)]
struct Replicas {
    images: Vec<&'static Library>,
    impossible: bool,
}

/// Most images of one library that are in use together, the original included: each costs the size of its file.
pub const MOST_IMAGES: usize = 8;

// SAFETY: after construction nothing is written; LAPACK 3 is thread-safe by its own documentation.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Library {
    /// Opens `path` (or a bare name, looked up by the system's loader), resolves every routine and probes the INTEGER
    /// width, before any routine that computes is called.
    ///
    /// # Errors
    /// `LAP-E031` with the loader's words, or with the routines that are missing.
    pub fn open(path: impl AsRef<OsStr>) -> Result<Self> {
        let name = path.as_ref();
        let unusable =
            |why: String| Error::text(Code::ProviderUnusable, "load", format!("{} {why}", name.to_string_lossy()));
        let handle = open_shared(name).map_err(|error| unusable(format!("cannot be opened: {}", innermost(&error))))?;
        load_mkls_openmp(&handle, Path::new(name)).map_err(&unusable)?;
        let library = Self::resolve(loaded_path(name), &|name| symbol(&handle, name));
        // Not closed even if it cannot be used: its threads may be running.
        std::mem::forget(handle);
        library.map_err(unusable)
    }

    /// A LAPACK given as a table of routines under their plain names (`dgesv`), as SciPy's `cython_lapack` exports them.
    /// `controls` is an open library behind the table whose thread settings count.
    ///
    /// # Errors
    /// `LAP-E031` with the routines that are missing.
    ///
    /// # Safety
    /// Each address must be of the routine that its name says, with LAPACK's documented interface, for as long as the
    /// process lives.
    pub unsafe fn from_table(name: &str, table: &HashMap<String, usize>, controls: Option<&Path>) -> Result<Self> {
        let handle = controls.and_then(|path| open_shared(path.as_os_str()).ok());
        let lookup = |name: &str| {
            let listed = table.get(name).map(|&address| address as *const c_void);
            listed.or_else(|| handle.as_ref().and_then(|handle| symbol(handle, name)))
        };
        let library = Self::resolve(name.into(), &lookup);
        std::mem::forget(handle);
        library.map_err(|why| Error::text(Code::ProviderUnusable, "load", format!("{name} {why}")))
    }

    /// Resolves every routine and probes the INTEGER width; the error says what is wrong with the library.
    fn resolve(path: PathBuf, lookup: Lookup<'_>) -> std::result::Result<Self, String> {
        let (prefix, suffix) = decoration(lookup).ok_or("has no dgesv under any known spelling")?;
        let mut addresses = [[std::ptr::null(); 4]; Routine::COUNT];
        let mut missing = Vec::new();
        for routine in Routine::all() {
            for dtype in DType::ALL {
                let Some(stem) = routine.name(dtype) else { continue };
                match lookup(&format!("{prefix}{stem}{suffix}")) {
                    Some(address) => addresses[routine as usize][dtype as usize] = address,
                    None if routine.is_optional() => {}
                    None => missing.push(stem),
                }
            }
        }
        if !missing.is_empty() {
            missing.truncate(6);
            return Err(format!("lacks routines that are needed: {}", missing.join(", ")));
        }
        let (width, version) =
            probe(lookup, prefix, suffix).ok_or("has no ilaver, so its integers cannot be probed")?;
        let vendor = vendor(lookup, prefix, suffix);
        let threads = ThreadControl::find(lookup, prefix);
        let replicas = Mutex::default();
        Ok(Self { path, prefix, suffix, width, version, vendor, addresses, threads, replicas })
    }

    /// The file, or the bare name where the system's loader found it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the library says of itself, for example OpenBLAS's configuration line; empty if it says nothing.
    pub fn vendor(&self) -> &str {
        &self.vendor
    }

    /// LAPACK's version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Bits of its INTEGER: 32 or 64.
    pub fn integer_bits(&self) -> u32 {
        match self.width {
            Width::Lp64 => 32,
            Width::Ilp64 => 64,
        }
    }

    /// A name as the library spells it, for messages: `scipy_dgesv_`.
    pub fn decorated(&self, name: &str) -> String {
        format!("{}{name}{}", self.prefix, self.suffix)
    }

    /// Whether an optional routine is there.
    #[inline]
    pub fn has(&self, routine: Routine, dtype: DType) -> bool {
        !self.address(routine, dtype).is_null()
    }

    /// Address of a routine, to be called by its documented interface with integers of [`Library::integer_bits`].
    pub fn routine(&self, routine: Routine, dtype: DType) -> Option<*const c_void> {
        let address = self.address(routine, dtype);
        (!address.is_null()).then_some(address)
    }

    /// How the library's threads are set, if it has a way.
    pub fn threads(&self) -> &ThreadControl {
        &self.threads
    }

    /// Up to `wanted` images of this library, at least itself: copies with locks of their own, for threads that work side
    /// by side on small matrices (see `replica`). Those that are lacking are made if `make` says so, some 15 ms each.
    pub fn images(&'static self, wanted: usize, make: bool) -> Vec<&'static Library> {
        let mut replicas = self.replicas.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = wanted.clamp(1, MOST_IMAGES);
        while make && replicas.images.len() + 1 < wanted && !replicas.impossible {
            match replicate(self) {
                Some(replica) => replicas.images.push(Box::leak(Box::new(replica))),
                None => replicas.impossible = true,
            }
        }
        std::iter::once(self).chain(replicas.images.iter().copied()).take(wanted).collect()
    }

    /// Whether a routine of one is a routine of the other: they are one image, or stand before one that both use.
    pub fn shares_code_with(&self, other: &Self) -> bool {
        let pairs = self.addresses.iter().flatten().zip(other.addresses.iter().flatten());
        pairs.into_iter().any(|(address, other)| !address.is_null() && address == other)
    }

    /// Refuses sizes that the library's INTEGER cannot hold. To be called before the wrappers, with every size, leading
    /// dimension and workspace length that they will be given.
    ///
    /// # Errors
    /// `LAP-E032`, naming the size.
    #[inline]
    pub fn check_sizes(&self, operation: &'static str, sizes: &[usize]) -> Result<()> {
        match sizes.iter().find(|&&size| size > self.width.max()) {
            None => Ok(()),
            Some(&size) => Err(too_large(operation, size, self.width.max())),
        }
    }

    #[inline(always)]
    pub(crate) fn width(&self) -> Width {
        self.width
    }

    #[inline(always)]
    pub(crate) fn address(&self, routine: Routine, dtype: DType) -> *const c_void {
        self.addresses[routine as usize][dtype as usize]
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn replicate(library: &Library) -> Option<Library> {
    crate::replica::replicate(library)
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn replicate(_library: &Library) -> Option<Library> {
    None
}

#[cold]
fn too_large(operation: &'static str, size: usize, max: usize) -> Error {
    let text = format!("a size of {size} does not fit this LAPACK, whose integers end at {max}");
    Error::text(Code::TooLargeForLp64, operation, text)
}

#[cfg(unix)]
fn open_shared(name: &OsStr) -> std::result::Result<libloading::Library, libloading::Error> {
    use libloading::os::unix::{Library as UnixLibrary, RTLD_LOCAL, RTLD_NOW};
    // Local and deeply bound: another BLAS in the process (NumPy's, say) must not answer this library's inner calls.
    // The sanitizers refuse deep binding, which would pass by their own allocator.
    #[cfg(all(target_os = "linux", target_env = "gnu", not(lapack_ai_sanitized)))]
    let flags = RTLD_NOW | RTLD_LOCAL | libc::RTLD_DEEPBIND;
    #[cfg(not(all(target_os = "linux", target_env = "gnu", not(lapack_ai_sanitized))))]
    let flags = RTLD_NOW | RTLD_LOCAL;
    // SAFETY: runs the library's initialisers; the caller chose the library, or it stands on the list of known LAPACKs.
    unsafe { UnixLibrary::open(Some(name), flags) }.map(Into::into)
}

#[cfg(not(unix))]
fn open_shared(name: &OsStr) -> std::result::Result<libloading::Library, libloading::Error> {
    // SAFETY: as on Unix.
    unsafe { libloading::Library::new(name) }
}

/// MKL loads its threads at the first call that computes, and ends the process where it cannot. So they are loaded here.
fn load_mkls_openmp(handle: &libloading::Library, path: &Path) -> std::result::Result<(), String> {
    let layer = std::env::var("MKL_THREADING_LAYER").unwrap_or_default();
    let needs_intels = layer.is_empty() || layer.eq_ignore_ascii_case("INTEL");
    if !cfg!(target_os = "linux") || !needs_intels || symbol(handle, "MKL_Set_Threading_Layer").is_none() {
        return Ok(());
    }
    let beside = path.parent().map(|folder| folder.join("libiomp5.so"));
    for file in beside.into_iter().chain([PathBuf::from("libiomp5.so")]) {
        if let Ok(openmp) = open_shared(file.as_os_str()) {
            std::mem::forget(openmp);
            return Ok(());
        }
    }
    Err("is MKL without its OpenMP, libiomp5.so; run: pip install intel-openmp".into())
}

fn symbol(handle: &libloading::Library, name: &str) -> Option<*const c_void> {
    // SAFETY: only the address is taken; its type is fixed where it is called, by the routine's documented interface.
    let symbol: Symbol<'_, *const c_void> = unsafe { handle.get(name.as_bytes()) }.ok()?;
    let address = *symbol;
    (!address.is_null()).then_some(address)
}

/// The spelling under which the library has DGESV, which no LAPACK lacks.
fn decoration(lookup: Lookup<'_>) -> Option<(&'static str, &'static str)> {
    let spellings = PREFIXES.iter().flat_map(|prefix| SUFFIXES.iter().map(move |suffix| (*prefix, *suffix)));
    spellings.into_iter().find(|(prefix, suffix)| lookup(&format!("{prefix}dgesv{suffix}")).is_some())
}

/// Integer width and version from one call of `ILAVER`, which only writes three integers and so cannot do harm
/// whichever width it has.
fn probe(lookup: Lookup<'_>, prefix: &str, suffix: &str) -> Option<(Width, Version)> {
    type Ilaver = unsafe extern "C" fn(*mut i64, *mut i64, *mut i64);
    let address = lookup(&format!("{prefix}ilaver{suffix}"))?;
    let (mut major, mut minor, mut patch) = (-1, -1, -1);
    // SAFETY: ILAVER's documented interface is three INTEGER outputs; each cell holds either width.
    unsafe { std::mem::transmute::<*const c_void, Ilaver>(address)(&mut major, &mut minor, &mut patch) };
    let width = Width::from_probe(major);
    let version = Version { major: width.decode(major), minor: width.decode(minor), patch: width.decode(patch) };
    Some((width, version))
}

/// OpenBLAS's configuration line or MKL's version string.
fn vendor(lookup: Lookup<'_>, prefix: &str, suffix: &str) -> String {
    let bits = suffix.trim_start_matches('_');
    for name in [format!("{prefix}openblas_get_config"), format!("{prefix}openblas_get_config{bits}")] {
        if let Some(address) = lookup(&name) {
            // SAFETY: the function takes nothing and returns a static C string.
            let text = unsafe {
                let get = std::mem::transmute::<*const c_void, unsafe extern "C" fn() -> *const c_char>(address);
                CStr::from_ptr(get())
            };
            return text.to_string_lossy().trim().to_string();
        }
    }
    if let Some(address) = lookup("mkl_get_version_string") {
        let mut buffer = [0_u8; 200];
        // SAFETY: `void mkl_get_version_string(char*, int)` writes at most the given length.
        unsafe {
            let get = std::mem::transmute::<*const c_void, unsafe extern "C" fn(*mut u8, i32)>(address);
            get(buffer.as_mut_ptr(), buffer.len() as i32 - 1);
        }
        return String::from_utf8_lossy(&buffer).trim_end_matches(['\0', ' ']).to_string();
    }
    String::new()
}

/// The loader's own words, which the error type keeps as its source.
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

fn loaded_path(name: &OsStr) -> PathBuf {
    let path = PathBuf::from(name);
    path.canonicalize().unwrap_or(path)
}
