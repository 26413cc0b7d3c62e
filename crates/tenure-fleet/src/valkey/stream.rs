//! The socket under a connection: TCP, a Unix socket, or TLS.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::address::{Place, Tls};
use crate::server::Trouble;

/// A socket that is connected.
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Connects, and gives up after a while.
    pub(crate) fn connect(
        place: &Place,
        tls: Option<&Tls>,
        bound: Duration,
    ) -> Result<Self, Trouble> {
        match place {
            Place::Tcp(host, port) => {
                let stream = tcp(host, *port, bound)
                    .map_err(|error| Trouble::new(format!("{host}:{port}: {error}")))?;
                match tls {
                    None => Ok(Self::Tcp(stream)),
                    Some(tls) => secured(stream, host, tls)
                        .map_err(|error| Trouble::new(format!("{host}:{port}: {error}"))),
                }
            }
            #[cfg(unix)]
            Place::Unix(path) => {
                let stream = UnixStream::connect(path).and_then(|stream| {
                    stream.set_read_timeout(Some(bound))?;
                    stream.set_write_timeout(Some(bound))?;
                    Ok(Self::Unix(stream))
                });
                stream.map_err(|error| Trouble::new(format!("{}: {error}", path.display())))
            }
            #[cfg(not(unix))]
            Place::Unix(_) => Err(Trouble::new("there are no Unix sockets on this system")),
        }
    }

    fn below(&self) -> Socket<'_> {
        match self {
            Self::Tcp(stream) => Socket::Tcp(stream),
            #[cfg(unix)]
            Self::Unix(stream) => Socket::Unix(stream),
            Self::Tls(stream) => Socket::Tcp(stream.get_ref()),
        }
    }

    /// For how long a read may take.
    pub(crate) fn set_patience(&self, read: Duration) -> io::Result<()> {
        // Zero would mean for ever.
        let read = Some(read.max(Duration::from_millis(1)));
        match self.below() {
            Socket::Tcp(stream) => stream.set_read_timeout(read),
            #[cfg(unix)]
            Socket::Unix(stream) => stream.set_read_timeout(read),
        }
    }

    /// What closes it from another thread.
    pub(crate) fn closer(&self) -> Box<dyn Fn() + Send> {
        match self.below() {
            Socket::Tcp(stream) => match stream.try_clone() {
                Ok(stream) => Box::new(move || drop(stream.shutdown(Shutdown::Both))),
                Err(_) => Box::new(|| {}),
            },
            #[cfg(unix)]
            Socket::Unix(stream) => match stream.try_clone() {
                Ok(stream) => Box::new(move || drop(stream.shutdown(Shutdown::Both))),
                Err(_) => Box::new(|| {}),
            },
        }
    }
}

enum Socket<'a> {
    Tcp(&'a TcpStream),
    #[cfg(unix)]
    Unix(&'a UnixStream),
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(into),
            Self::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Self::Unix(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            #[cfg(unix)]
            Self::Unix(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

fn tcp(host: &str, port: u16, bound: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name leads nowhere");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, bound) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(bound))?;
                stream.set_write_timeout(Some(bound))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn secured(stream: TcpStream, host: &str, tls: &Tls) -> Result<Stream, Trouble> {
    let trouble = |error: &dyn std::fmt::Display| Trouble::new(format!("TLS: {error}"));
    let name = ServerName::try_from(host.to_owned()).map_err(|error| trouble(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| trouble(&error))?
        .with_root_certificates(authorities(tls)?);
    let config = match &tls.certificate {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unread(key, &error))?;
            let chain = certificates(certificate)?;
            config
                .with_client_auth_cert(chain, key)
                .map_err(|error| trouble(&error))?
        }
    };
    let connection =
        ClientConnection::new(Arc::new(config), name).map_err(|error| trouble(&error))?;
    Ok(Stream::Tls(Box::new(StreamOwned::new(connection, stream))))
}

/// Who vouches for the server: the file that the URL names, or whom the system trusts.
fn authorities(tls: &Tls) -> Result<RootCertStore, Trouble> {
    let mut store = RootCertStore::empty();
    match &tls.authority {
        Some(path) => {
            for certificate in certificates(path)? {
                store
                    .add(certificate)
                    .map_err(|error| unread(path, &error))?;
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if store.is_empty() {
        return Err(Trouble::new(
            "TLS: there is nobody who could vouch for the server: name a file with tls_ca= in the URL",
        ));
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    read.map_err(|error| unread(path, &error))
}

fn unread(path: &Path, error: &dyn std::fmt::Display) -> Trouble {
    Trouble::new(format!("TLS: {}: {error}", path.display()))
}
