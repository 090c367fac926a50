//! TLS: connections that begin with a handshake.

mod identity;

use std::{io, net::IpAddr, sync::Arc};

use rustls::{ServerConfig, crypto::aws_lc_rs, server::ResolvesServerCert};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub use self::identity::{Identity, PemFile, TlsError, read};
use super::{
    connection::{Opened, Serve, Transfers, Version},
    netboot::{Netboot, NetbootService},
};

/// Bytes of a connection that are encrypted and not yet taken by the kernel.
const ENCRYPTED_MAX: usize = 128 << 10;
/// Versions of HTTP by their names in a handshake (RFC 7301 section 6), the better one first.
const VERSIONS: [&[u8]; 2] = [HTTP2, b"http/1.1"];
const HTTP2: &[u8] = b"h2";

/// Netboot over HTTPS.
pub struct TlsNetboot {
    netboot: Arc<Netboot>,
    acceptor: TlsAcceptor,
}

impl TlsNetboot {
    /// With this certificate.
    ///
    /// # Errors
    ///
    /// Where the cryptography knows none of the versions of TLS.
    pub fn new(netboot: Arc<Netboot>, identity: Arc<dyn ResolvesServerCert>) -> Result<Self, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = config.with_no_client_auth().with_cert_resolver(identity);
        config.alpn_protocols = VERSIONS.map(Vec::from).into();
        Ok(Self { netboot, acceptor: Arc::new(config).into() })
    }
}

impl Serve<TcpStream> for TlsNetboot {
    type Io = TlsStream<TcpStream>;
    type Body = super::body::Body;
    type Service = NetbootService;

    async fn open(
        &self,
        stream: TcpStream,
        _peer: Option<IpAddr>,
    ) -> io::Result<Opened<TlsStream<TcpStream>, NetbootService>> {
        let bound = |session: &mut rustls::ServerConnection| session.set_buffer_limit(Some(ENCRYPTED_MAX));
        let io = self.acceptor.accept_with(stream, bound).await?;
        let netboot = Arc::clone(&self.netboot);
        if io.get_ref().1.alpn_protocol() != Some(HTTP2) {
            return Ok(Opened { io, service: NetbootService::encrypted(netboot), version: Version::Http1 });
        }
        let transfers = Transfers::default();
        let service = NetbootService::shared(netboot, transfers.clone());
        Ok(Opened { io, service, version: Version::Http2(transfers) })
    }
}
