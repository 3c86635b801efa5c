//! Runs of programs over time, in a SQLite file, and what has become faster or slower.
//!
//! A run is one process from the start of its monitor to its end; it is written every half minute, so that a crash loses
//! little. A run is compared with the median of the last [`COMPARED`] runs of the same program on the same machine: for each
//! operation, type, size and engine the medians of a call.

use crate::snapshot::Process;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Runs that are kept.
const KEPT: u32 = 500;
/// Runs before, with which one is compared.
pub(crate) const COMPARED: u32 = 10;
/// Calls of an operation from which on it is compared.
const ENOUGH: u64 = 5;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS run (
        id INTEGER PRIMARY KEY, machine TEXT NOT NULL, program TEXT NOT NULL, pid INTEGER NOT NULL, started REAL NOT NULL,
        ended REAL NOT NULL, version TEXT NOT NULL, lapack TEXT NOT NULL, calls INTEGER NOT NULL, failures INTEGER NOT NULL,
        seconds REAL NOT NULL, UNIQUE (machine, pid, started));
    CREATE TABLE IF NOT EXISTS operation (
        run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE, name TEXT NOT NULL, dtype TEXT NOT NULL,
        size INTEGER NOT NULL, batched INTEGER NOT NULL, engine TEXT NOT NULL, calls INTEGER NOT NULL, seconds REAL NOT NULL,
        p50 REAL NOT NULL, p95 REAL NOT NULL, PRIMARY KEY (run, name, dtype, size, batched, engine));";

/// The file.
pub(crate) struct History {
    connection: Connection,
}

/// A run without its operations.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named as in `snapshot`")]
pub(crate) struct Run {
    pub(crate) id: i64,
    pub(crate) machine: String,
    pub(crate) program: String,
    pub(crate) pid: i64,
    pub(crate) started: f64,
    pub(crate) ended: f64,
    pub(crate) version: String,
    pub(crate) lapack: String,
    pub(crate) calls: u64,
    pub(crate) failures: u64,
    pub(crate) seconds: f64,
}

/// One operation of a run beside those of the runs before.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "named as in `snapshot`")]
pub(crate) struct Change {
    pub(crate) operation: String,
    pub(crate) dtype: String,
    pub(crate) size: u64,
    pub(crate) batched: bool,
    pub(crate) engine: String,
    pub(crate) calls: u64,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    /// Median of the medians of the runs before.
    pub(crate) baseline: Option<f64>,
    /// How many runs that is from.
    pub(crate) runs: usize,
}

/// Where the history lies: `LAPACK_AI_HISTORY`, else a file in the user's data folder; `None` if there is no such folder.
pub fn default_path() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = || variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/share")));
    variable("LAPACK_AI_HISTORY").or_else(|| Some(folder()?.join("lapack-ai").join("history.db")))
}

/// Makes the file, readable for the user alone: command lines are in it. SQLite gives its other files the same rights.
fn make_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

impl History {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// SQLite's, in its words.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        make_private(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let open = || {
            let connection = Connection::open(path)?;
            connection.busy_timeout(Duration::from_secs(2))?;
            // Readers and writers of several processes do not wait for each other.
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.execute_batch(SCHEMA)?;
            Ok::<_, rusqlite::Error>(Self { connection })
        };
        open().map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Writes down a run as it stands, in the place of what was written of it before.
    ///
    /// # Errors
    /// SQLite's.
    pub(crate) fn record(&mut self, process: &Process) -> rusqlite::Result<()> {
        let identity = &process.identity;
        let change = self.connection.transaction()?;
        let known: Option<i64> = change
            .query_row(
                "SELECT id FROM run WHERE machine = ? AND pid = ? AND started = ?",
                params![identity.machine, identity.pid, identity.started],
                |row| row.get(0),
            )
            .optional()?;
        if let Some(id) = known {
            change.execute("DELETE FROM operation WHERE run = ?", [id])?;
        }
        change.execute(
            "INSERT OR REPLACE INTO run (id, machine, program, pid, started, ended, version, lapack, calls, failures, seconds)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                known,
                identity.machine,
                identity.program,
                identity.pid,
                identity.started,
                process.at,
                identity.version,
                identity.lapack,
                process.totals.calls as i64,
                process.totals.failures as i64,
                process.totals.seconds
            ],
        )?;
        let id = known.unwrap_or_else(|| change.last_insert_rowid());
        for row in process.rows.iter().filter(|row| row.timed > 0) {
            change.execute(
                "INSERT OR REPLACE INTO operation VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    id,
                    row.operation,
                    row.dtype,
                    row.size as i64,
                    row.batched,
                    row.engine,
                    row.calls as i64,
                    row.seconds,
                    row.p50,
                    row.p95
                ],
            )?;
        }
        change.execute("DELETE FROM run WHERE id NOT IN (SELECT id FROM run ORDER BY started DESC LIMIT ?)", [KEPT])?;
        change.commit()
    }

    /// The last runs, newest first.
    ///
    /// # Errors
    /// SQLite's.
    pub(crate) fn runs(&self, most: u32) -> rusqlite::Result<Vec<Run>> {
        let mut statement = self.connection.prepare(
            "SELECT id, machine, program, pid, started, ended, version, lapack, calls, failures, seconds FROM run
             ORDER BY started DESC LIMIT ?",
        )?;
        let run = |row: &rusqlite::Row<'_>| {
            Ok(Run {
                id: row.get(0)?,
                machine: row.get(1)?,
                program: row.get(2)?,
                pid: row.get(3)?,
                started: row.get(4)?,
                ended: row.get(5)?,
                version: row.get(6)?,
                lapack: row.get(7)?,
                calls: row.get::<_, i64>(8)? as u64,
                failures: row.get::<_, i64>(9)? as u64,
                seconds: row.get(10)?,
            })
        };
        statement.query_map([most], run)?.collect()
    }

    /// The operations of a run, each beside the runs before; the largest growth of time first.
    ///
    /// # Errors
    /// SQLite's.
    pub(crate) fn changes(&self, run: i64) -> rusqlite::Result<Vec<Change>> {
        let mut statement = self.connection.prepare(
            "SELECT name, dtype, size, batched, engine, calls, p50, p95 FROM operation WHERE run = ? ORDER BY seconds DESC",
        )?;
        let mut before = self.connection.prepare(
            "SELECT o.p50 FROM operation o JOIN run r ON r.id = o.run JOIN run this ON this.id = ?
             WHERE r.machine = this.machine AND r.program = this.program AND r.started < this.started
               AND o.name = ? AND o.dtype = ? AND o.size = ? AND o.batched = ? AND o.engine = ? AND o.calls >= ?
             ORDER BY r.started DESC LIMIT ?",
        )?;
        let change = |row: &rusqlite::Row<'_>| {
            Ok(Change {
                operation: row.get(0)?,
                dtype: row.get(1)?,
                size: row.get::<_, i64>(2)? as u64,
                batched: row.get(3)?,
                engine: row.get(4)?,
                calls: row.get::<_, i64>(5)? as u64,
                p50: row.get(6)?,
                p95: row.get(7)?,
                baseline: None,
                runs: 0,
            })
        };
        let mut changes: Vec<Change> = statement.query_map([run], change)?.collect::<Result<_, _>>()?;
        for change in changes.iter_mut().filter(|change| change.calls >= ENOUGH) {
            let Change { operation, dtype, size, batched, engine, .. } = &*change;
            let key = params![run, operation, dtype, *size as i64, batched, engine, ENOUGH as i64, COMPARED];
            let mut medians: Vec<f64> = before.query_map(key, |row| row.get(0))?.collect::<Result<_, _>>()?;
            medians.sort_by(f64::total_cmp);
            change.runs = medians.len();
            change.baseline = medians.get(medians.len() / 2).copied();
        }
        let growth = |change: &Change| change.baseline.map_or(0.0, |baseline| change.p50 / baseline);
        changes.sort_by(|a, b| growth(b).total_cmp(&growth(a)));
        Ok(changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tree::Tree;
    use crate::snapshot::{Identity, Row, Totals};

    fn run(pid: u32, started: f64, p50: f64) -> Process {
        let row = Row { operation: "svd".into(), dtype: "float64".into(), engine: "cpu".into(), ..Row::default() };
        Process {
            identity: Identity { pid, started, program: "train.py".into(), machine: "m".into(), ..Identity::default() },
            at: started + 10.0,
            totals: Totals { calls: 10, ..Totals::default() },
            rows: vec![Row { size: 1024, calls: 10, timed: 10, p50, ..row }],
            ..Process::default()
        }
    }

    #[test]
    fn a_run_is_compared_with_the_median_of_those_before_it() {
        let tree = Tree::new("history", &[]);
        let mut history = History::open(&tree.0.join("a/history.db")).unwrap();
        for (pid, p50) in [(1, 0.1), (2, 0.2), (3, 0.9)] {
            history.record(&run(pid, f64::from(pid), p50)).unwrap();
        }
        let other = Process {
            identity: Identity { program: "other.py".into(), ..run(9, 0.5, 0.0).identity },
            ..run(9, 0.5, 7.0)
        };
        history.record(&other).unwrap();
        history.record(&run(4, 4.0, 0.4)).unwrap();
        let runs = history.runs(10).unwrap();
        assert_eq!(runs.iter().map(|run| run.pid).collect::<Vec<_>>(), [4, 3, 2, 1, 9]);
        let change = &history.changes(runs[0].id).unwrap()[0];
        assert_eq!((change.p50, change.baseline, change.runs), (0.4, Some(0.2), 3));
        assert_eq!(history.changes(runs[3].id).unwrap()[0].baseline, None, "nothing came before the first");
    }

    #[test]
    fn a_run_written_again_replaces_itself_and_old_runs_go() {
        let tree = Tree::new("replace", &[]);
        let mut history = History::open(&tree.0.join("history.db")).unwrap();
        history.record(&run(1, 1.0, 0.1)).unwrap();
        history.record(&run(1, 1.0, 0.3)).unwrap();
        let runs = history.runs(10).unwrap();
        assert_eq!((runs.len(), history.changes(runs[0].id).unwrap()[0].p50), (1, 0.3));
        for pid in 2..KEPT + 5 {
            history.record(&run(pid, f64::from(pid), 0.1)).unwrap();
        }
        assert_eq!(history.runs(10_000).unwrap().len(), KEPT as usize);
    }

    #[cfg(unix)]
    #[test]
    fn others_cannot_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let tree = Tree::new("rights", &[]);
        let mut history = History::open(&tree.0.join("history.db")).unwrap();
        history.record(&run(1, 1.0, 0.1)).unwrap();
        for file in std::fs::read_dir(&tree.0).unwrap().flatten() {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{}", file.path().display());
        }
    }

    #[test]
    fn a_file_that_is_no_database_is_an_error_in_words() {
        let tree = Tree::new("broken", &[("history.db", &"no database ".repeat(100))]);
        let error = History::open(&tree.0.join("history.db")).err().unwrap();
        assert!(error.contains("history.db"), "{error}");
    }
}
