//! The processes as text, for a terminal.

use crate::advice::{count, duration};
use crate::snapshot::{Process, Row};
use std::fmt::Write;

/// The last seconds' calls as a line of blocks.
fn sparkline(values: &[f64]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().copied().fold(0.0, f64::max);
    let block = |value: &f64| BLOCKS[if most > 0.0 { (value / most * 7.0).round() as usize } else { 0 }];
    values.iter().map(block).collect()
}

/// At most `width` characters of a line.
fn cut(line: &str, width: usize) -> String {
    line.chars().take(width).collect()
}

/// A screen of `width` columns and at most `height` lines.
pub fn render(processes: &[Process], width: usize, height: usize) -> String {
    let mut text = String::new();
    let running = processes.iter().filter(|process| process.state == "running").count();
    let _ = writeln!(text, "lapack-ai top: {running} running, {} ended or lost", processes.len() - running);
    for process in processes {
        let last = process.series.last().copied().unwrap_or_default();
        let seconds = process.series.len().saturating_sub(30);
        let rates: Vec<f64> = process.series[seconds..].iter().map(|second| second.calls).collect();
        let _ = writeln!(
            text,
            "\n{} {:<8} {}  {} calls, {:.0}/s {}  {:.0} MiB  {} failures",
            process.identity.pid,
            process.state,
            cut(&process.identity.program, 40),
            count(process.totals.calls),
            if process.state == "running" { last.calls } else { 0.0 },
            sparkline(&rates),
            last.memory / f64::from(1 << 20),
            process.totals.failures
        );
        if !process.rows.is_empty() {
            let _ = writeln!(
                text,
                "  {:<14} {:<10} {:>6} {:<7} {:>12} {:>9} {:>9} {:>9}",
                "operation", "type", "size", "engine", "calls", "time", "median", "95 %"
            );
        }
        for row in process.rows.iter().take(8) {
            let Row { operation, dtype, size, engine, calls, seconds, p50, p95, .. } = row;
            let name = if row.batched { format!("{operation} batch") } else { operation.clone() };
            let _ = writeln!(
                text,
                "  {name:<14} {dtype:<10} {size:>6} {engine:<7} {:>12} {:>9} {:>9} {:>9}",
                count(*calls),
                duration(*seconds),
                duration(*p50),
                duration(*p95)
            );
        }
        for alert in &process.alerts {
            let _ = writeln!(text, "  !! {}", alert.text);
        }
        for recommendation in process.recommendations.iter().take(3) {
            let _ = writeln!(text, "  -> {}: {}", recommendation.title, recommendation.evidence);
        }
    }
    let lines: Vec<String> = text.lines().take(height).map(|line| cut(line, width)).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Second, Totals};

    #[test]
    fn a_screen_has_every_process_its_operations_and_advice_and_keeps_its_size() {
        let row =
            Row { operation: "svd".into(), size: 4096, calls: 12_400, seconds: 9.0, p50: 1.5e-3, ..Row::default() };
        let process = Process {
            state: "running".into(),
            totals: Totals { calls: 12_400, ..Totals::default() },
            rows: vec![row],
            series: vec![Second { calls: 5.0, ..Second::default() }, Second { calls: 10.0, ..Second::default() }],
            ..Process::default()
        };
        let lost = Process { state: "lost".into(), ..process.clone() };
        let screen = render(&[process, lost], 100, 40);
        assert!(screen.contains("1 running, 1 ended or lost") && screen.contains("12,400 calls, 10/s ▅█"), "{screen}");
        assert!(screen.contains("svd") && screen.contains("1.5 ms"));
        let small = render(&vec![Process::default(); 50], 20, 10);
        assert!(small.lines().count() <= 10 && small.lines().all(|line| line.chars().count() <= 20));
    }
}
