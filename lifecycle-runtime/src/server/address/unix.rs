//! Unix sockets, each a file that belongs to one process at a time, or a name of Linux's without a
//! file.
//!
//! A process that is killed leaves its file behind, and the next one replaces it. While a process
//! looks at a file, replaces it, listens on it or removes it, it holds a lock on the file's folder.
//! The lock leaves nothing behind and ends with its process.

use std::fs::{File, Permissions, TryLockError};
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use rustix::fs::{Mode, OFlags};
use socket2::{Domain, SockAddr, Socket, Type};

use super::taken::Place;

#[cfg(test)]
mod tests;

const NO_SOCKET: &str = "there is a file that is no socket";

/// Longest wait for the lock of a folder. Our processes hold it for a few system calls. A process
/// that holds it for longer has locked the folder for another reason, and does not compete for the
/// file. On a machine that is too busy for it, only the system's own checks protect the file.
const LOCK: Duration = Duration::from_secs(1);

/// Parsed address: the text behind `unix:`.
pub(super) struct UnixAddress<'a> {
    place: UnixPlace<'a>,
    address: SockAddr,
    mode: Option<u32>,
}

#[derive(Clone, Copy)]
enum UnixPlace<'a> {
    File(&'a Path),
    /// Abstract name, which ends with the last socket that has it.
    Abstract(&'a str),
}

impl<'a> UnixAddress<'a> {
    /// Parses `/path`, `/path?mode=660` or `@name`.
    ///
    /// # Errors
    ///
    /// The mistake, as a part of a sentence.
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        // A `?` before the last `/` is a part of the path.
        let options = text.rsplit_once('?').filter(|(_, options)| !options.contains('/'));
        let (place, options) =
            options.map_or((text, None), |(place, options)| (place, Some(options)));
        let mode = options.map(mode).transpose()?;
        if place.contains('\0') {
            return Err("there is a NUL byte in it".to_owned());
        }
        let (place, bytes) = match place.strip_prefix('@') {
            Some("") => return Err("the name is empty".to_owned()),
            Some(_) if !cfg!(any(target_os = "linux", target_os = "android")) => {
                return Err("only Linux has abstract names".to_owned());
            }
            Some(_) if mode.is_some() => {
                return Err("an abstract name is no file and has no mode".to_owned());
            }
            Some(name) => (UnixPlace::Abstract(name), format!("\0{name}")),
            None if place.is_empty() => return Err("the path is empty".to_owned()),
            None => (UnixPlace::File(Path::new(place)), place.to_owned()),
        };
        let address = SockAddr::unix(bytes).map_err(|error| error.to_string())?;
        Ok(Self { place, address, mode })
    }

    /// Returns the place that the address takes; `None` as long as there is no file.
    pub(super) fn place(&self) -> Option<Place> {
        match self.place {
            UnixPlace::File(path) => {
                identity(path).ok().map(|(device, inode)| Place::File(device, inode))
            }
            UnixPlace::Abstract(name) => Some(Place::Abstract(name.to_owned())),
        }
    }

    /// Returns the address with an absolute path: `unix:/run/app.sock` or `unix:@app`.
    ///
    /// # Errors
    ///
    /// Fails if the current folder is gone.
    pub(super) fn name(&self) -> io::Result<String> {
        Ok(match self.place {
            UnixPlace::File(path) => address_of_file(&std::path::absolute(path)?),
            UnixPlace::Abstract(name) => address_of_name(name),
        })
    }

    /// Binds a socket to the address. Replaces a file that was left behind.
    ///
    /// # Errors
    ///
    /// The system's error; `AddrInUse` if a process listens there, even if it accepts nothing; or
    /// `AlreadyExists` if there is a file that is no socket.
    pub(super) fn bind(&self) -> io::Result<(Socket, SocketFile)> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        let path = match self.place {
            UnixPlace::File(path) => path,
            UnixPlace::Abstract(name) => {
                socket.bind(&self.address)?;
                return Ok((socket, SocketFile::none(name)));
            }
        };
        // The file must be found at the end, too, even if the current folder is another one then.
        let absolute = std::path::absolute(path)?;
        let lock = lock_folder(&absolute);
        match socket.bind(&self.address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_stale(path, &self.address, error)?;
                socket.bind(&self.address)?;
            }
            other => other?,
        }
        let file = SocketFile::of(absolute)?;
        // The mode is set whatever the umask. Until the socket listens, nobody can connect.
        let changed =
            self.mode.map(|mode| std::fs::set_permissions(path, Permissions::from_mode(mode)));
        drop(lock);
        changed.transpose()?;
        Ok((socket, file))
    }
}

impl UnixAddress<'_> {
    /// Returns the file of the predecessor's socket at this address, which keeps it. A file that is
    /// gone leaves a name.
    pub(super) fn of_predecessor(&self) -> SocketFile {
        match self.place {
            UnixPlace::File(path) => {
                let file = std::path::absolute(path).and_then(SocketFile::of);
                file.unwrap_or_else(|_| SocketFile::of_program(address_of_file(path))).kept(true)
            }
            UnixPlace::Abstract(name) => SocketFile::none(name),
        }
    }
}

/// Parses `mode=660`.
fn mode(options: &str) -> Result<u32, String> {
    let mut mode = None;
    for option in options.split('&') {
        let Some(digits) = option.strip_prefix("mode=") else {
            return Err(format!("`{option}` is no option: the only one is mode, as in ?mode=660"));
        };
        let is_octal = (1..=4).contains(&digits.len())
            && digits.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
        let parsed = u32::from_str_radix(digits, 8).ok().filter(|mode| is_octal && *mode <= 0o777);
        let parsed = parsed
            .ok_or_else(|| format!("`{digits}` is no mode: use octal digits, as in mode=660"))?;
        if mode.replace(parsed).is_some() {
            return Err("`mode` is there twice".to_owned());
        }
    }
    mode.ok_or_else(|| "there is nothing behind the `?`".to_owned())
}

/// Removes a socket's file that a process which is gone has left behind. Returns the error `in_use`
/// if the file is in use.
fn remove_stale(path: &Path, address: &SockAddr, in_use: io::Error) -> io::Result<()> {
    let file = match std::fs::symlink_metadata(path) {
        // Its owner has just removed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    // To connect to a file of another kind is refused as well, but that file belongs to somebody.
    if !file.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, NO_SOCKET));
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // An owner that doesn't accept would keep it waiting.
    probe.set_nonblocking(true)?;
    match probe.connect(address) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // The probe has connected, or the owner's queue is full, or it is a socket of another type,
        // or one that is not for us.
        _ => return Err(in_use),
    }
    // A process that takes no locks may have replaced the file.
    if identity(path).is_ok_and(|now| now != (file.dev(), file.ino())) {
        return Err(in_use);
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Locks the folder of a socket's file. Returns `None` if there is no such lock: then only the
/// system's own checks protect the file.
fn lock_folder(path: &Path) -> Option<File> {
    let folder = File::open(path.parent()?).ok()?;
    let until = Instant::now() + LOCK;
    loop {
        match folder.try_lock() {
            Ok(()) => return Some(folder),
            Err(TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(_) => return None,
        }
    }
}

/// Address of a Unix socket, and its file if it has one. The file is removed when this is dropped,
/// unless it is kept, or another process has replaced it.
pub(in crate::server) struct SocketFile {
    name: String,
    /// Absolute path of the file, with its device and inode.
    file: Option<(PathBuf, (u64, u64))>,
    /// Set if another process has the socket as well, to which the file belongs.
    is_kept: bool,
    /// Descriptor of the file: as long as it is open, no other file gets the inode, even if the
    /// socket is closed and the file removed.
    #[cfg(target_os = "linux")]
    _inode: Option<OwnedFd>,
}

impl SocketFile {
    fn of(path: PathBuf) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        let inode = {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::open(&path, flags, Mode::empty())?
        };
        let identity = identity(&path)?;
        Ok(Self {
            name: address_of_file(&path),
            file: Some((path, identity)),
            is_kept: false,
            #[cfg(target_os = "linux")]
            _inode: Some(inode),
        })
    }

    /// Returns the name of a socket that has no file.
    fn none(name: &str) -> Self {
        Self::of_program(address_of_name(name))
    }

    /// Returns the name of a socket with this address whose file, if it has one, stays.
    pub(super) fn of_program(name: String) -> Self {
        Self {
            name,
            file: None,
            is_kept: false,
            #[cfg(target_os = "linux")]
            _inode: None,
        }
    }

    /// Returns the file, which is not removed if it is kept for another process.
    pub(in crate::server) fn kept(mut self, is_kept: bool) -> Self {
        self.is_kept = is_kept;
        self
    }

    /// Returns the address: `unix:/run/app.sock` or `unix:@app`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Leaves the file where it is.
    pub(super) fn leave(mut self) {
        self.file = None;
    }

    /// Makes the socket listen.
    ///
    /// # Errors
    ///
    /// The system's error, or `AddrInUse` if another process has replaced the file: until this
    /// socket listened, it looked like one that was left behind.
    pub(super) fn listen(&self, socket: &Socket, backlog: i32) -> io::Result<()> {
        // Locked until the socket listens, so that no process takes it for left behind in between.
        let _lock = self.file.as_ref().and_then(|(path, _)| lock_folder(path));
        if self.is_in_place() {
            socket.listen(backlog)
        } else {
            Err(io::Error::new(io::ErrorKind::AddrInUse, "another process has replaced the file"))
        }
    }

    fn is_in_place(&self) -> bool {
        let is_ours =
            |(path, own): &(PathBuf, _)| identity(path).is_ok_and(|identity| identity == *own);
        self.file.as_ref().is_none_or(is_ours)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.file
            && !self.is_kept
        {
            let _lock = lock_folder(path);
            if self.is_in_place() {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

fn address_of_file(path: &Path) -> String {
    format!("unix:{}", path.display())
}

fn address_of_name(name: &str) -> String {
    format!("unix:@{name}")
}

/// Returns the device and inode of the file at a path, which identify it under any name.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}
