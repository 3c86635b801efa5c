//! Kernels from source to launch: built programs in memory, their binaries on disk.
//!
//! A file of the cache is named by the SHA-256 of everything that its contents depend on (source, options, device,
//! platform, driver, version of this library) and begins with the SHA-256 of its own payload. It is written under another
//! name and renamed, so processes can write at the same time and a half-written file is never seen; one that does not
//! check out, or that the driver refuses, is built anew and replaced.

use crate::fault::{Fault, FaultKind, check, injected};
use crate::gpu::Shared;
use crate::handle::{Handle, RawKernel, RawProgram};
use crate::pool::lock;
use crate::signals::keeping_handlers;
use opencl3::kernel::create_kernel;
use opencl3::program::{
    CL_PROGRAM_BINARIES, CL_PROGRAM_BUILD_LOG, build_program, create_program_with_binary, create_program_with_source,
    get_program_build_info, get_program_info,
};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// First bytes of a cache file.
const MAGIC: &[u8; 8] = b"LAPCLB1\n";
const DIGEST: usize = 32;

/// The source of a program: parts that are put one behind the other.
#[derive(Debug)]
pub struct Source {
    /// Its name, for messages.
    pub name: &'static str,
    /// The parts, in order.
    pub parts: &'static [&'static str],
}

/// How programs came to be, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramStats {
    /// Built from source.
    pub built: usize,
    /// Taken from the cache on disk.
    pub loaded: usize,
    /// Cache files that did not check out.
    pub rejected: usize,
}

type Key = (&'static str, String);

/// The programs of one device.
pub(crate) struct Programs {
    known: Mutex<HashMap<Key, Arc<Program>>>,
    /// One build at a time: a second thread that wants the same program then finds it.
    building: Mutex<()>,
    cache: Option<PathBuf>,
    /// What every cache key begins with.
    identity: String,
    built: AtomicUsize,
    loaded: AtomicUsize,
    rejected: AtomicUsize,
}

/// A built program and its idle kernel objects.
pub(crate) struct Program {
    raw: Handle<RawProgram>,
    kernels: Mutex<HashMap<&'static str, Vec<Handle<RawKernel>>>>,
}

impl Program {
    /// A kernel object for one launch by one thread; [`Program::give_back`] returns it.
    pub(crate) fn kernel(&self, name: &'static str) -> Result<Handle<RawKernel>, Fault> {
        if let Some(kernel) = lock(&self.kernels).get_mut(name).and_then(Vec::pop) {
            return Ok(kernel);
        }
        let text = CString::new(name).expect("kernel names have no NUL");
        let raw = check("clCreateKernel", create_kernel(self.raw.get().0, &text))?;
        Ok(Handle::new(RawKernel(raw)))
    }

    pub(crate) fn give_back(&self, name: &'static str, kernel: Handle<RawKernel>) {
        lock(&self.kernels).entry(name).or_default().push(kernel);
    }
}

impl Programs {
    pub(crate) fn new(cache: Option<PathBuf>, identity: String) -> Self {
        let counter = || AtomicUsize::new(0);
        let (built, loaded, rejected) = (counter(), counter(), counter());
        Self { known: Mutex::default(), building: Mutex::default(), cache, identity, built, loaded, rejected }
    }

    pub(crate) fn stats(&self) -> ProgramStats {
        ProgramStats {
            built: self.built.load(Ordering::Relaxed),
            loaded: self.loaded.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn get(&self, shared: &Shared, source: &Source, options: &str) -> Result<Arc<Program>, Fault> {
        let key = (source.name, options.to_string());
        if let Some(program) = lock(&self.known).get(&key) {
            return Ok(program.clone());
        }
        let _one_at_a_time = lock(&self.building);
        if let Some(program) = lock(&self.known).get(&key) {
            return Ok(program.clone());
        }
        let raw = self.load_or_build(shared, source, options)?;
        let program = Arc::new(Program { raw, kernels: Mutex::default() });
        lock(&self.known).insert(key, program.clone());
        Ok(program)
    }

    fn load_or_build(&self, shared: &Shared, source: &Source, options: &str) -> Result<Handle<RawProgram>, Fault> {
        if injected(FaultKind::BuildFailed) {
            return Err(Fault::new(
                FaultKind::BuildFailed,
                format!("the kernels of {} could not be built (injected)", source.name),
            ));
        }
        let text = source.parts.concat();
        let options_c = CString::new(options).expect("options have no NUL");
        let file = self.cache.as_ref().map(|folder| folder.join(self.file_name(&text, options)));
        if let Some(payload) = file.as_deref().and_then(|file| self.read(file)) {
            match from_binary(shared, &payload, &options_c) {
                Ok(program) => {
                    self.loaded.fetch_add(1, Ordering::Relaxed);
                    return Ok(program);
                }
                Err(_) => {
                    self.rejected.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        let raw = check("clCreateProgramWithSource", create_program_with_source(shared.context.get().0, &[&text]))?;
        let program = Handle::new(RawProgram(raw));
        let build = || build_program(raw, &[shared.device.0], &options_c, None, null_mut());
        if let Err(code) = keeping_handlers(build) {
            return Err(build_fault(shared, raw, source.name, code));
        }
        self.built.fetch_add(1, Ordering::Relaxed);
        if let Some(file) = file {
            // A cache that cannot be written costs time at the next start, and nothing else.
            if let Some(payload) = binary_of(raw) {
                let _ = write(&file, &payload);
            }
        }
        Ok(program)
    }

    fn file_name(&self, text: &str, options: &str) -> String {
        let mut hash = Sha256::new();
        for part in [self.identity.as_str(), options, text] {
            // Lengths keep two different splits of the same characters apart.
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>() + ".clbin"
    }

    /// The payload of a cache file, if there is one and it checks out.
    fn read(&self, file: &Path) -> Option<Vec<u8>> {
        let bytes = fs::read(file).ok()?;
        let payload = bytes.strip_prefix(MAGIC).filter(|rest| rest.len() > DIGEST).map(|rest| rest.split_at(DIGEST));
        match payload {
            Some((digest, payload)) if digest == Sha256::digest(payload).as_slice() => Some(payload.to_vec()),
            _ => {
                self.rejected.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

fn from_binary(shared: &Shared, payload: &[u8], options: &CString) -> Result<Handle<RawProgram>, Fault> {
    // SAFETY: a binary that this device wrote, by its digest; the driver checks it again.
    let raw = unsafe { create_program_with_binary(shared.context.get().0, &[shared.device.0], &[payload]) };
    let program = Handle::new(RawProgram(check("clCreateProgramWithBinary", raw)?));
    let build = || build_program(program.get().0, &[shared.device.0], options, None, null_mut());
    check("clBuildProgram", keeping_handlers(build))?;
    Ok(program)
}

fn binary_of(program: opencl3::types::cl_program) -> Option<Vec<u8>> {
    let binaries: Vec<Vec<u8>> = get_program_info(program, CL_PROGRAM_BINARIES).ok()?.into();
    binaries.into_iter().next().filter(|binary| !binary.is_empty())
}

fn build_fault(shared: &Shared, program: opencl3::types::cl_program, name: &str, code: i32) -> Fault {
    let log = get_program_build_info(program, shared.device.0, CL_PROGRAM_BUILD_LOG);
    let log = log.map(String::from).unwrap_or_default();
    let first = log.lines().find(|line| line.contains("error")).or(log.lines().next()).unwrap_or("no message").trim();
    let text = format!("the kernels of {name} could not be built for {} ({code}): {first}", shared.info.name);
    Fault::new(FaultKind::BuildFailed, text)
}

fn write(file: &Path, payload: &[u8]) -> std::io::Result<()> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let temporary = folder.join(format!(".{}-{number}.tmp", std::process::id()));
    let mut bytes = Vec::with_capacity(MAGIC.len() + DIGEST + payload.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&Sha256::digest(payload));
    bytes.extend_from_slice(payload);
    fs::write(&temporary, bytes)?;
    fs::rename(&temporary, file).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}
