//! Times measured on a grid, and the time between and beyond its points.
//!
//! Let `t(x)` be the measured time at the logarithms x of the sizes, and `p(x)` the time from plain rates (`rates`). What
//! is interpolated, multilinearly in x, is
//!
//! ```text
//! r(x) = log t(x) - log p(x)
//! ```
//!
//! which is nearly flat: p has the operation's counts, and r what the machine makes of them. Beyond the grid r keeps its
//! value at the nearest point of the boundary, so that time grows as the counts do. A point that was not measured (it
//! would have taken too long) has the mean of its measured neighbours, again with the growth of the counts.

use serde::{Deserialize, Serialize};

/// Logarithms of sizes, rising.
type Axis = Vec<f64>;

/// A grid of up to four axes with a value at each point, row-major: the last axis runs fastest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    axes: Vec<Axis>,
    /// log(measured / plain rates).
    values: Vec<f64>,
    /// Points that were measured.
    measured: usize,
}

impl Table {
    /// A table from what was measured: `ratios[i]` is measured time over the time from plain rates, or `None`. `None` if
    /// nothing was measured, or something that is no positive number.
    pub(crate) fn new(axes: Vec<Axis>, ratios: &[Option<f64>]) -> Option<Self> {
        assert_eq!(axes.iter().map(Vec::len).product::<usize>(), ratios.len(), "one ratio a point");
        let good = |ratio: &f64| ratio.is_finite() && *ratio > 0.0;
        let mut values: Vec<Option<f64>> = ratios.iter().map(|ratio| ratio.filter(good).map(f64::ln)).collect();
        let measured = values.iter().flatten().count();
        if measured == 0 {
            return None;
        }
        // Each round reaches the neighbours of what is known; an axis is at most that many rounds long.
        while values.iter().any(Option::is_none) {
            let known = values.clone();
            for (point, value) in values.iter_mut().enumerate().filter(|(_, value)| value.is_none()) {
                let near: Vec<f64> = neighbours(&axes, point).filter_map(|neighbour| known[neighbour]).collect();
                *value = (!near.is_empty()).then(|| near.iter().sum::<f64>() / near.len() as f64);
            }
        }
        Some(Self { axes, values: values.into_iter().flatten().collect(), measured })
    }

    /// Whether a stored table can be used: what [`Table::new`] makes is, what a file holds need not be.
    pub(crate) fn is_sound(&self) -> bool {
        let rising =
            |axis: &Axis| !axis.is_empty() && axis.is_sorted_by(|a, b| a < b) && axis.iter().all(|x| x.is_finite());
        let points = self.axes.iter().try_fold(1_usize, |points, axis| points.checked_mul(axis.len()));
        (1..=4).contains(&self.axes.len())
            && self.axes.iter().all(rising)
            && points == Some(self.values.len())
            && self.values.iter().all(|value| value.is_finite())
    }

    /// Points that were measured.
    pub fn measured(&self) -> usize {
        self.measured
    }

    /// The factor on the time from plain rates at `coordinates`, of which there is one for each axis or more.
    pub(crate) fn factor(&self, coordinates: &[f64; 4]) -> f64 {
        // (offset of the lower point, step to the upper one, weight of the upper one) along each axis.
        let mut places = [(0, 0, 0.0); 4];
        let mut stride = self.values.len();
        for ((axis, place), x) in self.axes.iter().zip(&mut places).zip(coordinates) {
            stride /= axis.len();
            let (lower, weight) = locate(axis, *x);
            *place = (lower * stride, stride, weight);
        }
        let places = &places[..self.axes.len()];
        let mut sum = 0.0;
        for corner in 0..1_usize << places.len() {
            let (mut at, mut share) = (0, 1.0);
            for (axis, (offset, step, weight)) in places.iter().enumerate() {
                let upper = corner >> axis & 1 == 1;
                at += offset + if upper { *step } else { 0 };
                share *= if upper { *weight } else { 1.0 - weight };
            }
            // A weight of zero may stand for a point beyond the grid.
            if share > 0.0 {
                sum += share * self.values[at];
            }
        }
        sum.exp()
    }
}

/// The point at or below x and the weight of the one above it; the boundary beyond the axis.
fn locate(axis: &[f64], x: f64) -> (usize, f64) {
    let upper = axis.partition_point(|node| *node <= x);
    if upper == 0 {
        return (0, 0.0);
    }
    if upper == axis.len() {
        return (upper - 1, 0.0);
    }
    let (low, high) = (axis[upper - 1], axis[upper]);
    (upper - 1, (x - low) / (high - low))
}

/// The points beside `point`, along each axis in both directions.
pub(crate) fn neighbours(axes: &[Axis], point: usize) -> impl Iterator<Item = usize> {
    let mut stride = axes.iter().map(Vec::len).product::<usize>();
    axes.iter().flat_map(move |axis| {
        stride /= axis.len();
        let place = point / stride % axis.len();
        let below = (place > 0).then(|| point - stride);
        let above = (place + 1 < axis.len()).then(|| point + stride);
        below.into_iter().chain(above)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a / b - 1.0).abs() < 1e-12
    }

    fn plane() -> Table {
        // log ratio = x + 10 y
        let axes: Vec<Axis> = vec![vec![0.0, 1.0, 3.0], vec![0.0, 2.0]];
        let ratios: Vec<Option<f64>> =
            axes[0].iter().flat_map(|x| axes[1].iter().map(move |y| Some((x + 10.0 * y).exp()))).collect();
        Table::new(axes, &ratios).unwrap()
    }

    #[test]
    fn a_multilinear_function_is_met_exactly_at_and_between_the_points() {
        for (x, y) in [(0.0, 0.0), (1.0, 2.0), (3.0, 2.0), (0.25, 0.5), (2.5, 1.9)] {
            assert!(close(plane().factor(&[x, y, 0.0, 0.0]), (x + 10.0 * y).exp()), "{x} {y}");
        }
    }

    #[test]
    fn beyond_the_grid_the_boundary_counts() {
        assert!(close(plane().factor(&[-5.0, 1.0, 0.0, 0.0]), 10.0_f64.exp()));
        assert!(close(plane().factor(&[9.0, 9.0, 0.0, 0.0]), 23.0_f64.exp()));
    }

    #[test]
    fn a_point_without_a_measurement_has_the_mean_of_its_neighbours() {
        let e = |power: f64| Some(power.exp());
        let table = Table::new(vec![vec![0.0, 1.0, 2.0, 3.0]], &[e(1.0), None, e(3.0), None]).unwrap();
        let at = |x| table.factor(&[x, 0.0, 0.0, 0.0]).ln();
        assert!(close(at(1.0), 2.0) && close(at(3.0), 3.0) && close(at(7.0), 3.0));
        assert_eq!(table.measured(), 2);
        let corner = Table::new(vec![vec![0.0, 1.0], vec![0.0, 1.0]], &[e(2.0), None, None, None]).unwrap();
        assert!(close(corner.factor(&[1.0, 1.0, 0.0, 0.0]).ln(), 2.0));
    }

    #[test]
    fn nothing_measured_is_no_table() {
        assert!(Table::new(vec![vec![0.0, 1.0]], &[None, None]).is_none());
        assert!(Table::new(vec![vec![0.0]], &[Some(f64::NAN)]).is_none());
        assert!(Table::new(vec![vec![0.0]], &[Some(0.0)]).is_none());
    }

    #[test]
    fn a_stored_table_that_does_not_hold_together_is_refused() {
        assert!(plane().is_sound());
        let broken = |change: &dyn Fn(&mut Table)| {
            let mut table = plane();
            change(&mut table);
            !table.is_sound()
        };
        assert!(broken(&|table| table.axes[0].reverse()));
        assert!(broken(&|table| table.axes.clear()));
        assert!(broken(&|table| table.values.truncate(1)));
        assert!(broken(&|table| table.values[0] = f64::NAN));
        assert!(broken(&|table| table.axes[1][0] = f64::NEG_INFINITY));
    }
}
