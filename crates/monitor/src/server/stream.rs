//! The page's WebSocket: everything once, then what is new, a message a second, made once for all readers and only while there
//! are any.

use super::Shared;
use crate::process::{Wanted, lock};
use crate::snapshot::Process;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::broadcast;

/// Readers at a time.
const MOST_READERS: usize = 16;
/// Bytes of a message of a reader, who has nothing to say.
const LONGEST: usize = 1024;
const PERIOD: Duration = Duration::from_secs(1);
/// A reader that does not take a message for so long is let go of.
const PATIENCE: Duration = Duration::from_secs(10);
/// Seconds and calls that a message repeats, for readers that missed one.
const OVERLAP: usize = 5;

pub(crate) struct Streams {
    readers: AtomicUsize,
    ticking: AtomicBool,
    messages: broadcast::Sender<Utf8Bytes>,
    /// The last call told of each process.
    told: Mutex<HashMap<Who, u64>>,
}

/// Number of a process and when its monitor started: processes of several containers can have one number.
type Who = (u32, u64);

fn who(process: &Process) -> Who {
    (process.identity.pid, process.identity.started.to_bits())
}

impl Default for Streams {
    fn default() -> Self {
        let messages = broadcast::Sender::new(4);
        Self { readers: AtomicUsize::new(0), ticking: AtomicBool::new(false), messages, told: Mutex::default() }
    }
}

/// A reader's place.
struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.streams.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) async fn upgrade(State(shared): State<Arc<Shared>>, upgrade: WebSocketUpgrade) -> Response {
    if shared.streams.readers.fetch_add(1, Ordering::Relaxed) >= MOST_READERS {
        shared.streams.readers.fetch_sub(1, Ordering::Relaxed);
        return (StatusCode::SERVICE_UNAVAILABLE, "too many pages are open\n").into_response();
    }
    let place = Place(Arc::clone(&shared));
    upgrade
        .protocols(["lapack-ai"])
        .max_message_size(LONGEST)
        .max_frame_size(LONGEST)
        .on_upgrade(move |socket| serve(socket, place))
}

async fn serve(mut socket: WebSocket, place: Place) {
    let shared = &place.0;
    let mut messages = shared.streams.messages.subscribe();
    start_ticking(shared);
    let Some(text) = message(shared, true).await else { return };
    if !send(&mut socket, Message::Text(text)).await {
        return;
    }
    loop {
        let sent = tokio::select! {
            message = messages.recv() => match message {
                Ok(text) => send(&mut socket, Message::Text(text)).await,
                // Too slow for some: the next has what matters.
                Err(broadcast::error::RecvError::Lagged(_)) => true,
                Err(broadcast::error::RecvError::Closed) => false,
            },
            said = socket.recv() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => false,
                Some(Ok(_)) => true,
            },
        };
        if !sent {
            return;
        }
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(tokio::time::timeout(PATIENCE, socket.send(message)).await, Ok(Ok(())))
}

/// All, or what is new.
async fn message(shared: &Arc<Shared>, full: bool) -> Option<Utf8Bytes> {
    let shared = Arc::clone(shared);
    let made = tokio::task::spawn_blocking(move || {
        if full {
            return serde_json::to_string(&shared.message("full", &|_| Wanted::ALL));
        }
        let mut told = lock(&shared.streams.told);
        let wanted = |process: &Process| {
            let after = told.get(&who(process)).copied().unwrap_or(0);
            Wanted { seconds: OVERLAP, calls_after: after.saturating_sub(OVERLAP as u64) }
        };
        let message = shared.message("tick", &wanted);
        let last = |process: &Process| {
            let before = told.get(&who(process)).copied().unwrap_or(0);
            (who(process), process.recent.last().map_or(before, |call| call.number))
        };
        // Of those that are listed no longer nothing is remembered.
        let news: HashMap<Who, u64> = message.processes.iter().map(last).collect();
        *told = news;
        serde_json::to_string(&message)
    });
    made.await.ok()?.ok().map(Utf8Bytes::from)
}

/// Makes a message a second while there are readers.
fn start_ticking(shared: &Arc<Shared>) {
    if shared.streams.ticking.swap(true, Ordering::SeqCst) {
        return;
    }
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(PERIOD);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        interval.tick().await;
        loop {
            interval.tick().await;
            if shared.streams.readers.load(Ordering::SeqCst) == 0 {
                shared.streams.ticking.store(false, Ordering::SeqCst);
                // A reader may have come in between, who saw that messages are made.
                if shared.streams.readers.load(Ordering::SeqCst) == 0
                    || shared.streams.ticking.swap(true, Ordering::SeqCst)
                {
                    return;
                }
            }
            if let Some(text) = message(&shared, false).await {
                let _ = shared.streams.messages.send(text);
            }
        }
    });
}
