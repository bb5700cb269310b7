//! Handlers of web sockets, written as in the documentation of `actix-ws`. All but two of them know
//! nothing of a stop.

use std::pin::pin;
use std::time::Duration;

use actix_web::body::BodyStream;
use actix_web::web::{Bytes, Payload};
use actix_web::{Error, HttpRequest, HttpResponse, rt};
use actix_ws::{CloseCode, CloseReason, Item, Message, Session};
use futures_util::{StreamExt, stream};
use lifecycle_runtime::Stop;
use lifecycle_tests::act::{heard, say};

/// Sends back each message.
pub(crate) async fn echo(request: HttpRequest, body: Payload) -> Result<HttpResponse, Error> {
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        while let Some(Ok(message)) = messages.recv().await {
            let sent = match message {
                Message::Text(text) => session.text(text).await,
                Message::Ping(bytes) => session.pong(&bytes).await,
                _ => break,
            };
            if sent.is_err() {
                break;
            }
        }
        let _ = session.close(None).await;
        say("echo ended");
    });
    Ok(response)
}

/// Sends back each message, and says its text.
pub(crate) async fn loud(request: HttpRequest, body: Payload) -> Result<HttpResponse, Error> {
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        while let Some(Ok(Message::Text(text))) = messages.recv().await {
            say(&format!("loud {text}"));
            if session.text(text).await.is_err() {
                break;
            }
        }
    });
    Ok(response)
}

/// Sends numbered messages as fast as it can, each longer than fits into one write. It says when it
/// can't send any more.
pub(crate) async fn flood(request: HttpRequest, body: Payload) -> Result<HttpResponse, Error> {
    let (response, session, _) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        let _ = send_for_ever(session).await;
        say("flood ended");
    });
    Ok(response)
}

async fn send_for_ever(mut session: Session) -> Result<(), actix_ws::Closed> {
    for number in 0_u64.. {
        let mut sent = pin!(session.text(format!("{number:>50000}")));
        if let Ok(sent) = rt::time::timeout(Duration::from_millis(500), &mut sent).await {
            sent?;
        } else {
            say("flood stuck");
            sent.await?;
        }
    }
    Ok(())
}

/// Closes the connection itself at the stop, with a reason of its own.
pub(crate) async fn polite(
    request: HttpRequest,
    body: Payload,
    stop: Stop,
) -> Result<HttpResponse, Error> {
    let (response, session, mut messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        stop.requested().await;
        let reason = CloseReason { code: CloseCode::Restart, description: None };
        let _ = session.close(Some(reason)).await;
        while messages.recv().await.is_some() {}
    });
    Ok(response)
}

/// Answers one message, and never reads again. If the message is `wait`, it answers only when
/// `once` comes on stdin.
pub(crate) async fn once(request: HttpRequest, body: Payload) -> Result<HttpResponse, Error> {
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        if let Some(Ok(Message::Text(text))) = messages.recv().await {
            say("once");
            if text == "wait" {
                heard("once").await;
            }
            let _ = session.text("answer").await;
        }
        // `messages` is held so that the handler is not over.
        rt::time::sleep(Duration::from_secs(60)).await;
        drop(messages);
    });
    Ok(response)
}

/// Panics in the middle of its stream, when `panic` comes on stdin.
pub(crate) async fn panics(request: HttpRequest, body: Payload) -> Result<HttpResponse, Error> {
    let (response, _, messages) = actix_ws::handle(&request, body)?;
    let messages = stream::once(async move {
        let _messages = messages;
        heard("panic").await;
        panic!("the stream has no idea");
    });
    Ok(response
        .set_body(BodyStream::new(messages.map(|()| Ok::<_, Error>(Bytes::new()))))
        .map_into_boxed_body())
}

/// Works on each message for as many milliseconds as the message says, and answers then.
pub(crate) async fn busy(request: HttpRequest, body: Payload) -> Result<HttpResponse, Error> {
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        while let Some(Ok(Message::Text(text))) = messages.recv().await {
            say("busy");
            rt::time::sleep(Duration::from_millis(text.parse().unwrap_or_default())).await;
            let sent = session.text(format!("worked {text}")).await;
            say(if sent.is_ok() { "busy sent" } else { "busy failed" });
        }
    });
    Ok(response)
}

/// Answers each message by one of two frames, and works for as many milliseconds as the message
/// says between them.
pub(crate) async fn tale(request: HttpRequest, body: Payload) -> Result<HttpResponse, Error> {
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        while let Some(Ok(Message::Text(text))) = messages.recv().await {
            let _ = session.continuation(Item::FirstText("once ".into())).await;
            say("tale");
            rt::time::sleep(Duration::from_millis(text.parse().unwrap_or_default())).await;
            let _ = session.continuation(Item::Last("upon".into())).await;
        }
    });
    Ok(response)
}

/// Answers a number with that many messages of 60,000 bytes. It says when it begins, and when it
/// has written all of them.
pub(crate) async fn burst(request: HttpRequest, body: Payload) -> Result<HttpResponse, Error> {
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        while let Some(Ok(Message::Text(text))) = messages.recv().await {
            say("burst");
            for number in 0..text.parse().unwrap_or(0) {
                if session.text(format!("{number:>60000}")).await.is_err() {
                    say("burst failed");
                    return;
                }
            }
            say("burst written");
        }
    });
    Ok(response)
}

/// Sends back each message until the stop, then sends a last one and closes with a code of its own.
pub(crate) async fn farewell(
    request: HttpRequest,
    body: Payload,
    stop: Stop,
) -> Result<HttpResponse, Error> {
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        loop {
            tokio::select! {
                message = messages.recv() => match message {
                    Some(Ok(Message::Text(text))) => drop(session.text(text).await),
                    _ => return,
                },
                () = stop.requested() => break,
            }
        }
        let _ = session.text("farewell").await;
        let reason = CloseReason { code: CloseCode::Other(4000), description: None };
        let _ = session.close(Some(reason)).await;
    });
    Ok(response)
}

/// Sends a message now and then until it can't.
pub(crate) async fn chatty(request: HttpRequest, body: Payload) -> Result<HttpResponse, Error> {
    let (response, mut session, messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        // `messages` is kept so that the handler is not over: it never reads.
        let _messages = messages;
        while session.text("hello").await.is_ok() {
            rt::time::sleep(Duration::from_millis(5)).await;
        }
        say("chatty failed");
    });
    Ok(response)
}
