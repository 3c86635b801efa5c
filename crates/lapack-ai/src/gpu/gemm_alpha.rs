//! The general product with a choice of algorithm, of arrays on a device.
//!
//! `auto` takes a scheme on blocks where the model of `kernels::gemm_fast_choose` expects it to be faster than the definition, with the
//! rates of the device, which are measured before the first product that is large enough to ask. An algorithm asked for by
//! name is computed on as many levels as the model finds the fastest. Either keeps to `accuracy`, on fewer levels if need be.

use super::array::{DeviceArray, Outcome, lease};
use super::array_product::{broadcast, spread, stack, stack_mut, stepped_in, view};
use super::{Slot, verify};
use crate::config::{GpuVerify, config};
use crate::dispatch::{Device, fault_error, known};
use crate::fork;
use crate::observe;
use crate::ops::gemm_alpha::ways::{GemmScalar, Refused};
use crate::ops::gemm_alpha::{GemmAlphaOptions, OPERATION, gemm_alpha_into, refused};
use crate::ops::shape_mismatch;
use crate::report::{Clock, Engine, Report, Span};
use lapack_ai_bilinear::product::Algorithm;
use lapack_ai_core::{Argument, Code, Complex64, DType, Error, Result};
use lapack_ai_opencl::kernels::gemm_alphatensor::{self, gemm_alphatensor};
use lapack_ai_opencl::kernels::gemm_fast::{Plan, Scheme, error_bound, gemm_fast};
use lapack_ai_opencl::kernels::gemm_fast_choose::{Choice, Speed, fastest};
use lapack_ai_opencl::kernels::{DeviceView, gemm::gemm};
use lapack_ai_opencl::{Fault, FaultKind, Gpu, Trace, injected};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Operations below which no scheme can pay on any device, so that nothing is measured or predicted.
const WORTH_ASKING: f64 = 2.0 * 1024.0 * 1024.0 * 1024.0;

/// `alpha op(A) op(B) + beta C` on the device where the arrays lie; a new array there. Leading dimensions broadcast; `c` is needed
/// where `beta` is not 0, and is not changed. With [`Device::RequireGpu`] the CPU does not step in for a device that fails.
///
/// The report's `algorithm` and `reason` say what computed, on how many levels, with how much memory, and why.
///
/// # Errors
/// As [`gemm_alpha_into`]; `LAP-E002` for arrays on several devices, `LAP-E004` for types that differ or are not real, `LAP-E006` with
/// fewer than two axes, `LAP-E033`, `LAP-E041`.
pub fn gemm_alpha_on_device(
    alpha: f64,
    a: &DeviceArray,
    b: &DeviceArray,
    beta: f64,
    c: Option<&DeviceArray>,
    options: GemmAlphaOptions,
    device: Device,
) -> Result<(DeviceArray, Report)> {
    if [Some(a), Some(b), c].into_iter().flatten().any(|array| array.shape.len() < 2) {
        return Err(Error::text(Code::NotAMatrix, OPERATION, "a matrix needs two dimensions".to_string()));
    }
    let turned = |array: &DeviceArray, turn| if turn { array.transposed() } else { array.clone() };
    let (a, b) = (turned(a, options.transpose[0]), turned(b, options.transpose[1]));
    let c = c.filter(|_| beta != 0.0);
    let ([m, k], [rows, n]) = (matrix(&a), matrix(&b));
    let all = broadcast(lead(&a), lead(&b));
    let all = all.and_then(|all| c.map_or_else(|| Some(all.clone()), |c| broadcast(&all, lead(c))));
    let count = all.as_ref().map_or(0, |all| all.iter().product());
    let watch = observe::begin(OPERATION, a.dtype, (m, n, count));
    let timed = options.timed || watch.is_timed();
    let mut clock = Clock::start(timed);
    let mut report = Report::new(OPERATION, a.dtype, m, n, count);
    report.inner = k;
    let work = |report: &mut Report| -> Result<DeviceArray> {
        let dtype = a.computed(OPERATION)?;
        if dtype.is_complex() {
            let text = format!(
                "the arrays have type {}; the product with a choice of algorithm is for real ones",
                dtype.name()
            );
            return Err(Error::text(Code::UnsupportedDType, OPERATION, text).argument(Argument::at(0, "a")));
        }
        a.must_match(&b, OPERATION)?;
        if rows != k {
            let text = format!("op(a) has {k} columns, so op(b) needs {k} rows, not {rows}");
            return Err(shape_mismatch(OPERATION, Argument::at(1, "b"), text));
        }
        if let Some(c) = c {
            a.must_match(c, OPERATION)?;
            if matrix(c) != [m, n] {
                let text = format!("c is {} x {}, the product {m} x {n}", matrix(c)[0], matrix(c)[1]);
                return Err(shape_mismatch(OPERATION, Argument::at(2, "c"), text));
            }
        } else if beta != 0.0 {
            let text = format!("beta={beta} needs c, which is not given");
            return Err(Error::text(Code::BadOption, OPERATION, text));
        }
        let Some(batch) = all.clone() else {
            let (a, b, c) = (lead(&a), lead(&b), c.map_or(&[][..], lead));
            let text = format!("the leading dimensions {a:?}, {b:?} and {c:?} do not fit together");
            return Err(shape_mismatch(OPERATION, Argument::at(1, "b"), text));
        };
        let _inside = fork::inside();
        let lease = lease(OPERATION, a.slot)?;
        report.engine = Engine::OpenCl;
        report.device = Some(Arc::from(a.device_name()));
        let product = Product { alpha, a: &a, b: &b, beta, c, batch: &batch, shape: [m, n, k], dtype, options };
        match lease.settle(product.run(timed, report)) {
            Ok(outcome) => outcome,
            Err(fault) if super::was_cancelled(&fault) => Err(super::cancelled(OPERATION)),
            Err(fault) if device == Device::RequireGpu => Err(fault_error(OPERATION, &fault)),
            Err(fault) => match dtype {
                DType::Float32 => product.on_cpu::<f32>(report, &fault),
                _ => product.on_cpu::<f64>(report, &fault),
            }
            // Where operands or result cannot cross, what the device said is the error.
            .map_err(|_| fault_error(OPERATION, &fault)),
        }
    };
    let result = work(&mut report);
    clock.lap(&mut report.times.total);
    observe::end(watch, &report, result.as_ref().err());
    result.map(|array| (array, report))
}

fn lead(array: &DeviceArray) -> &[usize] {
    &array.shape[..array.shape.len() - 2]
}

fn matrix(array: &DeviceArray) -> [usize; 2] {
    let lead = array.shape.len() - 2;
    [array.shape[lead], array.shape[lead + 1]]
}

/// What computes a product.
enum Way {
    Definition,
    /// A scheme on blocks.
    Blocks(Choice),
    /// AlphaTensor's scheme on numbers.
    Numbers,
}

/// A product whose arguments were checked; C has the leading dimensions `batch`.
struct Product<'a> {
    alpha: f64,
    a: &'a DeviceArray,
    b: &'a DeviceArray,
    beta: f64,
    c: Option<&'a DeviceArray>,
    batch: &'a [usize],
    shape: [usize; 3],
    dtype: DType,
    options: GemmAlphaOptions,
}

impl Product<'_> {
    fn count(&self) -> usize {
        self.batch.iter().product()
    }

    /// The outer result is what the device said, the inner one what the caller is told of options that cannot be had.
    fn run(&self, timed: bool, report: &mut Report) -> Outcome<Result<DeviceArray>> {
        let (slot, gpu) = (self.a.slot, &self.a.gpu);
        let [m, n, _] = self.shape;
        let result = match self.c {
            Some(c) => spread(c, self.batch)?,
            None => DeviceArray::new(slot, gpu, self.a.dtype, &[self.batch, &[m, n]].concat())?,
        };
        // What does not follow at one stride is packed first, in the shape that it has.
        let at_one_stride = |array: &DeviceArray| match array.stack(self.batch) {
            Some(_) => Ok(array.clone()),
            None => spread(array, self.batch),
        };
        let (a, b) = (at_one_stride(self.a)?, at_one_stride(self.b)?);
        let [a, b, c] = [&a, &b, &result].map(|array| view(array, self.batch, self.dtype));
        let (a, b, c) = (a?, b?, c?);
        // With everything else in memory, what is left is for sums and products.
        let way = match self.choose(slot, gpu) {
            Ok(way) => way,
            Err(why) => return Ok(Err(refused(why))),
        };
        let trace = Trace::default();
        let started = Instant::now();
        let done = trace.enter(|| self.multiply(gpu, &way, a, b, c, report))?;
        let bound = self.told(&way, done, report);
        if injected(FaultKind::WrongResult) {
            gemm(gpu, number(1.5 * self.alpha), (a, false), (b, false), number(self.beta), c)?;
        }
        let mode = config().map_or(GpuVerify::Sample, |config| config.gpu_verify);
        // What C was before the product is not there any more to check it with.
        let checks = self.beta == 0.0
            && self.alpha != 0.0
            && (mode == GpuVerify::Full || (mode == GpuVerify::Sample && slot.credit.allows()));
        if !timed && !checks {
            return Ok(Ok(result));
        }
        gpu.wait_for(&result.block)?;
        let total = started.elapsed();
        let checking = checks.then(|| verify::sample_of_scheme(gpu, self.alpha, a, b, c, bound)).transpose()?;
        slot.credit.book(total, checking);
        report.verified = checking.is_some();
        report.spans = trace.spans().into_iter().map(Span::from).collect();
        report.times.compute = Duration::from_secs_f64(report.spans.iter().map(|span| span.seconds).sum());
        Ok(Ok(result))
    }

    fn choose(&self, slot: &'static Slot, gpu: &Gpu) -> std::result::Result<Way, Refused> {
        let ([m, n, k], asked, accuracy) = (self.shape, self.options.algorithm, self.options.accuracy);
        let by_definition = (k * k) as f64;
        match accuracy {
            Some(accuracy) if accuracy.is_nan() || accuracy <= 0.0 => return Err(Refused::NoBound(accuracy)),
            Some(accuracy) if accuracy < by_definition && asked.is_none_or(|asked| asked == Algorithm::Classical) => {
                return Err(Refused::NoneAccurate { bound: by_definition, accuracy });
            }
            _ => {}
        }
        let large = 2.0 * m as f64 * n as f64 * k as f64 >= WORTH_ASKING;
        let scheme = match asked {
            Some(Algorithm::Classical) => return Ok(Way::Definition),
            None if !large => return Ok(Way::Definition),
            None => None,
            Some(algorithm) => Scheme::ALL.into_iter().find(|scheme| scheme.name() == algorithm.name()),
        };
        let inaccurate = |bound| {
            let (Some(algorithm), Some(accuracy)) = (asked, accuracy.filter(|&accuracy| accuracy < bound)) else {
                return Ok(());
            };
            Err(Refused::Inaccurate { algorithm, bound, accuracy })
        };
        if asked == Some(Algorithm::AlphaTensor) && self.shape == [4; 3] {
            return inaccurate(gemm_alphatensor::ERROR_BOUND).map(|()| Way::Numbers);
        }
        let known = known::of_slot(slot);
        let rates = if large { known.rates(slot) } else { known.model().device_rates().map(|(rates, _)| rates) };
        let Some(rates) = rates else { return Ok(Way::Definition) };
        let speed =
            Speed { flops: if self.dtype.is_double() { rates.flops64 } else { rates.flops32 }, memory: rates.memory };
        let choice = fastest(gpu, self.shape, self.dtype, self.beta != 0.0, (scheme, accuracy), speed);
        match (choice, scheme) {
            (Some(choice), None) if choice.pays() => Ok(Way::Blocks(choice)),
            (Some(choice), Some(_)) => Ok(Way::Blocks(choice)),
            (None, Some(scheme)) => {
                // Too small for blocks is the ordinary product, whose bound is another.
                let fewest = scheme.levels()[0];
                let bound =
                    Plan::new(self.shape, self.dtype, scheme, fewest).and_then(|_| error_bound(scheme, fewest, k));
                inaccurate(bound.unwrap_or(by_definition)).map(|()| Way::Definition)
            }
            _ => Ok(Way::Definition),
        }
    }

    /// Launches the kernels. Returns how a scheme on blocks was computed, if one was.
    fn multiply(
        &self,
        gpu: &Gpu,
        way: &Way,
        a: DeviceView<'_>,
        b: DeviceView<'_>,
        c: DeviceView<'_>,
        report: &mut Report,
    ) -> Outcome<Option<Plan>> {
        // A limit bounds how long one kernel runs.
        let most = config().map_or(usize::MAX, |config| config.batch_size_limit).max(1);
        report.chunks = self.count().div_ceil(most).max(1);
        let (alpha, beta) = (number(self.alpha), number(self.beta));
        let mut done = None;
        for first in (0..self.count()).step_by(most) {
            let count = most.min(self.count() - first);
            let (a, b, c) = (a.run(first, count)?, b.run(first, count)?, c.run(first, count)?);
            match way {
                Way::Blocks(Choice { plan, .. }) => {
                    done = gemm_fast(gpu, (plan.scheme, plan.levels), alpha, a, b, beta, c)?;
                }
                Way::Numbers => gemm_alphatensor(gpu, alpha, a, b, beta, c)?,
                Way::Definition => gemm(gpu, alpha, (a, false), (b, false), beta, c)?,
            }
        }
        Ok(done)
    }

    /// Says in the report what was done. Returns the bound of a scheme's error, 0 for the definition.
    fn told(&self, way: &Way, done: Option<Plan>, report: &mut Report) -> f64 {
        let asked = self.options.algorithm;
        report.routine = "gemm_alpha";
        let why = match (asked, self.options.accuracy) {
            (Some(_), _) => "asked for",
            (None, Some(_)) => "the fastest within the accuracy asked for",
            (None, None) => "the fastest",
        };
        match (way, done) {
            (Way::Blocks(choice), Some(plan)) => {
                let (scheme, levels) = (plan.scheme.name(), plan.levels);
                let bound = error_bound(plan.scheme, levels, self.shape[2]).unwrap_or(choice.bound);
                report.algorithm = scheme;
                let parts = plan.scheme.products(levels).unwrap_or(1).div_ceil(plan.at_a_time.max(1));
                let parts = if parts > 1 { format!(" in {parts} parts") } else { String::new() };
                let (workspace, each) = (plan.workspace as f64 / 1e9, 1e3 * self.count() as f64);
                report.reason = format!(
                    "{why}; {scheme} on {levels} {}{parts}, {workspace:.3} GB of workspace, {:.3} ms predicted, {:.3} ms by the \
                     definition; error bound {bound}",
                    if levels == 1 { "level" } else { "levels" },
                    choice.seconds * each,
                    choice.by_definition * each,
                )
                .into();
                bound
            }
            (Way::Numbers, _) => {
                (report.algorithm, report.reason) = (
                    "alphatensor",
                    format!("asked for; on numbers, error bound {}", gemm_alphatensor::ERROR_BOUND).into(),
                );
                gemm_alphatensor::ERROR_BOUND
            }
            _ => {
                (report.algorithm, report.routine) = ("classical", "gemm");
                let bound = self.shape[2] * self.shape[2];
                report.reason = match asked {
                    Some(algorithm) if algorithm != Algorithm::Classical => {
                        let name = algorithm.name();
                        format!("{name} has no blocks in such small matrices, or no memory for its sums; error bound {bound}")
                    }
                    _ => format!("{why}; the definition, error bound {bound}"),
                }
                .into();
                0.0
            }
        }
    }

    /// The product by the CPU after the device failed with `fault`, brought back to the device.
    fn on_cpu<T: GemmScalar>(&self, report: &mut Report, fault: &Fault) -> Result<DeviceArray> {
        let fetch = |array: &DeviceArray| {
            let mut data = vec![<T as lapack_ai_core::Scalar>::ZERO; array.size()];
            array.to_host(&mut data).map(|()| data)
        };
        let (a_data, b_data) = (fetch(self.a)?, fetch(self.b)?);
        let [m, n, _] = self.shape;
        let shape = [self.batch, &[m, n]].concat();
        let mut c_data = vec![<T as lapack_ai_core::Scalar>::ZERO; shape.iter().product()];
        if let Some(c) = self.c {
            let data = fetch(c)?;
            let before = stack(c, &data).broadcast_to(self.batch).expect("the leading dimensions were checked");
            for (index, to) in c_data.chunks_exact_mut((m * n).max(1)).enumerate() {
                let before = before.matrix(index);
                to.iter_mut().enumerate().for_each(|(at, to)| *to = before.get(at / n, at % n));
            }
        }
        let options = GemmAlphaOptions { transpose: [false; 2], ..self.options };
        let [alpha, beta] = [self.alpha, self.beta].map(<T as lapack_ai_core::Scalar>::from_real);
        let mut c = stack_mut(&shape, &mut c_data);
        let done = gemm_alpha_into(alpha, &stack(self.a, &a_data), &stack(self.b, &b_data), beta, &mut c, options)?;
        let result = DeviceArray::from_host(self.a.device(), &shape, &c.as_view())?;
        report.algorithm = done.algorithm;
        stepped_in(OPERATION, self.a, done, report, fault);
        Ok(result)
    }
}

fn number(x: f64) -> Complex64 {
    Complex64::new(x, 0.0)
}
