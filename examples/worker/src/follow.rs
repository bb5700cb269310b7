//! A growing file and its lines, as they are completed. This module knows neither the services nor
//! the database.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// Most bytes that one read takes.
const CHUNK: usize = 64 * 1024;

/// Identity of a file. A name is not enough, as a rotation gives it to another file. An inode is
/// not enough, as a file system may reuse the inode of a deleted file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId {
    /// Creation time in nanoseconds since 1970; 0 if the file system does not record it. It is the
    /// first field, so that ids sort by age.
    pub created: i64,
    pub inode: i64,
}

impl FileId {
    pub fn of(file: &Metadata) -> Self {
        let created =
            file.created().ok().and_then(|created| created.duration_since(UNIX_EPOCH).ok());
        let created = created.and_then(|created| i64::try_from(created.as_nanos()).ok());
        Self { created: created.unwrap_or(0), inode: file.ino().cast_signed() }
    }
}

#[derive(Debug)]
pub struct Source {
    pub id: FileId,
    /// Name of the file when the worker first saw it.
    pub name: String,
}

/// A step forward in a file. Each piece begins where the piece before it ended.
#[derive(Debug, Clone)]
pub struct Piece {
    pub file: Arc<Source>,
    /// Position in the file before the step.
    pub before: u64,
    /// Position in the file after the step.
    pub after: u64,
    /// The line without its newline; `None` if the step has no line to keep.
    pub line: Option<Vec<u8>>,
}

/// A file that is followed, even after it was renamed or deleted.
#[derive(Debug)]
pub struct Followed {
    file: File,
    source: Arc<Source>,
    /// Position at which the first incomplete line begins.
    position: u64,
    /// Bytes of that line so far.
    begun: Vec<u8>,
}

impl Followed {
    /// Opens a file, and continues at the position that `known` has for it.
    pub fn open(path: &Path, known: impl FnOnce(FileId) -> Option<u64>) -> io::Result<Self> {
        let file = File::open(path)?;
        // The id is read from the open file: by now the path may belong to another one.
        let id = FileId::of(&file.metadata()?);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let position = known(id).unwrap_or(0);
        Ok(Self { file, source: Arc::new(Source { id, name }), position, begun: Vec::new() })
    }

    pub fn id(&self) -> FileId {
        self.source.id
    }

    pub fn name(&self) -> &str {
        &self.source.name
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns the number of bytes that are there of an incomplete line.
    pub fn begun(&self) -> usize {
        self.begun.len()
    }

    /// Reads the lines that were completed since the last call, or some of them; `None` if nothing
    /// new has been written.
    ///
    /// A line that is longer than `longest` bytes becomes several. A file that has become shorter
    /// is read again from its beginning.
    pub fn read(&mut self, longest: usize) -> io::Result<Option<Vec<Piece>>> {
        let read_to = self.position + self.begun.len() as u64;
        if self.file.metadata()?.len() < read_to {
            self.begun.clear();
            return Ok(Some(vec![self.advance(0, None)]));
        }
        let mut chunk = vec![0; CHUNK];
        let length = self.file.read_at(&mut chunk, read_to)?;
        if length == 0 {
            return Ok(None);
        }
        self.begun.extend_from_slice(&chunk[..length]);
        Ok(Some(self.complete(longest)))
    }

    fn complete(&mut self, longest: usize) -> Vec<Piece> {
        let all = std::mem::take(&mut self.begun);
        let (mut rest, mut pieces) = (&all[..], Vec::new());
        loop {
            let newline = rest.iter().take(longest + 1).position(|byte| *byte == b'\n');
            let (length, skipped) = match newline {
                Some(length) => (length, 1),
                None if rest.len() > longest => (longest, 0),
                None => break,
            };
            let (line, others) = rest.split_at(length);
            rest = &others[skipped..];
            let after = self.position + (length + skipped) as u64;
            pieces.push(self.advance(after, Some(line.to_vec())));
        }
        self.begun = rest.to_vec();
        pieces
    }

    fn advance(&mut self, after: u64, line: Option<Vec<u8>>) -> Piece {
        let before = std::mem::replace(&mut self.position, after);
        Piece { file: Arc::clone(&self.source), before, after, line }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    fn file(text: &[u8]) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn append(path: &Path, text: &str) {
        OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Reads to the end, and checks that each piece begins where the one before it ended.
    fn lines(followed: &mut Followed, longest: usize) -> Vec<String> {
        let (mut position, mut lines) = (followed.position, Vec::new());
        while let Some(pieces) = followed.read(longest).unwrap() {
            for piece in pieces {
                assert_eq!(std::mem::replace(&mut position, piece.after), piece.before);
                lines.extend(piece.line.map(|line| String::from_utf8_lossy(&line).into_owned()));
            }
        }
        assert_eq!(position, followed.position);
        lines
    }

    #[test]
    fn a_line_is_one_once_it_is_complete() {
        let (_folder, path) = file(b"a\n\nb");
        let mut followed = Followed::open(&path, |_| None).unwrap();
        assert_eq!(lines(&mut followed, 100), ["a", ""]);
        assert_eq!((followed.position(), followed.begun()), (3, 1));
        append(&path, "cd");
        assert_eq!(lines(&mut followed, 100), [""; 0]);
        append(&path, "e\nf\n");
        assert_eq!(lines(&mut followed, 100), ["bcde", "f"]);
        assert_eq!((followed.position(), followed.begun()), (10, 0));
    }

    #[test]
    fn goes_on_where_it_was_left() {
        let (_folder, path) = file(b"a\nb\nc");
        let id = FileId::of(&path.metadata().unwrap());
        let known = |asked| (asked == id).then_some(2);
        assert_eq!(lines(&mut Followed::open(&path, known).unwrap(), 100), ["b"]);
    }

    #[test]
    fn a_file_that_got_another_name_is_the_same_and_one_that_got_its_name_is_another() {
        let (folder, path) = file(b"a\n");
        let mut followed = Followed::open(&path, |_| None).unwrap();
        let rotated = folder.path().join("a.log.1");
        fs::rename(&path, &rotated).unwrap();
        append(&rotated, "b\n");
        fs::write(&path, "c\n").unwrap();
        let reopened = Followed::open(&rotated, |_| None).unwrap();
        let mut next = Followed::open(&path, |_| None).unwrap();
        assert_eq!((reopened.id(), reopened.name()), (followed.id(), "a.log.1"));
        assert!(next.id() != followed.id());
        fs::remove_file(&rotated).unwrap();
        assert_eq!([lines(&mut followed, 100), lines(&mut next, 100)].concat(), ["a", "b", "c"]);
    }

    /// Meets the case on file systems that reuse an inode at once, as ext4 does.
    #[test]
    fn a_file_that_got_the_inode_of_a_deleted_one_is_another() {
        let (_folder, path) = file(b"a\n");
        let id = || FileId::of(&path.metadata().unwrap());
        let first = id();
        // Files that are created within one tick of the kernel's clock have the same creation time.
        let others = std::iter::repeat_with(|| {
            fs::remove_file(&path).unwrap();
            fs::write(&path, "b\n").unwrap();
            id()
        });
        let same_inode: Vec<_> =
            others.take(5_000).filter(|other| other.inode == first.inode).collect();
        assert!(
            same_inode.is_empty() || same_inode.iter().any(|other| *other != first),
            "{first:?}"
        );
    }

    #[test]
    fn a_file_that_got_shorter_is_read_from_its_beginning() {
        let (_folder, path) = file(b"long enough\nand");
        let mut followed = Followed::open(&path, |_| None).unwrap();
        assert_eq!(lines(&mut followed, 100), ["long enough"]);
        fs::write(&path, "new\n").unwrap();
        assert_eq!(lines(&mut followed, 100), ["new"]);
        // The same holds if the file got shorter while nobody followed it.
        assert_eq!(lines(&mut Followed::open(&path, |_| Some(500)).unwrap(), 100), ["new"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_several() {
        let (_folder, path) = file(b"12345678\n1234\n12345");
        let mut followed = Followed::open(&path, |_| None).unwrap();
        assert_eq!(lines(&mut followed, 4), ["1234", "5678", "1234", "1234"]);
        append(&path, "\n");
        assert_eq!(lines(&mut followed, 4), ["5"]);
        let long = "x".repeat(CHUNK * 2 + 1);
        append(&path, &format!("{long}\n"));
        assert_eq!(lines(&mut followed, CHUNK * 4), [long]);
    }

    #[test]
    fn a_line_that_is_not_utf_8_is_kept_as_it_is() {
        let (_folder, path) = file(b"\xff\xfe\0\r\n");
        let mut followed = Followed::open(&path, |_| None).unwrap();
        let pieces = followed.read(100).unwrap().unwrap();
        assert_eq!(pieces[0].line.as_deref(), Some(&b"\xff\xfe\0\r"[..]));
    }
}
