//! Any routine of the LAPACK in use by its name: for what no driver of this crate wraps.

use lapack_ai_host::{Library, find};
use std::ffi::c_void;

/// One argument. LAPACK takes the address of each; what it writes stays here.
#[derive(Debug)]
pub(crate) enum Arg {
    /// A letter.
    L(u8),
    /// An integer.
    I(i64),
    /// An array of integers, one cell each.
    Is(Vec<i64>),
    /// A real number.
    R(f64),
    /// An array of real numbers, or of the parts of complex ones.
    Rs(Vec<f64>),
    /// A function.
    F(*const c_void),
}

/// Most arguments of a routine, with the lengths of its letters.
const MOST: usize = 48;

pub(crate) struct Lapack {
    pub(crate) library: Library,
    handle: libloading::Library,
}

impl Lapack {
    /// The LAPACK that the search finds.
    pub(crate) fn open() -> Self {
        let explicit = std::env::var_os("LAPACK_AI_LIBRARY").map(std::path::PathBuf::from);
        let library = find(explicit.as_deref()).expect("a LAPACK").library;
        // SAFETY: it is open already.
        let handle = unsafe { libloading::Library::new(library.path()) }.expect("an open library");
        Self { library, handle }
    }

    fn encoded(&self, value: i64) -> i64 {
        if self.library.integer_bits() == 32 { i64::from(value as i32 as u32) } else { value }
    }

    /// INFO of a routine, called with all arguments but INFO, which is the last one. `None` if this LAPACK lacks it.
    pub(crate) fn info(&self, name: &str, mut arguments: Vec<Arg>) -> Option<i64> {
        // SAFETY: only the address is taken.
        let address = unsafe { self.handle.get::<*const c_void>(self.library.decorated(name).as_bytes()) }.ok()?;
        let address = *address;
        let narrow = self.library.integer_bits() == 32;
        for argument in &mut arguments {
            match argument {
                Arg::I(value) => *value = self.encoded(*value),
                Arg::Is(values) if narrow => {
                    // Elements are as wide as the library's integers.
                    let packed: Vec<i64> = values
                        .chunks(2)
                        .map(|pair| self.encoded(pair[0]) | (self.encoded(*pair.get(1).unwrap_or(&0)) << 32))
                        .collect();
                    values[..packed.len()].copy_from_slice(&packed);
                }
                _ => {}
            }
        }
        let mut info = 0_i64;
        // The lengths of letters, all 1, follow the arguments, and fill the rest.
        let mut words = [1_usize; MOST];
        let addresses = arguments.iter_mut().map(|argument| match argument {
            Arg::L(letter) => std::ptr::from_mut(letter).addr(),
            Arg::I(value) => std::ptr::from_mut(value).addr(),
            Arg::Is(values) => values.as_mut_ptr().expose_provenance(),
            Arg::R(value) => std::ptr::from_mut(value).addr(),
            Arg::Rs(values) => values.as_mut_ptr().expose_provenance(),
            Arg::F(function) => function.addr(),
        });
        for (word, address) in
            words.iter_mut().zip(addresses.chain([std::ptr::from_mut(&mut info).expose_provenance()]))
        {
            *word = address;
        }
        // SAFETY: the arguments are those of the routine's documentation, with room for what it writes; C's calling
        // convention lets a function ignore arguments beyond its own.
        unsafe { call(address, &words) };
        Some(self.library.read_int(info))
    }
}

macro_rules! call_with {
    ($address:expr, $words:expr; $($index:literal)*) => {{
        type Routine = unsafe extern "C" fn($(call_with!(@type $index)),*);
        // SAFETY: the caller's promise.
        unsafe { std::mem::transmute::<*const c_void, Routine>($address)($($words[$index]),*) }
    }};
    (@type $index:literal) => { usize };
}

/// # Safety
/// The words are what the routine takes.
unsafe fn call(address: *const c_void, words: &[usize; MOST]) {
    call_with!(address, words; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33
        34 35 36 37 38 39 40 41 42 43 44 45 46 47);
}
