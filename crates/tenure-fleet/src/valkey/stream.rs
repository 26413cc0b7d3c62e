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

/// A socket that is connected. It ends when this is dropped by the process that has opened it, also where a forked child
/// of that one has it still.
pub(crate) struct Stream {
    way: Way,
    process: u32,
}

enum Way {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.process == std::process::id() {
            // One that has ended already need not be ended.
            drop(self.below().shut());
        }
    }
}

impl Stream {
    /// Connects, and gives up after a while.
    pub(crate) fn connect(
        place: &Place,
        tls: Option<&Tls>,
        bound: Duration,
    ) -> Result<Self, Trouble> {
        let way = match place {
            Place::Tcp(host, port) => {
                let trouble =
                    |error: &dyn std::fmt::Display| Trouble::new(format!("{host}:{port}: {error}"));
                let stream = tcp(host, *port, bound).map_err(|error| trouble(&error))?;
                match tls {
                    None => Way::Tcp(stream),
                    Some(tls) => {
                        secured(stream, host, tls, bound).map_err(|error| trouble(&error))?
                    }
                }
            }
            #[cfg(unix)]
            Place::Unix(path) => {
                let stream = UnixStream::connect(path).and_then(|stream| {
                    stream.set_read_timeout(Some(bound))?;
                    stream.set_write_timeout(Some(bound))?;
                    Ok(Way::Unix(stream))
                });
                stream.map_err(|error| Trouble::new(format!("{}: {error}", path.display())))?
            }
            #[cfg(not(unix))]
            Place::Unix(_) => {
                return Err(Trouble::new("there are no Unix sockets on this system"));
            }
        };
        Ok(Self {
            way,
            process: std::process::id(),
        })
    }

    fn below(&self) -> Socket<'_> {
        match &self.way {
            Way::Tcp(stream) => Socket::Tcp(stream),
            #[cfg(unix)]
            Way::Unix(stream) => Socket::Unix(stream),
            Way::Tls(stream) => Socket::Tcp(stream.get_ref()),
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

    /// A function that closes it from another thread.
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

impl Socket<'_> {
    fn shut(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
            #[cfg(unix)]
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match &mut self.way {
                Way::Tcp(stream) => stream.read(into),
                #[cfg(unix)]
                Way::Unix(stream) => stream.read(into),
                Way::Tls(stream) => stream.read(into),
            };
            match read {
                // A process that was stopped and goes on has lost nothing.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.way {
            Way::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Way::Unix(stream) => stream.write(bytes),
            Way::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.way {
            Way::Tcp(stream) => stream.flush(),
            #[cfg(unix)]
            Way::Unix(stream) => stream.flush(),
            Way::Tls(stream) => stream.flush(),
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

fn secured(mut stream: TcpStream, host: &str, tls: &Tls, bound: Duration) -> Result<Way, Trouble> {
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
    let mut connection =
        ClientConnection::new(Arc::new(config), name).map_err(|error| trouble(&error))?;
    while connection.is_handshaking() {
        let shaken = connection.complete_io(&mut stream);
        shaken.map_err(|error| not_shaken(&error, bound))?;
    }
    Ok(Way::Tls(Box::new(StreamOwned::new(connection, stream))))
}

/// The trouble where there is no TLS: with the other scheme, unless it is TLS that went wrong.
fn not_shaken(error: &io::Error, bound: Duration) -> Trouble {
    let inner = error.get_ref().and_then(|it| it.downcast_ref());
    let what = match (inner, error.kind()) {
        (Some(rustls::Error::InvalidMessage(_)), _) => "what comes back is no TLS".to_owned(),
        (Some(error), _) => return Trouble::new(format!("TLS: {error}")),
        (None, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            format!("no answer within {bound:?}")
        }
        (None, _) => error.to_string(),
    };
    Trouble::new(format!(
        "TLS: {what}. If it speaks no TLS at this port, write redis for rediss in the URL"
    ))
}

/// The authorities that vouch for the server: those in the file that the URL names, or those that the system trusts.
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn d1_a_connection_ends_with_the_process_that_opened_it_and_not_with_a_forked_child() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = Place::Tcp("127.0.0.1".into(), listener.local_addr().unwrap().port());
        let bound = Duration::from_secs(5);
        let connect = || Stream::connect(&place, None, bound).unwrap();
        for ends in [true, false] {
            let mut stream = connect();
            let mut server = listener.accept().unwrap().0;
            server.set_read_timeout(Some(bound)).unwrap();
            server.set_nonblocking(!ends).unwrap();
            // What closes it has the socket too, as a forked child has.
            let closer = stream.closer();
            stream.process ^= u32::from(!ends);
            drop(stream);
            assert_eq!(server.read(&mut [0]).ok(), ends.then_some(0));
            drop(closer);
        }
    }
}
