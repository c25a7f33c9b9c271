//! Copies that are cut short: by the network, by the death of either end, by a full disk, by damage.
//! What came is not sent again, and nothing is there twice or half.
use super::proxy::Proxy;
use super::*;

/// What may be on its way when an exchange ends, and so is sent again: what is asked ahead.
const ON_ITS_WAY: u64 = 9 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_every_break_it_goes_on_where_it_was() {
    let (mut home, mut spare) = (End::new("srv-1", false).await, End::new("srv-3", true).await);
    record(spare.root(), &[&[1 << 20; 40], &[3 << 20; 12], &[20_000; 200]]);
    let recorded = material(spare.root());
    let total: u64 = recorded.values().map(|content| content.len() as u64).sum();
    let (mut breaks, mut sent) = (0, 0);
    let mut proxy = Proxy::to(spare.address.as_ref().unwrap()).await;
    loop {
        spare.order(&[duty(4, serve_to(None))]);
        home.order(&[duty(4, fetch_at(Some(&proxy.address), 24 << 20, false))]);
        let until = proxy.sent() + rand::random_range((6 << 20)..(16 << 20));
        let done = |home: &End| home.standing().is_some_and(|(s, _)| s == CopyStanding::Durable);
        let begun = Instant::now();
        while !done(&home) && proxy.sent() < until {
            assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", home.standing());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if done(&home) {
            break;
        }
        breaks += 1;
        match breaks % 3 {
            0 => proxy.cut(),
            1 => home = End::start("srv-1", home.stop(), false, Security::Insecure).await,
            _ => {
                sent += proxy.sent();
                spare = End::start("srv-3", spare.stop(), true, Security::Insecure).await;
                proxy = Proxy::to(spare.address.as_ref().unwrap()).await;
            }
        }
    }
    sent += proxy.sent();
    assert!(breaks >= 4, "only {breaks} breaks");
    assert_eq!(material(home.root()), recorded);
    let bound = total + total / 50 + breaks * ON_ITS_WAY;
    assert!(sent <= bound, "{sent} bytes were sent for {total}, with {breaks} breaks");
    let progress = home.standing().unwrap().1;
    assert_eq!((progress.segments_done, progress.bytes_done), (252, total));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_segment_is_told_and_stops_no_other() {
    let (mut home, spare) = (End::new("srv-1", false).await, End::new("srv-3", true).await);
    record(spare.root(), &[&[5_000; 20]]);
    let recorded = material(spare.root());
    // The first has a recorded hash; that of the third (2) is not known to anybody.
    let bad = "material/rec-1/ch-1/1000-1001-3-srv-3.seg";
    let mut content = recorded[bad].clone();
    content[4_000] ^= 1;
    fs::write(spare.root().join(bad), &content).unwrap();
    spare.order(&[duty(4, serve_to(None))]);
    home.order(&[duty(4, fetch(spare.address.as_ref()))]);
    let progress = home.until(CopyStanding::Failed).await;
    assert_eq!((progress.segments_done, progress.segments_failed), (19, 1));
    let mut others = recorded.clone();
    others.remove(bad);
    assert_eq!(material(home.root()), others);
    // Mended, and tried anew: only that one is fetched.
    fs::write(spare.root().join(bad), &recorded[bad]).unwrap();
    home.order(&[duty(4, fetch_at(spare.address.as_ref(), 0, true))]);
    // Two words that follow each other at once may be seen as one, and nothing shows the first.
    tokio::time::sleep(Duration::from_millis(300)).await;
    home.order(&[duty(4, fetch(spare.address.as_ref()))]);
    let progress = home.until(CopyStanding::Durable).await;
    assert_eq!((progress.segments_done, progress.segments_failed), (20, 0));
    assert_eq!(material(home.root()), recorded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_in_before_the_place_was_lost_is_found_again() {
    let (mut home, spare) = (End::new("srv-1", false).await, End::new("srv-3", true).await);
    record(spare.root(), &[&[100_000; 60]]);
    let recorded = material(spare.root());
    let proxy = Proxy::to(spare.address.as_ref().unwrap()).await;
    spare.order(&[duty(4, serve_to(None))]);
    home.order(&[duty(4, fetch(Some(&proxy.address)))]);
    home.until(CopyStanding::Durable).await;
    let (disk, before) = (home.stop(), proxy.sent());
    fs::remove_dir_all(disk.path().join("copies")).unwrap();
    // One is not what it was: it is fetched anew, and no other.
    let bad = disk.path().join("material/rec-1/ch-1/1003-1004-3-srv-3.seg");
    fs::write(&bad, "something else").unwrap();
    let mut home = End::start("srv-1", disk, false, Security::Insecure).await;
    home.order(&[duty(4, fetch(Some(&proxy.address)))]);
    home.until(CopyStanding::Durable).await;
    assert_eq!(material(home.root()), recorded);
    let again = proxy.sent() - before;
    assert!((100_000..150_000).contains(&again), "{again} bytes were sent again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_waits_lets_the_next_one_go_first() {
    let (mut home, spare) = (End::new("srv-1", false).await, End::new("srv-3", true).await);
    record(spare.root(), &[&[100; 5]]);
    let (address, paused) = (spare.address.as_ref(), |kind| duty(3, kind));
    let older = |kind| CopyDuty { epoch: Epoch(1), ..duty(4, kind) };
    let nobody: Address = "127.0.0.1:9".parse().unwrap();
    spare.order(&[paused(serve_to(None)), duty(5, serve_to(None))]);
    home.order(&[
        paused(fetch_at(address, 0, true)),
        older(fetch(Some(&nobody))),
        duty(5, fetch(address)),
    ]);
    let begun = Instant::now();
    let standing = |home: &End, copy| {
        let shown = home.copying.status.borrow();
        shown.iter().find(|one| one.copy == CopyId(copy)).map(|one| one.standing)
    };
    while standing(&home, 5) != Some(CopyStanding::Durable)
        || standing(&home, 4) != Some(CopyStanding::NoRoute)
    {
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", home.copying.status);
        let changed = home.copying.status.changed();
        let _ = tokio::time::timeout(Duration::from_secs(1), changed).await;
    }
    assert_eq!(standing(&home, 3), None, "paused before it began");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenure_that_is_still_recorded_is_neither_copied_nor_erased() {
    let (mut home, spare) = (End::new("srv-1", false).await, End::new("srv-3", true).await);
    record(spare.root(), &[&[100; 5]]);
    let recorded = material(spare.root());
    let open = BTreeSet::from([("rec-1".parse().unwrap(), Epoch(3))]);
    spare.copying.recording(open);
    spare.order(&[duty(4, serve_to(None))]);
    home.order(&[duty(4, fetch(spare.address.as_ref()))]);
    tokio::time::sleep(Duration::from_millis(700)).await; // several tries
    assert!(material(home.root()).is_empty());
    spare.order(&[duty(4, CopyKind::Erase)]);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(material(spare.root()), recorded);
    spare.order(&[duty(4, serve_to(None))]);
    spare.copying.recording(BTreeSet::new());
    home.until(CopyStanding::Durable).await;
    assert_eq!(material(home.root()), recorded);
}

/// A small disk of its own, as long as it is held. Needs root.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(bytes: &str) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let size = format!("size={bytes}");
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(temp.path())
            .status();
        assert!(mount.unwrap().success());
        Self(temp)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let gone = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(gone.unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_waited_for() {
    if !rustix::process::geteuid().is_root() {
        println!("not run: a full disk needs root (mount)");
        return;
    }
    let disk = SmallDisk::mount("20m");
    let spare = End::new("srv-3", true).await;
    record(spare.root(), &[&[1 << 20; 16]]);
    let recorded = material(spare.root());
    let filler = disk.0.path().join("filler");
    fs::write(&filler, vec![1; 8 << 20]).unwrap();
    let data = tempfile::tempdir_in(disk.0.path()).unwrap();
    let mut home = End::start("srv-1", data, false, Security::Insecure).await;
    spare.order(&[duty(4, serve_to(None))]);
    home.order(&[duty(4, fetch(spare.address.as_ref()))]);
    let progress = home.until(CopyStanding::DiskFull).await;
    assert!((6..12).contains(&progress.segments_done), "{progress:?}");
    let whole = material(home.root());
    assert!(whole.iter().all(|(name, content)| recorded[name] == *content), "nothing half");
    let left = rustix::fs::statvfs(disk.0.path()).unwrap();
    assert!(left.f_bavail * left.f_frsize >= 1 << 20, "a twentieth is left to who records");
    fs::remove_file(filler).unwrap();
    home.until(CopyStanding::Durable).await;
    assert_eq!(material(home.root()), recorded);
    drop(home.stop());
}
