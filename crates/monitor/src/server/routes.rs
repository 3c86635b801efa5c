//! The answers.

use super::{Shared, assets, guard, stream};
use crate::export::{Table, csv};
use crate::limits;
use crate::metrics;
use crate::process::{Wanted, element_type};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use lapack_ai::{DType, ElementType};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// All routes, also below `prefix`. What is not named as open needs the token.
pub(super) fn router(prefix: &str, shared: &Arc<Shared>) -> Router {
    let data = Router::new()
        .route("/api/stream", get(stream::upgrade))
        .route("/api/snapshot", get(snapshot))
        .route("/api/export.json", get(snapshot))
        .route("/api/export.csv", get(table))
        .route("/api/limits", get(limits_of))
        .route("/api/map", get(map))
        .route("/api/history", get(history))
        .route("/api/history/{run}", get(run))
        .route("/metrics", get(metrics_text))
        .route_layer(middleware::from_fn_with_state(Arc::clone(shared), guard::check_token));
    let mut open = Router::new()
        .route("/", get(|| async { assets::serve("index.html") }))
        .route("/health/live", get(|| async { "alive\n" }))
        .route("/health/ready", get(ready));
    for name in assets::names() {
        open = open.route(&format!("/{name}"), get(move || async move { assets::serve(name) }));
    }
    let routes = data.merge(open);
    let routes = if prefix.is_empty() {
        routes
    } else {
        let below = routes.clone();
        let root = format!("{prefix}/");
        routes.nest(prefix, below).route(&root, get(|| async { assets::serve("index.html") }))
    };
    routes.layer(middleware::from_fn_with_state(Arc::clone(shared), guard::check)).with_state(Arc::clone(shared))
}

/// Work that reads files or measures is done beside the thread that serves.
async fn beside<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Result<R, StatusCode> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn snapshot(State(shared): State<Arc<Shared>>) -> Result<Response, StatusCode> {
    beside(move || json(&shared.message("full", &|_| Wanted::ALL))).await
}

#[derive(Deserialize)]
struct Which {
    table: Option<String>,
}

async fn table(State(shared): State<Arc<Shared>>, Query(which): Query<Which>) -> Result<Response, StatusCode> {
    let name = which.table.unwrap_or_else(|| "operations".into());
    let Some(table) = Table::from_name(&name) else {
        return Ok((StatusCode::BAD_REQUEST, "table must be operations, calls or seconds\n").into_response());
    };
    let text = beside(move || csv(&shared.source.processes(&|_| Wanted::ALL), table)).await?;
    let file = format!("attachment; filename=\"lapack-ai-{name}.csv\"");
    let headers = [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_string()), (header::CONTENT_DISPOSITION, file)];
    Ok((headers, text).into_response())
}

async fn limits_of(State(shared): State<Arc<Shared>>) -> Result<Response, StatusCode> {
    beside(move || {
        shared.source.find_devices();
        json(&limits::limits())
    })
    .await
}

#[derive(Deserialize)]
struct OfType {
    dtype: Option<String>,
}

async fn map(Query(OfType { dtype }): Query<OfType>) -> Result<Response, StatusCode> {
    let dtype = dtype.map_or(Some(DType::Float64.into()), |name| element_type(&name));
    let Some(ElementType::Lapack(dtype)) = dtype else {
        let text = "dtype must be float32, float64, complex64 or complex128\n";
        return Ok((StatusCode::BAD_REQUEST, text).into_response());
    };
    beside(move || json(&limits::crossovers(dtype))).await
}

/// An answer of the history, or why there is none.
fn from_history<R: Serialize>(answer: Result<R, String>) -> Response {
    match answer {
        Ok(value) => json(&value),
        Err(text) => (StatusCode::NOT_FOUND, text + "\n").into_response(),
    }
}

async fn history(State(shared): State<Arc<Shared>>) -> Result<Response, StatusCode> {
    beside(move || {
        from_history(shared.history().and_then(|history| history.runs(100).map_err(|error| error.to_string())))
    })
    .await
}

async fn run(State(shared): State<Arc<Shared>>, Path(run): Path<i64>) -> Result<Response, StatusCode> {
    beside(move || {
        from_history(shared.history().and_then(|history| history.changes(run).map_err(|error| error.to_string())))
    })
    .await
}

async fn metrics_text(State(shared): State<Arc<Shared>>) -> Result<Response, StatusCode> {
    beside(move || {
        let processes = shared.source.processes(&|_| Wanted { seconds: 1, calls_after: u64::MAX });
        let text = metrics::text(&shared.machine(), &processes);
        ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
    })
    .await
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    if shared.source.is_ready() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "events are not taken up in time\n").into_response()
    }
}
