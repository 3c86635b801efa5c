//! Codes and INFO explained to programs in C and Fortran.

use lapack_ai::explain::{Answer, Dims, answer, explain, explain_info};
use std::ffi::{CStr, c_char, c_int};

/// Neither a code, nor a routine, nor `opencl`.
const UNKNOWN: c_int = 1;
/// The routine does not return this number, or not for these dimensions.
const NOT_RETURNED: c_int = 2;

/// `lapack_ai_explanation` of the header.
#[repr(C)]
pub(crate) struct Told {
    code: [c_char; 12],
    severity: [c_char; 12],
    info_class: [c_char; 40],
    summary: [c_char; 120],
    argument: [c_char; 32],
    argument_position: i32,
    possibilities: i32,
    index: i64,
}

/// Text as C has it: cut where there is no room for it and its end.
fn fixed<const N: usize>(text: &str) -> [c_char; N] {
    let mut room = [0; N];
    for (place, &byte) in room[..N - 1].iter_mut().zip(text.as_bytes()) {
        *place = byte as c_char;
    }
    room
}

/// Dimensions from 0 on; negative ones are unknown.
fn dims(m: i64, n: i64) -> Dims {
    let known = |size: i64| (size >= 0).then_some(size);
    Dims { m: known(m), n: known(n), k: None }
}

/// # Safety
/// A string that ends with 0, or null.
unsafe fn string(text: *const c_char) -> Option<String> {
    // SAFETY: the caller's promise.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// A code alone needs no number.
fn found(what: &str, number: i64, m: i64, n: i64) -> Option<Answer> {
    let number = if explain(what).is_some() { None } else { Some(number) };
    answer(what, number, dims(m, n)).ok()
}

/// See the header.
///
/// # Safety
/// `routine` ends with 0; `told` has room for the struct.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn lapack_ai_explain_info(
    routine: *const c_char,
    info: i64,
    m: i64,
    n: i64,
    told: *mut Told,
) -> c_int {
    // SAFETY: the caller's promise.
    let Some(routine) = (unsafe { string(routine) }) else { return UNKNOWN };
    let known = match found(&routine, info, m, n) {
        Some(Answer::Explanation(known)) => known,
        Some(Answer::Condition(_)) => return UNKNOWN,
        None if explain_info(&routine, 0, Dims::default()).is_ok() => return NOT_RETURNED,
        None if routine.eq_ignore_ascii_case("opencl") => return NOT_RETURNED,
        None => return UNKNOWN,
    };
    let position = known.argument.as_ref().map_or(0, |argument| argument.position);
    let fields = Told {
        code: fixed(known.code.map_or("", |code| code.as_str())),
        severity: fixed(known.severity().map_or("", |severity| severity.as_str())),
        info_class: fixed(known.class.unwrap_or("")),
        summary: fixed(&known.summary),
        argument: fixed(known.argument.as_ref().map_or("", |argument| argument.name)),
        argument_position: i32::try_from(position).unwrap_or(0),
        possibilities: i32::try_from(known.possibilities.len()).unwrap_or(i32::MAX),
        index: known.index.and_then(|index| i64::try_from(index).ok()).unwrap_or(-1),
    };
    // SAFETY: the caller's promise; null asks for the status alone.
    if let Some(told) = unsafe { told.as_mut() } {
        *told = fields;
    }
    0
}

/// Writes text and its end into `size` bytes, as much as there is room for; returns the length of the text.
///
/// # Safety
/// `buffer` has `size` bytes.
unsafe fn write(text: &str, buffer: *mut c_char, size: i64) -> i64 {
    let room = usize::try_from(size).unwrap_or(0);
    if room > 0 && !buffer.is_null() {
        let copied = text.len().min(room - 1);
        // SAFETY: the caller's promise, and room for the end.
        unsafe {
            buffer.copy_from_nonoverlapping(text.as_ptr().cast(), copied);
            buffer.add(copied).write(0);
        }
    }
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

macro_rules! export_text {
    ($name:ident, $text:expr) => {
        /// See the header.
        ///
        /// # Safety
        /// `what` ends with 0; `buffer` has `size` bytes.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name(
            what: *const c_char,
            number: i64,
            m: i64,
            n: i64,
            buffer: *mut c_char,
            size: i64,
        ) -> i64 {
            // SAFETY: the caller's promise.
            let told = unsafe { string(what) }.and_then(|what| found(&what, number, m, n));
            let text: fn(&Answer) -> String = $text;
            // SAFETY: the caller's promise.
            told.map_or(-1, |told| unsafe { write(&text(&told), buffer, size) })
        }
    };
}

export_text!(lapack_ai_explain_json, |told| told.json().to_string());
export_text!(lapack_ai_explain_text, Answer::report);

/// Fills a CHARACTER variable with the first line, and blanks.
///
/// # Safety
/// The arguments are Fortran's: addresses, and the lengths of the CHARACTER arguments.
unsafe fn first_line(
    what: *const u8,
    number: *const i32,
    (m, n): (*const i32, *const i32),
    text: *mut u8,
    (length_of_what, length_of_text): (usize, usize),
) {
    // SAFETY: the caller's promise.
    let (what, number, m, n, text) = unsafe {
        let what = std::slice::from_raw_parts(what, length_of_what);
        (what, *number, *m, *n, std::slice::from_raw_parts_mut(text, length_of_text))
    };
    let told = found(&String::from_utf8_lossy(what), number.into(), m.into(), n.into());
    let line = told.map_or(String::new(), |told| told.report().lines().next().unwrap_or_default().to_string());
    text.fill(b' ');
    for (place, &byte) in text.iter_mut().zip(line.as_bytes()) {
        *place = byte;
    }
}

macro_rules! export_fortran {
    ($($name:ident)+) => {$(
        /// See the header.
        ///
        /// # Safety
        /// As Fortran calls it.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name(
            what: *const u8,
            number: *const i32,
            m: *const i32,
            n: *const i32,
            text: *mut u8,
            length_of_what: usize,
            length_of_text: usize,
        ) {
            // SAFETY: the caller's promise.
            unsafe { first_line(what, number, (m, n), text, (length_of_what, length_of_text)) }
        }
    )+};
}

export_fortran!(lapack_ai_explain_ lapack_ai_explain lapack_ai_explain__);
