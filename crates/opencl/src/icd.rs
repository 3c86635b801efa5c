//! The ICD files: text files with one line, the name of a driver's library, through which the OpenCL loader knows its drivers.
//!
//! The loaders read all files `*.icd` of `/etc/OpenCL/vendors`, or of the directory (or the one file) that `OCL_ICD_VENDORS` names.
//! Source: `cl_khr_icd`; manual of ocl-icd.

use crate::signals::keeping_handlers;
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// One ICD file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IcdFile {
    /// Where it lies.
    pub path: PathBuf,
    /// The library that it names; empty if it could not be read.
    pub library: String,
    /// Why the library cannot be opened, in the words of the system; `None` if it can.
    pub fault: Option<String>,
}

/// Where the loader looks for ICD files.
pub fn icd_folder() -> PathBuf {
    folder(env::var_os("OCL_ICD_VENDORS"))
}

fn folder(vendors: Option<OsString>) -> PathBuf {
    vendors.filter(|path| !path.is_empty()).map_or_else(|| "/etc/OpenCL/vendors".into(), PathBuf::from)
}

/// The ICD files of this machine, sorted, and whether their libraries open.
pub fn icd_files() -> Vec<IcdFile> {
    keeping_handlers(|| files(&icd_folder(), &opening_fault))
}

fn files(folder: &Path, fault: &dyn Fn(&str) -> Option<String>) -> Vec<IcdFile> {
    let mut paths: Vec<PathBuf> = match fs::read_dir(folder) {
        Ok(entries) => entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "icd"))
            .collect(),
        Err(_) if folder.is_file() => vec![folder.to_path_buf()],
        Err(_) => Vec::new(),
    };
    paths.sort();
    let read = |path: PathBuf| match fs::read_to_string(&path) {
        Ok(text) => {
            let library = text.lines().next().unwrap_or_default().trim().to_string();
            let fault = if library.is_empty() { Some("the file is empty".to_string()) } else { fault(&library) };
            IcdFile { path, library, fault }
        }
        Err(error) => IcdFile { path, library: String::new(), fault: Some(error.to_string()) },
    };
    paths.into_iter().map(read).collect()
}

/// Why a driver's library cannot be opened.
fn opening_fault(library: &str) -> Option<String> {
    // SAFETY: a driver's initialisers are what the OpenCL loader runs too. An opened driver is never closed, since its threads
    // and handlers would outlive its code.
    match unsafe { libloading::Library::new(library) } {
        Ok(driver) => {
            std::mem::forget(driver);
            None
        }
        // What the system says is the source of what the crate says.
        Err(error) => Some(error.source().map_or_else(|| error.to_string(), ToString::to_string)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_folder_are_read_in_order_and_others_are_left_alone() {
        let folder = env::temp_dir().join(format!("lapack-ai-icd-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in
            [("b.icd", "libb.so.1\n"), ("a.icd", " /opt/liba.so \nmore\n"), ("c.icd", "\n"), ("README", "x")]
        {
            fs::write(folder.join(name), text).unwrap();
        }
        let found = files(&folder, &|library| library.contains("libb").then(|| "no such file".to_string()));
        let single = files(&folder.join("a.icd"), &|_| None);
        fs::remove_dir_all(&folder).unwrap();
        let told: Vec<(&str, Option<&str>)> =
            found.iter().map(|file| (file.library.as_str(), file.fault.as_deref())).collect();
        let expected = [("/opt/liba.so", None), ("libb.so.1", Some("no such file")), ("", Some("the file is empty"))];
        assert_eq!(told, expected);
        assert_eq!((single.len(), single[0].library.as_str()), (1, "/opt/liba.so"));
    }

    #[test]
    fn the_environment_may_name_another_folder_and_a_missing_one_has_no_files() {
        assert_eq!(folder(None), Path::new("/etc/OpenCL/vendors"));
        assert_eq!(folder(Some("".into())), Path::new("/etc/OpenCL/vendors"));
        assert_eq!(folder(Some("/opt/icd".into())), Path::new("/opt/icd"));
        assert!(files(Path::new("/no/such/folder"), &|_| None).is_empty());
    }

    #[test]
    fn a_library_that_is_not_there_is_named_in_the_fault() {
        assert!(opening_fault("libno-such-driver.so.1").is_some_and(|why| why.contains("libno-such-driver.so.1")));
    }
}
