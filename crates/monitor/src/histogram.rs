//! Durations in buckets of a fixed relative width, so that percentiles need no list of samples.
//!
//! Each power of two of nanoseconds is divided into 8 buckets; a percentile is the middle of its bucket and so off by at most
//! 6 %. Durations from 1 ns to 18 minutes have buckets of their own, longer ones share the last.

/// Buckets of one power of two.
const PARTS: usize = 8;
/// Powers of two that have buckets.
const POWERS: usize = 40;

/// Upper bounds, in seconds, of the coarse buckets that leave the process: enough for a chart, and few enough for a label.
pub(crate) const BOUNDS: [f64; 16] =
    [1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0, 30.0];

/// Counts of durations.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Box<[u64; PARTS * POWERS]>,
    count: u64,
    least: u64,
    most: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Box::new([0; PARTS * POWERS]), count: 0, least: u64::MAX, most: 0 }
    }
}

fn index(nanoseconds: u64) -> usize {
    let nanoseconds = nanoseconds.max(1);
    let power = nanoseconds.ilog2() as usize;
    // The three bits behind the leading one.
    let part = if power >= 3 { (nanoseconds >> (power - 3)) & 7 } else { (nanoseconds << (3 - power)) & 7 };
    (power * PARTS + part as usize).min(PARTS * POWERS - 1)
}

/// The middle of a bucket, in nanoseconds.
fn middle(index: usize) -> f64 {
    let (power, part) = (index / PARTS, index % PARTS);
    (power as f64).exp2() * (1.0 + (part as f64 + 0.5) / PARTS as f64)
}

impl Histogram {
    /// Counts `times` calls of one duration.
    pub(crate) fn add(&mut self, nanoseconds: u64, times: u64) {
        self.counts[index(nanoseconds)] += times;
        self.count += times;
        self.least = self.least.min(nanoseconds);
        self.most = self.most.max(nanoseconds);
    }

    /// The duration, in seconds, that a part `quantile` (0 to 1) of all do not exceed; `None` where nothing was counted.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<f64> {
        let wanted = (quantile * self.count as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        let found = self.counts.iter().position(|count| {
            below += count;
            below >= wanted
        })?;
        let nanoseconds = middle(found).clamp(self.least as f64, self.most as f64);
        (self.count > 0).then_some(nanoseconds * 1e-9)
    }

    /// The longest, in seconds.
    pub(crate) fn longest(&self) -> f64 {
        self.most as f64 * 1e-9
    }

    /// How many are within each of [`BOUNDS`], with those of the bounds before, and last how many there are.
    pub(crate) fn coarse(&self) -> [u64; BOUNDS.len() + 1] {
        let mut within = [0; BOUNDS.len() + 1];
        for (bucket, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let seconds = middle(bucket).clamp(self.least as f64, self.most as f64) * 1e-9;
            let first = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
            within[first..].iter_mut().for_each(|total| *total += count);
        }
        within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_six_percent_of_those_of_the_list() {
        let mut histogram = Histogram::default();
        let mut list: Vec<u64> = (0..10_000_u64).map(|i| 500 + (i * 7919) % 10_000 * (i % 97 + 1)).collect();
        list.iter().for_each(|nanoseconds| histogram.add(*nanoseconds, 1));
        list.sort_unstable();
        for quantile in [0.01, 0.5, 0.95, 0.99, 1.0] {
            let exact = list[((quantile * 10_000.0) as usize - 1).min(9999)] as f64 * 1e-9;
            let found = histogram.quantile(quantile).unwrap();
            assert!((found / exact - 1.0).abs() < 0.0626, "{quantile}: {found} for {exact}");
        }
    }

    #[test]
    fn the_coarse_buckets_add_up_and_leave_out_what_is_beyond_the_last_bound() {
        let mut histogram = Histogram::default();
        histogram.add(500, 4);
        histogram.add(2_000_000, 2);
        histogram.add(60_000_000_000, 1);
        let coarse = histogram.coarse();
        assert_eq!((coarse[0], coarse[6], coarse[7], coarse[15]), (4, 4, 6, 6));
        assert_eq!(histogram.count, 7);
    }

    #[test]
    fn nothing_counted_has_no_percentile_and_extremes_have_a_bucket() {
        assert_eq!(Histogram::default().quantile(0.5), None);
        let mut histogram = Histogram::default();
        histogram.add(0, 1);
        histogram.add(u64::MAX, 1);
        assert!(histogram.quantile(1.0).unwrap() > 500.0);
    }
}
