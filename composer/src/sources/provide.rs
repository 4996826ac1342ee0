//! Making sure that the store has what a declaration names, with mistakes told at the line that names it.

use crate::session::Session;
use std::error::Error;

use racetrack_bundle::Diagnostic;

use crate::checkout::Checkout;
use crate::codes;
use crate::declaration::{Declaration, PluginDeclaration};
use crate::remote::{CommitError, FetchError, GitError, HttpError, ReleaseError, fetch, holds};

const STORE_HELP: &str =
    "check the permissions of `.racetrack/store`; it can be deleted, everything in it is made again";

/// Makes sure that the source of a plugin is on this machine: fetches it, if it is elsewhere and the store does not have
/// it. Offline nothing is fetched.
pub fn provide(
    plugin: &PluginDeclaration,
    declaration: &Declaration,
    session: &Session,
) -> Result<(), Diagnostic> {
    let Session { checkout, shell } = session;
    let Some(source) = &plugin.remote else {
        return Ok(());
    };
    let diagnostic = |code, message: String, help: &str| {
        declaration.document.diagnostic(code, plugin.place.clone(), message).with_help(help)
    };
    let store = checkout.store();
    // A vendor folder was compared as a whole.
    if checkout.vendor.is_some() && plugin.origin != source.origin(&store) {
        return Ok(());
    }
    match holds(&store, source) {
        Ok(true) => return Ok(()),
        Ok(false) => {}
        Err(error) => {
            let message = format!("the store cannot be read: {error}");
            return Err(diagnostic(codes::FETCH_FAILED, message, STORE_HELP));
        }
    }
    if checkout.offline {
        let message = format!("`{source}` is not in the store, and `--offline` forbids to fetch it");
        let help = "run `cargo xtask fetch` once where there is a network";
        return Err(diagnostic(codes::NOT_FETCHED, message, help));
    }
    shell.status("Fetching", source);
    let progress = shell.transfer();
    let fetched = fetch(source, &store, |bytes| progress.set_position(bytes));
    progress.finish_and_clear();
    fetched.map_err(|error| match &error {
        FetchError::Digest { found, declared } => {
            let message = format!("`{source}` has the SHA-256 digest {found}, not the declared {declared}");
            diagnostic(codes::DIGEST_MISMATCH, message, help(&error))
        }
        error => {
            let message = format!("`{source}` cannot be fetched: {}", causes(error));
            diagnostic(codes::FETCH_FAILED, message, help(error))
        }
    })
}

/// Whether the source of a plugin is on this machine.
pub fn is_at_hand(plugin: &PluginDeclaration, checkout: &Checkout) -> bool {
    let store = checkout.store();
    plugin.remote.as_ref().is_none_or(|source| {
        let is_vendored = checkout.vendor.is_some() && plugin.origin != source.origin(&store);
        is_vendored || holds(&store, source).unwrap_or_default()
    })
}

/// What lies behind the error: that it could not be fetched is said already.
fn causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn help(error: &FetchError) -> &'static str {
    match error {
        FetchError::Http(error) | FetchError::Release(ReleaseError::Http(error)) => http_help(error),
        FetchError::Release(_) => {
            "check owner, repository and version; an asset can also be declared by its `url`"
        }
        FetchError::Git(GitError::Run(_)) => "install git, or make it reachable by PATH",
        FetchError::Git(GitError::MissingCommit(_)) => {
            "check `rev`; a commit that no branch holds may be gone"
        }
        FetchError::Git(_) => "`git ls-remote` on the same address says whether git gets in",
        FetchError::Commit(CommitError::TooLarge) => "name the folder of the plugin by `subfolder`",
        FetchError::Commit(_) => "check `rev` and `subfolder`",
        FetchError::Digest { .. } => "find out why it is another file before you change `sha256`",
        FetchError::Store(_) => STORE_HELP,
    }
}

const fn http_help(error: &HttpError) -> &'static str {
    match error {
        HttpError::Run(_) => "or install curl by hand; it must be reachable by PATH",
        HttpError::Request { .. } | HttpError::Read { .. } => {
            "check the network; proxies are those of `https_proxy` and `http_proxy`, certificates those of the system"
        }
        HttpError::Status { status: 403 | 429, .. } => {
            "the server may limit how often it is asked, or ask who you are; fetch later, or from elsewhere by `url`"
        }
        HttpError::TooLarge { .. } => "no bundle is so large; check the address",
        HttpError::Status { .. } | HttpError::Redirect { .. } | HttpError::TooManyRedirects { .. } => {
            "check the address"
        }
    }
}
