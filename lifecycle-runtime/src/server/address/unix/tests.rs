//! Tests of the ownership of a socket's file when several processes take it at the same time.

use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Barrier;
use std::thread;

use super::*;

fn folder() -> PathBuf {
    let name = format!("lifecycle-unix-{}-{:?}", std::process::id(), thread::current().id());
    let folder = std::env::temp_dir().join(name.replace(['(', ')'], ""));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn of_those_who_replace_a_file_at_once_one_listens_and_it_is_the_one_that_is_found() {
    let folder = folder();
    let path = folder.join("s");
    let text = path.display().to_string();
    for round in 0..300 {
        // A file that was left behind: its socket is closed, and the file stays.
        drop(UnixListener::bind(&path).expect("a free place"));
        let start = Barrier::new(4);
        let start_one = || {
            let address = UnixAddress::parse(&text).expect("an address");
            start.wait();
            let (socket, file) = address.bind().ok()?;
            file.listen(&socket, 8).ok().map(|()| (UnixListener::from(socket), file))
        };
        let listening: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(start_one)).collect();
            threads.into_iter().filter_map(|thread| thread.join().expect("no panic")).collect()
        });
        assert_eq!(listening.len(), 1, "round {round}");
        let (listener, file) = &listening[0];
        let _client = UnixStream::connect(&path).expect("it is found");
        assert!(listener.accept().is_ok() && file.is_in_place(), "round {round}");
        drop(listening);
        assert!(!path.exists());
    }
    std::fs::remove_dir(&folder).expect("nothing is left");
}

#[test]
fn a_file_that_another_process_has_made_meanwhile_stays_even_if_it_gets_the_same_inode() {
    let folder = folder();
    let path = folder.join("s");
    let address = path.display().to_string();
    let (socket, file) =
        UnixAddress::parse(&address).expect("an address").bind().expect("a socket");
    drop(socket);
    std::fs::remove_file(&path).expect("a file");
    let _other = UnixListener::bind(&path).expect("a free place");
    drop(file);
    assert!(path.exists());
    std::fs::remove_dir_all(&folder).expect("a folder");
}

#[test]
fn a_question_mark_may_be_a_part_of_the_path() {
    let address = UnixAddress::parse("/run/what?/app.sock?mode=0660").expect("an address");
    assert!(
        matches!(address.place, UnixPlace::File(path) if path == Path::new("/run/what?/app.sock"))
    );
    assert_eq!(address.mode, Some(0o660));
    let address = UnixAddress::parse("/run/what?/app.sock").expect("an address");
    assert_eq!(address.mode, None);
}

#[test]
fn a_folder_that_somebody_else_has_locked_is_used_all_the_same() {
    let folder = folder();
    let other = File::open(&folder).expect("a folder");
    other.lock().expect("a lock");
    let text = folder.join("s").display().to_string();
    let bound = UnixAddress::parse(&text).expect("an address").bind();
    drop(other);
    drop(bound.expect("a socket"));
    std::fs::remove_dir(&folder).expect("nothing is left");
}
