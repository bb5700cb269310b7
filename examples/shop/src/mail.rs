//! Mail, behind a trait: one hook chooses the mailer, and a test replaces it by one that keeps the
//! mails.

use futures_util::future::{BoxFuture, FutureExt, ready};
use lettre::address::AddressError;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use lifecycle_runtime::{BoxError, Dep, on_startup};
use validator::ValidationError;

use crate::settings::settings;

/// A mail to a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Id of the mail. If a mail may have been sent, it is sent again with the same id.
    pub id: String,
    pub to: String,
    pub subject: String,
    pub text: String,
}

/// Way to send mail.
pub trait Mailer: Send + Sync {
    /// Sends a mail, and returns once the next server has accepted it.
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), BoxError>>;
}

/// Mailer that gives mails to a server, which sends them on.
struct SmtpMailer {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer for SmtpMailer {
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), BoxError>> {
        async move {
            let message = Message::builder()
                .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
                .from(self.from.clone())
                .to(Mailbox::new(None, mail.to.parse()?))
                .subject(mail.subject)
                .header(ContentType::TEXT_PLAIN)
                .body(mail.text)?;
            self.server.send(message).await?;
            Ok(())
        }
        .boxed()
    }
}

/// Mailer that writes mails to the log, for a shop that is being tried out and has no server.
struct LogMailer;

impl Mailer for LogMailer {
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), BoxError>> {
        tracing::info!(id = mail.id, to = mail.to, subject = mail.subject, "mail");
        ready(Ok(())).boxed()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("SMTP_URL is not the URL of a mail server; it has to be like smtps://USER:PASSWORD@HOST")]
pub struct SmtpUrlError(#[source] lettre::transport::smtp::Error);

/// Chooses the shop's mailer: the server that `SMTP_URL` names, and without one the log. The URL
/// contains a password, so it comes from the environment only.
#[on_startup]
pub fn mailer(settings: Dep<settings>) -> Result<Box<dyn Mailer>, SmtpUrlError> {
    let Ok(url) = std::env::var("SMTP_URL") else { return Ok(Box::new(LogMailer)) };
    let server =
        AsyncSmtpTransport::<Tokio1Executor>::from_url(&url).map_err(SmtpUrlError)?.build();
    Ok(Box::new(SmtpMailer { server, from: settings.mail_from.clone() }))
}

/// Checks that a text is an address to which a mail can be sent.
pub fn mail_address(text: &str) -> Result<(), ValidationError> {
    let is_one: Result<Address, AddressError> = text.parse();
    is_one
        .map(drop)
        .map_err(|_| ValidationError::new("email").with_message("has to be a mail address".into()))
}
