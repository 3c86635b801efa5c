//! Configurations of the matrix product's kernels: what may be set when a program is built, which values a kernel takes on a
//! device, and which are worth trying. The kernels' own headers say what each value means.
//!
//! A configuration changes how fast a product is and in which order its terms are added, never what is computed. One that is
//! valid builds and computes rightly on every device with these limits; the tests run each candidate.

use super::gemm_choose::Place;
use crate::discovery::DeviceInfo;
use lapack_ai_core::DType;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The kernels that can be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Family {
    /// The general kernel, on every device and for every type.
    #[serde(rename = "gemm")]
    General,
    /// Small matrices of any type in local memory.
    #[serde(rename = "gemm_small")]
    Small,
    /// Double precision on NVIDIA's matrix units.
    #[serde(rename = "gemm_f64_mma")]
    F64Mma,
    /// Single precision with NVIDIA's copies beside the computation.
    #[serde(rename = "gemm_f32_async")]
    F32Async,
    /// Large batches of small real matrices.
    #[serde(rename = "gemm_batched")]
    Batched,
}

impl Family {
    /// The kernel's name.
    pub fn kernel(self) -> &'static str {
        match self {
            Self::General => "gemm",
            Self::Small => "gemm_small",
            Self::F64Mma => "gemm_f64_mma",
            Self::F32Async => "gemm_f32_async",
            Self::Batched => "gemm_batched",
        }
    }
}

/// What a device allows a work-group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Local memory in bytes (`CL_DEVICE_LOCAL_MEM_SIZE`).
    pub local_memory: usize,
    /// Most work-items.
    pub work_group: usize,
}

impl Limits {
    /// Those of a device.
    pub fn of(info: &DeviceInfo) -> Self {
        Self { local_memory: info.local_memory as usize, work_group: info.max_work_group }
    }

    fn hold(self, local: usize, items: usize) -> bool {
        local <= self.local_memory && (1..=self.work_group).contains(&items)
    }
}

/// A product as its kernel sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) dtype: DType,
    /// Batch, m, n, k.
    pub(crate) shape: [usize; 4],
    pub(crate) a: Place,
    pub(crate) b: Place,
}

/// `gemm`: a group's tile and a work-item's part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the kernel's header explains the names")]
pub struct General {
    pub bm: usize,
    pub bn: usize,
    pub bk: usize,
    pub rm: usize,
    pub rn: usize,
}

/// `gemm_small`: work-items of a group, and elements of C for each as far as local memory goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "named above")]
pub struct Small {
    pub items: usize,
    pub each: usize,
}

/// `gemm_f64_mma`: parts of a group and a warp, depth and number of slots, and how it is put to the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the kernel's header explains the names")]
pub struct F64Mma {
    pub bm: usize,
    pub bn: usize,
    pub wm: usize,
    pub wn: usize,
    pub bk: usize,
    pub stages: usize,
    /// Work-groups on a compute unit that share the tiles; 0: each tile has one of its own.
    pub walk: usize,
    pub ordered: bool,
    pub two_b: bool,
    pub spread: bool,
}

/// `gemm_f32_async`: parts of a group and a work-item, number of slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the kernel's header explains the names")]
pub struct F32Async {
    pub bm: usize,
    pub bn: usize,
    pub tm: usize,
    pub tn: usize,
    pub stages: usize,
    /// As for [`F64Mma`].
    pub walk: usize,
}

/// `gemm_batched`: a work-item's part, triples of a group, its work-items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the kernel's header explains the names")]
pub struct Batched {
    pub tm: usize,
    pub tn: usize,
    pub group: usize,
    pub items: usize,
}

/// A configuration of one of the kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kernel")]
#[allow(missing_docs, reason = "the families' own")]
pub enum Config {
    #[serde(rename = "gemm")]
    General(General),
    #[serde(rename = "gemm_small")]
    Small(Small),
    #[serde(rename = "gemm_f64_mma")]
    F64Mma(F64Mma),
    #[serde(rename = "gemm_f32_async")]
    F32Async(F32Async),
    #[serde(rename = "gemm_batched")]
    Batched(Batched),
}

/// Largest extent of the matrices that the kernels for small ones take.
pub(crate) const SMALL: usize = 32;
/// Local memory that `gemm_small` may use, in bytes: what every device has.
pub(crate) const SMALL_LOCAL: usize = 32 << 10;
/// Most triples of a group of the batched kernel, and most work-items: none is faster beyond, and sums of the extents stay
/// far below an `int`.
const MOST_GROUP: usize = 4096;
const MOST_ITEMS: usize = 1024;
/// Most work-groups on a compute unit that share tiles: more than fit it.
const MOST_WALK: usize = 16;
/// Most candidates of the batched kernel, each of which is a program.
const MOST_CANDIDATES: usize = 30;

/// Whether copies of `width` bytes by `items` work-items fill a tile of `extent` outer indices and `depth` terms exactly, as
/// the kernels with `cp.async` assume.
fn copies_fit(extent: usize, depth: usize, along_k: bool, each: usize, items: usize) -> bool {
    let lanes = if along_k { depth } else { extent } / each;
    lanes > 0 && items.is_multiple_of(lanes) && (extent * depth / each).is_multiple_of(items)
}

impl General {
    /// What the kernel is built with if nothing is said: fair on every device.
    pub(crate) fn plain(dtype: DType) -> Self {
        let bk = if dtype == DType::Complex128 { 8 } else { 16 };
        Self { bm: 64, bn: 64, bk, rm: if dtype.is_complex() { 8 } else { 4 }, rn: 4 }
    }

    pub(crate) fn items(&self) -> usize {
        self.bm / self.rm * (self.bn / self.rn)
    }

    fn is_valid(&self, limits: Limits, dtype: DType) -> bool {
        let Self { bm, bn, bk, rm, rn } = *self;
        let powers = [bm, bn, bk, rm, rn].iter().all(|x| x.is_power_of_two() && *x <= 256) && rm <= bm && rn <= bn;
        // Registers for the sums of a work-item, in units of a float.
        powers
            && rm * rn * dtype.size() / 4 <= 256
            && (bm * bk).is_multiple_of(self.items())
            && (bn * bk).is_multiple_of(self.items())
            && limits.hold((bm + bn + 2) * bk * dtype.size(), self.items())
    }

    fn candidates() -> Vec<Self> {
        let of = |[bm, bn, bk, rm, rn]: [usize; 5]| Self { bm, bn, bk, rm, rn };
        [
            [64, 64, 16, 4, 4],
            [64, 64, 8, 4, 4],
            [64, 64, 8, 8, 4],
            [64, 64, 16, 8, 4],
            [64, 64, 8, 8, 8],
            [64, 64, 16, 8, 8],
            [64, 64, 32, 8, 8],
            [128, 64, 8, 8, 4],
            [128, 64, 8, 8, 8],
            [128, 64, 16, 8, 8],
            [64, 128, 8, 4, 8],
            [128, 128, 8, 8, 8],
            [128, 128, 16, 8, 8],
            [32, 32, 16, 4, 4],
            [32, 32, 32, 2, 2],
            [64, 32, 16, 4, 4],
            [32, 64, 16, 4, 4],
            [32, 32, 8, 4, 4],
            [16, 16, 16, 1, 1],
            [32, 16, 16, 2, 2],
        ]
        .map(of)
        .to_vec()
    }
}

impl Small {
    pub(crate) fn plain([batch, m, n, _]: [usize; 4]) -> Self {
        let slots = (256 / (m * n)).clamp(1, batch);
        Self { items: (slots * m * n).next_power_of_two().clamp(32, 256), each: 1 }
    }

    /// Triples that a group takes at once; `bytes` of local memory are for each of them.
    pub(crate) fn slots(&self, [batch, m, n, _]: [usize; 4], bytes: usize) -> usize {
        (self.items * self.each / (m * n)).clamp(1, batch.max(1)).min((SMALL_LOCAL / bytes).max(1))
    }

    fn is_valid(&self, limits: Limits) -> bool {
        self.items.is_power_of_two() && (1..=64).contains(&self.each) && limits.hold(0, self.items)
    }

    fn candidates() -> Vec<Self> {
        let each = |items| [1, 2, 4, 8].map(|each| Self { items, each });
        [32, 64, 128, 256].into_iter().flat_map(each).collect()
    }
}

impl F64Mma {
    /// Bytes of a copy.
    fn bytes(place: Place) -> usize {
        if place.wide { 16 } else { 8 }
    }

    fn items(&self) -> usize {
        self.bm / self.wm * (self.bn / self.wn) * 32
    }

    fn is_valid(&self, limits: Limits, a: Place, b: Place) -> bool {
        let Self { bm, bn, wm, wn, bk, stages, walk, .. } = *self;
        let parts = [wm, wn].iter().all(|part| (16..=64).contains(part) && part.is_multiple_of(16));
        parts
            && bm.max(bn) <= 256
            && bm.is_multiple_of(wm)
            && bn.is_multiple_of(wn)
            && matches!(bk, 8 | 16)
            && (2..=8).contains(&stages)
            && walk <= MOST_WALK
            // Sums of a warp in the registers of 32 work-items, beside its operands.
            && wm * wn <= 64 * 32
            && copies_fit(bm, bk, a.along_k, Self::bytes(a) / 8, self.items())
            && copies_fit(bn, bk, b.along_k, Self::bytes(b) / 8, self.items())
            && limits.hold(stages * (bm + bn) * bk * 8, self.items())
    }

    /// The parts and slots, each with the present choice's way to put it; then that way varied.
    fn candidates(present: Self) -> Vec<Self> {
        let of = |[bm, bn, wm, wn, bk, stages]: [usize; 6]| Self { bm, bn, wm, wn, bk, stages, ..present };
        let parts = [
            [64, 64, 32, 32, 16, 3],
            [128, 128, 32, 32, 8, 3],
            [128, 128, 64, 32, 8, 3],
            [128, 64, 64, 32, 16, 2],
            [128, 64, 32, 32, 8, 4],
            [64, 128, 32, 64, 8, 4],
            [64, 128, 32, 32, 8, 4],
            [64, 64, 32, 32, 8, 4],
            [64, 64, 32, 16, 16, 3],
            [64, 64, 32, 32, 8, 3],
            [128, 64, 64, 32, 8, 4],
            [64, 32, 32, 16, 16, 3],
            [64, 32, 32, 16, 16, 4],
            [64, 32, 32, 32, 16, 4],
            [32, 64, 16, 32, 16, 4],
            [32, 32, 16, 16, 16, 4],
            [32, 32, 16, 16, 16, 6],
            [32, 32, 32, 16, 16, 4],
            // Short products of a batch, bound by memory: little local memory to a group, so that a unit has many of them.
            [32, 32, 16, 16, 16, 2],
            [32, 32, 16, 32, 16, 2],
            [32, 32, 32, 16, 16, 2],
            [64, 32, 32, 16, 16, 2],
            [64, 64, 32, 32, 16, 2],
            [64, 64, 32, 16, 16, 2],
        ];
        parts.map(of).to_vec()
    }

    /// Other ways to put the same work to the compiler.
    fn refinements(&self) -> Vec<Self> {
        let ways = [[false, false, false], [false, true, true], [true, true, true], [true, false, true]];
        let of = |[ordered, two_b, spread]: [bool; 3]| Self { ordered, two_b, spread, ..*self };
        let walks = [0, 2, 4].map(|walk| Self { walk, ..*self });
        ways.map(of).into_iter().chain(walks).collect()
    }
}

impl F32Async {
    /// Bytes of a copy.
    pub(crate) fn bytes(place: Place) -> usize {
        if place.wide && !place.along_k { 16 } else { 4 }
    }

    fn items(&self) -> usize {
        self.bm / (8 * self.tm) * (self.bn / (4 * self.tn)) * 32
    }

    fn is_valid(&self, limits: Limits, a: Place, b: Place) -> bool {
        let Self { bm, bn, tm, tn, stages, walk } = *self;
        let parts = [tm, tn].iter().all(|part| (4..=32).contains(part) && part.is_multiple_of(4));
        parts
            && bm.max(bn) <= 256
            && bm.is_multiple_of(8 * tm)
            && bn.is_multiple_of(4 * tn)
            && (2..=8).contains(&stages)
            && walk <= MOST_WALK
            && tm * tn <= 128
            && copies_fit(bm, 8, a.along_k, Self::bytes(a) / 4, self.items())
            && copies_fit(bn, 8, b.along_k, Self::bytes(b) / 4, self.items())
            && limits.hold(stages * (bm + bn + 8) * 32, self.items())
    }

    fn candidates(present: Self) -> Vec<Self> {
        let of = |[bm, bn, tm, tn, stages]: [usize; 5]| Self { bm, bn, tm, tn, stages, walk: present.walk };
        [
            [128, 128, 8, 16, 4],
            [128, 64, 8, 8, 3],
            [64, 64, 8, 8, 3],
            [128, 128, 8, 8, 4],
            [128, 128, 8, 16, 3],
            [128, 128, 16, 8, 4],
            [128, 64, 8, 8, 4],
            [64, 128, 8, 8, 4],
            [128, 64, 8, 16, 4],
            [64, 128, 8, 16, 4],
            [64, 64, 8, 8, 4],
            [64, 64, 8, 4, 4],
            [64, 64, 4, 8, 4],
            [128, 32, 8, 8, 4],
            [32, 64, 4, 8, 4],
            [64, 32, 8, 4, 4],
            [32, 32, 4, 4, 3],
            [32, 32, 4, 4, 5],
            [256, 64, 8, 16, 4],
        ]
        .map(of)
        .to_vec()
    }

    /// Other numbers of groups that share the tiles.
    fn refinements(&self) -> Vec<Self> {
        [0, 2, 4].map(|walk| Self { walk, ..*self }).to_vec()
    }
}

impl Batched {
    /// Elements of an access: all of 16 bytes where everything is aligned to it.
    pub(crate) fn width(&self, problem: &Problem, c_even: bool) -> usize {
        let width = 16 / problem.dtype.size();
        let [_, _, _, k] = problem.shape;
        let along_n = problem.b.along_k || self.tn.is_multiple_of(width);
        let aligned = problem.a.wide && problem.b.wide && c_even;
        let whole = k.is_multiple_of(width) && self.tm.is_multiple_of(width) && along_n;
        if aligned && whole { width } else { 1 }
    }

    fn is_valid(&self, limits: Limits, problem: &Problem) -> bool {
        let Self { tm, tn, group, items } = *self;
        let ([_, m, n, k], size) = (problem.shape, problem.dtype.size());
        if problem.dtype.is_complex() || [tm, tn, group, items].contains(&0) || group > MOST_GROUP || items > MOST_ITEMS
        {
            return false;
        }
        let pad = 16 / size;
        let matrix = |line: usize, lines: usize| lines * (line + if line * size >= 64 { pad } else { 0 }) + pad;
        let operand = |place: Place, outer: usize| if place.along_k { matrix(k, outer) } else { matrix(outer, k) };
        let local = group * size * (operand(problem.a, m) + operand(problem.b, n)).max(matrix(m, n));
        let pieces = (group * (m / tm) * (n / tn)).div_ceil(items);
        // Sums of a work-item, all pieces of it, in registers.
        m.is_multiple_of(tm) && n.is_multiple_of(tn) && tm * tn * pieces * size <= 512 && limits.hold(local, items)
    }

    fn candidates(present: Self, [_, m, n, _]: [usize; 4]) -> Vec<Self> {
        let parts = |extent: usize| [8, 5, 4, 3, 2, 1].into_iter().filter(move |part| extent.is_multiple_of(*part));
        let pairs = parts(m).flat_map(|tm| parts(n).map(move |tn| (tm, tn)));
        // Enough products for what is loaded, and no slivers.
        let pairs =
            pairs.filter(|(tm, tn)| tm * tn >= 4.min(m * n) && tm * tn <= 32 && tm.max(tn) <= &(4 * tm.min(tn)));
        // Those like the present one first: what differs most is least likely to be better.
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_by_key(|(tm, tn)| tm.abs_diff(present.tm) + tn.abs_diff(present.tn));
        let each = |(tm, tn): (usize, usize)| {
            let group = move |items: usize, pieces: usize| (items * pieces * tm * tn / (m * n)).max(1);
            let pieces = [(64, 1), (32, 1), (128, 1), (64, 2), (32, 2), (128, 2), (256, 1)];
            pieces.map(|(items, pieces)| Self { tm, tn, group: group(items, pieces), items })
        };
        pairs.into_iter().flat_map(each).take(MOST_CANDIDATES).collect()
    }
}

impl Config {
    /// Its kernel.
    pub fn family(&self) -> Family {
        match self {
            Self::General(_) => Family::General,
            Self::Small(_) => Family::Small,
            Self::F64Mma(_) => Family::F64Mma,
            Self::F32Async(_) => Family::F32Async,
            Self::Batched(_) => Family::Batched,
        }
    }

    /// Whether its kernel takes it, for this product on a device with these limits.
    pub(crate) fn is_valid(&self, limits: Limits, problem: &Problem) -> bool {
        match self {
            Self::General(config) => config.is_valid(limits, problem.dtype),
            Self::Small(config) => config.is_valid(limits),
            Self::F64Mma(config) => problem.dtype == DType::Float64 && config.is_valid(limits, problem.a, problem.b),
            Self::F32Async(config) => problem.dtype == DType::Float32 && config.is_valid(limits, problem.a, problem.b),
            Self::Batched(config) => config.is_valid(limits, problem),
        }
    }

    /// What is worth trying in place of this one for a product, valid ones only, each once, this one left out.
    pub(crate) fn candidates(self, limits: Limits, problem: &Problem) -> Vec<Self> {
        let all: Vec<Self> = match self {
            Self::General(_) => General::candidates().into_iter().map(Self::General).collect(),
            Self::Small(_) => Small::candidates().into_iter().map(Self::Small).collect(),
            Self::F64Mma(present) => F64Mma::candidates(present).into_iter().map(Self::F64Mma).collect(),
            Self::F32Async(present) => F32Async::candidates(present).into_iter().map(Self::F32Async).collect(),
            Self::Batched(present) => {
                Batched::candidates(present, problem.shape).into_iter().map(Self::Batched).collect()
            }
        };
        self.valid(all, limits, problem)
    }

    /// What is worth trying once this one has proved to be the best of the candidates.
    pub(crate) fn refinements(self, limits: Limits, problem: &Problem) -> Vec<Self> {
        match self {
            Self::F64Mma(best) => {
                self.valid(best.refinements().into_iter().map(Self::F64Mma).collect(), limits, problem)
            }
            Self::F32Async(best) => {
                self.valid(best.refinements().into_iter().map(Self::F32Async).collect(), limits, problem)
            }
            _ => Vec::new(),
        }
    }

    fn valid(self, all: Vec<Self>, limits: Limits, problem: &Problem) -> Vec<Self> {
        let mut kept: Vec<Self> = Vec::new();
        for one in all {
            if one != self && !kept.contains(&one) && one.is_valid(limits, problem) {
                kept.push(one);
            }
        }
        kept
    }

    /// Rows and columns of C of a work-group, and its work-items, where the kernel has tiles.
    pub(crate) fn tile(&self) -> ([usize; 2], usize) {
        match self {
            Self::General(config) => ([config.bm, config.bn], config.items()),
            Self::F64Mma(config) => ([config.bm, config.bn], config.items()),
            Self::F32Async(config) => ([config.bm, config.bn], config.items()),
            Self::Small(config) => ([1, 1], config.items),
            Self::Batched(config) => ([1, 1], config.items),
        }
    }

    /// Work-groups on a compute unit that share the tiles; 0: each tile has one of its own.
    pub(crate) fn walk(&self) -> usize {
        match self {
            Self::F64Mma(config) => config.walk,
            Self::F32Async(config) => config.walk,
            Self::General(_) | Self::Small(_) | Self::Batched(_) => 0,
        }
    }

    /// The compiler's options for it and the places of A and B, beside those of the type.
    pub(crate) fn options(&self, a: Place, b: Place, turned: bool) -> String {
        let flag = u8::from;
        let places = |bytes: fn(Place) -> usize| {
            format!(
                "-DA_K={} -DB_K={} -DA_BYTES={} -DB_BYTES={} -DC_T={}",
                flag(a.along_k),
                flag(b.along_k),
                bytes(a),
                bytes(b),
                flag(turned)
            )
        };
        match *self {
            Self::General(General { bm, bn, bk, rm, rn }) => {
                format!("-DBM={bm} -DBN={bn} -DBK={bk} -DRM={rm} -DRN={rn}")
            }
            Self::Small(_) => String::new(),
            Self::F64Mma(F64Mma { bm, bn, wm, wn, bk, stages, walk, ordered, two_b, spread }) => format!(
                "-DBM={bm} -DBN={bn} -DWM={wm} -DWN={wn} -DBK={bk} -DSTAGES={stages} {} -DWALK={} -DORDERED={} -DTWO_B={} \
                 -DSPREAD={}",
                places(F64Mma::bytes),
                flag(walk != 0),
                flag(ordered),
                flag(two_b),
                flag(spread)
            ),
            Self::F32Async(F32Async { bm, bn, tm, tn, stages, walk }) => format!(
                "-DBM={bm} -DBN={bn} -DTM={tm} -DTN={tn} -DSTAGES={stages} {} -DWALK={}",
                places(F32Async::bytes),
                flag(walk != 0)
            ),
            Self::Batched(Batched { tm, tn, group, items }) => {
                format!(
                    "-DTM={tm} -DTN={tn} -DGROUP={group} -DITEMS={items} -DA_K={} -DB_K={}",
                    flag(a.along_k),
                    flag(b.along_k)
                )
            }
        }
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::General(General { bm, bn, bk, rm, rn }) => write!(f, "tile {bm}x{bn}x{bk}, item {rm}x{rn}"),
            Self::Small(Small { items, each }) => write!(f, "{items} items, {each} elements each"),
            Self::F64Mma(F64Mma { bm, bn, wm, wn, bk, stages, walk, ordered, two_b, spread }) => {
                write!(f, "tile {bm}x{bn}x{bk}, warp {wm}x{wn}, {stages} slots")?;
                if walk > 0 {
                    write!(f, ", {walk} groups a unit")?;
                }
                for (set, name) in [(ordered, "ordered"), (two_b, "two B"), (spread, "spread")] {
                    if set {
                        write!(f, ", {name}")?;
                    }
                }
                Ok(())
            }
            Self::F32Async(F32Async { bm, bn, tm, tn, stages, walk }) => {
                write!(f, "tile {bm}x{bn}, item {tm}x{tn}, {stages} slots")?;
                if walk > 0 { write!(f, ", {walk} groups a unit") } else { Ok(()) }
            }
            Self::Batched(Batched { tm, tn, group, items }) => {
                write!(f, "item {tm}x{tn}, {group} triples, {items} items")
            }
        }
    }
}

#[cfg(test)]
mod tests;
