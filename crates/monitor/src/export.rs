//! Tables as CSV, for spreadsheets and data frames. Quoted as RFC 4180 says; a text that a spreadsheet would take for a
//! formula gets an apostrophe before it.

use crate::snapshot::Process;
use std::fmt::Write;

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    /// Operations.
    Operations,
    /// The last calls.
    Calls,
    /// The last seconds.
    Seconds,
}

impl Table {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "operations" => Some(Self::Operations),
            "calls" => Some(Self::Calls),
            "seconds" => Some(Self::Seconds),
            _ => None,
        }
    }
}

fn quoted(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_string() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// The table of all processes.
pub(crate) fn csv(processes: &[Process], table: Table) -> String {
    let mut text = String::new();
    let head = match table {
        Table::Operations => {
            "pid,program,operation,dtype,size,batched,engine,device,calls,timed,matrices,failures,warnings,fallbacks,seconds,p50,p95,\
             p99,longest,flops,bytes,copied,scratch,moved,rcond,predicted_calls,predicted_cpu,predicted_gpu,predicted_transfer,\
             measured_of_predicted"
        }
        Table::Calls => {
            "pid,number,at,operation,dtype,rows,cols,inner,batch,engine,reason,thread,seconds,predicted_cpu,predicted_gpu,scratch,moved,rcond,info,\
             codes,text,caller"
        }
        Table::Seconds => "pid,at,calls,gpu_calls,failures,busy,flops,cpu,memory,pool",
    };
    let _ = writeln!(text, "{head}");
    for process in processes {
        let pid = process.identity.pid;
        match table {
            Table::Operations => {
                for row in &process.rows {
                    let told = &row.expected;
                    let _ = writeln!(
                        text,
                        "{pid},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
                        quoted(&process.identity.program),
                        quoted(&row.operation),
                        quoted(&row.dtype),
                        row.size,
                        row.batched,
                        quoted(&row.engine),
                        quoted(&row.device),
                        row.calls,
                        row.timed,
                        row.matrices,
                        row.failures,
                        row.warnings,
                        row.fallbacks,
                        row.seconds,
                        row.p50,
                        row.p95,
                        row.p99,
                        row.longest,
                        row.flops,
                        row.bytes,
                        row.copied,
                        row.scratch,
                        row.moved,
                        number(row.rcond),
                        told.calls,
                        told.cpu,
                        told.gpu,
                        told.transfer,
                        told.measured
                    );
                }
            }
            Table::Calls => {
                for call in &process.recent {
                    let [rows, cols, inner, batch] = call.shape;
                    let _ = writeln!(
                        text,
                        "{pid},{},{},{},{},{rows},{cols},{inner},{batch},{},{},{},{},{},{},{},{},{},{},{},{},{}",
                        call.number,
                        call.at,
                        quoted(&call.operation),
                        quoted(&call.dtype),
                        quoted(&call.engine),
                        quoted(&call.reason),
                        call.thread,
                        number(call.seconds),
                        number(call.predicted[0]),
                        number(call.predicted[1]),
                        call.scratch,
                        call.moved,
                        number(call.rcond),
                        call.info.map_or_else(String::new, |info| info.to_string()),
                        quoted(&call.codes.join(" ")),
                        quoted(&call.text),
                        quoted(&call.caller)
                    );
                }
            }
            Table::Seconds => {
                for second in &process.series {
                    let _ = writeln!(
                        text,
                        "{pid},{},{},{},{},{},{},{},{},{}",
                        second.at,
                        second.calls,
                        second.gpu_calls,
                        second.failures,
                        second.busy,
                        second.flops,
                        second.cpu,
                        second.memory,
                        second.pool
                    );
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Call, Row, Second};

    #[test]
    fn every_line_has_as_many_fields_as_the_head_and_texts_are_quoted() {
        let process = Process {
            rows: vec![Row { operation: "svd".into(), rcond: Some(0.5), ..Row::default() }],
            recent: vec![Call { operation: "svd".into(), info: Some(-3), ..Call::default() }],
            series: vec![Second::default()],
            ..Process::default()
        };
        for table in [Table::Operations, Table::Calls, Table::Seconds] {
            let text = csv(std::slice::from_ref(&process), table);
            let fields: Vec<usize> = text.lines().map(|line| line.split(',').count()).collect();
            assert_eq!(fields.len(), 2);
            assert_eq!(fields[0], fields[1], "{text}");
        }
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(quoted("=cmd()"), "'=cmd()");
    }
}
