use std::sync::Arc;

use actix_http::header::{HeaderValue, TRANSFER_ENCODING};
use futures_util::stream;

use super::*;
use crate::server::wakes::Wakes;

/// Returns a request with this body.
fn request(body: impl Stream<Item = Result<Bytes, PayloadError>> + 'static) -> Request {
    let mut request = Request::new();
    *request.payload() = Payload::Stream { payload: Box::pin(body) };
    request
}

/// Body whose parts come when the test says so; `None` is its end.
#[derive(Clone, Default)]
struct Parts(Rc<RefCell<VecDeque<Option<&'static str>>>>);

impl Parts {
    fn come(&self, parts: &[Option<&'static str>]) {
        self.0.borrow_mut().extend(parts);
    }

    fn left(&self) -> usize {
        self.0.borrow().len()
    }

    /// Watches a request that has this body.
    fn watch(&self, is_chunked: bool) -> (RequestBody, Payload) {
        let parts = self.clone();
        let parts = stream::poll_fn(move |_| match parts.0.borrow_mut().pop_front() {
            Some(part) => Poll::Ready(part.map(|part| Ok(Bytes::from_static(part.as_bytes())))),
            None => Poll::Pending,
        });
        let mut request = self::request(parts);
        if is_chunked {
            let chunked = HeaderValue::from_static("chunked");
            request.head_mut().headers.insert(TRANSFER_ENCODING, chunked);
        }
        let body = RequestBody::watch(&mut request);
        (body, std::mem::replace(request.payload(), Payload::None))
    }
}

fn read(payload: &mut Payload, waker: &Waker) -> Poll<Option<Bytes>> {
    let next = Pin::new(payload).poll_next(&mut Context::from_waker(waker));
    next.map(|next| next.map(|next| next.expect("no error")))
}

#[test]
fn a_connection_is_kept_if_the_whole_body_has_come_whoever_has_read_it() {
    let parts = Parts::default();
    parts.come(&[Some("one"), None]);
    let (body, mut payload) = parts.watch(false);
    assert!(body.leaves_open());
    assert_eq!(read(&mut payload, Waker::noop()), Poll::Ready(Some("one".into())));

    let (body, _payload) = parts.watch(false);
    parts.come(&[Some("one")]);
    assert!(!body.leaves_open());
}

#[test]
fn a_body_in_chunks_keeps_the_connection_as_soon_as_the_app_has_dropped_it() {
    let parts = Parts::default();
    let (body, payload) = parts.watch(true);
    assert!(!body.leaves_open());
    drop(payload);
    for (is_chunked, leaves_open) in [(true, true), (false, false)] {
        let (body, payload) = parts.watch(is_chunked);
        drop(payload);
        assert_eq!(body.leaves_open(), leaves_open);
    }
}

#[test]
fn what_comes_is_discarded_once_the_app_has_dropped_the_body_and_not_before() {
    let parts = Parts::default();
    let (body, payload) = parts.watch(false);
    let context = &mut Context::from_waker(Waker::noop());
    parts.come(&[Some("one")]);
    body.discard(context);
    assert_eq!(parts.left(), 1);
    drop(payload);
    body.discard(context);
    assert_eq!(parts.left(), 0);
    parts.come(&[Some("two"), None]);
    assert!(body.leaves_open());
}

#[test]
fn a_task_that_waits_for_the_body_is_woken_by_it_after_the_response_has_begun() {
    let waker = Rc::new(RefCell::new(None));
    let asks = Rc::clone(&waker);
    let never = stream::poll_fn(move |context| {
        *asks.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    });
    let mut request = self::request(never);
    let body = RequestBody::watch(&mut request);
    let wakes = Arc::<Wakes>::default();
    assert!(read(request.payload(), &wakes.waker()).is_pending());
    assert!(!body.leaves_open());
    waker.borrow_mut().take().expect("somebody has asked").wake();
    assert_eq!(wakes.count(), 1);
}
