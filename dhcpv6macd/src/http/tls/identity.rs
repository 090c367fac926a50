//! A certificate and its key, which are read again when they change.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{Error as PemError, PemObject as _},
    },
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tracing::{info, warn};

use crate::{
    config::{TlsFiles, open_regular},
    http::representation::Representation,
};

/// Bytes of a PEM file.
const PEM_MAX: u64 = 1 << 20;

/// Why there is no certificate with a key: which file, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what}", path.display())]
pub struct TlsError {
    /// Which of the two.
    pub file: PemFile,
    /// Where it is.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

/// One of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PemFile {
    /// The certificate chain.
    Certificate,
    /// The private key.
    Key,
}

/// Reads a certificate chain and the key of its first certificate.
///
/// # Errors
///
/// Where a file cannot be read or holds nothing of the kind, or the two do not belong together.
pub fn read(files: &TlsFiles) -> Result<CertifiedKey, TlsError> {
    let at = |file, path: &Path| {
        let path = path.to_owned();
        move |what| TlsError { file, path, what }
    };
    let chain = certificates(&files.certificate).map_err(at(PemFile::Certificate, &files.certificate))?;
    let key = key(&files.key).map_err(at(PemFile::Key, &files.key))?;
    let key = aws_lc_rs::default_provider().key_provider.load_private_key(key);
    let key = key.map_err(|error| at(PemFile::Key, &files.key)(format!("a key that cannot be used: {error}")))?;
    let pair = CertifiedKey::new(chain, key);
    match pair.keys_match() {
        Ok(()) => Ok(pair),
        Err(rustls::Error::InconsistentKeys(_)) => {
            let certificate = files.certificate.display();
            Err(at(PemFile::Key, &files.key)(format!("not the key of the first certificate in {certificate}")))
        }
        Err(error) => {
            let what = format!("its first certificate cannot be used: {error}");
            Err(at(PemFile::Certificate, &files.certificate)(what))
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = pem(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|error| broken(&error))?;
    if chain.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(chain) }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let none = || "there is no private key in it, or only one with a password".to_owned();
    PrivateKeyDer::from_pem_slice(&pem(path)?)
        .map_err(|error| if matches!(error, PemError::NoItemsFound) { none() } else { broken(&error) })
}

fn broken(error: &PemError) -> String {
    format!("not PEM: {error}")
}

fn pem(path: &Path) -> Result<Vec<u8>, String> {
    let mut pem = Vec::new();
    let read = open_regular(path).and_then(|file| file.take(PEM_MAX + 1).read_to_end(&mut pem));
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if pem.len() as u64 > PEM_MAX { Err("longer than 1 MiB".to_owned()) } else { Ok(pem) }
}

/// What every handshake is signed with from now on.
#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// The two files, as they were when they were looked at.
type Seen = [Option<Representation>; 2];

/// A certificate and its key, and where they come from.
#[derive(Debug)]
pub struct Identity {
    files: TlsFiles,
    current: Arc<Current>,
    /// As they are served, or were refused.
    known: Seen,
    /// As they were refused, unless that was in the middle of their being written.
    odd: Option<Seen>,
}

impl Identity {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// See [`read`].
    pub fn new(files: TlsFiles) -> Result<Self, TlsError> {
        let known = seen(&files);
        let current = Arc::new(Current(ArcSwap::from_pointee(read(&files)?)));
        Ok(Self { files, current, known, odd: None })
    }

    /// What a handshake is signed with: always the last that was good.
    #[must_use]
    pub fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        Arc::clone(&self.current) as Arc<dyn ResolvesServerCert>
    }

    /// Reads the files again if they have changed, or if that is asked for. Connections that there are stay as they are. What is wrong with the
    /// files is logged once, and only when it is still so the next time: two files are not replaced at once.
    pub fn refresh(&mut self, is_asked: bool) {
        let now = seen(&self.files);
        if now == self.known && !is_asked {
            return;
        }
        match read(&self.files) {
            Ok(pair) => {
                self.current.0.store(Arc::new(pair));
                (self.known, self.odd) = (now, None);
                info!(certificate = %self.files.certificate.display(), "the certificate of HTTPS was read again");
            }
            Err(error) if is_asked || self.odd.replace(now) == Some(now) => {
                (self.known, self.odd) = (now, None);
                warn!("the certificate of HTTPS stays as it was: {error}");
            }
            Err(_) => {}
        }
    }
}

fn seen(files: &TlsFiles) -> Seen {
    let look = |path: &PathBuf| -> io::Result<_> { Ok(Representation::told(&fs::metadata(path)?)) };
    [&files.certificate, &files.key].map(|path| look(path).ok())
}
